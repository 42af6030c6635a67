package core

import "encoding/binary"

// PartitionOf chooses the partition of a message with that key: the one that Kafka's
// clients choose, so that a key is in one partition whoever writes it. Messages without
// a key (nil) take turns.
func (s *Stream) PartitionOf(key []byte) int {
	n := s.Partitions()
	switch {
	case n <= 1:
		return 0
	case key == nil:
		return int(s.turn.Add(1) % uint64(n))
	}
	return int(murmur2(key)&(1<<31-1)) % n
}

// murmur2 is the hash of Kafka's default partitioner.
func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		h = h*m ^ (k^k>>24)*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

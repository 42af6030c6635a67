package core

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/minio/highwayhash"
)

// dedupSlices is how many time slices a window has: a whole slice is forgotten
// at a time.
const dedupSlices = 4

// dedupKey keys the hash of ids. It is part of the checkpoints' format.
var dedupKey = []byte("trivium's dedup windows, form 1.")

// idHash stands for an id: 128 bits, so that two ids never meet by chance.
type idHash [highwayhash.Size128]byte

// dedup remembers the ids of a Stream's recent messages. Guarded by the
// sequencer.
type dedup struct {
	slices []*dedupSlice // oldest first
	gone   [][]byte      // parts of checkpoints that are no longer needed
}

type dedupSlice struct {
	start   int64 // unix nanoseconds
	ids     map[idHash]idRef
	unsaved []byte // records for the next checkpoint
	parts   uint32 // how many parts checkpoints have written
}

type idRef struct {
	partition int32
	offset    Offset
	time      int64
}

// hashID stands for an ID.
func hashID(id []byte) idHash { return highwayhash.Sum128(id, dedupKey) }

const idRecordLen = len(idHash{}) + 4 + 8 + 8

// find returns where the message with that id was stored within the window.
func (d *dedup) find(id []byte, now int64, window time.Duration) (idRef, bool) {
	if len(d.slices) == 0 {
		return idRef{}, false
	}
	h := hashID(id)
	for i := len(d.slices) - 1; i >= 0; i-- {
		if r, ok := d.slices[i].ids[h]; ok {
			return r, now-r.time < int64(window)
		}
	}
	return idRef{}, false
}

// add remembers id. Knowing it already is no error.
func (d *dedup) add(id []byte, r idRef, window time.Duration) {
	h := hashID(id)
	s := d.slice(r.time, window)
	if old, ok := s.ids[h]; ok && old == r {
		return
	}
	s.ids[h] = r
	s.unsaved = append(s.unsaved, h[:]...)
	s.unsaved = binary.BigEndian.AppendUint32(s.unsaved, uint32(r.partition))
	s.unsaved = binary.BigEndian.AppendUint64(s.unsaved, uint64(r.offset))
	s.unsaved = binary.BigEndian.AppendUint64(s.unsaved, uint64(r.time))
}

// slice is the slice for a time, which is hardly ever earlier than the last one.
func (d *dedup) slice(t int64, window time.Duration) *dedupSlice {
	width := max(int64(window)/dedupSlices, 1)
	for i := len(d.slices) - 1; i >= 0; i-- {
		s := d.slices[i]
		if t >= s.start && (t < s.start+width || i < len(d.slices)-1) {
			return s
		}
	}
	s := &dedupSlice{start: t, ids: map[idHash]idRef{}}
	if n := len(d.slices); n > 0 && t < d.slices[0].start {
		d.slices = append([]*dedupSlice{s}, d.slices...)
	} else {
		d.slices = append(d.slices, s)
	}
	return s
}

// expire forgets the slices that are older than the window.
func (d *dedup) expire(now int64, window time.Duration) {
	width := int64(window) / dedupSlices
	for len(d.slices) > 0 && now-(d.slices[0].start+width) >= int64(window) {
		for i := range d.slices[0].parts {
			d.gone = append(d.gone, d.slices[0].part(i))
		}
		d.slices[0] = nil
		d.slices = d.slices[1:]
	}
}

// part is the checkpoint key of a slice's n-th part.
func (s *dedupSlice) part(n uint32) []byte {
	k := binary.BigEndian.AppendUint64([]byte{partDedup}, uint64(s.start))
	return binary.BigEndian.AppendUint32(k, n)
}

// snapshot hands over what was added since the last one.
func (d *dedup) snapshot(now int64, window time.Duration, set func(part, value []byte)) {
	d.expire(now, window)
	for _, part := range d.gone {
		set(part, nil)
	}
	d.gone = nil
	for _, s := range d.slices {
		if len(s.unsaved) > 0 {
			set(s.part(s.parts), s.unsaved)
			s.parts++
			s.unsaved = nil
		}
	}
}

func (d *dedup) restore(part, v []byte) error {
	if len(part) != 12 || len(v)%idRecordLen != 0 {
		return fmt.Errorf("dedup part of %d bytes", len(v))
	}
	start, n := int64(binary.BigEndian.Uint64(part)), binary.BigEndian.Uint32(part[8:])
	var s *dedupSlice
	if l := len(d.slices); l > 0 && d.slices[l-1].start == start {
		s = d.slices[l-1] // parts come in order
	} else {
		s = &dedupSlice{start: start, ids: map[idHash]idRef{}}
		d.slices = append(d.slices, s)
	}
	s.parts = max(s.parts, n+1)
	for ; len(v) > 0; v = v[idRecordLen:] {
		r := v[len(idHash{}):]
		s.ids[idHash(v)] = idRef{
			int32(binary.BigEndian.Uint32(r)), Offset(binary.BigEndian.Uint64(r[4:])),
			int64(binary.BigEndian.Uint64(r[12:])),
		}
	}
	return nil
}

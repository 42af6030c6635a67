package core

import (
	"encoding/binary"
	"fmt"
)

// The parts of a stream's checkpoint.
const (
	partDedup    = 'd' // slice start, number -> ids
	partNames    = 'e' // group of ids -> names, of the key index
	partLongName = 'f' // id -> name
	partKeyPage  = 'g' // page number -> keyPage
	partUnknown  = 'h' // -> unknown, uvarint
	partProducer = 'p' // partition, producer id -> producerState
	partLastID   = 'l' // -> the last id
)

// streamState is what a stream derives from its appends and cannot read back
// from what is stored. Guarded by the sequencer.
type streamState struct {
	ds        durableState
	s         *Stream
	dedup     dedup
	producers []producers // by partition
	lastID    []byte
	idChanged bool
	// unknown is how many live messages the key index lacked when it was last built from the log: they could not be read.
	unknown int64
}

func (st *streamState) durableState() *durableState { return &st.ds }

// A streamState's Note is of a batch that its producer need not send again although none of it was stored:
//
//	partition   4 bytes    first   4
//	producer    8          last    4
//	epoch       2          offset  8   of the copy that was stored before
//	                       time    8
const batchNoteLen = 4 + 8 + 2 + 4 + 4 + 8 + 8

func (st *streamState) replay(data []byte) {
	if len(data) != batchNoteLen {
		return
	}
	u32, u64 := binary.BigEndian.Uint32, binary.BigEndian.Uint64
	b := Producer{
		Set: true, ID: int64(u64(data[4:])), Epoch: int16(binary.BigEndian.Uint16(data[12:])),
		First: int32(u32(data[14:])), Last: int32(u32(data[18:])),
	}
	if i := int(u32(data)); i < st.s.Partitions() {
		st.producersOf(i).stored(&b, Offset(u64(data[22:])), int64(u64(data[30:])))
	}
}

// Repeated records that all messages of a producer's batch were Duplicates by ID: at is where the first one was
// stored. Its sequence numbers are used, as if it had been stored.
func (s *Stream) Repeated(tx *Tx, partition int, b *Producer, at Offset) {
	n := binary.BigEndian.AppendUint32(nil, uint32(partition))
	n = binary.BigEndian.AppendUint64(n, uint64(b.ID))
	n = binary.BigEndian.AppendUint16(n, uint16(b.Epoch))
	n = binary.BigEndian.AppendUint32(n, uint32(b.First))
	n = binary.BigEndian.AppendUint32(n, uint32(b.Last))
	n = binary.BigEndian.AppendUint64(n, uint64(at))
	n = binary.BigEndian.AppendUint64(n, uint64(tx.Now()))
	s.state.producersOf(partition).stored(b, at, tx.Now())
	tx.note(s.state, n)
}

// producersOf are a partition's producers.
func (st *streamState) producersOf(partition int) producers {
	for len(st.producers) <= partition {
		st.producers = append(st.producers, nil)
	}
	if st.producers[partition] == nil {
		st.producers[partition] = producers{}
	}
	return st.producers[partition]
}

// stored records what an entry, appended or replayed at that time, says about its
// sender.
func (st *streamState) stored(partition int, e *Entry, now int64) {
	if e.Producer.Set {
		st.producersOf(partition).stored(&e.Producer, e.Offset, now)
		st.s.b.changed(st)
	}
	if len(e.ID) == 0 {
		if len(st.lastID) > 0 {
			st.lastID, st.idChanged = st.lastID[:0], true
			st.s.b.changed(st)
		}
		return
	}
	if window := st.s.config().DedupWindow; window > 0 {
		st.dedup.expire(now, window)
		st.dedup.add(e.ID, idRef{int32(partition), e.Offset, now}, window)
	}
	st.lastID, st.idChanged = append(st.lastID[:0], e.ID...), true
	st.s.b.changed(st)
}

func (st *streamState) snapshot(set func(part, value []byte)) {
	now := st.s.b.now()
	st.dedup.snapshot(now, st.s.config().DedupWindow, set)
	if p := st.s.partition(0); p.keys != nil {
		p.keys.snapshot(snapshotRows, set)
		st.s.b.indexed = append(st.s.b.indexed, p.keys)
	}
	for i, ps := range st.producers {
		ps.snapshot(now, func(id int64, v []byte) {
			k := binary.BigEndian.AppendUint32([]byte{partProducer}, uint32(i))
			set(binary.BigEndian.AppendUint64(k, uint64(id)), v)
		})
	}
	if st.idChanged {
		st.idChanged = false
		set([]byte{partLastID}, append([]byte{}, st.lastID...))
	}
}

func (st *streamState) unfinished() bool {
	p := st.s.partition(0)
	return p.keys != nil && p.keys.unfinished()
}

func (st *streamState) restore(part, v []byte) error {
	if len(part) > 0 && part[0] >= partNames && part[0] <= partKeyPage {
		if p := st.s.partition(0); p.keys != nil {
			p.keys.restore(part, v)
		}
		return nil
	}
	switch {
	case len(part) > 0 && part[0] == partDedup:
		return st.dedup.restore(part[1:], v)
	case len(part) == 13 && part[0] == partProducer:
		i := binary.BigEndian.Uint32(part[1:])
		if int(i) >= st.s.Partitions() {
			return fmt.Errorf("producers of partition %d", i)
		}
		ps := st.producersOf(int(i))
		return ps.restore(int64(binary.BigEndian.Uint64(part[5:])), v)
	case len(part) == 1 && part[0] == partUnknown:
		n, _ := binary.Uvarint(v)
		st.unknown = int64(n)
		return nil
	case len(part) == 1 && part[0] == partLastID:
		st.lastID = append([]byte{}, v...)
		return nil
	}
	return fmt.Errorf("stream state part %x", part)
}

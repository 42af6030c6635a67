package core

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

const (
	// producerBatches is how many batches of a producer can be retried: clients
	// keep at most five in flight.
	producerBatches = 5
	// producerExpiry is how long an idle producer is remembered.
	producerExpiry = 24 * time.Hour
)

// producers are the idempotent producers of one partition. Guarded by the
// sequencer.
type producers map[int64]*producerState

type producerState struct {
	epoch   int16
	used    int64 // unix nanoseconds of the last batch
	changed bool
	n       int                         // batches kept
	batches [producerBatches]batchRange // oldest first
}

// batchRange is a batch that was stored: its sequence numbers and its offset.
type batchRange struct {
	first, last int32
	offset      Offset
}

// check decides whether a batch may be stored. Source: Kafka 4.3
// ProducerAppendInfo.
func (ps producers) check(b *Producer) error {
	st := ps[b.ID]
	switch {
	case st == nil:
		return nil
	case b.Epoch < st.epoch:
		return &Error{Code: Fenced, Op: "append", Want: fmt.Sprintf("epoch %d or later", st.epoch)}
	case b.Control:
		return nil
	case b.Epoch > st.epoch:
		if b.First != 0 {
			return &Error{Code: OutOfSequence, Op: "append", Want: "sequence 0 of a new epoch"}
		}
		return nil
	}
	for _, r := range st.batches[:st.n] {
		if r.first == b.First && r.last == b.Last {
			return &Error{Code: Duplicate, Op: "append", Want: NewSequence, Got: r.offset}
		}
	}
	if st.n == 0 {
		if b.First != 0 { // the epoch was opened by a control batch
			return &Error{Code: OutOfSequence, Op: "append", Want: "sequence 0 of a new epoch"}
		}
		return nil
	}
	if want := nextSequence(st.batches[st.n-1].last); b.First != want {
		return &Error{Code: OutOfSequence, Op: "append", Want: fmt.Sprintf("sequence %d", want)}
	}
	return nil
}

// NewSequence is what a Duplicate that an idempotent producer sent again lacks.
const NewSequence = "a new sequence"

// nextSequence follows seq, which wraps to 0.
func nextSequence(seq int32) int32 {
	if seq == math.MaxInt32 {
		return 0
	}
	return seq + 1
}

// stored records a batch. A batch that is known already changes nothing.
func (ps producers) stored(b *Producer, o Offset, now int64) {
	st := ps[b.ID]
	if st == nil {
		st = &producerState{epoch: b.Epoch}
		ps[b.ID] = st
	}
	if b.Epoch < st.epoch || b.Epoch == st.epoch && st.n > 0 && o <= st.batches[st.n-1].offset && b.First != nextSequence(st.batches[st.n-1].last) {
		return // replayed
	}
	if b.Epoch > st.epoch {
		st.epoch, st.n = b.Epoch, 0
	}
	st.used, st.changed = now, true
	if b.Control {
		return
	}
	if st.n == producerBatches {
		copy(st.batches[:], st.batches[1:])
		st.n--
	}
	st.batches[st.n] = batchRange{b.First, b.Last, o}
	st.n++
}

// snapshot hands over the producers that changed, and forgets those that were
// idle for too long.
func (ps producers) snapshot(now int64, set func(id int64, value []byte)) {
	for id, st := range ps {
		if now-st.used > int64(producerExpiry) {
			delete(ps, id)
			set(id, nil)
			continue
		}
		if !st.changed {
			continue
		}
		st.changed = false
		v := binary.BigEndian.AppendUint16(nil, uint16(st.epoch))
		v = binary.BigEndian.AppendUint64(v, uint64(st.used))
		for _, r := range st.batches[:st.n] {
			v = binary.BigEndian.AppendUint32(v, uint32(r.first))
			v = binary.BigEndian.AppendUint32(v, uint32(r.last))
			v = binary.BigEndian.AppendUint64(v, uint64(r.offset))
		}
		set(id, v)
	}
}

func (ps producers) restore(id int64, v []byte) error {
	if len(v) < 10 || (len(v)-10)%16 != 0 || len(v) > 10+16*producerBatches {
		return fmt.Errorf("producer state of %d bytes", len(v))
	}
	st := &producerState{
		epoch: int16(binary.BigEndian.Uint16(v)),
		used:  int64(binary.BigEndian.Uint64(v[2:])),
	}
	for v = v[10:]; len(v) > 0; v = v[16:] {
		st.batches[st.n] = batchRange{
			int32(binary.BigEndian.Uint32(v)), int32(binary.BigEndian.Uint32(v[4:])),
			Offset(binary.BigEndian.Uint64(v[8:])),
		}
		st.n++
	}
	ps[id] = st
	return nil
}

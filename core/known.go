package core

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Dedup says that an Exchange or a Queue drops messages that it had before. A message without an ID
// is always new. The zero value drops nothing.
type Dedup struct {
	On bool `json:",omitzero"`
	// Size is how many IDs are known at most: the oldest go first. 0 = no bound.
	Size int `json:",omitzero"`
	// TTL is how long one is known; 0 = no end. Of a Queue with neither Size nor TTL, an ID is
	// known as long as its message is in the queue.
	TTL time.Duration `json:",omitzero"`
}

// Identified is a HeaderSource that can also tell its message's ID.
type Identified interface {
	// ID is the message's ID if header is the name of the header that holds it; nil = none. ttl is
	// how long the message wants it to be known, 0 if it does not say. What it returns is valid
	// until the next call.
	ID(header string) (id []byte, ttl time.Duration)
}

// known are the IDs that an Exchange or a Queue had. Guarded by the sequencer.
//
// What it remembers of an ID, its record, is a hash and a number: where the message is, if the
// ID is known as long as that is in its queue; else until when it is known, in unix nanoseconds.
// Records are counted. Notes and the numbered parts of checkpoints have one form, big endian:
//
//	count of records up to the last one here    8 bytes
//	records, each: hash                        16
//	               number                       8
//
// Records are in the order in which they came; a later one counts. From time to time part 0 is written anew,
// with all that is known, and the others become empty.
type known struct {
	ds    durableState
	b     *Broker
	dedup Dedup
	queue *Queue // whose messages count as long as they are in it, or nil
	byID  map[idHash]int64
	order []knownID // oldest first; of one that came again, only the last place counts
	swept int       // of order, when what is forgotten was last taken out
	count uint64    // of records, ever

	unsaved []byte // records for the next checkpoint
	saved   int    // records in the checkpoints' parts
	parts   uint32
}

type knownID struct {
	id     idHash
	number int64
}

const (
	knownLen = len(idHash{}) + 8
	// knownSlack is how much may lie about before it is cleaned up.
	knownSlack = 64
)

// newKnown makes what remembers, or nil if nothing is to be remembered. q is the messages' queue, or nil.
func newKnown(b *Broker, d Dedup, q *Queue) *known {
	if !d.On {
		return nil
	}
	k := &known{b: b, dedup: d, byID: map[idHash]int64{}}
	if d.Size == 0 && d.TTL == 0 {
		k.queue = q
	}
	return k
}

// has reports whether a message with that hash is known.
func (k *known) has(h idHash, now int64) bool {
	n, ok := k.byID[h]
	return ok && k.counts(n, now)
}

// counts reports whether a record's number says that it is still known.
func (k *known) counts(n, now int64) bool {
	if k.queue != nil {
		return k.queue.holds(Offset(n))
	}
	return now < n
}

// until is the number of a message that is known from now on.
func (k *known) until(now int64, ttl time.Duration) int64 {
	if ttl == 0 {
		ttl = k.dedup.TTL
	}
	if ttl == 0 {
		return forever
	}
	return after(now, ttl)
}

// remember records h's number in tx. 0 makes an Exchange forget it.
func (k *known) remember(tx *Tx, h idHash, number int64) {
	k.set(h, number, tx.Now())
	if k.ds.owner == 0 {
		return
	}
	k.count++
	tx.note(k, appendKnown(k.counted(nil), h, number))
	k.unsaved = appendKnown(k.unsaved, h, number)
}

// counted appends the count that begins a Note and a part.
func (k *known) counted(b []byte) []byte { return binary.BigEndian.AppendUint64(b, k.count) }

func appendKnown(b []byte, h idHash, number int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, h[:]...), uint64(number))
}

func (k *known) set(h idHash, number, now int64) {
	k.byID[h] = number
	k.order = append(k.order, knownID{h, number})
	for k.dedup.Size > 0 && len(k.byID) > k.dedup.Size {
		if first := k.order[0]; k.byID[first.id] == first.number {
			delete(k.byID, first.id)
		}
		k.order = k.order[1:]
	}
	if len(k.order) >= 2*k.swept+knownSlack {
		k.sweep(now)
	}
}

// sweep takes out what is no longer known.
func (k *known) sweep(now int64) {
	kept := make([]knownID, 0, len(k.order))
	for _, o := range k.order {
		n, ok := k.byID[o.id]
		switch {
		case !ok || n != o.number: // it came again
		case k.counts(n, now):
			kept = append(kept, o)
		default:
			delete(k.byID, o.id)
		}
	}
	k.order, k.swept = kept, len(kept)
}

func (k *known) durableState() *durableState { return &k.ds }

func (k *known) replay(data []byte) {
	if len(data) != 8+knownLen || binary.BigEndian.Uint64(data) <= k.count {
		return // the checkpoint has it
	}
	k.count = binary.BigEndian.Uint64(data)
	data = data[8:]
	k.set(idHash(data), int64(binary.BigEndian.Uint64(data[len(idHash{}):])), 0)
	k.unsaved = append(k.unsaved, data...)
}

func (k *known) snapshot(set func(part, value []byte)) {
	if len(k.unsaved) == 0 {
		return
	}
	part := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	if k.saved+len(k.unsaved)/knownLen <= 2*len(k.byID)+knownSlack {
		set(part(k.parts), append(k.counted(nil), k.unsaved...))
		k.saved += len(k.unsaved) / knownLen
		k.parts++
		k.unsaved = nil
		return
	}
	k.sweep(k.b.now())
	all := k.counted(make([]byte, 0, 8+len(k.order)*knownLen))
	for _, o := range k.order {
		all = appendKnown(all, o.id, o.number)
	}
	set(part(0), all)
	for n := uint32(1); n < k.parts; n++ {
		set(part(n), []byte{})
	}
	k.saved, k.parts, k.unsaved = len(k.order), 1, nil
}

func (k *known) restore(part, v []byte) error {
	if len(part) != 4 || len(v) > 0 && len(v)%knownLen != 8 {
		return fmt.Errorf("known ids part of %d bytes", len(v))
	}
	k.parts = max(k.parts, binary.BigEndian.Uint32(part)+1)
	if len(v) == 0 {
		return nil
	}
	k.count = max(k.count, binary.BigEndian.Uint64(v))
	for v = v[8:]; len(v) > 0; v = v[knownLen:] {
		k.set(idHash(v), int64(binary.BigEndian.Uint64(v[len(idHash{}):])), 0)
		k.saved++
	}
	return nil
}

// identify is a message's ID by the header of that name.
func identify(h HeaderSource, header string) (id []byte, ttl time.Duration) {
	if m, ok := h.(Identified); ok {
		return m.ID(header)
	}
	return nil, 0
}

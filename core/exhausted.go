package core

import (
	"encoding/binary"

	"github.com/nats-io/nats-server/v2/server/avl"
)

// floor is the first offset that may be unsettled, and the number of the delivery
// before it. at is NoOffset if there is none.
type floor struct {
	at     Offset
	number uint64
}

var noFloor = floor{at: NoOffset}

// low is the floor as it follows from the flights. Requires: mu.
func (c *Cursor) low() floor {
	low := floor{c.mu.next, c.mu.deliveries}
	if c.mu.delivered != NoOffset {
		low.at = min(low.at, c.mu.delivered+1)
	}
	for f := range c.mu.flights.all {
		if f.attempts > 0 {
			return floor{f.offset, max(f.number, 1) - 1}
		}
	}
	return low
}

// anyInFlight reports whether a message was delivered and is not settled. Requires: mu.
func (c *Cursor) anyInFlight() bool {
	if c.mu.next < c.mu.seen {
		return true // before the restart: it may be
	}
	for f := range c.mu.flights.all {
		if f.attempts > 0 {
			return true
		}
	}
	return false
}

// exhaust ends a flight that had all its attempts. Settling moves the floor from
// message to message; one that is never settled is a step that is missing, so the
// floor stays below it until a message is settled that leaves nothing in flight
// (nats-server 2.15.2, consumerFileStore.UpdateAcks). Requires: mu.
func (c *Cursor) exhaust(f *flight) {
	if c.mu.low.at == NoOffset {
		if low := c.low(); low.at == f.offset {
			c.mu.low = low
		}
	}
	c.unhold(f)
	c.spend(f.offset)
	c.mu.flights.remove(f)
}

// freeFloor lets go of a floor that is held, if nothing is in flight. Requires: mu.
func (c *Cursor) freeFloor() {
	if c.mu.low.at != NoOffset && !c.anyInFlight() {
		c.mu.low = noFloor
	}
}

// purged says that a purge left nothing below first: what was there counts as
// delivered, and a floor that was held moves on. Requires: the sequencer.
func (c *Cursor) purged(tx *Tx, first Offset) {
	c.lock()
	defer c.unlock()
	if c.mu.gone || c.s.queue != nil || c.mu.low == noFloor && c.mu.delivered >= first-1 {
		return
	}
	c.mu.delivered = max(c.mu.delivered, first-1)
	if c.mu.next < first {
		c.skip(first)
	}
	c.setFloor(tx, noFloor)
}

// spend notes that a message had all its attempts. Requires: mu.
func (c *Cursor) spend(o Offset) {
	if c.mu.exhausted == nil {
		c.mu.exhausted = &avl.SequenceSet{}
	}
	c.mu.exhausted.Insert(uint64(o))
}

// revive forgets that a message had all its attempts and reports whether it had.
// Requires: mu.
func (c *Cursor) revive(o Offset) bool {
	if c.mu.exhausted == nil || !c.mu.exhausted.Delete(uint64(o)) {
		return false
	}
	if c.mu.exhausted.IsEmpty() {
		c.mu.exhausted = nil
	}
	return true
}

// reviveRange is revive for [from, to). Requires: mu.
func (c *Cursor) reviveRange(from, to Offset) {
	if c.mu.exhausted == nil {
		return
	}
	if to-from <= Offset(c.mu.exhausted.Size()) {
		for o := from; o < to; o++ {
			c.revive(o)
		}
		return
	}
	c.reviveIf(func(o Offset) bool { return o >= from && o < to })
}

// dropDead forgets exhausted messages that are not stored any more. Requires: mu, and
// the sequencer or loading.
func (c *Cursor) dropDead() {
	c.reviveIf(func(o Offset) bool { return !c.p.stored(o) })
}

func (c *Cursor) reviveIf(match func(o Offset) bool) {
	if c.mu.exhausted == nil {
		return
	}
	var drop []Offset
	c.mu.exhausted.Range(func(o uint64) bool {
		if match(Offset(o)) {
			drop = append(drop, Offset(o))
		}
		return true
	})
	for _, o := range drop {
		c.revive(o)
	}
}

// noteExhausted makes durable that messages had all their attempts, but for those
// that were settled since. Requires: mu, the sequencer.
func (c *Cursor) noteExhausted(tx *Tx, spent []retry) {
	if len(spent) == 0 {
		return
	}
	c.note(tx, noteSpent, func(b []byte) []byte {
		var os []Offset
		for _, x := range spent {
			if c.mu.exhausted != nil && c.mu.exhausted.Exists(uint64(x.offset)) {
				os = append(os, x.offset)
			}
		}
		return appendOffsets(b, os)
	})
	c.noteFloor(tx)
}

// noteFloor makes the floor that is held durable, if it changed. Requires: mu, the
// sequencer.
func (c *Cursor) noteFloor(tx *Tx) {
	if c.mu.low != c.mu.lowNoted {
		c.setFloor(tx, c.mu.low)
	}
}

func (c *Cursor) setFloor(tx *Tx, low floor) {
	c.mu.low, c.mu.lowNoted = low, low
	c.note(tx, noteLow, func(b []byte) []byte {
		b = binary.AppendVarint(b, int64(low.at))
		return binary.AppendUvarint(b, low.number)
	})
}

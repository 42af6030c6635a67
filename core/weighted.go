package core

import (
	"encoding/binary"
	"slices"
)

// A Weighted queue has two classes of messages: what is urgent is delivered before
// the others, except that every third message is the first of all. So no one
// starves. As messages become urgent when they are appended, the queue need not
// look for them: the offsets of those that were never delivered are kept in
// Cursor.mu.urgent, and survive a restart with the Cursor's state. The others are
// read in order, as in any queue, with the urgent ones passed over.
//
// Invariant: what is urgent, visible and in the Log is in mu.urgent or has a flight.

const (
	// normalPriority is the highest that is not urgent.
	normalPriority = 4
	// urgentLevel is what redoEntry.level and flight.priority say of urgent messages.
	urgentLevel = 1
	// weightedTurns is how many messages there are to one that is the first of all.
	weightedTurns = 3
)

func urgent(e *Entry) bool { return e.Priority > normalPriority }

// weighted and sorted say what a cursor's queue does about priorities.
func (c *Cursor) weighted() bool { return c.s.queue != nil && c.s.queue.config().Weighted }
func (c *Cursor) sorted() bool   { return c.s.queue != nil && c.s.queue.config().Priorities > 0 }

// favor makes urgent what is appended at o. Requires: the sequencer.
func (c *Cursor) favor(tx *Tx, o Offset) {
	c.lock()
	c.addUrgent(o)
	c.note(tx, noteUrgent, func(b []byte) []byte { return appendOffsets(b, []Offset{o}) })
	c.unlock()
}

// addUrgent does nothing if o was added before. Requires: mu.
func (c *Cursor) addUrgent(o Offset) {
	if o > c.mu.lastUrgent {
		c.mu.urgent, c.mu.lastUrgent = append(c.mu.urgent, o), o
	}
}

// notUrgent forgets what is urgent up to o. Requires: mu.
func (c *Cursor) notUrgent(o Offset) {
	i, found := slices.BinarySearch(c.mu.urgent, o)
	if found {
		i++
	}
	if c.mu.urgent = c.mu.urgent[i:]; len(c.mu.urgent) == 0 {
		c.mu.urgent = nil
	}
}

// othersTurn reports whether the next message is the first of all. Requires: mu.
func (c *Cursor) othersTurn() bool { return c.weighted() && c.mu.taken == weightedTurns-1 }

// took takes a message from its place, for the first time. Requires: mu.
func (c *Cursor) took(o Offset, level int) {
	c.mu.taken = (c.mu.taken + 1) % weightedTurns
	switch {
	case level == urgentLevel && c.weighted():
		c.notUrgent(o)
	case o >= c.mu.next:
		c.skip(o + 1)
	}
}

// outOfTurn reports whether something before end comes out of turn. Requires: mu.
func (c *Cursor) outOfTurn(end Offset) bool {
	return !c.mu.redo.empty() || len(c.mu.urgent) > 0 && c.mu.urgent[0] < end
}

// snapshotUrgent writes the offset after the last one that was ever urgent, then how many
// are and their offsets: those in flight too, as a queue begins anew after a restart. Requires: mu.
func (c *Cursor) snapshotUrgent(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(c.mu.lastUrgent+1))
	var all []Offset
	if c.weighted() {
		for f := range c.mu.flights.all {
			if f.priority == urgentLevel {
				all = append(all, f.offset)
			}
		}
		all = append(all, c.mu.urgent...)
		slices.Sort(all)
	}
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, o := range all {
		b = binary.AppendUvarint(b, uint64(o))
	}
	return b
}

// restoreUrgent reads it. Requires: mu.
func (c *Cursor) restoreUrgent(d *fields) {
	c.mu.lastUrgent = Offset(d.uvarint()) - 1
	for n := d.uvarint(); n > 0 && !d.short; n-- {
		c.mu.urgent = append(c.mu.urgent, Offset(d.uvarint()))
	}
}

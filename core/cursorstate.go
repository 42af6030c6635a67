package core

import (
	"encoding/binary"
	"fmt"

	"github.com/nats-io/nats-server/v2/server/avl"
)

// The kinds of a Cursor's Notes. Behind the kind stand the offset after the last
// one delivered for the first time and the number of deliveries, then:
const (
	noteSettled  = 'a' // ranges of offsets
	noteAttempts = 't' // offsets and their attempts
	noteSeek     = 's' // the offset, as a range
	noteUrgent   = 'u' // ranges of offsets, urgent in a Weighted queue
	noteSpent    = 'x' // ranges of offsets that had all their attempts
	noteLow      = 'f' // the floor that is held, zigzag, NoOffset = none, and its delivery
)

// note makes a change durable, if the cursor survives a restart. A queue's
// settled messages need no Note: they are deleted from its Log. Requires: mu, the
// sequencer.
func (c *Cursor) note(tx *Tx, kind byte, body func([]byte) []byte) {
	if c.ds.owner == 0 {
		return
	}
	b := append(c.s.b.noteBuf[:0], kind)
	b = binary.AppendUvarint(b, uint64(c.mu.delivered+1))
	b = binary.AppendUvarint(b, c.mu.deliveries)
	n := len(b)
	if b = body(b); len(b) > n {
		tx.note(c, b)
	}
	c.s.b.noteBuf = b
}

// appendOffsets appends ranges: the distance of each from the end of the one before, zigzag,
// and its length.
func appendOffsets(b []byte, os []Offset) []byte {
	last := Offset(0)
	for i := 0; i < len(os); {
		j := i + 1
		for j < len(os) && os[j] == os[j-1]+1 {
			j++
		}
		b = binary.AppendVarint(b, int64(os[i]-last))
		b = binary.AppendUvarint(b, uint64(j-i))
		last = os[j-1] + 1
		i = j
	}
	return b
}

func appendRetries(b []byte, rs []retry) []byte {
	for _, r := range rs {
		b = binary.AppendUvarint(b, uint64(r.offset))
		b = binary.AppendUvarint(b, uint64(r.attempts))
	}
	return b
}

// ranges calls f for what appendOffsets wrote, up to end.
func (d *fields) ranges(end Offset, f func(from, to Offset)) {
	last := Offset(0)
	for len(d.rest) > 0 {
		from := last + Offset(d.varint())
		to := from + Offset(d.uvarint())
		if !d.short && from < to {
			f(max(from, 0), min(to, end))
		}
		last = to
	}
}

// replay is durable.
func (c *Cursor) replay(data []byte) {
	if len(data) == 0 {
		return
	}
	d := &fields{rest: data[1:]}
	c.lock()
	defer c.unlock()
	delivered, deliveries := Offset(d.uvarint()), d.uvarint()
	c.mu.delivered = max(c.mu.delivered, delivered-1)
	c.mu.deliveries = max(c.mu.deliveries, deliveries)
	switch data[0] {
	case noteSettled:
		d.ranges(c.p.log.End(), c.replaySettled)
	case noteSpent:
		d.ranges(c.p.log.End(), func(from, to Offset) {
			c.replaySettled(from, to)
			for o := from; o < to; o++ {
				c.spend(o)
			}
		})
	case noteLow:
		if low := (floor{Offset(d.varint()), d.uvarint()}); !d.short {
			c.mu.low, c.mu.lowNoted = low, low
		}
	case noteSeek:
		d.ranges(maxOffset, func(o, _ Offset) { c.seek(o) })
		c.mu.delivered = NoOffset
	case noteUrgent:
		d.ranges(c.p.log.End(), func(from, to Offset) {
			for o := from; o < to; o++ {
				c.addUrgent(o)
			}
		})
	case noteAttempts:
		for len(d.rest) > 0 {
			o, n := Offset(d.uvarint()), int32(d.uvarint())
			if d.short {
				break
			}
			if f := c.mu.flights.find(o); f != nil {
				f.attempts = max(f.attempts, n)
			} else if o >= c.mu.next {
				c.remember(o, n)
			}
		}
	}
}

// remember keeps the attempts of a message that is not looked at yet. Requires: mu.
func (c *Cursor) remember(o Offset, attempts int32) {
	if c.mu.past == nil {
		c.mu.past = map[Offset]int32{}
	}
	c.mu.past[o] = max(c.mu.past[o], attempts)
}

// replaySettled settles [from, to). Requires: mu.
func (c *Cursor) replaySettled(from, to Offset) {
	c.reviveRange(from, to)
	for f := range c.mu.flights.all {
		if f.offset >= to {
			break
		}
		if f.offset >= from {
			c.unhold(f)
			c.mu.flights.remove(f)
		}
	}
	if from <= c.mu.next {
		if to > c.mu.next {
			c.skip(to)
		}
		return
	}
	for o := from; o < to; o++ {
		c.ackPast(o)
	}
}

// ackPast settles a message that next has not reached. Requires: mu.
func (c *Cursor) ackPast(o Offset) {
	if c.mu.acked == nil {
		c.mu.acked = &avl.SequenceSet{}
	}
	c.mu.acked.Insert(uint64(o))
	delete(c.mu.past, o)
}

// snapshot is durable. It is one part: next, lastsEnd, what was delivered, the floor that is
// held, the flights, what was tried above next, what is urgent, what was settled above
// next, what is exhausted.
func (c *Cursor) snapshot(set func(part, value []byte)) {
	c.lock()
	defer c.unlock()
	b := binary.AppendUvarint(nil, uint64(c.mu.next))
	b = binary.AppendUvarint(b, uint64(c.mu.lastsEnd))
	b = binary.AppendUvarint(b, uint64(c.mu.delivered+1))
	b = binary.AppendUvarint(b, uint64(max(c.mu.seen, 0)))
	b = binary.AppendUvarint(b, c.mu.deliveries)
	var active, ack int64
	if c.plain != nil {
		active, ack = c.plain.lastActive, c.plain.lastAck
	}
	b = binary.AppendUvarint(b, uint64(active))
	b = binary.AppendUvarint(b, uint64(ack))
	b = binary.AppendVarint(b, int64(c.mu.low.at))
	b = binary.AppendUvarint(b, c.mu.low.number)
	b = binary.AppendUvarint(b, uint64(c.mu.flights.live))
	for f := range c.mu.flights.all {
		b = binary.AppendUvarint(b, uint64(f.offset))
		b = binary.AppendUvarint(b, uint64(f.attempts))
		b = binary.AppendUvarint(b, f.number)
		b = binary.AppendUvarint(b, uint64(f.again))
		b = binary.AppendUvarint(b, uint64(f.deadline))
	}
	b = binary.AppendUvarint(b, uint64(len(c.mu.past)))
	for o, n := range c.mu.past {
		b = binary.AppendUvarint(b, uint64(o))
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = c.snapshotUrgent(b)
	c.dropDead()
	for _, s := range [...]*avl.SequenceSet{c.mu.acked, c.mu.exhausted} {
		if s == nil {
			s = &avl.SequenceSet{}
		}
		b = append(b, s.Encode(nil)...)
	}
	set(nil, b)
}

// restore is durable.
func (c *Cursor) restore(_, value []byte) error {
	d := &fields{rest: value}
	c.lock()
	defer c.unlock()
	next := Offset(d.uvarint())
	c.mu.lastsEnd = Offset(d.uvarint())
	c.mu.delivered = Offset(d.uvarint()) - 1
	c.mu.seen = max(Offset(d.uvarint()), c.mu.delivered+1)
	c.mu.deliveries = d.uvarint()
	active, ack := int64(d.uvarint()), int64(d.uvarint())
	if c.plain != nil {
		c.plain.lastActive, c.plain.lastAck = active, ack
	}
	c.mu.low = floor{Offset(d.varint()), d.uvarint()}
	c.mu.lowNoted = c.mu.low
	if c.s.queue == nil {
		c.mu.next, c.mu.fresh = next, next
	}
	for n := d.uvarint(); n > 0 && !d.short; n-- {
		f := flight{offset: Offset(d.uvarint()), attempts: int32(d.uvarint()), number: d.uvarint(), again: uint32(d.uvarint()), deadline: int64(d.uvarint())}
		if c.s.queue != nil { // next begins anew
			c.remember(f.offset, f.attempts)
			continue
		}
		f.state = ready
		if f.deadline != 0 {
			f.state = inFlight
			c.mu.held++
			c.deadline(f.deadline)
		}
		g := c.mu.flights.add(f)
		if f.state == ready {
			c.mu.redo.push(c, g)
		}
	}
	for n := d.uvarint(); n > 0 && !d.short; n-- {
		c.remember(Offset(d.uvarint()), int32(d.uvarint()))
	}
	c.restoreUrgent(d)
	if d.short {
		return fmt.Errorf("cursor %q: checkpoint of %d bytes", c.mu.cfg.Name, len(value))
	}
	for _, to := range [...]**avl.SequenceSet{&c.mu.acked, &c.mu.exhausted} {
		set, n, err := avl.Decode(d.rest)
		if err != nil {
			return fmt.Errorf("cursor %q: set of offsets: %w", c.mu.cfg.Name, err)
		}
		if d.rest = d.rest[n:]; !set.IsEmpty() {
			*to = set
		}
	}
	return nil
}

// recovered is called once all Notes are replayed, before anything else happens.
func (c *Cursor) recovered() {
	c.lock()
	c.mu.seen = max(c.mu.seen, c.mu.delivered+1)
	c.dropDead()
	c.recount()
	c.mu.idleSince = c.s.b.now()
	c.armIdle()
	if c.s.queue != nil {
		c.watch()
	}
	look := c.mu.watching // else there is nothing to do until someone comes
	if c.s.queue != nil && c.s.queue.config().HasMaxBytes && c.p.log.Messages() > 0 {
		look = true
		c.unweighed = &unweighed{end: c.p.log.End(), bytes: c.p.log.Bytes(), epoch: c.mu.epoch}
		c.mu.ready = c.unweighed.bytes
	}
	c.unlock()
	if look {
		c.wake()
	}
}

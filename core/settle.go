package core

import "time"

// Settle acks messages: they are never delivered again. It reports how many were unsettled. With AckUpTo, the last
// one settles all before it.
func (c *Cursor) Settle(tx *Tx, os ...Offset) int {
	c.lock()
	if c.mu.gone {
		c.unlock()
		return 0
	}
	done := c.s.b.scratch[:0]
	for _, o := range os {
		if c.mu.cfg.Ack == AckUpTo {
			done = c.settleUpTo(o, done)
			continue
		}
		if f := c.mu.flights.find(o); f != nil {
			if f.state != dying {
				done = c.land(f, done)
				c.freeFloor()
			}
		} else if c.revive(o) {
			done = append(done, o)
		} else if o >= c.mu.next && o < c.p.log.End() && c.ack(o) {
			// Deliveries go out in order and are not journaled: who settles o had it,
			// and what came before it, before the restart.
			c.mu.seen = max(c.mu.seen, o+1)
			done = append(done, o)
		}
	}
	c.s.b.scratch = done
	n := len(done)
	c.settled(tx, done)
	return n
}

// land ends a flight. Requires: mu.
func (c *Cursor) land(f *flight, done []Offset) []Offset {
	c.unhold(f)
	c.releaseWindows(f)
	done = append(done, f.offset)
	c.mu.flights.remove(f)
	return done
}

// settleUpTo settles o and what is before it, but not what had all its attempts.
// Requires: mu, the sequencer.
func (c *Cursor) settleUpTo(o Offset, done []Offset) []Offset {
	if f := c.mu.flights.find(o); f != nil && f.attempts > 0 {
		c.mu.low = floor{o + 1, f.last()}
	}
	for f := range c.mu.flights.all {
		if f.offset > o {
			break
		}
		if f.attempts > 0 {
			done = c.land(f, done)
		}
	}
	if o >= c.mu.next && o < c.p.log.End() {
		done = c.ackUpTo(o, done)
		c.mu.low = noFloor
	}
	return done
}

// ackUpTo settles everything up to a message that was delivered before a restart and
// not looked at since. Requires: mu, the sequencer.
func (c *Cursor) ackUpTo(o Offset, done []Offset) []Offset {
	if c.p.keys != nil {
		done = append(done, c.p.keys.offsets(c.mu.cfg.Filters, c.mu.next, o+1)...)
	} else {
		for x := c.mu.next; x <= o; x++ {
			if c.p.log.Live(x) {
				done = append(done, x)
			}
		}
	}
	c.skip(o + 1)
	c.mu.seen = max(c.mu.seen, o+1)
	c.recount()
	return done
}

// ack settles a message that was delivered before a restart and not looked at
// since. Requires: mu.
func (c *Cursor) ack(o Offset) bool {
	if !c.p.log.Live(o) || c.acked(o) {
		return false
	}
	c.ackPast(o)
	return true
}

// settled makes settling durable and lets go of what nobody keeps any more. It
// unlocks mu. Requires: the sequencer.
func (c *Cursor) settled(tx *Tx, done []Offset) {
	if len(done) == 0 {
		c.unlock()
		return
	}
	if c.plain != nil {
		c.plain.lastAck = tx.Now()
	}
	if c.mu.blocked {
		c.mu.blocked = false
		tx.wakeAfter(c)
	}
	if c.s.queue != nil {
		deleteRanges(tx, c.p.log, done) // with mu, so that what is ready is counted right
		c.unlock()
		return
	}
	c.note(tx, noteSettled, func(b []byte) []byte { return appendOffsets(b, done) })
	c.noteFloor(tx)
	c.unlock()
	c.letGo(tx, done)
}

// letGo applies the stream's retention to settled messages. Requires: the sequencer.
func (c *Cursor) letGo(tx *Tx, done []Offset) {
	switch c.s.config().Retention {
	case KeepWork:
		for _, o := range done {
			c.p.remove(tx, o)
		}
	case KeepInterest:
		for _, o := range done {
			var k string
			if c.p.keys != nil {
				k, _ = c.p.keys.key(o)
			}
			if !c.p.kept(o, raw(k)) {
				c.p.remove(tx, o)
			}
		}
	}
}

// deleteRanges deletes offsets, neighbours together.
func deleteRanges(tx *Tx, l *Log, os []Offset) {
	for i := 0; i < len(os); {
		j := i + 1
		for j < len(os) && os[j] == os[j-1]+1 {
			j++
		}
		tx.Delete(l, os[i], os[j-1]+1)
		i = j
	}
}

// Return gives messages back for another attempt after delay. If counted is false the
// attempt does not count towards MaxAttempts.
func (c *Cursor) Return(tx *Tx, delay time.Duration, counted bool, os ...Offset) int {
	c.lock()
	defer c.unlock()
	n := 0
	var w work
	for _, o := range os {
		f := c.mu.flights.find(o)
		if f == nil || f.state != inFlight && f.state != waiting {
			continue
		}
		n++
		c.releaseWindows(f)
		if !counted && f.attempts > 0 {
			f.attempts--
			if f.last() == c.mu.deliveries { // it counts as never made
				c.mu.deliveries--
			}
			if f.attempts == 0 && c.s.queue == nil && c.p.keys != nil {
				c.plain.pending++
			}
		}
		w.retried = append(w.retried, retry{o, f.attempts})
		if delay > 0 {
			f.state, f.deadline = waiting, after(tx.Now(), delay)
			c.deadline(f.deadline)
			continue
		}
		c.giveBack(f, &w)
	}
	c.mu.dying = append(c.mu.dying, w.dying...)
	c.mu.spent = append(c.mu.spent, w.exhausted...)
	if counted {
		c.note(tx, noteAttempts, func(b []byte) []byte { return appendRetries(b, w.retried) })
	}
	if n > 0 {
		tx.wakeAfter(c)
	}
	return n
}

// Discard settles messages as failed: a Queue dead-letters them with that reason, a plain
// cursor just settles.
func (c *Cursor) Discard(tx *Tx, reason string, os ...Offset) int {
	if c.s.queue == nil || !c.s.queue.config().HasDeadLetter {
		return c.Settle(tx, os...)
	}
	c.lock()
	defer c.unlock()
	n := 0
	for _, o := range os {
		f := c.mu.flights.find(o)
		if f == nil || f.state != inFlight && f.state != waiting {
			continue
		}
		n++
		c.releaseWindows(f)
		f.state, f.deadline = dying, 0
		c.mu.dying = append(c.mu.dying, death{o, reason, f.attempts})
	}
	if n > 0 {
		tx.wakeAfter(c)
	}
	return n
}

// Extend restarts the deadline of unsettled messages.
func (c *Cursor) Extend(os ...Offset) {
	now := c.s.b.now()
	c.lock()
	defer c.unlock()
	for _, o := range os {
		if f := c.mu.flights.find(o); f != nil && f.state == inFlight {
			if wait := c.ackWait(f.attempts); wait > 0 {
				f.deadline = after(now, wait)
				c.deadline(f.deadline)
			}
		}
	}
}

// InFlight reports the attempts of an unsettled, delivered message.
func (c *Cursor) InFlight(o Offset) (attempts int, ok bool) {
	c.lock()
	defer c.unlock()
	if f := c.mu.flights.find(o); f != nil && f.attempts > 0 {
		return int(f.attempts), true
	}
	return 0, false
}

// Seek moves the cursor: all before o counts as settled, the rest as new.
func (c *Cursor) Seek(tx *Tx, o Offset) {
	c.lock()
	c.seek(o)
	c.recount()
	c.note(tx, noteSeek, func(b []byte) []byte { return appendOffsets(b, []Offset{o}) })
	c.unlock()
	tx.wakeAfter(c)
}

// seek forgets all that is unsettled. Requires: mu.
func (c *Cursor) seek(o Offset) {
	for f := range c.mu.flights.all {
		c.unhold(f)
		c.releaseWindows(f)
	}
	c.mu.flights, c.mu.redo, c.mu.dying = flights{}, redo{}, nil
	c.mu.acked, c.mu.past, c.mu.seen = nil, nil, 0
	c.mu.exhausted, c.mu.low, c.mu.lowNoted = nil, noFloor, noFloor
	c.mu.next, c.mu.fresh, c.mu.lastsEnd = o, o, 0
	c.mu.epoch++
	if c.plain != nil {
		c.plain.looked.Store(0)
	}
}

// persist makes durable what a round settled or tried again.
func (c *Cursor) persist(w *work) {
	if len(w.settled)+len(w.retried)+len(w.exhausted) == 0 {
		return
	}
	if c.s.queue == nil && c.plain.id == 0 && (len(w.settled) == 0 || c.s.config().Retention == KeepLimits) {
		return
	}
	tx := c.s.b.Begin()
	c.lock()
	if c.mu.gone {
		c.unlock()
		tx.Commit()
		return
	}
	if c.s.queue == nil {
		c.note(tx, noteAttempts, func(b []byte) []byte { return appendRetries(b, w.retried) })
		c.noteExhausted(tx, w.exhausted)
	}
	c.settled(tx, w.settled)
	tx.Commit()
}

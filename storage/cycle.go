package storage

import (
	"github.com/cockroachdb/pebble/v2"
)

// cycle is what was committed while the previous write was on its way to disk. It
// becomes one frame. Cycles without anything for the journal only carry the ends
// of volatile appends and Completions.
type cycle struct {
	num   uint64
	pos   Position // given when it is taken to be written; 0 = nothing to write
	buf   []byte   // header and operations
	blk   *block
	batch *pebble.Batch
	logs  []touch
	drops []*Log
	thens []Completion
	txs   int64
	err   error
}

// touch says how far a Log's visible end moves with the cycle.
type touch struct {
	log *Log
	end Offset
}

func (c *cycle) durable() bool { return len(c.buf) > frameHeader }
func (c *cycle) empty() bool {
	return !c.durable() && c.txs == 0
}

// reset makes c ready for its next use.
func (c *cycle) reset() {
	clear(c.logs)
	clear(c.drops)
	clear(c.thens)
	*c = cycle{buf: c.buf, logs: keep(c.logs), drops: keep(c.drops), thens: keep(c.thens)}
}

// keep returns s emptied, or nothing if it had grown large for once.
func keep[T any](s []T) []T {
	if cap(s) > 1<<16 {
		return nil
	}
	return s[:0]
}

// hintMax bounds what is made ready for a frame before it is known to be that large.
const hintMax = 8 << 20

// gather makes c the one that transactions are written into.
func (s *Store) gather(c *cycle) {
	q := &s.seq
	q.cycles++
	c.num = q.cycles
	c.blk = &block{}
	c.blk.live.Store(1)
	if c.buf == nil {
		c.buf = s.cache.free.Take(max(4<<10, q.frameHint))
	}
	c.buf = c.buf[:frameHeader]
	q.cur = c
}

// writer is the one goroutine that hands cycles to the journal.
func (s *Store) writer() {
	defer s.work.Done()
	q := &s.seq
	var share sharing
	for {
		q.Lock()
		for q.cur.empty() && !q.closing {
			q.writerIdle = true
			q.wake.Wait()
		}
		q.writerIdle = false
		if q.cur.empty() {
			q.Unlock()
			s.done.push(nil)
			return
		}
		s.gatherMore(share.most())
		c := q.cur
		share.took(c)
		if c.durable() {
			q.pos++
			c.pos = q.pos
			q.frameHint = (q.frameHint + min(len(c.buf)*5/4+2*blockSize, hintMax)) / 2
		}
		s.gather(s.freeCycle())
		q.room.Broadcast()
		q.Unlock()

		if c.pos > 0 {
			s.write(c)
		} else {
			c.err = s.Err()
		}
		if s.alone(c, share.most()) {
			s.pass(c)
			s.done.rest()
		} else {
			s.done.push(c)
		}
	}
}

// aloneMost is how many Completions the writer runs itself when it expects nobody to come back.
const aloneMost = 4

// alone reports whether the writer is to complete c itself, which saves waking the completer: nothing else is being
// completed, c is quickly done, and nothing waits to be written, or less than most, so that who hears of c has time to
// join. If so, rest must follow.
func (s *Store) alone(c *cycle, most int) bool {
	if c.batch != nil || len(c.thens) > 2*shareMost {
		return false
	}
	s.seq.Lock()
	next := s.seq.cur
	few := next.empty() && len(c.thens) <= aloneMost || len(next.thens) < most
	s.seq.Unlock()
	return few && s.done.claim()
}

// write makes c durable, or sets c.err.
func (s *Store) write(c *cycle) {
	if c.err = s.Err(); c.err != nil {
		return
	}
	n := len(c.buf)
	s.journal.propose(c.pos, c.buf, func(p place, err error) {
		if err != nil {
			s.fail(err)
			c.err = s.Err()
			return
		}
		c.blk.place = p
	})
	if c.err != nil {
		return
	}
	c.blk.pos = c.pos
	if s.journal.pending() > s.o.JournalBytes {
		s.checkFull()
	}
	s.count.frames.Add(1)
	// The frame's bytes stay at hand for readers: the buffer itself, or a copy if
	// that saves memory.
	if c.blk.live.Load() > 1 {
		if n < cap(c.buf)/2 {
			s.cache.hold(c.blk, &held{b: append(s.cache.free.Take(n), c.buf...)})
		} else {
			s.cache.hold(c.blk, &held{b: c.buf})
			c.buf = nil
		}
	}
	s.cache.free.Give(c.buf)
	c.buf = nil
	s.cache.release(c.blk)
}

func (s *Store) freeCycle() *cycle {
	select {
	case c := <-s.cycles:
		return c
	default:
		return &cycle{}
	}
}

// show says that everything up to pos is visible.
func (s *Store) show(pos Position) {
	s.shown.Lock()
	s.applied.Store(uint64(pos))
	s.shown.wait.Broadcast()
	s.shown.Unlock()
	if s.wantsRoom() {
		s.nudgeSettler()
	}
}

// complete shows the effects of a cycle and tells whoever waits. It runs on the
// completer's goroutine.
func (s *Store) complete(c *cycle) {
	if c.err == nil && c.batch != nil && s.guard.broken.Load() {
		c.err = s.Err()
	}
	if c.err == nil && c.batch != nil {
		if err := s.index.commit(c.batch, c.pos); err != nil {
			s.fail(err)
		}
	}
	if c.batch != nil {
		c.batch.Close()
	}
	if c.err == nil {
		for _, t := range c.logs {
			t.log.end.Store(int64(t.end))
		}
		for _, l := range c.drops {
			s.forget(l)
		}
		if c.pos > 0 {
			s.show(c.pos)
		}
		for _, t := range c.logs {
			t.log.notify()
		}
	}
	s.count.txs.Add(c.txs)
	for _, t := range c.thens {
		t.Durable(c.err)
	}
}

// completer completes cycles in order, and instant ones, which wait for nothing.
func (s *Store) completer() {
	defer s.work.Done()
	for {
		cycles, open := s.done.take()
		s.pass(cycles...)
		s.done.rest()
		if !open {
			return
		}
	}
}

// pass completes cycles, and the instant one before them: see Tx.Commit. Requires: take or claim.
func (s *Store) pass(cycles ...*cycle) {
	instant := s.instant
	s.seq.Lock()
	if s.seq.instant.txs > 0 {
		instant, s.seq.instant = s.seq.instant, instant
		s.seq.cycles++
		s.seq.instant.num = s.seq.cycles
	}
	s.seq.Unlock()
	if instant.txs > 0 {
		s.complete(instant)
		instant.reset()
	}
	s.instant = instant
	for _, c := range cycles {
		num := c.num
		s.complete(c)
		c.reset()
		select {
		case s.cycles <- c:
		default:
		}
		s.doneCycle.Store(num)
	}
	s.passed.call()
}

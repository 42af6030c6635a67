package core

import (
	"sync/atomic"

	"trivium/storage"
)

// janitorStep is the most messages that one transaction of a janitor removes.
const janitorStep = 4096

// janitor does a Stream's work in the background: what ages, limits in bytes whose
// borders must be read first, compaction.
type janitor struct {
	st    runState
	s     *Stream
	timer timer
	due   atomic.Int64 // when the timer fires, 0 = it is not set
}

func (j *janitor) init(s *Stream) {
	j.s = s
	j.timer.fire = func() {
		j.due.Store(0)
		s.b.workers.wake(j)
	}
}

func (j *janitor) close()              { j.s.b.timers.clear(&j.timer) }
func (j *janitor) runState() *runState { return &j.st }

// aging makes sure that the janitor comes at that time or earlier.
func (j *janitor) aging(at int64) {
	if due := j.due.Load(); due == 0 || due > at {
		j.due.Store(at)
		j.s.b.timers.before(&j.timer, at)
	}
}

// Durable is Completion: what was appended can be read now.
func (j *janitor) Durable(error) { j.s.b.workers.wake(j) }

func (j *janitor) run() (more bool) {
	for _, p := range j.s.partitions() {
		if p.sweep() {
			more = true
		}
		if p.compact() {
			more = true
		}
		if p.expire() {
			more = true
		}
	}
	return more
}

// sweep removes what is too old or too much, one step of it.
func (p *partition) sweep() (more bool) {
	c, b := p.s.config(), p.s.b
	maxAge := c.MaxAge
	if c.Expiring {
		maxAge = 0 // expire sees to it
	}
	tooOld := b.now() - int64(maxAge)
	excess := int64(0)
	if c.MaxBytes > 0 && p.keys == nil {
		excess = p.log.Bytes() - c.MaxBytes
	}
	if maxAge <= 0 && excess <= 0 {
		return false
	}
	es, _, err := p.log.Read(p.log.Start(), Limit{Entries: janitorStep, Bytes: 1 << 20}, nil)
	if err != nil {
		if !storage.IsCorrupt(err) {
			b.log.Error("cannot read a log to trim it", "stream", c.Name, "err", err)
		}
		return false
	}
	before, end := NoOffset, p.log.End()
	for i := range es {
		e := &es[i]
		old := maxAge > 0 && e.Time <= tooOld
		if !old && excess <= 0 {
			if maxAge > 0 {
				p.s.janitor.aging(after(e.Time, maxAge))
			}
			more = false
			break
		}
		if !old && e.Next() >= end {
			break // bytes never cost the last entry
		}
		excess -= size(e)
		before, more = e.Next(), true
	}
	if before == NoOffset {
		return false
	}
	tx := b.Begin()
	ok := !p.s.gone && !tx.refused
	if ok {
		p.trim(tx, before)
	}
	tx.Commit()
	return more && ok
}

package storage

import (
	"fmt"
	"slices"
	"sort"
)

// Limit bounds one read.
type Limit struct {
	// Entries and Bytes are the most to return; 0 means no bound. At least one
	// entry is returned if there is one, however large.
	Entries, Bytes int
}

// Read appends to dst the entries that hold the first live messages at or after
// from, in order, and returns the offset to read on from. The first entry may
// begin before from when it covers several offsets. Entries whose every message
// is deleted are skipped. It may read from disk. A corrupt entry ends the read
// with an error for which IsCorrupt is true; next is then the offset after it.
func (l *Log) Read(from Offset, max Limit, dst []Entry) (entries []Entry, next Offset, err error) {
	var lease Lease
	defer lease.End()
	lease.Keep()
	return l.Borrow(from, max, dst, &lease)
}

// Borrow is Read for a caller that lets go of the entries when it ends the lease, so that the memory that they
// are in can be used again.
func (l *Log) Borrow(from Offset, limit Limit, dst []Entry, lease *Lease) (entries []Entry, next Offset, err error) {
	var items [64]item
	b, began := budget{Limit: limit}, len(dst)
	for {
		p := l.pick(from, &b, items[:])
		moved := false // to other segments, since it was picked
		for i := range items[:p.n] {
			it := &items[i]
			var e Entry
			ok, err := l.load(it, &e, lease)
			if err != nil && l.settled(it) {
				p.next, moved = max(from, it.offset), true
				break
			}
			if err != nil {
				return dst, it.next(), l.s.readError(err)
			}
			if ok {
				dst = append(dst, e)
			}
		}
		if p.run != nil {
			was := len(dst)
			dst, p.next, p.more, err = l.readRun(p, &b, dst)
			if err != nil {
				if l.damaged(p.run) {
					return dst, p.next, l.s.readError(err)
				}
				if p.next, moved = p.from, true; len(dst) > was {
					p.next = dst[len(dst)-1].Next()
				}
			}
		}
		switch {
		case moved && len(dst) > began:
			return dst, p.next, nil
		case moved:
			b = budget{Limit: limit} // nothing that it granted was read
		case p.err != nil || !p.more:
			return dst, p.next, p.err
		}
		from = p.next
	}
}

// budget is what is left of a Limit.
type budget struct {
	Limit
	entries, bytes int
}

// take reports whether an entry of that size still fits.
func (b *budget) take(size int) bool {
	if b.entries > 0 && (b.Entries > 0 && b.entries >= b.Entries || b.Bytes > 0 && b.bytes+size > b.Bytes) {
		return false
	}
	b.entries++
	b.bytes += size
	return true
}

// picked is what to read next: some items of the tail, or part of a run.
type picked struct {
	n        int
	run      *run
	from, to Offset // the part of the run
	next     Offset // to go on from
	more     bool   // there may be more within the budget
	err      error
}

// pick decides what to read next, without reading. It copies items to dst.
func (l *Log) pick(from Offset, b *budget, dst []item) (p picked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	end := l.End()
	p.next = max(from, m.start)
	i := m.tail.find(p.next)
	for {
		if p.next = m.holes.next(p.next, false, end); p.next >= end {
			p.next = max(p.next, from)
			return p
		}
		for i < m.tail.len() && m.tail.at(i).next() <= p.next {
			i++
		}
		if i == m.tail.len() || m.tail.at(i).offset > p.next {
			break
		}
		it := m.tail.at(i)
		if p.n == len(dst) {
			p.more = true
			return p
		}
		if !b.take(int(it.bytes)) {
			return p
		}
		dst[p.n] = *it
		p.n++
		p.next = it.next()
	}
	if p.n > 0 {
		p.more = true
		return p
	}
	bound := end
	if i < m.tail.len() {
		bound = min(bound, m.tail.at(i).offset)
	}
	r := sort.Search(len(m.runs), func(i int) bool { return m.runs[i].to > p.next })
	if r < len(m.runs) && m.runs[r].from <= p.next {
		p.run, p.from, p.to = m.runs[r], p.next, min(bound, m.runs[r].to)
		return p
	}
	// A live message that is nowhere.
	lost := p.next
	if p.next = bound; r < len(m.runs) {
		p.next = min(p.next, m.runs[r].from)
	}
	p.err = &CorruptError{Where: fmt.Sprintf("log %d offsets %d to %d", l.id, lost, p.next-1), Why: "they are missing"}
	return p
}

// settled reports whether an item has left the tail.
func (l *Log) settled(it *item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.mu.tail.find(it.offset)
	if i == l.mu.tail.len() {
		return true
	}
	now := l.mu.tail.at(i)
	return now.offset != it.offset || now.blk != it.blk
}

// holds reports whether r still is a run of the Log.
func (l *Log) holds(r *run) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.mu.gone && slices.Contains(l.mu.runs, r)
}

// damaged reports whether r, which could not be read, still is a run of the Log. If not, the index, or files,
// may hold others in its place; so they may just before the Log does, for which it waits.
func (l *Log) damaged(r *run) bool {
	l.s.settler.replacing.RLock()
	defer l.s.settler.replacing.RUnlock()
	return l.holds(r)
}

// readError is why something could not be read: after Close it may be that what it was read from is closed.
func (s *Store) readError(err error) error {
	if s.closed.Load() {
		return ErrClosed
	}
	return err
}

// readRun reads the picked part of a run, as far as the budget goes.
func (l *Log) readRun(p picked, b *budget, dst []Entry) (_ []Entry, next Offset, more bool, err error) {
	var buf [maxBlockEntries]stored
	o, err := l.s.segments.acquire(l.id, p.run)
	if err != nil {
		return dst, p.run.to, false, err
	}
	defer o.release()
	where := func(err error) error { return corrupt(l.s.segments.where(l.id, p.run), err) }
	for i := o.block(p.from); i < len(o.index) && o.index[i].first < p.to; i++ {
		es, err := o.envelopes(i, buf[:0])
		if err != nil {
			return dst, o.blockEnd(i), false, where(err)
		}
		es = l.filter(es, p.from, p.to)
		full := false
		for k := range es {
			if !b.take(es[k].payload()) {
				es, full, next = es[:k], true, max(p.from, es[k].Offset)
				break
			}
		}
		n, err := o.load(es)
		for k := range es[:n] {
			dst = append(dst, es[k].Entry)
		}
		if err != nil {
			return dst, es[n].Next(), false, where(err)
		}
		if full {
			return dst, next, false, nil
		}
	}
	return dst, p.to, true, nil
}

// blockEnd is the offset after block i.
func (s *segment) blockEnd(i int) Offset {
	if i+1 < len(s.index) {
		return s.index[i+1].first
	}
	return s.next
}

// filter keeps the entries that have a live message at from <= offset < to.
func (l *Log) filter(es []stored, from, to Offset) []stored {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := es[:0]
	for i := range es {
		e := &es[i]
		if e.Offset < to && l.liveLocked(max(e.Offset, from), e.Next()) {
			kept = append(kept, *e)
		}
	}
	return kept
}

// liveLocked reports whether any message at from <= offset < to is live.
func (l *Log) liveLocked(from, to Offset) bool {
	from = max(from, l.mu.start)
	return from < to && l.mu.holes.next(from, false, to) < to
}

// load decodes an item's entry, which is valid until the lease ends. It reports false if the entry was deleted
// meanwhile.
func (l *Log) load(it *item, e *Entry, lease *Lease) (bool, error) {
	buf, err := lease.load(l.s, it.blk)
	if err != nil || buf == nil {
		return false, err
	}
	return true, l.decode(it, buf, e)
}

func (l *Log) decode(it *item, buf []byte, e *Entry) error {
	if _, err := decodeEntry(buf, it.at, e); err != nil {
		return &CorruptError{Where: fmt.Sprintf("log %d offset %d", l.id, it.offset), Why: err.Error()}
	}
	e.Volatile = it.blk.volatile
	return nil
}

// OffsetAt is the offset of the first live entry with Time >= t (unix
// nanoseconds), or End if there is none. Times in a Log need not be monotone:
// it is the first in offset order for which it holds.
func (l *Log) OffsetAt(t int64) (Offset, error) {
	var items [64]item
	var lease Lease
	defer lease.End()
	from := Offset(0)
	for {
		lease.End() // a frame may hold little of the Log, and there may be many
		var b budget
		p := l.pick(from, &b, items[:])
		for i := range items[:p.n] {
			it := &items[i]
			if !it.blk.volatile && it.blk.maxTime < t {
				continue
			}
			var e Entry
			ok, err := l.load(it, &e, &lease)
			if err != nil && l.settled(it) {
				p.next, p.more = it.offset, true
				break
			}
			if err != nil {
				return 0, l.s.readError(err)
			}
			if ok && e.Time >= t {
				return max(e.Offset, l.Start()), nil
			}
		}
		if p.run != nil {
			o, err := l.runOffsetAt(p, t)
			if err != nil && l.damaged(p.run) {
				return 0, l.s.readError(err)
			}
			if err == nil && o != NoOffset {
				return max(o, l.Start()), nil
			}
			p.more = true
			if p.next = p.to; err != nil {
				p.next = p.from
			}
		}
		if p.err != nil || !p.more {
			return p.next, p.err
		}
		from = p.next
	}
}

// runOffsetAt is OffsetAt within the picked part of a run.
func (l *Log) runOffsetAt(p picked, t int64) (Offset, error) {
	if p.run.maxTime < t {
		return NoOffset, nil
	}
	o, err := l.s.segments.acquire(l.id, p.run)
	if err != nil {
		return 0, err
	}
	defer o.release()
	for i := o.block(p.from); i < len(o.index) && o.index[i].first < p.to; i++ {
		if o.index[i].maxTime < t {
			continue
		}
		es, err := o.envelopes(i, nil)
		if err != nil {
			return 0, corrupt(l.s.segments.where(l.id, p.run), err)
		}
		for _, e := range l.filter(es, p.from, p.to) {
			if e.Time >= t {
				return e.Offset, nil
			}
		}
	}
	return NoOffset, nil
}

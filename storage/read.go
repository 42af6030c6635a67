package storage

import "fmt"

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
	var picked [64]item
	b := budget{Limit: max}
	for {
		n, on, more := l.pick(from, &b, picked[:])
		for i := range picked[:n] {
			it := &picked[i]
			var e Entry
			ok, err := l.load(it, &e)
			if err != nil {
				return dst, it.next(), err
			}
			if ok {
				dst = append(dst, e)
			}
		}
		if !more {
			return dst, on, nil
		}
		from = on
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

// pick copies the next items to read to dst. It returns how many, the offset to go on from,
// and whether there may be more within the budget.
func (l *Log) pick(from Offset, b *budget, dst []item) (n int, next Offset, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	end := l.End()
	next = max(from, m.start)
	all := m.tail.all()
	for i := m.tail.find(next); i < len(all) && next < end; i++ {
		it := &all[i]
		if it.offset >= end {
			break
		}
		if it.blk == nil {
			next = it.next()
			continue
		}
		// The rest of an entry whose later messages are gone is not worth reading.
		if o := max(next, it.offset); o > it.offset && m.holes.next(o, false, it.next()) == it.next() {
			next = it.next()
			continue
		}
		if n == len(dst) {
			return n, next, true
		}
		if !b.take(int(it.bytes)) {
			return n, max(next, it.offset), false
		}
		dst[n] = *it
		n++
		next = it.next()
	}
	return n, max(next, end), false
}

// load decodes an item's entry. It reports false if the entry was deleted meanwhile.
func (l *Log) load(it *item, e *Entry) (bool, error) {
	buf, err := l.s.blockBytes(it.blk)
	if err == nil && buf != nil {
		if err = decodeEntry(buf, it.at, e); err != nil {
			err = &CorruptError{Where: fmt.Sprintf("log %d offset %d", l.id, it.offset), Why: err.Error()}
		}
	}
	if err != nil {
		return false, err
	}
	e.Volatile = it.blk.volatile
	return buf != nil, nil
}

// blockBytes returns a block's bytes, from the journal if they are not in memory; nil
// if they are gone because nothing in them is live.
func (s *Store) blockBytes(b *block) ([]byte, error) {
	if buf := b.bytes(); buf != nil || b.volatile {
		return buf, nil
	}
	buf, err := s.journal.read(b.pos, b.place)
	if err != nil {
		return nil, err
	}
	if b.live.Load() > 0 {
		s.cache.hold(b, buf)
	}
	return buf, nil
}

// OffsetAt is the offset of the first live entry with Time >= t (unix
// nanoseconds), or End if there is none. Times in a Log need not be monotone:
// it is the first in offset order for which it holds.
func (l *Log) OffsetAt(t int64) (Offset, error) {
	var picked [64]item
	from := Offset(0)
	for {
		var b budget
		n, on, more := l.pick(from, &b, picked[:])
		for i := range picked[:n] {
			it := &picked[i]
			if it.blk.maxTime < t {
				continue
			}
			var e Entry
			ok, err := l.load(it, &e)
			if err != nil {
				return 0, err
			}
			if ok && e.Time >= t {
				return max(e.Offset, l.Start()), nil
			}
		}
		if !more {
			return on, nil
		}
		from = on
	}
}

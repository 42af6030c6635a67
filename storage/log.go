package storage

import (
	"slices"
	"sync"
	"sync/atomic"
)

// LogOptions are a Log's fixed properties.
type LogOptions struct {
	// Volatile Logs live in memory only and are gone after a restart.
	Volatile bool
	// First is the offset of the first message to come.
	First Offset
}

// Log is a sequence of entries at dense offsets. Reads are safe from any
// goroutine and see durable entries only.
type Log struct {
	id       LogID
	s        *Store
	volatile bool
	end      atomic.Int64
	watchers atomic.Pointer[[]Watcher]

	// seq belongs to the sequencer.
	seq struct {
		next     Offset
		reserved Offset // volatile entries may take offsets below it
		tx       uint64 // the last transaction that touched it
		cycle    uint64 // the last cycle it was put into, and its index there
		touch    int
		durable  uint64 // the last cycle with a position that it was put into
		dropped  bool
	}

	// mu guards what is retained. Appends and deletes change it when they are
	// decided; end keeps readers off what is not durable.
	mu struct {
		sync.Mutex
		start Offset
		next  Offset
		holes holes // of start <= o < next
		tail  tail
		bytes int64
	}
}

// Watcher hears that a Log's visible end moved. It is called on the journal's
// goroutine, once per Log and cycle, and must not block.
type Watcher interface{ Advanced(l *Log) }

func newLog(s *Store, id LogID, first Offset) *Log {
	l := &Log{id: id, s: s}
	l.seq.next, l.seq.reserved = first, first
	l.mu.start, l.mu.next = first, first
	l.end.Store(int64(first))
	return l
}

func (l *Log) ID() LogID { return l.id }

// Start is the first offset that is retained, End the one after the last
// visible message. Start == End means empty.
func (l *Log) Start() Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(l.mu.start, l.End())
}

func (l *Log) End() Offset { return Offset(l.end.Load()) }

// Next is the offset that the next Append will get. Requires: a Tx is open.
func (l *Log) Next() Offset { return l.seq.next }

// Messages and Bytes count what is live, including what is on its way to disk.
// Bytes is the sum of Key, Data and ID lengths of live entries; an entry of which some
// messages are deleted counts whole.
func (l *Log) Messages() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(l.mu.next-l.mu.start) - l.mu.holes.len()
}

func (l *Log) Bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.bytes
}

// Live reports whether the message at o is retained: visible and not deleted.
func (l *Log) Live(o Offset) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return o >= l.mu.start && o < l.End() && !l.mu.holes.has(o)
}

// Deleted appends the deleted ranges [from, to) between Start and End to dst.
func (l *Log) Deleted(dst [][2]Offset) [][2]Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.holes.ranges(l.mu.start, l.End(), func(from, to Offset) {
		dst = append(dst, [2]Offset{from, to})
	})
	return dst
}

// Watch registers w until Unwatch.
func (l *Log) Watch(w Watcher) {
	for {
		old := l.watchers.Load()
		var ws []Watcher
		if old != nil {
			ws = slices.Clone(*old)
		}
		ws = append(ws, w)
		if l.watchers.CompareAndSwap(old, &ws) {
			return
		}
	}
}

func (l *Log) Unwatch(w Watcher) {
	for {
		old := l.watchers.Load()
		if old == nil {
			return
		}
		i := slices.Index(*old, w)
		if i < 0 {
			return
		}
		ws := slices.Delete(slices.Clone(*old), i, i+1)
		p := &ws
		if len(ws) == 0 {
			p = nil
		}
		if l.watchers.CompareAndSwap(old, p) {
			return
		}
	}
}

func (l *Log) notify() {
	if ws := l.watchers.Load(); ws != nil {
		for _, w := range *ws {
			w.Advanced(l)
		}
	}
}

// appended takes in an entry whose offset is at or after next; offsets between
// are holes.
func (l *Log) appended(i item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(i.offset)
	i.blk.live.Add(1)
	l.mu.tail.push(i)
	l.mu.next = i.next()
	l.mu.bytes += int64(i.bytes)
}

// advanceLocked moves next to o; what lies between is holes.
func (l *Log) advanceLocked(o Offset) {
	m := &l.mu
	if o <= m.next {
		return
	}
	if m.start == m.next {
		m.start = o
	} else {
		m.holes.add(m.next, o)
	}
	m.next = o
}

// delete removes from <= o < to. It reports whether anything was removed that the
// journal must know of, which is not so if only volatile entries were.
func (l *Log) delete(from, to Offset) (durable bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	from, to = max(from, m.start), min(to, m.next)
	if from >= to {
		return false
	}
	durable = l.deleteItemsLocked(from, to)
	if from > m.start {
		m.holes.add(from, to)
		return durable
	}
	m.start = to
	if m.holes.len() > 0 {
		m.start = m.holes.next(to, false, m.next)
		m.holes.trim(m.start)
	}
	n := 0
	all := m.tail.all()
	for n < len(all) && all[n].next() <= m.start {
		n++
	}
	if n > 0 {
		m.tail.drop(n)
	}
	return durable
}

// deleteItemsLocked lets go of the tail's items that have no live message left
// once from <= o < to is deleted.
func (l *Log) deleteItemsLocked(from, to Offset) (durable bool) {
	m := &l.mu
	all := m.tail.all()
	i := m.tail.find(from)
	if len(all) == 0 || from < all[0].offset {
		durable = true
	}
	for ; i < len(all) && all[i].offset < to; i++ {
		it := &all[i]
		if it.blk == nil {
			continue
		}
		if !it.blk.volatile {
			durable = true
		}
		if it.count > 1 {
			// What is left of it outside the range, and not a hole yet?
			a, b := max(it.offset, m.start), it.next()
			left := int64(b-a) - m.holes.count(a, b)
			a, b = max(a, from), min(b, to)
			left -= int64(b-a) - m.holes.count(a, b)
			if left > 0 {
				continue
			}
		}
		m.bytes -= int64(it.bytes)
		l.s.cache.release(it.blk)
		it.blk = nil
	}
	return durable
}

// free lets go of everything a dropped Log holds.
func (l *Log) free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	for _, it := range m.tail.all() {
		if it.blk != nil {
			l.s.cache.release(it.blk)
		}
	}
	m.tail = tail{}
	m.holes = holes{}
	m.start, m.bytes = m.next, 0
}

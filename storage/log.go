package storage

import (
	"slices"
	"sort"
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
	end      atomic.Int64
	watchers atomic.Pointer[[]Watcher]

	// seq belongs to the sequencer.
	seq struct {
		tx       uint64 // the last transaction that touched it
		cycle    uint64 // the last cycle it was put into, and its index there
		durable  uint64 // the last cycle with a position that it was put into
		touch    int32
		dropped  bool
		volatile bool // never changes: anybody may look
	}

	// mu guards what is retained. Appends and deletes change it when they are
	// decided; end keeps readers off what is not durable.
	mu struct {
		sync.Mutex
		start    Offset
		next     Offset // the sequencer alone changes it, and reads it without mu
		reserved Offset // volatile entries may take offsets below it
		holes    *holes // of start <= o < next; see punch
		bytes    int64
		last     int64 // time of the last entry, retained or not; 0 = there was none
		// Durable entries below settled are in runs, all others in the tail.
		settled Offset
		runs    []*run
		tail    tail
		dirty   bool // the index lacks something of start, reserved, holes
		stored  bool // the index knows the Log
		gone    bool // dropped
		inexact bool // the settler is to look up bytes
	}
}

// Watcher hears that a Log's visible end moved. It is called on the journal's
// goroutine, once per Log and cycle, and must not block.
type Watcher interface{ Advanced(l *Log) }

func newLog(s *Store, id LogID, first Offset) *Log {
	l := &Log{id: id, s: s}
	m := &l.mu
	m.start, m.next, m.reserved, m.settled, m.dirty = first, first, first, first, true
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
func (l *Log) Next() Offset { return l.mu.next }

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

// LastTime is the time of the last entry that was appended, whether it is still
// there or not, including what is on its way to disk; 0 if there was none.
func (l *Log) LastTime() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.last
}

// Live reports whether the message at o is retained: visible and not deleted.
func (l *Log) Live(o Offset) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return o >= l.mu.start && o < l.End() && !l.mu.holes.has(o)
}

// Retains reports whether the message at o was appended, as decided, and not deleted.
func (l *Log) Retains(o Offset) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return o >= l.mu.start && o < l.mu.next && !l.mu.holes.has(o)
}

// Count is how many messages at from <= o < to are retained, as decided.
func (l *Log) Count(from, to Offset) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, to = max(from, l.mu.start), min(to, l.mu.next)
	return max(int64(to-from), 0) - l.mu.holes.count(from, to)
}

// NextRetained is the first message at or after o that is retained, as decided; NoOffset if there is none.
func (l *Log) NextRetained(o Offset) Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	o = max(o, l.mu.start)
	if o < l.mu.next && l.mu.holes.len() > 0 {
		o = l.mu.holes.next(o, false, l.mu.next)
	}
	if o >= l.mu.next {
		return NoOffset
	}
	return o
}

// Bitmap sets a bit of dst for each message from from on that is retained, as decided: the lowest one
// of dst[0] is from's. Requires: from is a multiple of 64.
func (l *Log) Bitmap(from Offset, dst []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range dst {
		o := from + Offset(64*i)
		dst[i] = mask(int(min(max(l.mu.start-o, 0), 64)), int(max(min(l.mu.next-o, 64), 0))) &^ l.mu.holes.word(o)
	}
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

// appended takes in an entry of that time, whose offset is at or after next; offsets
// between are holes.
func (l *Log) appended(i item, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.last = at
	l.advanceLocked(i.offset)
	if i.next() <= l.mu.start {
		l.mu.next = i.next() // replayed, and known to be gone
		return
	}
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
	} else if o > m.start {
		l.punch().add(max(m.next, m.start), o)
	}
	m.next, m.dirty = o, true
}

// punch returns the holes, to make some. Requires: mu.
func (l *Log) punch() *holes {
	if l.mu.holes == nil {
		l.mu.holes = new(holes)
	}
	return l.mu.holes
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
	m.dirty = true
	durable = l.deleteItemsLocked(from, to)
	if n := len(m.runs); n > 0 && m.runs[n-1].to > from {
		durable = true
		l.deleteSettledLocked(from, to)
	}
	if from > m.start {
		l.punch().add(from, to)
		return durable
	}
	m.start = to
	if m.holes.len() > 0 {
		m.start = m.holes.next(to, false, m.next)
		m.holes.trim(m.start)
	}
	n := 0
	for n < m.tail.len() && m.tail.at(n).next() <= m.start {
		// During replay, holes may be known before the entries they are of.
		l.dropItemLocked(m.tail.at(n))
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
	for i := m.tail.find(from); i < m.tail.len() && m.tail.at(i).offset < to; i++ {
		it := m.tail.at(i)
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
		l.dropItemLocked(it)
	}
	return durable
}

func (l *Log) dropItemLocked(it *item) {
	if it.blk != nil {
		l.mu.bytes -= int64(it.bytes)
		l.s.cache.release(it.blk)
		it.blk = nil
	}
}

// deleteSettledLocked accounts for the bytes of settled entries among from <= o < to.
// Their sizes are on disk, so unless all are equal, what a run has left is
// estimated; the settler looks up the rest.
func (l *Log) deleteSettledLocked(from, to Offset) {
	m := &l.mu
	for i := sort.Search(len(m.runs), func(i int) bool { return m.runs[i].to > from }); i < len(m.runs); i++ {
		r := m.runs[i]
		a, b := max(from, r.from), min(to, r.to)
		if a >= b {
			return
		}
		gone := int64(b-a) - m.holes.count(a, b)
		if gone == 0 {
			continue
		}
		left := l.liveInLocked(r)
		bytes := int64(0)
		r.dirty = true
		switch {
		case left == gone:
			r.exact = true
			l.s.reclaim(r)
		case r.each > 0:
			bytes = r.bytes - gone*r.each
		default:
			bytes = r.bytes - r.bytes*gone/left
			r.exact = false
			l.s.inexact(l)
		}
		m.bytes += bytes - r.bytes
		r.bytes = bytes
	}
}

// liveInLocked counts the live messages among the offsets of a run. It includes
// those of volatile entries that lie between.
func (l *Log) liveInLocked(r *run) int64 {
	from := max(r.from, l.mu.start)
	if from >= r.to {
		return 0
	}
	return int64(r.to-from) - l.mu.holes.count(from, r.to)
}

// free lets go of everything a dropped Log holds in memory.
// It reports whether the index knows of it, and whether it has files.
func (l *Log) free() (stored, files bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	for _, r := range m.runs {
		files = files || r.file != 0
		r.bytes = 0
	}
	for it := range m.tail.all {
		if it.blk != nil {
			l.s.cache.release(it.blk)
		}
	}
	m.tail = tail{}
	m.start, m.bytes, m.gone = m.next, 0, true
	return m.stored, files
}

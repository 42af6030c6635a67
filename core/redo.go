package core

import "slices"

// redo orders what is to be delivered before what a Cursor's next has not reached:
// what was returned and, in a queue with priorities, everything that is ready. It
// may hold offsets that were settled meanwhile.
type redo struct {
	fifo   []Offset     // with ReturnFirst, in the order of return
	heap   offsetHeap   // by offset
	levels []offsetHeap // by priority
}

// push adds a message that is ready again.
func (r *redo) push(c *Cursor, f *flight) {
	switch {
	case c.s.queue != nil && c.s.queue.config().ReturnFirst:
		r.fifo = append(r.fifo, f.offset)
	case c.s.queue != nil && c.s.queue.config().Priorities > 0:
		r.level(f.offset, int(f.priority))
	default:
		r.heap.push(f.offset)
	}
}

// level adds a message to a priority level.
func (r *redo) level(o Offset, priority int) {
	for len(r.levels) <= priority {
		r.levels = append(r.levels, nil)
	}
	r.levels[priority].push(o)
}

func (r *redo) pop() (o Offset, ok bool) {
	if len(r.fifo) > 0 {
		o, r.fifo = r.fifo[0], r.fifo[1:]
		return o, true
	}
	if len(r.heap) > 0 {
		return r.heap.pop(), true
	}
	for i := len(r.levels) - 1; i >= 0; i-- {
		if len(r.levels[i]) > 0 {
			return r.levels[i].pop(), true
		}
	}
	return NoOffset, false
}

// unpop puts back what was popped last, in order, and not used.
func (r *redo) unpop(c *Cursor, os []redoEntry) {
	for i := len(os) - 1; i >= 0; i-- {
		o := os[i].offset
		switch {
		case os[i].level == urgentLevel && c.weighted():
			// it was not popped
		case c.s.queue != nil && c.s.queue.config().ReturnFirst && c.mu.flights.find(o) != nil:
			r.fifo = slices.Insert(r.fifo, 0, o)
		case os[i].level >= 0:
			r.level(o, os[i].level)
		default:
			r.heap.push(o)
		}
	}
}

func (r *redo) empty() bool {
	if len(r.fifo) > 0 || len(r.heap) > 0 {
		return false
	}
	for _, l := range r.levels {
		if len(l) > 0 {
			return false
		}
	}
	return true
}

// redoEntry is a popped offset, its level or -1, and what was read for it.
type redoEntry struct {
	offset Offset
	level  int
	entry  *Entry
}

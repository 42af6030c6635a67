package core

import "slices"

// flightState says where a message is that was handed out at least once, or that
// waits out of turn.
type flightState uint8

const (
	settled  flightState = iota // a hole in flights
	inFlight                    // with a subscription
	ready                       // to be delivered again
	waiting                     // returned with a delay
	dying                       // being dead-lettered
)

// flight is a message below a Cursor's next that is not settled.
type flight struct {
	offset   Offset
	deadline int64  // unix nanoseconds: overdue (inFlight) or ready (waiting); 0 = never
	number   uint64 // of its first delivery
	sub      *Subscription
	weight   int32 // see Cursor.weigh
	attempts int32
	again    uint32 // how many deliveries after the first one its last one was; at most maxAgain
	state    flightState
	priority uint8
}

// maxAgain stands for all higher distances too.
const maxAgain = ^uint32(0)

// last is the number of its last delivery, as far as it is known.
func (f *flight) last() uint64 { return f.number + uint64(f.again) }

// flights holds them in offset order. Messages are mostly handed out in that order
// and settled from the front, so adding and removing are cheap; a message that
// stays costs its own record, however many are settled after it.
type flights struct {
	list []flight // from head on
	head int
	live int
}

// search returns the place of the first flight at or after o.
func (fs *flights) search(o Offset) int {
	if fs.head < len(fs.list) {
		// Offsets are dense more often than not.
		if i := o - fs.list[fs.head].offset; i >= 0 && int(i) < len(fs.list)-fs.head && fs.list[fs.head+int(i)].offset == o {
			return fs.head + int(i)
		}
	}
	lo, hi := fs.head, len(fs.list)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); fs.list[mid].offset < o {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// find returns the flight of o, nil if it has none. It is valid until the next add.
func (fs *flights) find(o Offset) *flight {
	if i := fs.search(o); i < len(fs.list) && fs.list[i].offset == o && fs.list[i].state != settled {
		return &fs.list[i]
	}
	return nil
}

// add adds f, whose offset has no flight.
func (fs *flights) add(f flight) *flight {
	fs.live++
	if n := len(fs.list); n == fs.head || fs.list[n-1].offset < f.offset {
		if n == cap(fs.list) && fs.live*2 < n {
			fs.compact()
		}
		fs.list = append(fs.list, f)
		return &fs.list[len(fs.list)-1]
	}
	i := fs.search(f.offset)
	if i < len(fs.list) && fs.list[i].offset == f.offset {
		fs.list[i] = f
	} else {
		fs.list = slices.Insert(fs.list, i, f)
	}
	return &fs.list[i]
}

func (fs *flights) remove(f *flight) {
	f.state, f.sub = settled, nil
	fs.live--
	if fs.live == 0 {
		fs.list, fs.head = fs.list[:0], 0
		if cap(fs.list) > 1024 {
			fs.list = nil
		}
		return
	}
	for fs.list[fs.head].state == settled {
		fs.head++
	}
}

// compact drops the holes.
func (fs *flights) compact() {
	n := 0
	for _, f := range fs.list[fs.head:] {
		if f.state != settled {
			fs.list[n] = f
			n++
		}
	}
	clear(fs.list[n:])
	fs.list, fs.head = fs.list[:n], 0
}

// all yields the flights in order. Removing the current one is allowed.
func (fs *flights) all(yield func(f *flight) bool) {
	for i := fs.head; i < len(fs.list); i++ {
		if fs.list[i].state != settled && !yield(&fs.list[i]) {
			return
		}
	}
}

// offsetHeap is a min-heap. Pushing in ascending order costs nothing.
type offsetHeap []Offset

func (h *offsetHeap) push(o Offset) {
	q := append(*h, o)
	i := len(q) - 1
	for i > 0 {
		up := (i - 1) / 2
		if q[up] <= o {
			break
		}
		q[i] = q[up]
		i = up
	}
	q[i] = o
	*h = q
}

func (h *offsetHeap) pop() Offset {
	q := *h
	top, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	for i := 0; len(q) > 0; {
		c := 2*i + 1
		if c+1 < len(q) && q[c+1] < q[c] {
			c++
		}
		if c >= len(q) || q[c] >= last {
			q[i] = last
			break
		}
		q[i] = q[c]
		i = c
	}
	*h = q
	if len(q) == 0 && cap(q) > 1024 {
		*h = nil
	}
	return top
}

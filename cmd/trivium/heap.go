package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A heap may grow between two collections by headroom and a quarter, a small one at most
// by leastOften: collecting as often as Go does by itself costs a fifth of the throughput
// of small messages. Most of a broker's heap is buffers, in which the collector looks for nothing, so how much room
// it takes to make collecting cheap is found out: the least that does. Once nothing was collected for a
// while, what a burst left behind is given back.
const (
	headroomLeast = 16 << 20
	headroomMost  = 64 << 20
	leastOften    = 300 // percent
	quiet         = 5 * time.Second
	// trifle is what is not worth a collection.
	trifle = 16 << 20
)

// Of the time that the process works, collecting shall take between cheap and dear. Twice the room halves
// it, so these are further apart than that.
const (
	cheap = 1. / 200
	dear  = 1. / 40
)

// nextHeadroom follows headroom, with which share of the time that the process worked was spent collecting.
func nextHeadroom(headroom uint64, share float64) uint64 {
	switch {
	case share > dear:
		headroom *= 2
	case share < cheap:
		headroom /= 2
	}
	return min(max(headroom, headroomLeast), headroomMost)
}

// gcPercent is by how much a heap may grow of which live bytes are in use.
func gcPercent(live, headroom uint64) int {
	return int(min(leastOften, 25+100*headroom/max(live, 1)))
}

// idle reports whether it is worth to give memory back: held is what the heap has of the system.
func idle(live, held uint64) bool { return held > live+live/4+trifle }

// heap adapts the collector to the heap after each collection. Nothing of it runs while nothing is
// allocated.
type heap struct {
	percent  int
	headroom uint64
	last     usage // after the last collection that nobody forced
	trim     *time.Timer
}

// tend begins to, unless the user has set it.
func tend() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	h := newHeap()
	h.trim = time.AfterFunc(quiet, func() {
		if u := use(); idle(u.live, u.held) {
			debug.FreeOSMemory()
		}
	})
	h.await()
}

func newHeap() *heap {
	return &heap{percent: 100, headroom: headroomLeast} // Go's percentage, until the first collection
}

// await has the next collection call collected: the finalizer of what nothing refers to runs then.
func (h *heap) await() {
	runtime.SetFinalizer(&struct{ h *heap }{h}, func(s *struct{ h *heap }) {
		s.h.collected()
		s.h.await()
	})
}

func (h *heap) collected() {
	u := use()
	if u.cycles != h.last.cycles {
		if worked := u.worked - h.last.worked; worked > 0 {
			h.headroom = nextHeadroom(h.headroom, (u.collecting-h.last.collecting)/worked)
		}
		h.last = u
		h.trim.Reset(quiet)
	} else {
		h.headroom = headroomLeast // it was quiet
	}
	if p := gcPercent(u.live, h.headroom); p != h.percent {
		h.percent = p
		debug.SetGCPercent(p)
	}
}

// usage is what the process uses.
type usage struct {
	live   uint64 // what the last collection found in use
	held   uint64 // what the heap holds of the system's memory
	cycles uint64 // collections that nobody forced
	// Seconds of CPU time, as of the last collection: all, and what of it was spent collecting while there was other
	// work.
	worked, collecting float64
}

func use() usage {
	s := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/cycles/automatic:gc-cycles"}, {Name: "/cpu/classes/total:cpu-seconds"},
		{Name: "/cpu/classes/idle:cpu-seconds"}, {Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
	}
	metrics.Read(s)
	bytes := func(i int) uint64 { return s[i].Value.Uint64() }
	seconds := func(i int) float64 { return s[i].Value.Float64() }
	return usage{
		live: bytes(0), held: bytes(1) + bytes(2) + bytes(3), cycles: bytes(4),
		worked: seconds(5) - seconds(6) - seconds(8), collecting: seconds(7) - seconds(8),
	}
}

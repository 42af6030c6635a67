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
// of small messages. Once nothing was collected for a while, what a burst left behind is given back.
const (
	headroom   = 64 << 20
	leastOften = 300 // percent
	quiet      = 5 * time.Second
	// trifle is what is not worth a collection.
	trifle = 16 << 20
)

// gcPercent is by how much a heap may grow of which live bytes are in use.
func gcPercent(live uint64) int {
	return int(min(leastOften, 25+100*headroom/max(live, 1)))
}

// idle reports whether it is worth to give memory back: held is what the heap has of the system.
func idle(live, held uint64) bool { return held > live+live/4+trifle }

// heap adapts the collector to the heap after each collection. Nothing of it runs while nothing is
// allocated.
type heap struct {
	percent int
	cycles  uint64 // collections that nobody forced
	trim    *time.Timer
}

// tend begins to, unless the user has set it.
func tend() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	h := &heap{percent: 100} // Go's, until the first collection
	h.trim = time.AfterFunc(quiet, func() {
		if live, held, _ := usage(); idle(live, held) {
			debug.FreeOSMemory()
		}
	})
	h.await()
}

// await has the next collection call collected: the finalizer of what nothing refers to runs then.
func (h *heap) await() {
	runtime.SetFinalizer(&struct{ h *heap }{h}, func(s *struct{ h *heap }) {
		s.h.collected()
		s.h.await()
	})
}

func (h *heap) collected() {
	live, _, cycles := usage()
	if p := gcPercent(live); p != h.percent {
		h.percent = p
		debug.SetGCPercent(p)
	}
	if cycles != h.cycles {
		h.cycles = cycles
		h.trim.Reset(quiet)
	}
}

// usage is what the last collection found in use, what the heap holds of the system's memory, and the number of
// collections that nobody forced.
func usage() (live, held, cycles uint64) {
	s := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/cycles/automatic:gc-cycles"},
	}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64() + s[2].Value.Uint64() + s[3].Value.Uint64(), s[4].Value.Uint64()
}

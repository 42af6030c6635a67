package main

import (
	"runtime/debug"
	"testing"
	"time"
)

func TestGCPercent(t *testing.T) {
	for mib, want := range map[uint64]int{0: 300, 1: 300, 23: 300, 64: 125, 128: 75, 256: 50, 1024: 31, 64 << 10: 25} {
		if got := gcPercent(mib << 20); got != want {
			t.Errorf("%d MiB: %d, want %d", mib, got, want)
		}
	}
}

// What a burst leaves behind is worth giving back, and then is not any more.
func TestIdle(t *testing.T) {
	if !idle(100<<20, 200<<20) || idle(100<<20, 110<<20) || idle(1<<20, 8<<20) {
		t.Error("wrong")
	}
}

// The collector follows a heap that grows and shrinks, and a burst's memory goes back.
func TestTend(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	h := &heap{percent: 100, trim: time.NewTimer(time.Hour)}
	defer h.trim.Stop()
	burst := make([][]byte, 256)
	for i := range burst {
		burst[i] = make([]byte, 1<<20)
	}
	debug.FreeOSMemory() // a collection
	h.collected()
	if h.percent < 40 || h.percent > 60 {
		t.Errorf("%d %% with 256 MiB in use", h.percent)
	}
	clear(burst)
	debug.FreeOSMemory()
	h.collected()
	if live, held, _ := usage(); h.percent != leastOften || idle(live, held) {
		t.Errorf("%d %%, %d MiB in use, %d held", h.percent, live>>20, held>>20)
	}
}

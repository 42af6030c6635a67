package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGCPercent(t *testing.T) {
	for mib, want := range map[uint64]int{0: 300, 1: 300, 23: 300, 64: 125, 128: 75, 256: 50, 1024: 31, 64 << 10: 25} {
		if got := gcPercent(mib<<20, headroomMost); got != want {
			t.Errorf("%d MiB: %d, want %d", mib, got, want)
		}
	}
}

// There is as much room as makes collecting cheap, and not more.
func TestNextHeadroom(t *testing.T) {
	for _, c := range []struct {
		headroom uint64
		share    float64
		want     uint64
	}{
		{headroomLeast, 0.5, 2 * headroomLeast}, {headroomLeast, dear, headroomLeast}, {headroomLeast, 0, headroomLeast},
		{32 << 20, 0, 16 << 20}, {32 << 20, cheap, 32 << 20}, {48 << 20, 1, headroomMost}, {headroomMost, 1, headroomMost},
	} {
		if got := nextHeadroom(c.headroom, c.share); got != c.want {
			t.Errorf("%d MiB, a share of %v: %d MiB, want %d", c.headroom>>20, c.share, got>>20, c.want>>20)
		}
	}
	if dear < 2.5*cheap {
		t.Error("it may go to and fro")
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
	h := newHeap()
	h.trim = time.NewTimer(time.Hour)
	defer h.trim.Stop()
	burst := make([][]byte, 256)
	for i := range burst {
		burst[i] = make([]byte, 1<<20)
	}
	debug.FreeOSMemory() // a collection
	h.collected()
	if h.percent < 28 || h.percent > 50 {
		t.Errorf("%d %% with 256 MiB in use", h.percent)
	}
	clear(burst)
	debug.FreeOSMemory()
	h.collected()
	if u := use(); h.percent != leastOften || idle(u.live, u.held) {
		t.Errorf("%d %%, %d MiB in use, %d held", h.percent, u.live>>20, u.held>>20)
	}
	runtime.GC()
	if u := use(); u.worked <= 0 || u.collecting <= 0 || u.collecting > u.worked {
		t.Errorf("worked %v s, %v of it collecting", u.worked, u.collecting)
	}
}

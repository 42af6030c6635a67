package core

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

// forever is a time that does not come.
const forever = math.MaxInt64

// after is d later than t, forever if that is more than can be said. Requires: d >= 0.
func after(t int64, d time.Duration) int64 {
	if int64(d) > forever-max(t, 0) {
		return forever
	}
	return t + int64(d)
}

// timer calls fire once its time has come. It belongs to one timers, costs no
// goroutine, and nothing while it is not set. Its fields are guarded by
// timers.mu.
type timer struct {
	at    int64 // unix nanoseconds
	index int   // in the heap, from 1; 0 = not set
	fire  func()
}

// timers are all the broker's deadlines. fire runs on the timers' goroutine
// without locks and must not block: it wakes a worker.
type timers struct {
	now func() int64
	mu  struct {
		sync.Mutex
		heap    timerHeap
		stopped bool
	}
	kick chan struct{} // something earlier was set, or stop
	done chan struct{}
}

func (ts *timers) start(now func() int64) {
	ts.now = now
	ts.kick, ts.done = make(chan struct{}, 1), make(chan struct{})
	go ts.loop()
}

func (ts *timers) stop() {
	ts.mu.Lock()
	ts.mu.stopped = true
	ts.mu.Unlock()
	ts.wake()
	<-ts.done
}

func (ts *timers) wake() {
	select {
	case ts.kick <- struct{}{}:
	default:
	}
}

// set has t fire at that time, instead of when it was set to before.
func (ts *timers) set(t *timer, at int64) {
	ts.mu.Lock()
	first := len(ts.mu.heap) == 0 || at < ts.mu.heap[0].at
	t.at = at
	if t.index > 0 {
		heap.Fix(&ts.mu.heap, t.index-1)
	} else {
		heap.Push(&ts.mu.heap, t)
	}
	ts.mu.Unlock()
	if first && ts.kick != nil {
		ts.wake()
	}
}

// before makes sure that t fires at that time or earlier.
func (ts *timers) before(t *timer, at int64) {
	ts.mu.Lock()
	set := t.index > 0 && t.at <= at
	ts.mu.Unlock()
	if !set {
		ts.set(t, at)
	}
}

func (ts *timers) clear(t *timer) {
	ts.mu.Lock()
	if t.index > 0 {
		heap.Remove(&ts.mu.heap, t.index-1)
	}
	ts.mu.Unlock()
}

// fire fires what is due, and returns when the next one is.
func (ts *timers) fire() (next int64, stopped bool) {
	now := ts.now()
	for {
		ts.mu.Lock()
		if ts.mu.stopped || len(ts.mu.heap) == 0 || ts.mu.heap[0].at > now {
			next = forever
			if len(ts.mu.heap) > 0 {
				next = ts.mu.heap[0].at
			}
			stopped = ts.mu.stopped
			ts.mu.Unlock()
			return next, stopped
		}
		t := heap.Pop(&ts.mu.heap).(*timer)
		ts.mu.Unlock()
		t.fire()
	}
}

func (ts *timers) loop() {
	defer close(ts.done)
	sleep := time.NewTimer(time.Hour)
	defer sleep.Stop()
	for {
		next, stopped := ts.fire()
		if stopped {
			return
		}
		if wait := next - ts.now(); next != forever {
			sleep.Reset(max(time.Duration(wait), 0))
		} else {
			sleep.Stop()
		}
		select {
		case <-sleep.C:
		case <-ts.kick:
		}
	}
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.index = len(*h)
}
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = 0
	return t
}

package core

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// runnable is woken to run on a worker: never twice at the same time, and again
// if it was woken while it ran.
type runnable interface {
	runState() *runState
	// run does what there is to do. more means: call again after the others.
	run() (more bool)
}

// runState says where a runnable is between sleep and work.
type runState struct{ v atomic.Uint32 }

const (
	runAsleep uint32 = iota
	runQueued        // in the pool's queue
	runRunning
	runAgain // running, and woken meanwhile
)

// pool runs runnables on a few goroutines, in the order in which they were woken.
type pool struct {
	mu struct {
		sync.Mutex
		queue   []runnable // from head on
		head    int
		running int
		stopped bool
	}
	ready   sync.Cond
	wg      sync.WaitGroup
	stopped chan struct{} // closed once no worker runs any more
}

func (p *pool) start() {
	p.ready.L = &p.mu.Mutex
	p.stopped = make(chan struct{})
	for range max(2, runtime.GOMAXPROCS(0)) {
		p.wg.Add(1)
		go p.work()
	}
}

// stop waits until the runs under way have ended; what is queued is not run.
func (p *pool) stop() {
	p.mu.Lock()
	p.mu.stopped = true
	p.mu.Unlock()
	p.ready.Broadcast()
	p.wg.Wait()
	close(p.stopped)
}

// wake has r run soon. It does not block and may be called with locks held.
func (p *pool) wake(r runnable) {
	st := r.runState()
	for {
		switch v := st.v.Load(); v {
		case runQueued, runAgain:
			return
		case runRunning:
			if st.v.CompareAndSwap(v, runAgain) {
				return
			}
		case runAsleep:
			if st.v.CompareAndSwap(v, runQueued) {
				p.push(r)
				return
			}
		}
	}
}

func (p *pool) push(r runnable) {
	p.mu.Lock()
	if p.mu.head > 64 && p.mu.head*2 > len(p.mu.queue) {
		n := copy(p.mu.queue, p.mu.queue[p.mu.head:])
		clear(p.mu.queue[n:])
		p.mu.queue, p.mu.head = p.mu.queue[:n], 0
	}
	p.mu.queue = append(p.mu.queue, r)
	p.mu.Unlock()
	p.ready.Signal()
}

func (p *pool) work() {
	defer p.wg.Done()
	for {
		p.mu.Lock()
		for p.mu.head == len(p.mu.queue) && !p.mu.stopped {
			p.mu.queue, p.mu.head = p.mu.queue[:0], 0
			p.ready.Wait()
		}
		if p.mu.stopped {
			p.mu.Unlock()
			return
		}
		r := p.mu.queue[p.mu.head]
		p.mu.queue[p.mu.head] = nil
		p.mu.head++
		p.mu.running++
		p.mu.Unlock()

		st := r.runState()
		st.v.Store(runRunning)
		if more := r.run(); more || !st.v.CompareAndSwap(runRunning, runAsleep) {
			st.v.Store(runQueued)
			p.push(r)
		}
		p.mu.Lock()
		p.mu.running--
		p.mu.Unlock()
	}
}

// idle reports whether nothing runs and nothing waits to.
func (p *pool) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.running == 0 && p.mu.head == len(p.mu.queue)
}

package storage

import "sync"

// maxCompleting bounds the cycles that are written and not yet completed: the
// writer waits when watchers and Completions cannot keep up.
const maxCompleting = 16

// doneQueue hands cycles from the writer to the completer.
type doneQueue struct {
	mu struct {
		sync.Mutex
		cycles, spare []*cycle
		instant       bool
		busy          bool // somebody completes
		closed        bool
	}
	some, room sync.Cond
}

func (q *doneQueue) init() {
	q.some.L = &q.mu
	q.room.L = &q.mu
}

// push adds a cycle; nil means that none will come.
func (q *doneQueue) push(c *cycle) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for c != nil && len(q.mu.cycles) >= maxCompleting {
		q.room.Wait()
	}
	if c == nil {
		q.mu.closed = true
	} else {
		q.mu.cycles = append(q.mu.cycles, c)
	}
	q.some.Signal()
}

// nudge says that there are instant transactions.
func (q *doneQueue) nudge() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.instant = true
	q.some.Signal()
}

// claim has the caller complete a cycle that it did not push, if nothing else is being completed
// or waits to be, instant transactions included. Then it must call rest.
func (q *doneQueue) claim() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.busy || q.mu.instant || len(q.mu.cycles) > 0 {
		return false
	}
	q.mu.busy = true
	return true
}

// rest says that what was taken or claimed is completed.
func (q *doneQueue) rest() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.busy = false
	if len(q.mu.cycles) > 0 || q.mu.instant || q.mu.closed {
		q.some.Signal()
	}
}

// take waits for something to complete, after which rest must be called. The result is valid until the next call.
func (q *doneQueue) take() (cycles []*cycle, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.mu.busy || len(q.mu.cycles) == 0 && !q.mu.instant && !q.mu.closed {
		q.some.Wait()
	}
	q.mu.busy, q.mu.instant = true, false
	cycles = q.mu.cycles
	q.mu.cycles, q.mu.spare = q.mu.spare[:0], cycles
	q.room.Signal()
	return cycles, !q.mu.closed
}

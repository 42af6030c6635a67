package natswire

import "sync"

// later are connections with output that its producer left to others: it is on a
// goroutine that must not make system calls, or has many small bursts.
type later struct {
	mu struct {
		sync.Mutex
		conns []*conn
	}
	wake chan struct{} // of size 1
}

// add queues c and has it flushed soon; a connection is in it once at most.
func (l *later) add(c *conn) {
	if l.put(c) {
		l.hurry()
	}
}

// put queues c and reports whether it was not; hurry must follow.
func (l *later) put(c *conn) bool {
	if !c.queued.CompareAndSwap(false, true) {
		return false
	}
	l.mu.Lock()
	l.mu.conns = append(l.mu.conns, c)
	l.mu.Unlock()
	return true
}

func (l *later) hurry() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// inPassMost is how many connections are flushed by who completes transactions, about as many as share a sync when there are
// a hundred that wait for each answer, and inPassBytes how much each of them may have pending: no client must take the
// journal's time.
const (
	inPassMost  = 64
	inPassBytes = 64 << 10
)

// flushPassed flushes what Completions said to not too many clients in place, which saves waking somebody; the rest it leaves to
// flushLater.
func (s *Server) flushPassed() {
	l := &s.later
	var few [inPassMost]*conn
	l.mu.Lock()
	left := max(len(l.mu.conns)-inPassMost, 0)
	n := copy(few[:], l.mu.conns[left:])
	clear(l.mu.conns[left:])
	l.mu.conns = l.mu.conns[:left]
	l.mu.Unlock()
	if left > 0 {
		l.hurry()
	}
	for _, c := range few[:n] {
		c.queued.Store(false)
		if c.pending() <= inPassBytes {
			c.flush()
		} else {
			l.add(c)
		}
	}
}

// flushLater flushes what is queued, until the server stops.
func (s *Server) flushLater() {
	var conns []*conn
	for {
		l := &s.later
		l.mu.Lock()
		conns, l.mu.conns = l.mu.conns, conns[:0]
		l.mu.Unlock()
		for i, c := range conns {
			// First, so that what is appended from here on is queued again.
			c.queued.Store(false)
			c.flush()
			conns[i] = nil
		}
		if len(conns) > 0 {
			continue
		}
		select {
		case <-l.wake:
		case <-s.stop:
			return
		}
	}
}

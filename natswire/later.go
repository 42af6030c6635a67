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

// add queues c; a connection is in it once at most.
func (l *later) add(c *conn) {
	if !c.queued.CompareAndSwap(false, true) {
		return
	}
	l.mu.Lock()
	l.mu.conns = append(l.mu.conns, c)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
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

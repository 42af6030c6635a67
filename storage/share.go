package storage

// What is here decides who shares a sync: see the package's description.

const (
	// shareMost is how many Completions, and shareBytes how large a frame, are worth a sync without more.
	shareMost  = 64
	shareBytes = 64 << 10
	// yieldMost is how often others are let run before a cycle is taken: each time may take long when they have much to do.
	yieldMost = 8
)

// sharing is how many Completions the last two cycles had, not counting large frames. It is the writer's.
type sharing struct{ last, before int }

func (s *sharing) took(c *cycle) {
	s.before, s.last = s.last, 0
	if len(c.buf) < shareBytes {
		s.last = len(c.thens)
	}
}

// most is how many Completions the writer lets join at most.
func (s *sharing) most() int { return min((s.last+s.before)/2, shareMost) }

// gatherMore lets others run until the gathered cycle has most Completions, is worth a sync as it is, or the last time brought
// nothing. Requires: the sequencer is held; in between it is not.
func (s *Store) gatherMore(most int) {
	q := &s.seq
	had := 0
	for range yieldMost {
		n := len(q.cur.thens)
		if n == had || n >= most || len(q.cur.buf) >= shareBytes {
			return
		}
		had = n
		q.Unlock()
		s.o.yield()
		q.Lock()
	}
}

package kafkawire

import "time"

// Retained is how many bytes of produce requests the connections refer to.
func (s *Server) Retained() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.mu.conns {
		c.queue.mu.Lock()
		for _, q := range c.produces.reqs {
			for _, p := range q.Partitions[:cap(q.Partitions)] {
				n += len(p.Records)
			}
			for _, t := range q.targets[:cap(q.targets)] {
				n += len(t.batch) + len(t.entry.Data)
			}
		}
		c.queue.mu.Unlock()
	}
	return n
}

// ExpireGroups does what the coordinator does every retentionCheck.
func (s *Server) ExpireGroups(now time.Time) { s.groups.expireAt(now) }

package kafkawire

import "time"

// ExpireGroups does what the coordinator does every retentionCheck.
func (s *Server) ExpireGroups(now time.Time) { s.groups.expireAt(now) }

package auth

// session is a connection that is open on behalf of a user.
type session struct{ end func() }

// Hold has end called once if the user is removed, at once if that happened since its login, until
// release is called. end may be called from any goroutine and must not block.
func (s *Store) Hold(user string, end func()) (release func()) {
	h := &session{end}
	s.mu.Lock()
	if _, known := s.user(user); !known {
		s.mu.Unlock()
		end()
		return func() {}
	}
	defer s.mu.Unlock()
	if s.mu.sessions == nil {
		s.mu.sessions = make(map[string]map[*session]struct{})
	}
	if s.mu.sessions[user] == nil {
		s.mu.sessions[user] = make(map[*session]struct{})
	}
	s.mu.sessions[user][h] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		held := s.mu.sessions[user]
		if delete(held, h); len(held) == 0 {
			delete(s.mu.sessions, user)
		}
	}
}

// endSessions ends what a user that is no more has open.
func (s *Store) endSessions(user string) {
	s.mu.Lock()
	held := s.mu.sessions[user]
	delete(s.mu.sessions, user)
	s.mu.Unlock()
	for h := range held {
		h.end()
	}
}

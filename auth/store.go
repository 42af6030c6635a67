package auth

import (
	"fmt"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// MaxPassword is the longest password in bytes: bcrypt reads no further.
const MaxPassword = 72

// guest is the user of a new Store; the hash is of the password "guest".
var guest = user{hash: "$2a$10$mr/I6IO9gp/IlErgKHee0ONbCDfWOYmD5PPwXouf1lcRpPVSLKPSW", namespace: home, local: true}

// nobody is what an unknown name is checked against, so that it takes as long as
// a known one. Its password was random and is forgotten.
var nobody = user{hash: "$2a$10$HZDtq9mfi1RQGwWf53HXqu3MDWfYOyxUEhnwbSU9LPn18wRi5f6e."}

// user is one entry of a Store.
type user struct {
	hash      string
	namespace string
	// local users may log in from loopback only.
	local bool
}

// Store keeps the identities. Its zero value knows guest alone.
type Store struct {
	mu struct {
		sync.Mutex
		users map[string]user // those added; guest is not among them
	}
	proven proven
}

// Add makes a user, or replaces one. An empty namespace means the default one.
// Adding guest lifts its restriction to loopback.
func (s *Store) Add(name, password, namespace string) error {
	if name == "" {
		return fmt.Errorf("auth: a user needs a name")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return fmt.Errorf("auth: add %q: %w", name, err)
	}
	if namespace == "" {
		namespace = home
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.users == nil {
		s.mu.users = make(map[string]user)
	}
	s.mu.users[name] = user{hash: string(hash), namespace: namespace}
	return nil
}

func (s *Store) user(name string) (user, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.mu.users[name]; ok {
		return u, true
	}
	if name == "guest" {
		return guest, true
	}
	return nobody, false
}

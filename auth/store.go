package auth

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// MaxPassword is the longest password in bytes: bcrypt reads no further.
const MaxPassword = 72

// MaxName is the longest name of a user in bytes, which every protocol can carry.
const MaxName = 255

// User is who may log in, as a Store keeps it and as it is stored.
type User struct {
	Name string
	// Hash is bcrypt's of the password.
	Hash string
	// Namespace is the user's home.
	Namespace string
	// Admin users may manage others.
	Admin bool `json:",omitzero"`
	// Local users may log in from loopback only.
	Local bool `json:",omitzero"`
	// Gone users may not log in: guest, when it was deleted.
	Gone bool `json:",omitzero"`
}

// Guest is the name of the user that a new Store has.
const Guest = "guest"

// guest is the user of a new Store; the hash is of the password "guest".
var guest = User{
	Name: Guest, Hash: "$2a$10$mr/I6IO9gp/IlErgKHee0ONbCDfWOYmD5PPwXouf1lcRpPVSLKPSW", Namespace: home, Admin: true, Local: true,
}

// nobody is what an unknown name is checked against, so that it takes as long as
// a known one. Its password was random and is forgotten.
var nobody = User{Hash: "$2a$10$HZDtq9mfi1RQGwWf53HXqu3MDWfYOyxUEhnwbSU9LPn18wRi5f6e.", Gone: true}

// Store keeps the identities. Its zero value knows guest alone.
type Store struct {
	mu struct {
		sync.Mutex
		users    map[string]User // those put; guest is not among them unless it was changed
		sessions map[string]map[*session]struct{}
	}
	proven proven
}

// NewUser makes a user for Put. An empty namespace means the default one.
func NewUser(name, password, namespace string) (User, error) {
	if name == "" || len(name) > MaxName {
		return User{}, fmt.Errorf("auth: a user's name has 1 to %d bytes", MaxName)
	}
	if password == "" {
		return User{}, errors.New("auth: a user needs a password")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return User{}, fmt.Errorf("auth: add %q: %w", name, err)
	}
	return User{Name: name, Hash: string(hash), Namespace: cmp.Or(namespace, home)}, nil
}

// Add makes a user, or replaces one. An empty namespace means the default one.
// Adding guest lifts its restriction to loopback.
func (s *Store) Add(name, password, namespace string) error {
	u, err := NewUser(name, password, namespace)
	if err == nil {
		s.Put(u)
	}
	return err
}

// Put makes u known, in place of the user of that name. It holds for the next login; one that is Gone
// loses its open connections too.
func (s *Store) Put(u User) {
	s.mu.Lock()
	if s.mu.users == nil {
		s.mu.users = make(map[string]User)
	}
	s.mu.users[u.Name] = u
	s.mu.Unlock()
	if u.Gone {
		s.endSessions(u.Name)
	}
}

// Remove forgets a user and ends its connections; guest, whom every Store knows, is put as Gone instead.
func (s *Store) Remove(name string) {
	s.mu.Lock()
	delete(s.mu.users, name)
	s.mu.Unlock()
	s.endSessions(name)
}

// User returns the user of that name, if it may log in.
func (s *Store) User(name string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user(name)
}

// user is User. Requires: mu.
func (s *Store) user(name string) (User, bool) {
	if u, ok := s.mu.users[name]; ok {
		return u, !u.Gone
	}
	if name == Guest {
		return guest, true
	}
	return nobody, false
}

// Users lists who may log in, in order of name.
func (s *Store) Users() (all []User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.users[Guest]; !ok {
		all = append(all, guest)
	}
	for _, u := range s.mu.users {
		if !u.Gone {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Managed reports whether there are other users than the guest of a new Store: then names and
// passwords mean something.
func (s *Store) Managed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.users) > 0
}

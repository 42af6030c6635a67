// Package auth keeps identities, credentials and permissions: one store, three
// views.
package auth

import (
	"errors"
	"net"
)

// ErrRefused is returned for a bad name, password or origin alike.
var ErrRefused = errors.New("auth: login refused")

// Identity is who a connection acts for.
type Identity struct {
	User string
	// Namespace is the user's home.
	Namespace string
}

// Store keeps the identities.
type Store struct{}

// Login checks a name and password presented from a remote address. The default
// user guest (password guest) may log in from loopback only.
func (s *Store) Login(user, password string, remote net.Addr) (*Identity, error) {
	panic("auth: Login")
}

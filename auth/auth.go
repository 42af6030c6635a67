package auth

import (
	"errors"
	"net"
)

// ErrRefused is returned for a bad name, password or origin alike: a stranger
// learns nothing from which of them it was.
var ErrRefused = errors.New("auth: login refused")

// home is the namespace of users that were given none, and of connections
// without a user. It is core.DefaultNamespace, which this package does not
// import.
const home = "default"

// Identity is who a connection acts for.
type Identity struct {
	// User is "" for a connection that did not log in.
	User string
	// Namespace is the user's home.
	Namespace string
	// Admin may manage users.
	Admin bool
}

// Login checks a name and password presented from a remote address. The default
// user guest (password guest) may log in from loopback only. It may take tens of
// milliseconds the first time a user's password is seen. Safe for concurrent use.
func (s *Store) Login(user, password string, remote net.Addr) (*Identity, error) {
	u, known := s.User(user)
	if !s.check(user, u.Hash, password) || !known || u.Local && !local(remote) {
		return nil, ErrRefused
	}
	return &Identity{User: user, Namespace: u.Namespace, Admin: u.Admin}, nil
}

// Anonymous is who a connection acts for that presents no credentials, where a
// protocol allows that.
func (s *Store) Anonymous(net.Addr) *Identity { return &Identity{Namespace: home} }

// local reports whether a connection from addr comes from this machine.
func local(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback() // ::ffff:127.0.0.1 included
	case nil:
		return false
	default:
		return a.Network() == "unix" || a.Network() == "pipe"
	}
}

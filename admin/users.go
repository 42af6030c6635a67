package admin

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"trivium/auth"
)

// Users are who may log in.
type Users interface {
	Login(user, password string, remote net.Addr) (*auth.Identity, error)
	User(name string) (auth.User, bool)
	Users() []auth.User
	// Change makes durable what decide returns, a user to put, or with a Hash of "" to remove, and
	// lets no other change come between.
	Change(decide func() (auth.User, error)) error
}

// user is how a user is shown.
type user struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Admin     bool   `json:"admin"`
	Local     bool   `json:"local"` // from loopback only
}

func shownUser(u auth.User) user { return user{u.Name, u.Namespace, u.Admin, u.Local} }

var errNoAdmin = &failure{http.StatusForbidden, "only an administrator may do this"}

// listUsers answers GET /v1/users.
func (s *Server) listUsers(who *auth.Identity, _ *http.Request) (any, error) {
	if !who.Admin {
		return nil, errNoAdmin
	}
	all := []user{}
	for _, u := range s.o.Users.Users() {
		all = append(all, shownUser(u))
	}
	return all, nil
}

// newUser is the body of PUT /v1/users/{name}; the namespace is the default one if it is "".
type newUser struct {
	Password  string `json:"password"`
	Namespace string `json:"namespace"`
	Admin     bool   `json:"admin"`
}

// addUser answers PUT /v1/users/{name}.
func (s *Server) addUser(who *auth.Identity, r *http.Request) (any, error) {
	if !who.Admin {
		return nil, errNoAdmin
	}
	name := r.PathValue("name")
	var in newUser
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	for what, text := range map[string]string{"user's name": name, "namespace's name": in.Namespace} {
		if !plain(text) {
			return nil, &failure{http.StatusBadRequest, "a " + what + " is text of at most 255 bytes without spaces and control characters"}
		}
	}
	u, err := checked(name, in.Password, in.Namespace)
	if err != nil {
		return nil, err
	}
	u.Admin = in.Admin
	err = s.o.Users.Change(func() (auth.User, error) {
		if _, ok := s.o.Users.User(name); ok {
			return u, &failure{http.StatusConflict, "user " + name + " exists already"}
		}
		return u, nil
	})
	if err != nil {
		return nil, err
	}
	return shownUser(u), nil
}

// plain reports whether a name can be shown, typed and carried by every protocol.
func plain(name string) bool {
	return len(name) <= auth.MaxName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// checked makes a user with a good password.
func checked(name, password, namespace string) (auth.User, error) {
	if password == "" || len(password) > auth.MaxPassword {
		return auth.User{}, &failure{http.StatusBadRequest, fmt.Sprintf("a password has 1 to %d bytes", auth.MaxPassword)}
	}
	return auth.NewUser(name, password, namespace)
}

// setPassword answers PUT /v1/users/{name}/password: of anyone, or of oneself.
func (s *Server) setPassword(who *auth.Identity, r *http.Request) (any, error) {
	name := r.PathValue("name")
	if !who.Admin && who.User != name {
		return nil, errNoAdmin
	}
	var in struct {
		Password string `json:"password"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	changed, err := checked(name, in.Password, "")
	if err != nil {
		return nil, err
	}
	return nil, s.o.Users.Change(func() (auth.User, error) {
		u, err := s.existing(name)
		u.Hash = changed.Hash
		return u, err
	})
}

// deleteUser answers DELETE /v1/users/{name}. The last administrator stays.
func (s *Server) deleteUser(who *auth.Identity, r *http.Request) (any, error) {
	if !who.Admin {
		return nil, errNoAdmin
	}
	name := r.PathValue("name")
	return nil, s.o.Users.Change(func() (auth.User, error) {
		if _, err := s.existing(name); err != nil {
			return auth.User{}, err
		}
		for _, u := range s.o.Users.Users() {
			if u.Admin && u.Name != name {
				return auth.User{Name: name}, nil
			}
		}
		return auth.User{}, &failure{http.StatusConflict, name + " is the last administrator: add another one first"}
	})
}

func (s *Server) existing(name string) (auth.User, error) {
	u, ok := s.o.Users.User(name)
	if !ok {
		return u, &failure{http.StatusNotFound, "no user " + name}
	}
	return u, nil
}

package admin

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"

	"trivium/auth"
	"trivium/core"
)

// The operations behind "trivium ctl": JSON over HTTP under /v1, for users that log in with Basic authentication.
// A request that is refused is answered with a status and {"error": why}.

// maxRequest bounds a request's body.
const maxRequest = 64 << 10

// failure is an error with the status that it is answered with.
type failure struct {
	status int
	why    string
}

func (f *failure) Error() string { return f.why }

// operation answers a request of a user: with a value for JSON, or nothing if it is nil.
type operation func(who *auth.Identity, r *http.Request) (any, error)

// operate serves an operation.
func (s *Server) operate(op operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		who, err := s.o.Users.Login(user, password, remote(r))
		if !ok || err != nil {
			w.Header().Set("WWW-Authenticate", `Basic realm="trivium"`)
			answer(w, http.StatusUnauthorized, map[string]string{"error": "no such user with this password"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		v, err := op(who, r)
		switch {
		case err != nil:
			status, why := statusOf(err)
			answer(w, status, map[string]string{"error": why})
		case v == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			answer(w, http.StatusOK, v)
		}
	}
}

// remote is where the request comes from.
func remote(r *http.Request) net.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil
	}
	return net.TCPAddrFromAddrPort(a)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who does not listen is told nothing
}

// statusOf maps core's errors.
func statusOf(err error) (status int, why string) {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.status, f.why
	}
	status = http.StatusInternalServerError
	if e, ok := errors.AsType[*core.Error](err); ok {
		switch e.Code {
		case core.NotFound, core.Gone:
			status = http.StatusNotFound
		case core.Exists:
			status = http.StatusConflict
		case core.Invalid:
			status = http.StatusBadRequest
		case core.Unwritable:
			status = http.StatusServiceUnavailable
		}
	}
	return status, err.Error()
}

// decode reads a request's JSON.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &failure{http.StatusBadRequest, "the body is not the JSON that this takes: " + err.Error()}
	}
	return nil
}

// namespace is the one that a request names, if it is the user's own.
func (s *Server) namespace(who *auth.Identity, name string) (*core.Namespace, error) {
	if who.Namespace != name {
		return nil, &failure{http.StatusForbidden, "user " + who.User + " does not work in namespace " + name}
	}
	ns := s.o.Broker.Namespace(name)
	if ns == nil {
		return nil, &failure{http.StatusNotFound, "no namespace " + name}
	}
	return ns, nil
}

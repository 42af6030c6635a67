package accept

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
)

// script is a listener that gives what it was told to give.
type script struct {
	net.Listener
	give []any // net.Conn, error, or func()
}

func (s *script) Accept() (net.Conn, error) {
	next := s.give[0]
	s.give = s.give[1:]
	switch next := next.(type) {
	case net.Conn:
		return next, nil
	case func():
		next()
		return nil, net.ErrClosed
	default:
		return nil, next.(error)
	}
}

func tooMany() error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
}

func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		stopping := false
		var got, failures int
		l := &script{give: []any{a, tooMany(), tooMany(), b, func() { stopping = true }}}
		err := Each(l, func() bool { return stopping }, func(error) { failures++ }, func(net.Conn) { got++ })
		if err != nil || got != 2 || failures != 2 {
			t.Errorf("err %v, %d connections, %d failures; want nil, 2, 2", err, got, failures)
		}

		broken := errors.New("broken")
		if err := Each(&script{give: []any{broken}}, func() bool { return false }, func(error) {}, nil); err != broken {
			t.Errorf("got %v, want the listener's failure", err)
		}
	})
}

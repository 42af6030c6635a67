// Package accept is the doors' one loop over a listener.
package accept

import (
	"errors"
	"net"
	"slices"
	"syscall"
	"time"
)

// Pauses after a failure that passes: each is twice the one before it.
const (
	pauseMin = 5 * time.Millisecond
	pauseMax = 200 * time.Millisecond
)

// passing are failures that say nothing about the listener: the process or the
// machine has too much open, or a client left before it was accepted.
var passing = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR}

// Each calls f for each connection until stopping reports true (it returns nil
// then) or the listener fails for good. A failure that passes is told to failed,
// and tried again after a pause. Whoever makes stopping true closes l after it.
func Each(l net.Listener, stopping func() bool, failed func(error), f func(net.Conn)) error {
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			f(c)
		case stopping():
			return nil
		case !slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }):
			return err
		default:
			failed(err)
			pause = min(max(2*pause, pauseMin), pauseMax)
			time.Sleep(pause)
		}
	}
}

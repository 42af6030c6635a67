package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"trivium/server"
)

// advice says what went wrong and what a person can do about it.
func advice(err error) string {
	var l *server.ListenError
	var d *server.DirError
	switch {
	case errors.As(err, &l) && errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("another program listens on %s already: stop it, or choose another address with --%s host:port (port 0 = any free one, empty = off)", l.Addr, l.Listener)
	case errors.As(err, &l) && errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("not allowed to listen on %s: choose a port above 1023 with --%s host:port", l.Addr, l.Listener)
	case errors.As(err, &l):
		return fmt.Sprintf("cannot listen on %q: %v; give --%s a host:port of this machine", l.Addr, l.Err, l.Listener)
	case errors.As(err, &d) && errors.Is(err, syscall.EAGAIN):
		return fmt.Sprintf("the data directory %s is in use by another trivium: stop that one, or choose another directory with --data", d.Dir)
	case errors.As(err, &d) && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)):
		return fmt.Sprintf("cannot write to the data directory %s: make it writable for this user, or choose another one with --data (%v)", d.Dir, d.Err)
	case errors.As(err, &d) && errors.Is(err, syscall.ENOTDIR):
		return fmt.Sprintf("%s is not a directory: choose one with --data", d.Dir)
	case errors.As(err, &d) && errors.Is(err, syscall.ENOSPC):
		return fmt.Sprintf("no space left for the data directory %s: free some, or choose another one with --data", d.Dir)
	}
	return err.Error()
}

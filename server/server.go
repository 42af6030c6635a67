package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"trivium/auth"
	"trivium/core"
	"trivium/storage"
)

// Server is a running Trivium.
type Server struct {
	o         Options
	log       *slog.Logger
	store     *storage.Store
	broker    *core.Broker
	auth      *auth.Store
	users     *users
	listeners map[string]net.Listener
	// doors are stopped together; admin, kept apart, after them.
	doors    []door
	admin    door
	counted  []func(emitter) // a snapshot of each door
	serving  sync.WaitGroup  // one for each Serve
	failed   chan error
	stopping atomic.Bool
	stop     struct {
		sync.Once
		err error
	}
}

// door is what the server knows of a listener's owner.
type door interface {
	// Serve accepts until Shutdown, and then returns nil.
	Serve(net.Listener) error
	// Shutdown says goodbye to all connections and waits for them until ctx ends.
	Shutdown(context.Context) error
}

// Start opens the store in o.Dir and serves on the addresses given. Errors are a
// *ListenError, a *DirError or core's. The caller ends it with Shutdown.
func Start(o Options) (*Server, error) {
	s := &Server{o: o, log: o.Log, auth: o.Auth, failed: make(chan error, len(names))}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.auth == nil {
		s.auth = new(auth.Store)
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		s.unlisten()
		return nil, err
	}
	if err := s.serve(); err != nil {
		s.unlisten()
		return nil, errors.Join(err, s.broker.Close(), s.store.Close())
	}
	return s, nil
}

// open recovers the store and loads core.
func (s *Server) open() (err error) {
	s.store, err = storage.Open(storage.Options{Dir: s.o.Dir, Durability: s.o.Durability, MinFreeBytes: s.o.MinFreeBytes, Log: s.log})
	if err != nil {
		return &DirError{Dir: s.o.Dir, Err: err}
	}
	s.broker, err = core.Open(s.store, core.Options{Log: s.log, Codecs: codecs()})
	if err != nil {
		return errors.Join(&DirError{Dir: s.o.Dir, Err: err}, s.store.Close())
	}
	s.users = &users{Store: s.auth, broker: s.broker}
	if err = s.users.load(); err != nil {
		return errors.Join(&DirError{Dir: s.o.Dir, Err: err}, s.broker.Close(), s.store.Close())
	}
	return nil
}

// Addr is the address that a listener has, or "" if it is off.
func (s *Server) Addr(name string) string {
	if l := s.listeners[name]; l != nil {
		return l.Addr().String()
	}
	return ""
}

// Broker is the core that all doors share, for who embeds the server.
func (s *Server) Broker() *core.Broker { return s.broker }

// Failed delivers the error of a listener that ended before Shutdown.
func (s *Server) Failed() <-chan error { return s.failed }

// Err is why nothing can be written any more, or nil.
func (s *Server) Err() error { return s.broker.Err() }

var errStopping = errors.New("server: stopping")

// Ready is nil while clients are served.
func (s *Server) Ready() error {
	if s.stopping.Load() {
		return errStopping
	}
	return nil
}

// Shutdown takes everything down, waiting for connections to end no longer than
// ctx. What was acknowledged is on disk whatever it returns. Later calls return
// what the first one did.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop.Do(func() { s.stop.err = s.shutdown(ctx) })
	return s.stop.err
}

func (s *Server) shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	errs := make([]error, len(s.doors))
	var wg sync.WaitGroup
	for i, d := range s.doors {
		wg.Go(func() { errs[i] = d.Shutdown(ctx) })
	}
	wg.Wait()
	if s.admin != nil {
		errs = append(errs, s.admin.Shutdown(ctx))
	}
	s.unlisten()
	s.serving.Wait()
	return errors.Join(append(errs, s.broker.Close(), s.store.Close())...)
}

package natswire

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nkeys"

	"trivium/core"
	"trivium/internal/accept"
	"trivium/natswire/jetstream"
)

// Server is the NATS door.
type Server struct {
	o    Options
	id   string
	js   JetStream
	stop chan struct{} // closed by Shutdown
	ids  atomic.Uint64
	// sysSeq numbers answers to requests to the system.
	sysSeq atomic.Uint64

	mu struct {
		sync.Mutex
		listeners map[net.Listener]struct{}
		conns     map[*conn]struct{}
		stopping  bool
		lameDuck  bool
	}
	// running counts all goroutines of connections and of the server.
	running sync.WaitGroup
	later   later
	unpass  func() // ends flushPassed
	keeper  keeper
	count   counters
}

// New makes a Server and, unless it is turned off, its JetStream engine.
func New(o Options) (*Server, error) {
	o.setDefaults()
	kp, err := nkeys.CreateServer()
	if err != nil {
		return nil, fmt.Errorf("natswire: server id: %w", err)
	}
	id, err := kp.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("natswire: server id: %w", err)
	}
	s := &Server{o: o, id: id, stop: make(chan struct{})}
	if s.o.Name == "" {
		s.o.Name = id
	}
	s.mu.listeners = make(map[net.Listener]struct{})
	s.mu.conns = make(map[*conn]struct{})
	s.later.wake = make(chan struct{}, 1)
	s.keeper.wake = make(chan struct{}, 1)
	s.unpass = o.Broker.Passed(s.flushPassed)
	s.running.Go(s.storeKept)
	for range max(1, runtime.GOMAXPROCS(0)/2) {
		s.running.Go(s.flushLater)
	}
	if !o.NoJetStream {
		e, err := jetstream.New(jetstream.Options{
			Broker: o.Broker, Log: o.Log, ServerName: s.o.Name, ServerID: id,
			Sender: func(ns *core.Namespace) jetstream.Sender { return s.Sender(ns) },
		})
		if err != nil {
			close(s.stop)
			s.running.Wait()
			s.unpass()
			return nil, err
		}
		s.js = e
	}
	return s, nil
}

// start runs f on a goroutine that Shutdown waits for.
func (s *Server) start(f func()) bool {
	s.running.Go(f)
	return true
}

// Serve accepts connections from l until Shutdown; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.mu.stopping || s.mu.lameDuck {
		s.mu.Unlock()
		l.Close()
		return nil
	}
	s.mu.listeners[l] = struct{}{}
	s.mu.Unlock()
	return accept.Each(l, s.stopping, func(err error) { s.o.Log.Warn("natswire: accept", "err", err) }, s.accept)
}

// stopping reports whether listeners are being closed on purpose.
func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.stopping || s.mu.lameDuck
}

func (s *Server) accept(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.mu.stopping || s.mu.lameDuck {
		s.mu.Unlock()
		nc.Close()
		return
	}
	full := len(s.mu.conns) >= s.o.MaxConnections
	s.mu.conns[c] = struct{}{}
	s.start(func() { c.serve(full) })
	s.mu.Unlock()
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.mu.conns, c)
	s.mu.Unlock()
}

// closeListeners makes every Serve return.
func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.mu.listeners {
		l.Close()
		delete(s.mu.listeners, l)
	}
}

func (s *Server) conns() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.mu.conns))
	for c := range s.mu.conns {
		all = append(all, c)
	}
	return all
}

// LameDuck stops accepting, tells clients by an INFO with "ldm", and after the grace period
// closes them one by one, in random order, over the lame duck duration; or until ctx ends. Shutdown
// must follow.
func (s *Server) LameDuck(ctx context.Context) {
	s.mu.Lock()
	s.mu.lameDuck = true
	s.mu.Unlock()
	s.closeListeners()
	s.announceLameDuck()
	all := s.conns()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	wait := func(d time.Duration) bool {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		case <-s.stop:
			return false
		}
	}
	if !wait(s.o.LameDuckGrace) {
		return
	}
	step := min(max(s.o.LameDuckDuration-s.o.LameDuckGrace, time.Second)/time.Duration(max(len(all), 1)), time.Second)
	for _, c := range all {
		c.close(ServerShutdown)
		if step > 0 && !wait(step/2+rand.N(step/2+1)) {
			return
		}
	}
}

func (s *Server) announceLameDuck() {
	for _, c := range s.conns() {
		c.announce(func(i *info) { i.LameDuckMode = true })
	}
}

// Shutdown stops accepting, ends JetStream's deliveries, tells clients by an INFO with "ldm", sends
// what is pending and closes all connections. It waits for them until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	again := s.mu.stopping
	s.mu.stopping = true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.closeListeners()
	var err error
	if e, ok := s.js.(*jetstream.Engine); ok {
		err = e.Shutdown(ctx)
	}
	s.announceLameDuck()
	close(s.stop)
	for _, c := range s.conns() {
		c.close(ServerShutdown)
	}
	done := make(chan struct{})
	go func() { // ends with the last connection, at the latest when they are cut below
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		for _, c := range s.conns() {
			c.nc.Close()
		}
		<-done
		err = ctx.Err()
	}
	s.unpass()
	return err
}

// now is the wall clock in unix nanoseconds.
func (s *Server) now() int64 { return time.Now().UnixNano() }

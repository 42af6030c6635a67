package amqp

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"trivium/auth"
	"trivium/core"
	"trivium/internal/accept"
)

// The defaults of Options, RabbitMQ's own.
const (
	DefaultChannelMax       = 2047
	DefaultFrameMax         = 131072
	DefaultHeartbeat        = 60 * time.Second
	DefaultMaxMessageSize   = 16 << 20
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultRefusalDelay     = 3 * time.Second
	DefaultConsumerTimeout  = 30 * time.Minute
)

// version is the RabbitMQ release whose behaviour this is: clients steer by it.
const version = "4.2.2"

// Options of a Server. The zero value of each limit means its default.
type Options struct {
	Broker *core.Broker
	Auth   *auth.Store
	Log    *slog.Logger

	ChannelMax     uint16
	FrameMax       uint32
	Heartbeat      time.Duration
	MaxMessageSize int64
	// HandshakeTimeout is how long a client may take until its login, and again from there to its open connection.
	HandshakeTimeout time.Duration
	// RefusalDelay is how long a client that failed to log in waits for the end of its connection.
	RefusalDelay time.Duration
	// ConsumerTimeout is how long a delivery may stay unsettled before its channel is closed; negative means for ever.
	ConsumerTimeout time.Duration
}

// Server is the AMQP door.
type Server struct {
	Options
	next    atomic.Uint64 // of the connections' numbers
	metrics counters
	wg      sync.WaitGroup
	// deaf ends the calls of alarmed.
	deaf func()

	mu struct {
		sync.Mutex
		listeners map[net.Listener]struct{}
		conns     map[*conn]struct{}
		closed    bool
	}
}

// New makes a server; Serve runs it.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	def := func(p *time.Duration, d time.Duration) {
		if *p == 0 {
			*p = d
		}
	}
	if o.ChannelMax == 0 {
		o.ChannelMax = DefaultChannelMax
	}
	if o.FrameMax == 0 {
		o.FrameMax = DefaultFrameMax
	}
	if o.MaxMessageSize == 0 {
		o.MaxMessageSize = DefaultMaxMessageSize
	}
	def(&o.Heartbeat, DefaultHeartbeat)
	def(&o.HandshakeTimeout, DefaultHandshakeTimeout)
	def(&o.RefusalDelay, DefaultRefusalDelay)
	def(&o.ConsumerTimeout, DefaultConsumerTimeout)
	s := &Server{Options: o}
	s.mu.listeners = map[net.Listener]struct{}{}
	s.mu.conns = map[*conn]struct{}{}
	s.deaf = o.Broker.OnAlarm(s.alarmed)
	return s
}

// Serve accepts connections from l until Shutdown, then returns nil.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		l.Close()
		return nil
	}
	s.mu.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.mu.listeners, l)
		s.mu.Unlock()
	}()
	return accept.Each(l, s.stopping, func(err error) { s.Log.Warn("amqp: accept", "err", err) }, s.accept)
}

// stopping reports whether Shutdown was called.
func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.closed
}

// accept starts the goroutine that serves a connection.
func (s *Server) accept(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		_ = nc.Close()
		return
	}
	s.mu.conns[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	s.metrics.connectionsOpened.Add(1)
	go func() {
		defer s.wg.Done()
		c.serve()
		s.metrics.connectionsClosed.Add(1)
		s.mu.Lock()
		delete(s.mu.conns, c)
		s.mu.Unlock()
	}()
}

// Shutdown stops listening, tells every client, and waits for the connections to end; when ctx is done it
// ends them.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.mu.closed = true
	for l := range s.mu.listeners {
		_ = l.Close()
	}
	conns := make([]*conn, 0, len(s.mu.conns))
	for c := range s.mu.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	defer s.deaf()
	for _, c := range conns {
		c.force("broker forced connection closure with reason 'shutdown'")
	}
	ended := make(chan struct{})
	go func() { s.wg.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		for _, c := range conns {
			c.abort()
		}
		<-ended
		return ctx.Err()
	}
}

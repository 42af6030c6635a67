package kafkawire

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"trivium/auth"
	"trivium/core"
	"trivium/internal/accept"
	"trivium/kafkawire/group"
)

// Realm is the name space of what Kafka clients make; Format marks the entries
// that they write.
const (
	Realm  core.Realm  = "kafka"
	Format core.Format = 2
)

// nodeID is this node's; there is one.
const nodeID = 1

// Options of a Server. The zero value of a limit means its default.
type Options struct {
	Broker *core.Broker
	Auth   *auth.Store
	Log    *slog.Logger

	// MaxRequestBytes bounds a produce request (socket.request.max.bytes).
	// MaxControlBytes bounds every other request: they have no bulk, and decoding
	// one takes many times its size.
	MaxRequestBytes, MaxControlBytes int
	// MaxFetchBytes bounds the records of one fetch response (fetch.max.bytes).
	MaxFetchBytes int
	// MaxInFlight bounds the unanswered requests of one connection; it is not read further meanwhile.
	MaxInFlight int
	// MaxSessions bounds the fetch sessions of all clients.
	MaxSessions int
	// IdleTimeout ends a connection that sends nothing (connections.max.idle.ms); WriteTimeout one that takes nothing.
	IdleTimeout, WriteTimeout time.Duration
	// Partitions of a topic whose creator does not say (num.partitions).
	Partitions int
	// NoAutoCreate refuses to create a topic because somebody asks for it.
	NoAutoCreate bool
	// Groups are the limits of consumer groups; zero means group.DefaultLimits.
	Groups group.Limits
	// OffsetsRetention is how long a group without members keeps its positions.
	OffsetsRetention time.Duration
}

func (o *Options) defaults() {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.MaxRequestBytes, 100<<20)
	def(&o.MaxControlBytes, 4<<20)
	def(&o.MaxFetchBytes, 55<<20)
	def(&o.MaxInFlight, 1024)
	def(&o.MaxSessions, 1000)
	def(&o.Partitions, 1)
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 10 * time.Minute
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 2 * time.Minute
	}
	if o.OffsetsRetention == 0 {
		o.OffsetsRetention = 7 * 24 * time.Hour
	}
	if o.Groups == (group.Limits{}) {
		o.Groups = group.DefaultLimits()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Server is the Kafka door.
type Server struct {
	o        Options
	log      *slog.Logger
	broker   *core.Broker
	ns       *core.Namespace
	topics   *registry
	groups   *coordinator
	sessions *sessions
	pids     producerIDs
	cluster  string
	metrics  counters

	mu struct {
		sync.Mutex
		listeners map[net.Listener]struct{}
		conns     map[*conn]struct{}
		closing   bool
	}
	running sync.WaitGroup
}

// New makes the door. It reads topics and groups that are stored.
func New(o Options) *Server {
	o.defaults()
	s := &Server{o: o, log: o.Log, broker: o.Broker, ns: o.Broker.Namespace(core.DefaultNamespace)}
	s.mu.listeners = make(map[net.Listener]struct{})
	s.mu.conns = make(map[*conn]struct{})
	s.topics = newRegistry(s.ns, s.log)
	s.groups = newCoordinator(s)
	s.sessions = newSessions(o.MaxSessions)
	s.pids.s = s
	return s
}

// clusterKey is the document that holds the cluster's id.
const clusterKey = "cluster"

// clusterID is 16 random bytes that stay with the store.
func (s *Server) loadCluster() error {
	b, err := s.ns.Doc(Realm, clusterKey)
	if err != nil {
		return fmt.Errorf("kafka: cluster id: %w", err)
	}
	if b == nil {
		b = make([]byte, 16)
		rand.Read(b)
		err := s.broker.Committed(func(tx *core.Tx) error {
			tx.SetDoc(s.ns, Realm, clusterKey, b)
			return nil
		})
		if err != nil {
			return fmt.Errorf("kafka: cluster id: %w", err)
		}
	}
	s.cluster = base64.RawURLEncoding.EncodeToString(b)
	return nil
}

// Serve accepts connections on l until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.mu.closing {
		s.mu.Unlock()
		l.Close()
		return nil
	}
	if s.cluster == "" {
		if err := s.loadCluster(); err != nil {
			s.mu.Unlock()
			return err
		}
	}
	s.mu.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.mu.listeners, l)
		s.mu.Unlock()
	}()
	return accept.Each(l, s.closing, func(err error) { s.log.Warn("kafka: accept", "err", err) }, s.start)
}

// closing reports whether Shutdown was called.
func (s *Server) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.closing
}

func (s *Server) start(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closing {
		nc.Close()
		return
	}
	s.mu.conns[c] = struct{}{}
	s.metrics.connections.Add(1)
	s.running.Add(2)
	go func() {
		defer s.running.Done()
		c.serve()
		s.mu.Lock()
		delete(s.mu.conns, c)
		s.mu.Unlock()
	}()
	go func() {
		defer s.running.Done()
		c.write()
	}()
}

// Shutdown stops accepting and reading. What was stored is still answered;
// joins and long polls are not. It waits until every connection has ended, at the
// latest when ctx ends: then they are cut.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.mu.closing = true
	for l := range s.mu.listeners {
		l.Close()
	}
	for c := range s.mu.conns {
		c.stop()
	}
	s.mu.Unlock()
	s.groups.close()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.mu.conns {
		c.cut(ctx.Err())
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}

// counters of a Server.
type counters struct {
	connections, requests, errors    atomic.Int64
	produced, producedBytes, batches atomic.Int64
	fetched, fetchedBytes            atomic.Int64
	refusedBatches, translated       atomic.Int64
}

// Metrics is a snapshot of a Server's counters.
type Metrics struct {
	// What is there now; all others count from the start.
	Connections, Sessions, Groups int64
	// ConnectionsOpened were accepted; ProtocolErrors ended because of what they sent.
	ConnectionsOpened, Requests, ProtocolErrors int64
	// Produced records came in Batches of ProducedBytes; RefusedBatches were not stored.
	Produced, ProducedBytes, Batches, RefusedBatches int64
	// Fetched counts the offsets that were sent. Translated entries were other doors'.
	Fetched, FetchedBytes, Translated int64
}

// Metrics returns the counters.
func (s *Server) Metrics() Metrics {
	s.mu.Lock()
	open := len(s.mu.conns)
	s.mu.Unlock()
	m := &s.metrics
	return Metrics{
		Connections: int64(open), Sessions: int64(s.sessions.len()), Groups: int64(s.groups.len()),
		ConnectionsOpened: m.connections.Load(), Requests: m.requests.Load(), ProtocolErrors: m.errors.Load(),
		Produced: m.produced.Load(), ProducedBytes: m.producedBytes.Load(), Batches: m.batches.Load(),
		RefusedBatches: m.refusedBatches.Load(),
		Fetched:        m.fetched.Load(), FetchedBytes: m.fetchedBytes.Load(), Translated: m.translated.Load(),
	}
}

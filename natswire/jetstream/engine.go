package jetstream

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"

	"trivium/core"
	"trivium/natswire/wire"
)

// maxRequests is how many API requests may wait for an answer; what comes on top is
// dropped, like nats-server does (JSDefaultRequestQueueLimit).
const maxRequests = 10_000

// Options of an Engine.
type Options struct {
	Broker *core.Broker
	Log    *slog.Logger
	// Sender makes a new Sender for a namespace.
	Sender func(ns *core.Namespace) Sender
	// ServerName and ServerID appear in advisories and infos.
	ServerName, ServerID string
	// MaxPending bounds the bytes that one batched direct get answers with.
	MaxPending int
}

// defaultMaxPending is nats-server's MAX_PENDING_SIZE.
const defaultMaxPending = 64 << 20

// Engine is JetStream for all namespaces of one Broker.
type Engine struct {
	broker     *core.Broker
	log        *slog.Logger
	sender     func(ns *core.Namespace) Sender
	name, id   string
	maxPending int
	dropped    atomic.Int64 // headers

	requests chan *request
	quit     chan struct{}
	wg       sync.WaitGroup
	closed   atomic.Bool
	gate     sync.Mutex // held to add to wg unless closed

	// accounts is replaced, never changed, under mu.
	accounts atomic.Pointer[map[*core.Namespace]*account]
	mu       sync.Mutex

	// current is what the open Tx gathers; guarded by core's sequencer.
	current *commit
	scratch []byte
	entry   core.Entry // being appended

	inflight inflight // batches
}

// New loads the streams and consumers that the Broker holds and starts serving them.
func New(o Options) (*Engine, error) {
	e := &Engine{
		broker: o.Broker, log: o.Log, sender: o.Sender, name: o.ServerName, id: o.ServerID,
		maxPending: o.MaxPending, requests: make(chan *request, maxRequests), quit: make(chan struct{}),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.maxPending <= 0 {
		e.maxPending = defaultMaxPending
	}
	e.accounts.Store(&map[*core.Namespace]*account{})
	e.broker.Namespaces(func(ns *core.Namespace) bool {
		e.account(ns)
		return true
	})
	e.wg.Add(1)
	go e.serve()
	return e, nil
}

// account returns a namespace's account, loading it when it is new.
func (e *Engine) account(ns *core.Namespace) *account {
	if a := (*e.accounts.Load())[ns]; a != nil {
		return a
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	all := *e.accounts.Load()
	if a := all[ns]; a != nil {
		return a
	}
	a := newAccount(e, ns)
	all = maps.Clone(all)
	all[ns] = a
	e.accounts.Store(&all)
	return a
}

// Shutdown ends deliveries, answers what is waiting, and stops the engine's goroutines.
// It must come before the connections and the Broker are closed.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.gate.Lock()
	already := e.closed.Swap(true)
	e.gate.Unlock()
	if already {
		return nil
	}
	close(e.quit)
	for _, a := range *e.accounts.Load() {
		for _, c := range a.allConsumers() {
			c.stop("Server Shutdown")
		}
		for _, s := range a.allStreams("") {
			s.endBatches()
		}
	}
	done := make(chan struct{})
	go func() {
		e.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter keeps Shutdown waiting until leave; it reports false after Shutdown began.
// Timers' functions run between the two.
func (e *Engine) enter() bool {
	e.gate.Lock()
	defer e.gate.Unlock()
	if e.closed.Load() {
		return false
	}
	e.wg.Add(1)
	return true
}

func (e *Engine) leave() { e.wg.Done() }

// background runs f on a goroutine that Shutdown waits for; it reports false after
// Shutdown began.
func (e *Engine) background(f func()) bool {
	if !e.enter() {
		return false
	}
	go func() {
		defer e.leave()
		f()
	}()
	return true
}

// Interest: see natswire.JetStream.
func (e *Engine) Interest(ns *core.Namespace, subject []byte, gone bool) {
	a := (*e.accounts.Load())[ns]
	if a == nil || a.pushes.Load() == 0 {
		return
	}
	for _, c := range a.pushConsumers() {
		switch {
		case !core.SubjectMatches(string(subject), c.deliverSubject()):
		case gone:
			// It may have ended by being sent its last message: by c, under its lock.
			e.background(c.interest)
		default:
			c.interest()
		}
	}
}

// Request: see natswire.JetStream.
func (e *Engine) Request(ns *core.Namespace, c *Client, m *wire.Msg) bool {
	if e.closed.Load() {
		return false
	}
	return e.account(ns).request(c, m)
}

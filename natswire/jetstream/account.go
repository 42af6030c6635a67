package jetstream

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// account is JetStream in one namespace.
type account struct {
	e  *Engine
	ns *core.Namespace

	mu struct {
		sync.RWMutex
		streams map[string]*stream // what NATS clients made
		// views are streams of other doors, by their id, made when first asked for.
		views map[uint64]*stream
		// consumers by "stream.consumer", as in ack subjects.
		consumers map[string]*consumer
	}
	// byCore finds the stream of a *core.Stream.
	byCore sync.Map
	// pushes counts push consumers.
	pushes atomic.Int64
	// api counts requests and those that were refused.
	api, apiErrors atomic.Uint64

	// senders holds the idle ones.
	senders sync.Pool
	// completions is the Sender of completions.
	completions struct {
		sync.Mutex
		out Sender
		buf []byte
		msg wire.Msg
	}
	// afterwards is what later was given and has not begun.
	afterwards struct {
		sync.Mutex
		todo    []func()
		running bool
	}
}

// AccountName is how NATS calls a namespace.
func AccountName(ns *core.Namespace) string {
	if ns.Name() == core.DefaultNamespace {
		return server.DEFAULT_GLOBAL_ACCOUNT
	}
	return ns.Name()
}

// later calls what may write to sockets, where locks are held, a Tx is open or the journal's
// time is taken: in the background, one after the other in the order given, so that
// advisories tell what happened in its order.
func (a *account) later(fs ...func()) {
	l := &a.afterwards
	l.Lock()
	defer l.Unlock()
	if l.todo = append(l.todo, fs...); l.running {
		return
	}
	l.running = a.e.background(func() {
		for {
			l.Lock()
			todo := l.todo
			l.todo = nil
			l.running = len(todo) > 0
			l.Unlock()
			if len(todo) == 0 {
				return
			}
			for _, f := range todo {
				f()
			}
		}
	})
}

func newAccount(e *Engine, ns *core.Namespace) *account {
	a := &account{e: e, ns: ns}
	a.mu.streams = map[string]*stream{}
	a.mu.views = map[uint64]*stream{}
	a.mu.consumers = map[string]*consumer{}
	a.senders.New = func() any { return e.sender(ns) }
	a.completions.out = e.sender(ns)
	a.load()
	return a
}

// load binds what the namespace holds: our streams and the consumers on any stream.
func (a *account) load() {
	a.ns.Streams(func(cs *core.Stream) bool {
		var s *stream
		if cs.Config().Realm == Realm {
			if s = a.restore(cs); s == nil {
				return true
			}
			a.addStream(s)
		}
		cs.Cursors(func(cur *core.Cursor) bool {
			name, partition, ok := parseCursorName(cur.Config().Name)
			if !ok {
				return true
			}
			var cfg server.ConsumerConfig
			if err := json.Unmarshal(cur.Config().Doc, &cfg); err != nil {
				a.e.log.Error("consumer's configuration is unreadable", "stream", cs.Config().Name, "consumer", name, "err", err)
				return true
			}
			on := s
			if on == nil {
				if on = a.view(cs, partition); on == nil {
					return true
				}
			}
			c := newConsumer(on, name, cfg)
			c.bind(cur)
			cur.SetEvents(c)
			a.addConsumer(c)
			c.start()
			return true
		})
		return true
	})
}

// restore makes the stream of a *core.Stream that a NATS client made, nil if its document
// cannot be read.
func (a *account) restore(cs *core.Stream) *stream {
	var cfg server.StreamConfig
	if err := json.Unmarshal(cs.Config().Doc, &cfg); err != nil {
		a.e.log.Error("stream's configuration is unreadable", "stream", cs.Config().Name, "err", err)
		return nil
	}
	return newStream(a, cs, cfg)
}

func (a *account) addStream(s *stream) {
	a.mu.Lock()
	a.mu.streams[s.name] = s
	a.mu.Unlock()
	a.byCore.Store(s.core, s)
}

func (a *account) removeStream(s *stream) {
	a.mu.Lock()
	if a.mu.streams[s.name] == s {
		delete(a.mu.streams, s.name)
	}
	a.mu.Unlock()
	a.byCore.Delete(s.core)
}

// stream returns the stream that NATS knows by that name: its own, else another
// door's, else nil.
func (a *account) stream(name string) *stream {
	a.mu.RLock()
	s := a.mu.streams[name]
	a.mu.RUnlock()
	if s == nil {
		s = a.exposed(name)
	}
	if s == nil {
		s = a.viewNamed(name)
	}
	return s
}

// of returns the stream of a *core.Stream, nil if it is not ours.
func (a *account) of(cs *core.Stream) *stream {
	if s, ok := a.byCore.Load(cs); ok {
		return s.(*stream)
	}
	return nil
}

// streams lists the streams in name order, other doors' included, whose subjects have
// something in common with filter ("" = all).
func (a *account) allStreams(filter string) []*stream {
	a.mu.RLock()
	all := make([]*stream, 0, len(a.mu.streams))
	for _, s := range a.mu.streams {
		all = append(all, s)
	}
	a.mu.RUnlock()
	all = append(all, a.allViews()...)
	if filter != "" {
		all = slices.DeleteFunc(all, func(s *stream) bool {
			return !collide([]string{filter}, s.config().Subjects)
		})
	}
	slices.SortFunc(all, func(x, y *stream) int { return cmp.Compare(x.name, y.name) })
	return all
}

func (a *account) addConsumer(c *consumer) {
	a.mu.Lock()
	a.mu.consumers[c.key] = c
	a.mu.Unlock()
	if c.deliverSubject() != "" {
		a.pushes.Add(1)
	}
}

// removeConsumer forgets c and reports whether it was known.
func (a *account) removeConsumer(c *consumer) bool {
	a.mu.Lock()
	known := a.mu.consumers[c.key] == c
	if known {
		delete(a.mu.consumers, c.key)
	}
	a.mu.Unlock()
	if known && c.deliverSubject() != "" {
		a.pushes.Add(-1)
	}
	return known
}

// consumer finds a consumer by "stream.consumer".
func (a *account) consumer(key []byte) *consumer {
	a.mu.RLock()
	c := a.mu.consumers[string(key)]
	a.mu.RUnlock()
	return c
}

func (a *account) allConsumers() []*consumer {
	a.mu.RLock()
	defer a.mu.RUnlock()
	all := make([]*consumer, 0, len(a.mu.consumers))
	for _, c := range a.mu.consumers {
		all = append(all, c)
	}
	return all
}

func (a *account) pushConsumers() []*consumer {
	return slices.DeleteFunc(a.allConsumers(), func(c *consumer) bool { return c.deliverSubject() == "" })
}

// consumersOf lists a stream's consumers in name order.
func (a *account) consumersOf(s *stream) []*consumer {
	all := slices.DeleteFunc(a.allConsumers(), func(c *consumer) bool { return c.stream != s })
	slices.SortFunc(all, func(x, y *consumer) int { return cmp.Compare(x.name, y.name) })
	return all
}

// interested reports whether somebody listens to subject.
func (a *account) interested(subject string) bool { return a.ns.Subjects().HasInterest(subject) }

// wanted reports whether anybody gets what is published to subject: a listener or a stream.
func (a *account) wanted(subject string) bool { return !a.ns.Subjects().Match([]byte(subject)).Empty() }

// send publishes one message at once.
func (a *account) send(m *wire.Msg) {
	out := a.senders.Get().(Sender)
	out.Send(nil, m)
	out.Flush()
	a.senders.Put(out)
}

// status answers with a status line and no body.
func (a *account) status(reply []byte, line string) {
	a.send(&wire.Msg{Subject: reply, Header: wire.Header(wire.HeaderLine + " " + line + "\r\n\r\n")})
}

func now() time.Time { return time.Now().UTC() }

func at(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }

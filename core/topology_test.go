package core

import (
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"trivium/storage"
)

// topology is a namespace under test with short ways to change it.
type topology struct {
	t     tester
	fs    vfs.FS
	store *storage.Store
	b     *Broker
	ns    *Namespace
}

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

func newTopology(t tester) *topology {
	t.Helper()
	p := &topology{t: t, fs: vfs.NewMem()}
	p.open()
	t.Cleanup(p.close)
	return p
}

func (p *topology) open() {
	p.t.Helper()
	var err error
	log := slog.New(slog.DiscardHandler)
	p.store, err = storage.Open(storage.Options{FS: p.fs, Dir: "data", Log: log, JournalFileBytes: 1 << 20})
	if err != nil {
		p.t.Fatal(err)
	}
	if p.b, err = Open(p.store, Options{Log: log}); err != nil {
		p.t.Fatal(err)
	}
	p.ns = p.b.Namespace(DefaultNamespace)
}

func (p *topology) close() {
	if err := errors.Join(p.b.Close(), p.store.Close()); err != nil {
		p.t.Errorf("close: %v", err)
	}
}

// restart closes everything and opens it from what is stored.
func (p *topology) restart() {
	p.t.Helper()
	p.close()
	p.open()
}

func (p *topology) do(f func(tx *Tx) error) {
	p.t.Helper()
	if err := p.b.Committed(f); err != nil {
		p.t.Fatal(err)
	}
}

// bindings calls f for each.
func (p *topology) bindings(f func(b *Binding)) {
	p.t.Helper()
	p.do(func(*Tx) error {
		list := func(inbound *bindings) bool {
			for _, b := range inbound.list() {
				f(b.binding())
			}
			return true
		}
		p.ns.Queues(func(q *Queue) bool { return list(q.inbound) })
		p.ns.Streams(func(s *Stream) bool { return list(s.inbound) })
		p.ns.Exchanges(func(x *Exchange) bool { return list(x.inbound) })
		return nil
	})
}

func (p *topology) exchange(c ExchangeConfig) *Exchange {
	p.t.Helper()
	var x *Exchange
	p.do(func(tx *Tx) (err error) { x, err = p.ns.CreateExchange(tx, c); return err })
	return x
}

func (p *topology) queue(name string) *Queue {
	p.t.Helper()
	if q := p.ns.Queue(defaultRealm, name); q != nil {
		return q
	}
	var q *Queue
	p.do(func(tx *Tx) (err error) {
		q, err = p.ns.CreateQueue(tx, QueueConfig{Realm: defaultRealm, Name: name, Durable: true})
		return err
	})
	return q
}

// bind connects exchange src to dst: an exchange if it begins with "x:", else a queue.
func (p *topology) bind(src, dst, key string, m *HeaderMatch, args ...string) {
	p.t.Helper()
	b := p.binding(src, dst, key)
	b.Match, b.ArgsID = m, strings.Join(args, ",")
	p.do(func(tx *Tx) error { return p.ns.Bind(tx, b) })
}

func (p *topology) binding(src, dst, key string) Binding {
	b := Binding{Source: src, Key: key, Durable: true}
	if x, ok := strings.CutPrefix(dst, "x:"); ok {
		b.Exchange = x
	} else {
		b.Queue = p.queue(dst)
	}
	return b
}

func (p *topology) unbind(src, dst, key string) {
	p.t.Helper()
	p.do(func(tx *Tx) error {
		if ok, err := p.ns.Unbind(tx, p.binding(src, dst, key)); err != nil || !ok {
			p.t.Errorf("unbind %s %s %s: %v %v", src, dst, key, ok, err)
		}
		return nil
	})
}

// routed are the names of the queues that a message goes to, in order.
func (p *topology) routed(x, keys string, h HeaderSource) string {
	p.t.Helper()
	var r Routes
	p.ns.Route(p.ns.Exchange(x), strings.Split(keys, ","), h, &r)
	return queueNames(&r)
}

func queueNames(r *Routes) string {
	var names []string
	for _, q := range r.Queues {
		names = append(names, q.Config().Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

package core

import (
	"slices"
	"strings"
	"sync/atomic"

	"trivium/internal/hamt"
)

// The kinds of exchange.
const (
	Direct  = "direct"
	Fanout  = "fanout"
	Topic   = "topic"
	Headers = "headers"
)

// SubjectExchange is the name of the exchange that is the namespace's subject space: a
// topic exchange whose bindings are subject interest. In their keys > at the end is a wildcard
// too. What is published to it reaches receivers as well.
const SubjectExchange = "amq.nats"

// defaultRealm is the realm whose queues the default exchange "" reaches by their names.
const defaultRealm Realm = "amqp"

// predeclared exchanges are in every namespace, and not stored.
var predeclared = []ExchangeConfig{
	{Name: "", Kind: Direct, Durable: true},
	{Name: "amq.direct", Kind: Direct, Durable: true},
	{Name: "amq.fanout", Kind: Fanout, Durable: true},
	{Name: "amq.topic", Kind: Topic, Durable: true},
	{Name: "amq.headers", Kind: Headers, Durable: true},
	{Name: "amq.match", Kind: Headers, Durable: true},
	{Name: "amq.rabbitmq.trace", Kind: Topic, Durable: true, Internal: true},
	{Name: SubjectExchange, Kind: Topic, Durable: true},
}

// ExchangeConfig describes an Exchange.
type ExchangeConfig struct {
	Name       string
	Kind       string
	Durable    bool
	AutoDelete bool // removed when its last binding as a source goes
	Internal   bool
	// Alternate is the exchange that gets what has no destination here; "" = none.
	Alternate string
	Doc       []byte
}

// Exchange routes messages by key or headers.
type Exchange struct {
	ns     *Namespace
	config ExchangeConfig
	table  atomic.Pointer[routingTable]

	// Guarded by the sequencer: the bindings that begin and end here.
	out, in hamt.Map[*binding, struct{}]
}

// newExchange makes an exchange known.
func (ns *Namespace) newExchange(c ExchangeConfig) *Exchange {
	c.Doc = slices.Clone(c.Doc)
	x := &Exchange{ns: ns, config: c}
	x.table.Store(&routingTable{})
	all := ns.exchanges.Load().Set(ns.loading, c.Name, x)
	ns.exchanges.Store(&all)
	return x
}

// CreateExchange makes an exchange. Error codes: Exists; Invalid for an unknown kind.
func (ns *Namespace) CreateExchange(tx *Tx, c ExchangeConfig) (*Exchange, error) {
	switch c.Kind {
	case Direct, Fanout, Topic, Headers:
	default:
		return nil, &Error{Code: Invalid, Op: "create exchange", Name: c.Name, Want: c.Kind}
	}
	if ns.Exchange(c.Name) != nil {
		return nil, &Error{Code: Exists, Op: "create exchange", Name: c.Name}
	}
	if c.Durable {
		tx.Set(ns.exchangeKey(c.Name), encodeExchange(c))
	}
	return ns.newExchange(c), nil
}

// Exchange returns the exchange of that name, or nil: including one whose creation is on its
// way to disk. It takes no lock.
func (ns *Namespace) Exchange(name string) *Exchange {
	x, _ := ns.exchanges.Load().Get(name)
	return x
}

// Exchanges calls f for each exchange, in name order, until f returns false.
func (ns *Namespace) Exchanges(f func(x *Exchange) bool) {
	var all []*Exchange
	ns.exchanges.Load().Each(func(_ string, x *Exchange) bool { all = append(all, x); return true })
	slices.SortFunc(all, func(a, b *Exchange) int { return strings.Compare(a.config.Name, b.config.Name) })
	for _, x := range all {
		if !f(x) {
			return
		}
	}
}

// Config returns x's configuration. Its Doc must not be changed.
func (x *Exchange) Config() ExchangeConfig { return x.config }

// Bound reports whether x has any binding as a source.
func (x *Exchange) Bound() bool { return x.table.Load().n > 0 }

// Delete removes x with the bindings that begin or end here, and the auto-delete
// exchanges that lose their last binding by it. Predeclared exchanges stay.
func (x *Exchange) Delete(tx *Tx) {
	ns, name := x.ns, x.config.Name
	if ns.Exchange(name) != x || slices.ContainsFunc(predeclared, func(c ExchangeConfig) bool { return c.Name == name }) {
		return
	}
	all := ns.exchanges.Load().Delete(nil, name)
	ns.exchanges.Store(&all)
	if x.config.Durable {
		tx.Unset(ns.exchangeKey(name))
	}
	ns.unbindAll(tx, x.out)
	ns.unbindAll(tx, x.in)
}

func (ns *Namespace) exchangeKey(name string) []byte {
	return append(key(keyExchange, ns.id), name...)
}

// exchangeVersion begins a stored exchange:
//
//	version byte, flags byte (1 durable, 2 auto-delete, 4 internal),
//	kind, alternate, doc: each a uvarint length and the bytes
const exchangeVersion = 1

func encodeExchange(c ExchangeConfig) []byte {
	b := []byte{exchangeVersion, flags(c.Durable, c.AutoDelete, c.Internal)}
	b = appendBytes(b, c.Kind)
	b = appendBytes(b, c.Alternate)
	return appendBytes(b, c.Doc)
}

func decodeExchange(name string, v []byte) (c ExchangeConfig, ok bool) {
	r := fields{rest: v}
	if r.byte() != exchangeVersion {
		return c, false
	}
	f := r.byte()
	c = ExchangeConfig{
		Name: name, Durable: f&1 != 0, AutoDelete: f&2 != 0, Internal: f&4 != 0,
		Kind: string(r.bytes()), Alternate: string(r.bytes()), Doc: r.bytes(),
	}
	return c, !r.short
}

package core

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"
	"time"
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
	// Dedup routes no message whose ID it knows. IDHeader is the header that holds the ID; it may be
	// set without Dedup, for the streams that messages are routed to.
	Dedup    Dedup
	IDHeader string
	Doc      []byte
}

// Exchange routes messages by key or headers.
type Exchange struct {
	ns     *Namespace
	config ExchangeConfig
	table  atomic.Pointer[routingTable]

	// Guarded by the sequencer: inbound are the bindings that end here, known the messages it had, nil
	// without Dedup.
	inbound *bindings
	known   *known
}

// newExchange makes an exchange known.
func (ns *Namespace) newExchange(c ExchangeConfig) *Exchange {
	c.Doc = slices.Clone(c.Doc)
	x := &Exchange{ns: ns, config: c, known: newKnown(ns.b, c.Dedup, nil)}
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
	if c.Dedup.On && c.Dedup.Size == 0 && c.Dedup.TTL == 0 {
		return nil, &Error{Code: Invalid, Op: "create exchange", Name: c.Name, Want: "a bound on what it knows"}
	}
	x := ns.newExchange(c)
	if c.Durable {
		if x.known != nil {
			ns.b.register(x.known, tx.newID())
		}
		tx.Set(ns.exchangeKey(c.Name), x.encode())
	}
	return x, nil
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

// IDHeader is the header that holds a message's ID, "" if x names none.
func (x *Exchange) IDHeader() string { return x.config.IDHeader }

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
		if x.known != nil {
			tx.forget(x.known)
		}
	}
	ns.unbindAll(tx, x.table.Load().bindings())
	ns.unbindAll(tx, x.inbound.list())
}

func (ns *Namespace) exchangeKey(name string) []byte {
	return append(key(keyExchange, ns.id), name...)
}

// exchangeVersion begins a stored exchange:
//
//	version byte, flags byte (1 durable, 2 auto-delete, 4 internal, 8 dedup),
//	kind, alternate, doc, id header: each a uvarint length and the bytes;
//	with dedup, uvarints: owner of what it knows, size, nanoseconds
const exchangeVersion = 2

func (x *Exchange) encode() []byte {
	c := &x.config
	b := []byte{exchangeVersion, flags(c.Durable, c.AutoDelete, c.Internal, c.Dedup.On)}
	b = appendBytes(b, c.Kind)
	b = appendBytes(b, c.Alternate)
	b = appendBytes(b, c.Doc)
	b = appendBytes(b, c.IDHeader)
	if x.known != nil {
		b = binary.AppendUvarint(b, x.known.ds.owner)
		b = binary.AppendUvarint(b, uint64(c.Dedup.Size))
		b = binary.AppendUvarint(b, uint64(c.Dedup.TTL))
	}
	return b
}

func decodeExchange(name string, v []byte) (c ExchangeConfig, owner uint64, ok bool) {
	r := fields{rest: v}
	if r.byte() != exchangeVersion {
		return c, 0, false
	}
	f := r.byte()
	c = ExchangeConfig{
		Name: name, Durable: f&1 != 0, AutoDelete: f&2 != 0, Internal: f&4 != 0,
		Kind: r.text(), Alternate: r.text(), Doc: r.bytes(), IDHeader: r.text(),
	}
	if f&8 != 0 {
		owner = r.uvarint()
		c.Dedup = Dedup{On: true, Size: int(r.uvarint()), TTL: time.Duration(r.uvarint())}
	}
	return c, owner, !r.short
}

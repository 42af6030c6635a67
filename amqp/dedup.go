package amqp

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/amqp/wire"
	"trivium/core"
)

// Deduplication: the arguments and headers of the plugin rabbitmq-message-deduplication 0.7, and of LavinMQ, which
// has them for all types of exchange and lets the header have another name. docs/amqp.md says how they are meant.
const (
	typeDedup      = "x-message-deduplication" // type of exchange: a fanout that drops what it had
	argDedup       = "x-message-deduplication"
	argDedupHeader = "x-deduplication-header"
	argCacheSize   = "x-cache-size"
	argCacheTTL    = "x-cache-ttl" // of a message as well
	argCachePlace  = "x-cache-persistence"

	defaultDedupHeader = argDedupHeader
	// defaultCacheSize is LavinMQ's.
	defaultCacheSize = 128
	// defaultWindow is how long a stream queue knows an id, if nothing else is said: as long as JetStream does.
	defaultWindow = 2 * time.Minute
)

// headerMsgID is the header by which every door recognises a repeated message.
const headerMsgID = "Nats-Msg-Id"

// maxTTL is the longest time in milliseconds that a Duration can hold.
const maxTTL = math.MaxInt64 / int64(time.Millisecond)

// positive reads a number, which may be text, as the plugin has it.
func positive(v wire.Value) (n int64, ok bool) {
	if s, isText := v.Text(); isText {
		parsed, err := strconv.ParseInt(string(s), 10, 64)
		return parsed, err == nil && parsed > 0
	}
	n, ok = v.Int()
	return n, ok && n > 0
}

func checkCacheSize(v wire.Value, _ wire.Table) string {
	if n, ok := positive(v); !ok || n > math.MaxInt32 {
		return strconv.Quote("expected integer greater than 0")
	}
	return ""
}

func checkCacheTTL(v wire.Value, _ wire.Table) string {
	if n, ok := positive(v); !ok || n > maxTTL {
		return strconv.Quote("expected integer greater than 0")
	}
	return ""
}

func checkDedupHeader(v wire.Value, args wire.Table) string {
	if bad := checkString(v, args); bad != "" {
		return bad
	}
	if s, _ := v.Text(); len(s) == 0 || len(s) > maxShort {
		return strconv.Quote("expected the name of a header")
	}
	return ""
}

// dedupArgs are what an exchange understands.
var dedupArgs = []string{argDedup, argDedupHeader, argCacheSize, argCacheTTL, argCachePlace}

// dedup reads the arguments: what is to be dropped, and the header that holds the id. named is set if
// a header was named.
func dedup(args wire.Table) (d core.Dedup, header string, named bool) {
	if v, ok := args.Lookup(argCacheSize); ok {
		n, _ := positive(v)
		d.Size = int(n)
	}
	if v, ok := args.Lookup(argCacheTTL); ok {
		n, _ := positive(v)
		d.TTL = time.Duration(n) * time.Millisecond
	}
	header, named = textArg(args, argDedupHeader)
	if !named {
		header = defaultDedupHeader
	}
	if v, ok := args.Lookup(argDedup); ok {
		d.On, _ = v.Bool()
	}
	return d, header, named
}

// queueDedup is what a queue or a stream queue drops. Naming the header is enough.
func queueDedup(args wire.Table) (d core.Dedup, header string) {
	d, header, named := dedup(args)
	d.On = d.On || named && !args.Has(argDedup)
	if !d.On {
		return core.Dedup{}, ""
	}
	return d, header
}

// exchangeDedup completes the configuration of an exchange, or says what is wrong with its arguments. An exchange
// that only names a header names it for the streams that it leads to.
func exchangeDedup(c *core.ExchangeConfig, typ, what string, args wire.Table) error {
	for _, a := range argChecks {
		if v, ok := args.Lookup(a.name); ok && slices.Contains(dedupArgs, a.name) {
			if bad := a.check(v, args); bad != "" {
				return refuse(codePreconditionFailed, "invalid arg '%s' for %s: %s", a.name, what, bad)
			}
		}
	}
	d, header, named := dedup(args)
	if typ == typeDedup {
		if d.Size == 0 {
			return refuse(codePreconditionFailed, "Missing or invalid argument, '%s' must be an integer greater than 0", argCacheSize)
		}
		c.Kind, d.On = core.Fanout, true
	}
	if d.On {
		if d.Size == 0 && d.TTL == 0 {
			d.Size = defaultCacheSize
		}
		c.Dedup = d
	}
	if d.On || named {
		c.IDHeader = header
	}
	return nil
}

// exchangeType is the type that x was declared with.
func exchangeType(x *core.ExchangeConfig) string {
	if x.Dedup.On && x.Kind == core.Fanout && !wire.Table(x.Doc).Has(argDedup) {
		return typeDedup
	}
	return x.Kind
}

// value finds what a message is known by: the header of that name, or the property of that name, or the header that all
// doors know.
func (h *headerSource) value(header string) (v wire.Value, ok bool) {
	if header != "" {
		v, ok = h.headers.Lookup(header)
		if !ok && header == nameMessageID && len(h.messageID) > 0 {
			return wire.Table(nil).Str(header, string(h.messageID)).Lookup(header)
		}
	}
	if !ok || v.Type == wire.TypeTable || v.Type == wire.TypeArray || v.Type == wire.TypeVoid {
		v, ok = h.headers.Lookup(headerMsgID)
	}
	return v, ok && v.Type != wire.TypeTable && v.Type != wire.TypeArray && v.Type != wire.TypeVoid
}

// ID implements core.Identified.
func (h *headerSource) ID(header string) (id []byte, ttl time.Duration) {
	v, ok := h.value(header)
	if !ok {
		return nil, 0
	}
	if t, ok := h.headers.Lookup(argCacheTTL); ok {
		if n, ok := positive(t); ok && n <= maxTTL {
			ttl = time.Duration(n) * time.Millisecond
		}
	}
	h.scratch = canonical(h.scratch[:0], v, canonNested)
	return h.scratch, ttl
}

// textID is the id for a stream's window, which all doors share: text.
func (h *headerSource) textID(header string) []byte {
	if v, ok := h.value(header); ok {
		return headerText(v)
	}
	return nil
}

// queueID is what a queue with deduplication knows a message by.
type queueID struct {
	at int // in the batch's queues
	id []byte
}

// identify keeps the ids that the op's queues want.
func (b *batch) identify(o *op, h *headerSource) {
	o.ids.from = len(b.ids)
	for i, q := range b.queues[o.queues.from:o.queues.to] {
		if id := q.Identify(h); id != nil {
			b.ids = append(b.ids, queueID{o.queues.from + i, append([]byte(nil), id...)})
		}
	}
	o.ids.to = len(b.ids)
}

// undecided is a publish whose way leads through an exchange that drops what it had: where it goes is
// decided in the transaction.
type undecided struct {
	exchange *core.Exchange
	keys     []string
	header   headerSource
	routes   core.Routes
}

// newUndecided keeps what deciding needs: the transaction may come long after the message.
func newUndecided(x *core.Exchange, keys []string, h *headerSource) *undecided {
	u := &undecided{exchange: x, header: headerSource{headers: slices.Clone(h.headers), messageID: slices.Clone(h.messageID)}}
	for _, k := range keys {
		u.keys = append(u.keys, strings.Clone(k))
	}
	return u
}

// decide finds an undecided op's destinations; false means that one of them refuses it.
func (c *conn) decide(tx *core.Tx, b *batch, o *op) bool {
	u := o.undecided
	c.ns.RouteIn(tx, u.exchange, u.keys, &u.header, &u.routes)
	m := incoming{exchange: []byte(u.exchange.Config().Name), key: o.key}
	o.queues.from, o.streams.from, o.receivers.from = len(b.queues), len(b.streams), len(b.receivers)
	err := c.destine(b, &m, &u.header, &u.routes)
	o.queues.to, o.streams.to, o.receivers.to = len(b.queues), len(b.streams), len(b.receivers)
	b.identify(o, &u.header)
	if err != nil { // it was checked before, but the topology has changed since
		u.routes.Unlearn(tx)
	}
	return err == nil
}

// empty reports whether nobody gets the op's message.
func (o *op) empty() bool {
	return o.queues.from == o.queues.to && o.streams.from == o.streams.to && o.receivers.from == o.receivers.to
}

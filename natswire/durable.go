package natswire

import (
	"slices"

	"trivium/core"
	"trivium/natswire/wire"
)

// durable is one message of a read buffer that has to be stored, or settles something
// stored.
type durable struct {
	kind   durableKind
	m      int32 // in scratch.msgs
	stream *core.Stream
	route  *route
	// exchange and key of a publish to an exchange; a publish to another door's stream
	// has a key too.
	exchange *core.Exchange
	key      string
	hasKey   bool
}

type durableKind uint8

const (
	ingest   durableKind = iota // into a stream of JetStream
	ack                         // a subject of JetStream's acks
	store                       // into what is bound to the subject space
	exchange                    // into what an exchange routes to
	address                     // into another door's stream
)

// settle makes one transaction of what has to be stored so far. It does not wait for the
// disk.
func (p *producer) settle() {
	if p.scratch == nil || len(p.durable) == 0 {
		return
	}
	tx := p.s.o.Broker.Begin()
	js := false
	for i := range p.durable {
		d := &p.durable[i]
		m := &p.msgs[d.m]
		switch d.kind {
		case ingest:
			js = true
			p.s.js.Ingest(tx, d.stream, m)
		case address:
			js = true
			var key []byte
			if d.hasKey {
				key = []byte(d.key)
			}
			p.s.js.IngestInto(tx, d.stream, key, m)
		case ack:
			js = true
			p.s.js.Ack(tx, p.ns, m)
		case store:
			p.store(tx, d.route.matched, m)
		case exchange:
			var to core.Routes
			p.ns.Route(d.exchange, []string{d.key}, headers{m.Header}, &to)
			p.storeRoutes(tx, &to, newEntry(m, []byte(d.key)))
		}
	}
	if js {
		p.s.js.End(tx)
	}
	tx.Commit()
	clear(p.durable)
	p.durable = p.durable[:0]
}

// newEntry is what is stored of m in queues and in other doors' streams, under a key.
func newEntry(m *wire.Msg, key []byte) core.Entry {
	return core.Entry{
		Count: 1, Format: Format, Key: key, ID: m.Header.Get(msgID),
		Data: wire.AppendEntry(nil, m.Reply, m.Header, m.Payload),
	}
}

// store appends m to the queues and other doors' streams that are bound to the subject space,
// directly or through exchanges. Nobody waits for an answer, so a queue that is full
// just does not get it.
func (p *producer) store(tx *core.Tx, to *core.Matched, m *wire.Msg) {
	e := newEntry(m, m.Subject)
	all := core.Routes{Queues: slices.Clone(to.Queues), Streams: foreign(to.Streams)}
	var through core.Routes
	for _, x := range to.Exchanges {
		p.ns.Route(x, []string{string(m.Subject)}, headers{m.Header}, &through)
		for _, q := range through.Queues {
			if !slices.Contains(all.Queues, q) {
				all.Queues = append(all.Queues, q)
			}
		}
		for _, s := range through.Streams {
			if !slices.Contains(all.Streams, s) {
				all.Streams = append(all.Streams, s)
			}
		}
	}
	p.storeRoutes(tx, &all, e)
}

// foreign is ss without JetStream's own, which Ingest gets.
func foreign(ss []*core.Stream) (out []*core.Stream) {
	for _, s := range ss {
		if s.Config().Realm != Realm {
			out = append(out, s)
		}
	}
	return out
}

func (p *producer) storeRoutes(tx *core.Tx, to *core.Routes, e core.Entry) {
	for _, q := range to.Queues {
		c := e // Append sets the offset
		if err := q.Append(tx, &c); err != nil {
			p.s.count.refused.Add(1)
		}
	}
	for _, s := range to.Streams {
		c := e
		if _, err := s.Append(tx, 0, &c, nil); err != nil {
			p.s.count.refused.Add(1)
		}
	}
}

// msgID is the header that holds a message's id.
const msgID = "Nats-Msg-Id"

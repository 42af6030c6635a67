package natswire

import (
	"trivium/core"
	"trivium/natswire/wire"
)

// durable is one message of a read buffer that has to be stored, or settles something
// stored.
type durable struct {
	kind   durableKind
	m      int32 // in producer.msgs
	stream *core.Stream
	route  *route
}

type durableKind uint8

const (
	ingest durableKind = iota // into a stream of JetStream
	ack                       // a subject of JetStream's acks
	store                     // into what is bound to the subject space
)

// settle makes one transaction of what has to be stored so far. It does not wait for the
// disk.
func (p *producer) settle() {
	if len(p.durable) == 0 {
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
		case ack:
			js = true
			p.s.js.Ack(tx, p.ns, m)
		case store:
			p.store(tx, d.route.matched, m)
		}
	}
	if js {
		p.s.js.End(tx)
	}
	tx.Commit()
	clear(p.durable)
	p.durable = p.durable[:0]
}

// store appends m to the queues and other doors' streams that are bound to the subject space,
// directly or through exchanges. Nobody waits for an answer, so a queue that is full
// just does not get it.
func (p *producer) store(tx *core.Tx, to *core.Matched, m *wire.Msg) {
	data := wire.AppendEntry(nil, m.Reply, m.Header, m.Payload)
	e := func() *core.Entry {
		return &core.Entry{Count: 1, Format: Format, Key: m.Subject, ID: m.Header.Get(msgID), Data: data}
	}
	var seen core.Routes
	for _, x := range to.Exchanges {
		p.ns.Route(x, []string{string(m.Subject)}, headers{m.Header}, &seen)
		p.append2(tx, &seen, e)
	}
	for _, q := range to.Queues {
		q.Append(tx, e())
	}
	for _, s := range to.Streams {
		if s.Config().Realm != Realm {
			s.Append(tx, 0, e(), nil)
		}
	}
}

// msgID is the header that holds a message's id.
const msgID = "Nats-Msg-Id"

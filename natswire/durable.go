package natswire

import (
	"errors"
	"slices"
	"unsafe"

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
	// receive: the exchange's way to receivers is decided in the transaction.
	receive bool
}

type durableKind uint8

const (
	ingest   durableKind = iota // into a stream of JetStream
	ack                         // a subject of JetStream's acks
	store                       // into what is bound to the subject space
	exchange                    // into what an exchange routes to
	address                     // into another door's stream
)

// settle delivers what was collected so far, then makes one transaction of what has to be stored. It does not
// wait for the disk. In that order, as in nats-server: what a client sent to itself comes before the answer that says
// that it is stored.
func (p *producer) settle() {
	if p.scratch == nil {
		return
	}
	p.deliver()
	if len(p.durable) == 0 {
		return
	}
	tx := p.s.o.Broker.Begin()
	js := false
	var late []reception
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
			p.storing.route(tx, p.ns, p.ns.Exchange(core.SubjectExchange), view(m.Subject), m)
			p.store(tx, m.Subject, m, d.route.matched.Streams)
		case exchange:
			p.storing.route(tx, p.ns, d.exchange, d.key, m)
			p.store(tx, []byte(d.key), m, nil)
			if to := &p.storing.routes; d.receive {
				for i, r := range to.Receivers {
					late = append(late, reception{r, []byte(to.Subjects[i]), m})
				}
			}
		}
	}
	if js {
		p.s.js.End(tx)
	}
	tx.Commit()
	for _, l := range late {
		l.receive(p)
	}
	clear(p.durable)
	p.durable = p.durable[:0]
}

// reception is a message for a receiver that an exchange leads to.
type reception struct {
	r       core.Receiver
	subject []byte
	m       *wire.Msg
}

func (l *reception) receive(p *producer) bool {
	n := p.neutralOf(l.m)
	n.Key = l.subject
	return l.r.Receive(n.Key, n)
}

// storing is what storing one message takes, kept for the next.
type storing struct {
	routes core.Routes
	keys   [1]string
	header headers
	data   []byte
}

// maxStoring is the largest buffer that is kept.
const maxStoring = 64 << 10

// route finds where m goes from x under key.
func (s *storing) route(tx *core.Tx, ns *core.Namespace, x *core.Exchange, key string, m *wire.Msg) {
	s.keys[0], s.header.h = key, m.Header
	ns.RouteIn(tx, x, s.keys[:], &s.header, &s.routes)
}

// store appends m to the queues and streams that storing.route found, under key, without those
// of JetStream that got it already. Nobody waits for an answer, so a queue that is full just
// does not get it.
func (p *producer) store(tx *core.Tx, key []byte, m *wire.Msg, got []*core.Stream) {
	s := &p.storing
	if p.s.o.Broker.Alarm() != nil {
		p.s.count.refused.Add(int64(len(s.routes.Queues) + len(s.routes.Streams)))
		return
	}
	s.data = wire.AppendEntry(s.data[:0], m.Reply, m.Header, m.Payload)
	e := core.Entry{Format: Format, Key: key, ID: m.Header.Get(msgID), Data: s.data}
	for _, q := range s.routes.Queues {
		c := e // Append sets the offset
		c.ID = q.Identify(&s.header)
		if err := q.Append(tx, &c); err != nil && !duplicate(err) {
			p.s.count.refused.Add(1)
		}
	}
	for _, t := range s.routes.Streams {
		if slices.Contains(got, t) && t.Config().Realm == Realm {
			continue
		}
		c := e
		if _, err := t.Append(tx, t.PartitionOf(e.Key), &c, nil); err != nil && !duplicate(err) {
			p.s.count.refused.Add(1)
		}
	}
	if cap(s.data) > maxStoring {
		s.data = nil
	}
}

// duplicate reports whether err says that the message was stored already.
func duplicate(err error) bool {
	e, ok := errors.AsType[*core.Error](err)
	return ok && e.Code == core.Duplicate
}

// view is b as a string, valid as long as b is unchanged.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// msgID is the header that holds a message's id.
const msgID = "Nats-Msg-Id"

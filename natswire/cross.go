package natswire

import (
	"bytes"
	"strings"

	"trivium/core"
	"trivium/natswire/wire"
)

// crossed takes a publish to another door's subjects (mapping.md): $AMQP.exchange.X.<key>, a
// publish to exchange X; $KAFKA.T.<key> and $AMQP.queue.Q.<key>, one into a stream. It reports
// whether it was one and somebody gets it.
func (p *producer) crossed(m *wire.Msg) bool {
	if name, ok := bytes.CutPrefix(m.Subject, exchangePrefix); ok {
		return p.toExchange(string(name), m)
	}
	if p.s.js == nil || m.Subject[0] != '$' || bytes.HasPrefix(m.Subject, bucketPrefix) {
		return false // buckets are too busy to be looked up
	}
	s, key := p.s.js.Addressed(p.ns, m.Subject)
	if s == nil {
		return false
	}
	p.later(durable{kind: address, stream: s, key: string(key), hasKey: key != nil}, m)
	return true
}

// exchangePrefix begins the subjects that stand for exchanges.
var exchangePrefix = []byte("$AMQP.exchange.")

// toExchange publishes m to the exchange at the front of name; the rest is the
// routing key. An exchange's name may have dots: the longest that exists counts.
func (p *producer) toExchange(name string, m *wire.Msg) bool {
	for end := len(name); end > 0; end = strings.LastIndexByte(name[:end], '.') {
		x := p.ns.Exchange(name[:end])
		if x == nil || x.Config().Internal {
			continue
		}
		key := strings.TrimPrefix(name[end:], ".")
		var to core.Routes
		p.ns.Route(x, []string{key}, &headers{m.Header}, &to)
		if to.Undecided {
			p.later(durable{kind: exchange, exchange: x, key: key, receive: true}, m)
			return !to.Empty()
		}
		took := len(to.Queues)+len(to.Streams) > 0
		if took {
			p.later(durable{kind: exchange, exchange: x, key: key}, m)
		}
		for i, r := range to.Receivers {
			l := reception{r, []byte(to.Subjects[i]), m}
			took = l.receive(p) || took
		}
		return took
	}
	return false
}

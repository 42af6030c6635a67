package amqp

import (
	"strconv"
	"strings"

	"trivium/core"
)

// What other doors made is seen under names that their realm gives: a stream of realm r
// named n is the stream queue amq.r.n; if it has several partitions, amq.r.n is an exchange and
// amq.r.n-0, amq.r.n-1… are stream queues.
const (
	systemPrefix = "amq."
	// topicExchange takes a message to the Kafka topic that its routing key names; headerKey is the key
	// that the record gets, none without it.
	topicExchange = "amq.kafka"
	topicRealm    = core.Realm("kafka")
	headerKey     = "kafka-key"
)

// splitName gives the realm and the rest of a reserved name.
func splitName(name string) (r core.Realm, rest string, ok bool) {
	name, ok = strings.CutPrefix(name, systemPrefix)
	if !ok {
		return "", "", false
	}
	realm, rest, ok := strings.Cut(name, ".")
	return core.Realm(realm), rest, ok && rest != "" && core.Realm(realm) != Realm
}

// stream finds the stream queue of that name: a stream of this door, or a partition of another one's.
func (c *conn) stream(name string) (s *core.Stream, partition int) {
	if s := c.ns.Stream(Realm, name); s != nil {
		return s, 0
	}
	if s := c.shown(name); s != nil && s.Partitions() == 1 {
		return s, 0
	}
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return nil, 0
	}
	n, err := strconv.Atoi(name[i+1:])
	if err != nil || n < 0 || name[i+1:] != strconv.Itoa(n) {
		return nil, 0
	}
	if s := c.superStream(name[:i]); s != nil && n < s.Partitions() {
		return s, n
	}
	return nil, 0
}

// shown finds another door's stream by the name that it has here: the one that its owner gave it, or the reserved one.
func (c *conn) shown(name string) *core.Stream {
	if s := c.ns.Exposed(Realm, name); s != nil {
		return s
	}
	if r, rest, ok := splitName(name); ok {
		return c.theirs(r, rest)
	}
	return nil
}

// theirs finds another door's stream, unless that keeps it to itself.
func (c *conn) theirs(r core.Realm, name string) *core.Stream {
	if s := c.ns.Stream(r, name); s != nil && !s.Config().Internal {
		return s
	}
	return nil
}

// superStream finds the stream of several partitions that is shown as the exchange of that name.
func (c *conn) superStream(exchange string) *core.Stream {
	if s := c.shown(exchange); s != nil && s.Partitions() > 1 {
		return s
	}
	return nil
}

// routeForeign publishes to an exchange that another door's streams are.
func (c *conn) routeForeign(b *batch, exchange string, m *incoming, h *headerSource) error {
	if exchange == topicExchange {
		for _, key := range c.pub.keys {
			if s := c.theirs(topicRealm, key); s != nil {
				if err := c.toStream(b, s, m, h, -1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if s := c.superStream(exchange); s != nil {
		return c.toStream(b, s, m, h, -1)
	}
	return refuse(codeNotFound, "no %s", exchangeIn(exchange, c.vhost))
}

// toStream adds a destination. partition -1 is the one that the key chooses.
func (c *conn) toStream(b *batch, s *core.Stream, m *incoming, h *headerSource, partition int) error {
	t := streamTarget{stream: s, partition: partition, key: m.key}
	sc := s.Config()
	switch sc.Realm {
	case Realm:
		t.partition = 0
	case topicRealm:
		// By name, the routing key is only the address.
		named := len(m.exchange) == 0 || string(m.exchange) == topicExchange
		if v, ok := h.headers.Lookup(headerKey); ok {
			t.key, _ = v.Text()
			t.key = b.keep(t.key)
			t.ownKey = true
		} else if named {
			t.key, t.ownKey = nil, true
		}
	default:
		if !c.captures(s, m.key) {
			return refuse(codePreconditionFailed, "routing key '%s' is not a subject of stream '%s'", m.key, sc.Name)
		}
	}
	if t.partition < 0 {
		t.partition = s.PartitionOf(t.key)
	}
	t.id = c.streamID(&sc, m, h)
	b.streams = append(b.streams, t)
	return nil
}

// streamID is the message's id for a stream's window: by the header that the stream or the exchange names, else
// by the one that all doors know.
func (c *conn) streamID(sc *core.StreamConfig, m *incoming, h *headerSource) []byte {
	if len(h.headers) == 0 && len(h.messageID) == 0 {
		return nil
	}
	header := sc.IDHeader
	if x := c.ns.Exchange(view(m.exchange)); header == "" && x != nil {
		header = x.IDHeader()
	}
	return h.textID(header)
}

// captures reports whether s, a stream that is filled from the subject space, stores messages of this subject.
func (c *conn) captures(s *core.Stream, key []byte) bool {
	if !core.LiteralSubject(view(key)) {
		return false
	}
	for _, x := range c.ns.Subjects().Match(key).Streams {
		if x == s {
			return true
		}
	}
	return false
}

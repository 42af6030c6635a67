package amqp

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/amqp/wire"
	"trivium/core"
	"trivium/internal/slab"
)

// publisher is what a connection's publishes share.
type publisher struct {
	routes core.Routes
	keys   []string
	props  wire.Properties
	hdr    headerSource
	paused pausedList
}

// incoming is a message that a channel is receiving. When all its frames are in one read, it is built at the end of
// the batch's arena; otherwise in a buffer of its own.
type incoming struct {
	stage     stage
	mandatory bool
	skip      bool // it was refused: the rest is to be forgotten
	exchange  []byte
	key       []byte
	data      []byte // an entry's Data, as far as it came
	props     run    // in data
	left      uint64 // of the body
	size      uint64
	own       []byte // what the three are views of; nil: they are in the arena
}

// stage is the frame that comes next.
type stage uint8

const (
	wantMethod stage = iota
	wantHeader
	wantBody
)

// misplaced refuses a frame that is not the one to come.
func (s stage) misplaced(frame uint8) *refusal {
	switch {
	case s == wantMethod && frame != wire.FrameMethod:
		return refuse(codeUnexpectedFrame, "expected method frame, got non method frame instead")
	case s == wantHeader && frame != wire.FrameHeader:
		return refuse(codeUnexpectedFrame, "expected content header for class %d, got non content header frame instead", wire.ClassBasic)
	case s == wantBody && frame != wire.FrameBody:
		return refuse(codeUnexpectedFrame, "expected content body, got non content body frame instead")
	}
	return nil
}

// move gives the message a buffer of its own with room for n more octets.
func (m *incoming) move(n int) {
	x, k := len(m.exchange), len(m.exchange)+len(m.key)
	b := buffers.Take(max(k+len(m.data)+n, slab.MinSize))
	b = append(append(append(b, m.exchange...), m.key...), m.data...)
	m.release()
	m.own, m.exchange, m.key, m.data = b, b[:x:x], b[x:k:k], b[k:]
}

// detach moves the message out of the arena for as long as a transaction lasts.
func (m *incoming) detach() {
	x, k := len(m.exchange), len(m.exchange)+len(m.key)
	b := slices.Concat(m.exchange, m.key, m.data)
	m.exchange, m.key, m.data = b[:x:x], b[x:k:k], b[k:]
}

// release gives back the message's own buffer.
func (m *incoming) release() {
	buffers.Give(m.own)
	m.own = nil
}

// carry begins a new arena: the operations in the old one are done. Messages that have only begun move out of it.
func (b *batch) carry() {
	for _, ch := range b.open {
		if m := &ch.pub; m.stage != wantMethod && m.own == nil && !m.skip {
			m.move(0)
		}
	}
	clear(b.open)
	b.open = b.open[:0]
	for _, own := range b.owned {
		buffers.Give(own)
	}
	clear(b.owned)
	b.owned = b.owned[:0]
	if cap(b.arena) > keepArena {
		b.arena = nil
	}
	b.arena = b.arena[:0]
}

// room makes the arena have place for n more octets at its end. When it has not, a new one begins: what is in
// the old one stays valid.
func (b *batch) room(n int) {
	if cap(b.arena)-len(b.arena) < n {
		b.arena = make([]byte, 0, max(2*n, fullBuffer))
	}
}

// keep copies s into the arena.
func (b *batch) keep(s []byte) []byte {
	b.room(len(s))
	n := len(b.arena)
	b.arena = append(b.arena, s...)
	return b.arena[n:len(b.arena):len(b.arena)]
}

// publish begins a message.
func (ch *channel) publish(payload []byte) error {
	p, err := wire.ParsePublish(payload)
	if err != nil {
		return err
	}
	m := &ch.pub
	b := &ch.c.work
	m.release()
	*m = incoming{stage: wantHeader, mandatory: p.Mandatory, exchange: b.keep(p.Exchange), key: b.keep(p.RoutingKey)}
	b.open = append(b.open, ch)
	if p.Immediate {
		return ch.refusePublish(refuse(codeNotImplemented, "immediate=true"))
	}
	return nil
}

// refusePublish makes the rest of the message be forgotten.
func (ch *channel) refusePublish(err error) error {
	ch.pub.skip = true
	return err
}

// header takes a message's content header.
func (ch *channel) header(f wire.Frame) error {
	m := &ch.pub
	class, size, props, err := wire.ParseHeader(f.Payload)
	if err != nil {
		return err
	}
	if class != wire.ClassBasic {
		return refuse(codeUnexpectedFrame, "expected content header for class %d, got one for class %d instead", wire.ClassBasic, class)
	}
	if size > maxBody {
		return refuse(codeFrameError, "content header announces %d octets, more than the maximum of %d", size, uint64(maxBody))
	}
	m.left, m.size, m.stage = size, size, wantBody
	if size == 0 {
		m.stage = wantMethod
	}
	if m.skip {
		return nil
	}
	if size > uint64(ch.c.s.MaxMessageSize) {
		return ch.refusePublish(refuse(codePreconditionFailed, "message size %d is larger than configured max size %d", size, ch.c.s.MaxMessageSize))
	}
	pub := &ch.c.pub
	if err := pub.props.Parse(props); err != nil {
		return err
	}
	if rewritten, err := ch.rewrite(&pub.props, props); err != nil {
		return ch.refusePublish(err)
	} else if rewritten != nil {
		props = rewritten
	}
	head := 2 + len(m.exchange) + 2*binary.MaxVarintLen64 + len(ch.bcc) + len(props)
	if m.own == nil && size <= uint64(ch.c.end-ch.c.start) {
		b := &ch.c.work
		b.room(head + int(size))
		m.data = appendContentHead(b.arena[len(b.arena):], 0, m.exchange, nil, ch.bcc, props)
		b.arena = b.arena[:len(b.arena)+len(m.data)]
	} else {
		// Room for what is announced, but for no more than one read may bring.
		if n := head + int(min(size, fullBuffer)); cap(m.data) < n || m.own == nil {
			m.move(n)
		}
		m.data = appendContentHead(m.data, 0, m.exchange, nil, ch.bcc, props)
	}
	m.props = run{len(m.data) - len(props), len(m.data)}
	if size == 0 {
		return ch.published()
	}
	return nil
}

// maxBody is the largest body that a header may announce.
const maxBody = 512 << 20

// body takes a frame of a message's body.
func (ch *channel) body(f wire.Frame) error {
	m := &ch.pub
	if n := uint64(len(f.Payload)); n > m.left {
		return refuse(codeFrameError, "content body is %d octets longer than its header said", n-m.left)
	}
	ch.bodyPart(f.Payload)
	if m.left > 0 {
		return nil
	}
	m.stage = wantMethod
	if m.skip {
		return nil
	}
	return ch.published()
}

// bodyPart takes some octets of a body, no more than are left of it.
func (ch *channel) bodyPart(p []byte) {
	m := &ch.pub
	m.left -= uint64(len(p))
	if m.skip {
		return
	}
	b := &ch.c.work
	// In the arena the message is the last thing, unless another channel's came between.
	if m.own == nil && atEnd(b.arena, m.data) && len(b.arena)+len(p) <= cap(b.arena) {
		b.arena = append(b.arena, p...)
		m.data = m.data[:len(m.data)+len(p)]
		return
	}
	if m.own == nil || len(m.data)+len(p) > cap(m.data) {
		m.move(max(len(p), min(len(m.data), int(m.left)+len(p))))
	}
	m.data = append(m.data, p...)
}

// atEnd reports whether part is the last octets of arena.
func atEnd(arena, part []byte) bool {
	return len(part) > 0 && len(arena) >= len(part) && &arena[len(arena)-1] == &part[len(part)-1]
}

// published has the whole message: checks and routes it, and puts it among the read's operations.
func (ch *channel) published() error {
	c, m := ch.c, &ch.pub
	b := &c.work
	if ch.tx != nil {
		b = ch.tx
		if m.own == nil {
			m.detach()
		}
	}
	if m.own != nil {
		b.owned = append(b.owned, m.own)
		m.own = nil
	}
	c.s.metrics.published.Add(1)
	c.s.metrics.publishedBytes.Add(int64(m.size))
	p := &c.pub.props
	if err := p.Parse(m.data[m.props.from:m.props.to]); err != nil {
		return err
	}
	o := op{kind: opPublish, key: m.key, mandatory: m.mandatory, ch: ch, data: m.data}
	if p.Flags&wire.HasDeliveryMode != 0 {
		o.persistent = p.DeliveryMode == wire.Persistent
	}
	if p.Flags&wire.HasPriority != 0 {
		o.priority = p.Priority
	}
	if p.Flags&wire.HasExpiration != 0 {
		d, err := checkExpiration(p.Expiration)
		if err != nil {
			return err
		}
		o.ttl, o.hasTTL = d, true
	}
	if p.Flags&wire.HasUserID != 0 && string(p.UserID) != c.user.User {
		return refuse(codePreconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", p.UserID, c.user.User)
	}
	if err := c.route(b, &o, m, p); err != nil {
		return err
	}
	if ch.confirming {
		ch.seq++
		o.seq = ch.seq
		if ch.spanFrom == 0 {
			ch.spanFrom = ch.seq
			b.confirming = append(b.confirming, ch)
		}
	}
	b.ops = append(b.ops, o)
	b.bytes += len(o.data) + len(o.key)
	if ch.tx != nil && b.bytes > maxTxBytes {
		return refuse(codePreconditionFailed, "transaction is larger than %d octets", maxTxBytes)
	}
	return nil
}

// checkExpiration reads the expiration property, or says what is wrong with it as RabbitMQ does.
func checkExpiration(s []byte) (time.Duration, error) {
	d, err := parseExpiration(s)
	if err == nil {
		return d, nil
	}
	digits := 0
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		digits++
	}
	from := digits
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	reason := "no_integer"
	switch {
	case digits == from:
	case digits < len(s):
		reason = "{leftover_string," + strconv.Quote(string(s[digits:])) + "}"
	case s[0] == '-':
		reason = "{value_negative," + string(s) + "}"
	case s[0] == '+' && errors.Is(err, strconv.ErrSyntax):
		return checkExpiration(s[1:])
	default:
		reason = "{value_too_large," + string(s) + "}"
	}
	return 0, refuse(codePreconditionFailed, "invalid expiration '%s': %s", s, reason)
}

// rewrite gives the properties that are stored if they differ from what was sent: without the BCC header, and
// with the address that answers go to in place of the pseudo-queue. Its result lives until the next one.
func (ch *channel) rewrite(p *wire.Properties, raw []byte) ([]byte, error) {
	reply := p.Flags&wire.HasReplyTo != 0 && string(p.ReplyTo) == replyQueue
	bcc := len(p.Headers) > 0 && p.Headers.Has(headerBCC)
	ch.c.pub.keys, ch.bcc = ch.c.pub.keys[:0], nil
	if !reply && !bcc {
		return nil, nil
	}
	if reply {
		if ch.reply == nil {
			return nil, refuse(codePreconditionFailed, "fast reply consumer does not exist")
		}
		p.ReplyTo = []byte(ch.reply.address)
	}
	if bcc {
		a, err := copies(p.Headers, headerBCC)
		if err != nil {
			return nil, err
		}
		ch.bcc = slices.Clone(a)
		p.Headers = p.Headers.Without(nil, headerBCC)
		if len(p.Headers) == 0 {
			p.Flags &^= wire.HasHeaders
		}
	}
	return p.Append(nil), nil
}

// copies is the array of routing keys that a CC or BCC header is.
func copies(headers wire.Table, name string) (wire.Array, error) {
	v, ok := headers.Lookup(name)
	if !ok {
		return nil, nil
	}
	a, ok := v.Array()
	if !ok {
		return nil, refuse(codePreconditionFailed, "invalid message: {unacceptable_type_in_header,\"%s\",%s}", name, typeName(v.Type))
	}
	return a, nil
}

// appendKeys appends the routing keys in such an array.
func appendKeys(dst []string, a wire.Array) []string {
	a.Each(func(v wire.Value) bool {
		if v.Type == wire.TypeString {
			s, _ := v.Text()
			dst = append(dst, string(s))
		}
		return true
	})
	return dst
}

// route finds a message's destinations.
func (c *conn) route(b *batch, o *op, m *incoming, p *wire.Properties) error {
	pub := &c.pub
	pub.keys = append(pub.keys[:0], view(m.key))
	if len(p.Headers) > 0 {
		cc, err := copies(p.Headers, headerCC)
		if err != nil {
			return err
		}
		pub.keys = appendKeys(pub.keys, cc)
	}
	pub.keys = appendKeys(pub.keys, o.ch.bcc)
	o.ch.bcc = nil
	exchange := view(m.exchange)
	o.queues.from, o.streams.from, o.receivers.from = len(b.queues), len(b.streams), len(b.receivers)
	pub.hdr.headers, pub.hdr.messageID = p.Headers, p.MessageID
	var err error
	if x := c.ns.Exchange(exchange); x != nil {
		if xc := x.Config(); xc.Internal {
			return refuse(codeAccessRefused, "cannot publish to internal %s", exchangeIn(exchange, c.vhost))
		}
		if exchange == core.SubjectExchange {
			for _, key := range pub.keys {
				if !core.LiteralSubject(key) {
					return refuse(codePreconditionFailed, "routing key '%s' is not a legal subject", key)
				}
			}
		}
		c.ns.Route(x, pub.keys, &pub.hdr, &pub.routes)
		err = c.destine(b, m, &pub.hdr, &pub.routes)
		if err == nil && pub.routes.Undecided {
			b.queues, b.streams, b.receivers = b.queues[:o.queues.from], b.streams[:o.streams.from], b.receivers[:o.receivers.from]
			o.undecided = newUndecided(x, pub.keys, &pub.hdr)
			return nil
		}
		if err == nil && exchange == "" {
			err = c.routeDefault(b, m, &pub.hdr)
		}
	} else {
		err = c.routeForeign(b, exchange, m, &pub.hdr)
	}
	o.queues.to, o.streams.to, o.receivers.to = len(b.queues), len(b.streams), len(b.receivers)
	b.identify(o, &pub.hdr)
	return err
}

// destine adds the destinations that core found.
func (c *conn) destine(b *batch, m *incoming, h *headerSource, to *core.Routes) error {
	b.queues = append(b.queues, to.Queues...)
	for _, s := range to.Streams {
		if err := c.toStream(b, s, m, h, -1); err != nil {
			return err
		}
	}
	for i, r := range to.Receivers {
		b.receivers = append(b.receivers, receiverTarget{r, b.keep([]byte(to.Subjects[i]))})
	}
	return nil
}

// routeDefault finds what the default exchange reaches beyond queues: streams by their names, and
// those who wait for an answer.
func (c *conn) routeDefault(b *batch, m *incoming, h *headerSource) error {
	for _, key := range c.pub.keys {
		if strings.HasPrefix(key, replyQueue+".") {
			c.routeReply(b, key)
			continue
		}
		if c.ns.Queue(Realm, key) != nil {
			continue
		}
		if s, part := c.stream(key); s != nil {
			if err := c.toStream(b, s, m, h, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// ephemeral serves an op's destinations that are not stored, and returns the message if it has none at all.
func (c *conn) ephemeral(b *batch, o *op) {
	if o.receivers.from < o.receivers.to {
		c.receive(b, o)
		return
	}
	if o.queues.from < o.queues.to || o.streams.from < o.streams.to {
		return
	}
	if !o.mandatory {
		c.s.metrics.dropped.Add(1)
		return
	}
	c.giveBack(o.ch, o.key, o.data)
}

// giveBack returns a mandatory message that has no destination.
func (c *conn) giveBack(ch *channel, key, data []byte) {
	if strings.HasPrefix(view(key), replyQueue+".") {
		return // whoever asked is gone: no concern of who answers
	}
	var k content
	if k.open(&core.Entry{Data: data, Key: key}) != nil {
		return
	}
	c.s.metrics.returned.Add(1)
	c.out.lock()
	buf := wire.AppendMethod(c.out.mu.buf, ch.id, &wire.BasicReturn{
		ReplyCode: codeNoRoute, ReplyText: codes[codeNoRoute].name, Exchange: string(k.exchange), RoutingKey: string(key),
	})
	buf = wire.AppendHeader(buf, ch.id, len(k.body), k.props)
	c.out.mu.buf = wire.AppendBody(buf, ch.id, k.body, c.frameMax)
	c.out.unlock()
}

// receive hands an op's message to its receivers.
func (c *conn) receive(b *batch, o *op) {
	e := core.Entry{Data: o.data, Key: o.key, Format: Format, Count: 1}
	var k content
	var p wire.Properties
	if k.open(&e) != nil || p.Parse(k.props) != nil {
		return
	}
	msg := neutral(&e, &k, &p)
	for _, t := range b.receivers[o.receivers.from:o.receivers.to] {
		if r, ok := t.receiver.(*replyReceiver); ok {
			r.deliver(k.exchange, o.key, k.props, k.body)
			continue
		}
		msg.Key = t.subject
		t.receiver.Receive(t.subject, &msg)
	}
}

// withOwnKey is data with the routing key in it.
func withOwnKey(data, key []byte) []byte {
	var k content
	if k.open(&core.Entry{Data: data}) != nil {
		return data
	}
	out := appendContentHead(make([]byte, 0, len(data)+1+len(key)), entryOwnKey, k.exchange, key, k.bcc, k.props)
	return append(out, k.body...)
}

// isDuplicate reports whether err says that the message was stored already.
func isDuplicate(err error) bool { return hasCode(err, core.Duplicate) }

func hasCode(err error, code core.Code) bool {
	var e *core.Error
	return errors.As(err, &e) && e.Code == code
}

// isQuorum reports whether q is a quorum queue: those give returned messages out first.
func isQuorum(q *core.Queue) bool { return q.Config().ReturnFirst }

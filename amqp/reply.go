package amqp

import (
	"strings"

	"trivium/amqp/wire"
	"trivium/core"
)

// replyQueue is the pseudo-queue of direct reply-to. Who consumes it gets an address, a subject in
// the namespace's subject space, so that an answer may come through any door.
const replyQueue = "amq.rabbitmq.reply-to"

// replyReceiver is a channel's consumer of answers: a core.Receiver.
type replyReceiver struct {
	ch       *channel
	tag      string
	address  string
	interest *core.Interest
}

// consumeReplies starts a channel's consumer of answers.
func (ch *channel) consumeReplies(m *wire.BasicConsume) error {
	if ch.tagInUse(m.ConsumerTag) {
		return refuse(codeNotAllowed, "attempt to reuse consumer tag '%s'", m.ConsumerTag)
	}
	if !m.NoAck {
		return refuse(codePreconditionFailed, "reply consumer cannot acknowledge")
	}
	if ch.reply != nil {
		return refuse(codePreconditionFailed, "reply consumer already set")
	}
	r := &replyReceiver{ch: ch, tag: m.ConsumerTag, address: generated(replyQueue + ".")}
	if r.tag == "" {
		r.tag = generated("amq.ctag-")
	}
	ch.reply = r
	ch.answer(m.NoWait, &wire.BasicConsumeOk{ConsumerTag: r.tag})
	r.interest = ch.c.ns.Subjects().Subscribe(r.address, "", r)
	return nil
}

func (r *replyReceiver) close() { r.interest.Close() }

// Receive takes an answer that came through another door.
func (r *replyReceiver) Receive(_ []byte, m *core.Message) bool {
	f := translate(m)
	r.ch.c.s.metrics.headersDropped.Add(int64(f.dropped))
	return r.deliver(nil, []byte(r.address), f.props, f.body)
}

// deliver sends an answer to the client. It reports false if the client takes nothing at the moment: answers
// are not stored.
func (r *replyReceiver) deliver(exchange, key, props, body []byte) bool {
	ch := r.ch
	c := ch.c
	ch.mu.Lock()
	if ch.mu.ended {
		ch.mu.Unlock()
		return false
	}
	c.out.lock()
	if c.out.mu.stalled && c.out.waitingLocked() > maxOut {
		c.out.unlock()
		ch.mu.Unlock()
		return false
	}
	ch.mu.lastTag++
	buf := wire.AppendDeliver(c.out.mu.buf, ch.id, r.tag, ch.mu.lastTag, false, exchange, key)
	buf = wire.AppendHeader(buf, ch.id, len(body), props)
	c.out.mu.buf = wire.AppendBody(buf, ch.id, body, c.frameMax)
	c.out.unlock()
	ch.mu.Unlock()
	c.s.metrics.delivered.Add(1)
	c.s.metrics.deliveredBytes.Add(int64(len(body)))
	c.out.flush()
	return true
}

// awaiting returns who waits for an answer at that address. Others who listen to that part of
// the subject space do not count.
func (c *conn) awaiting(address string) core.Receiver {
	for _, r := range c.ns.Subjects().Match([]byte(address)).Receivers {
		if _, ok := r.(*replyReceiver); ok {
			return r
		}
	}
	return nil
}

// routeReply sends an answer from a client of this door to who waits for it, and to nobody
// else.
func (c *conn) routeReply(b *batch, address string) {
	if r := c.awaiting(address); r != nil {
		b.receivers = append(b.receivers, receiverTarget{r, []byte(address)})
	}
}

// declareReply answers a declaration of an address: if somebody waits there, it exists.
func (ch *channel) declareReply(m *wire.QueueDeclare, name string) error {
	c := ch.c
	if !strings.HasPrefix(name, replyQueue+".") || c.awaiting(name) == nil {
		return refuse(codeNotFound, "no %s", queueIn(name, c.vhost))
	}
	ch.queue = name
	ch.answer(m.NoWait, &wire.QueueDeclareOk{Queue: name, ConsumerCount: 1})
	return nil
}

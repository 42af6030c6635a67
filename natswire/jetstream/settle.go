package jetstream

import (
	"bytes"
	"errors"

	"trivium/core"
	"trivium/natswire/wire"
)

// ack applies what a client answered to a delivery, within the Tx that x belongs to
// (nats-server 2.15.2, consumer.go processAck). Acks of one consumer that follow
// each other are settled together.
func (c *consumer) ack(x *commit, n ackInfo, m *wire.Msg) {
	o := offsetOf(n.streamSeq)
	v, arg := parseVerb(m.Payload)
	if x.run.c != c || v != ackVerb {
		x.settle()
	}
	confirm := m.Reply
	if c.config().SampleFrequency != "" && (v == ackVerb || v == nextVerb || v == termVerb) {
		if at, ok := c.measured(o); ok && v != termVerb {
			n, took := n.alone(), x.tx.Now()-at
			x.after = append(x.after, func() { c.adviseAck(n, max(took, 0)) })
		}
	}
	switch v {
	case ackVerb:
		x.run.c = c
		x.run.os = append(x.run.os, o)
	case nextVerb:
		c.cursor.Settle(x.tx, o)
		reply, body := bytes.Clone(m.Reply), bytes.Clone(arg)
		if len(reply) > 0 {
			x.after = append(x.after, func() { c.request(reply, body) })
		}
		confirm = nil
	case nakVerb:
		if c.cursor.Return(x.tx, nakDelay(arg), true, o) > 0 {
			n := n.alone()
			x.after = append(x.after, func() { c.adviseNak(n) })
		}
	case progressVerb:
		c.cursor.Extend(o)
	case termVerb:
		c.cursor.Discard(x.tx, "terminated", o)
		n, reason := n.alone(), string(arg)
		x.after = append(x.after, func() { c.adviseTerm(n, reason) })
	}
	x.say(confirm, say{})
}

func isNotFound(err error) bool {
	var e *core.Error
	return errors.As(err, &e) && e.Code == core.NotFound
}

package natswire

import (
	"bytes"

	"trivium/core"
	"trivium/natswire/wire"
)

// publish handles PUB and HPUB (spec 1.1).
func (c *conn) publish(m *wire.Msg) {
	p := &c.prod
	p.inMsgs++
	p.inBytes += int64(m.Size())
	if c.opts.Pedantic && !core.LiteralSubject(view(m.Subject)) {
		c.reply(wire.AppendErr(nil, errBadPublish))
	}
	if reserved(m.Subject) {
		c.reply(wire.AppendErr(nil, `Permissions Violation for Publish to `+quote(m.Subject)))
		return
	}
	if len(m.Reply) > 0 && reservedReply(m.Reply) {
		c.reply(wire.AppendErr(nil, `Permissions Violation for Publish with Reply of `+quote(m.Reply)))
		return
	}
	if c.opts.Verbose {
		c.reply(wire.OKLine)
	}
	if !c.dispatch(m) && len(m.Reply) > 0 && c.opts.NoResponders {
		c.nobody(m)
	}
}

// dispatch finds who takes m, by its subject, and reports whether anybody does.
func (c *conn) dispatch(m *wire.Msg) bool {
	p := &c.prod
	if m.Subject[0] != '$' {
		return p.send(p.route(m.Subject), m)
	}
	took := false
	if string(m.Subject) == sysUserInfo {
		c.userInfo(m)
		took = true
	}
	if c.s.js != nil {
		p.check()
		switch s := m.Subject; {
		case bytes.HasPrefix(s, jsAck), bytes.HasPrefix(s, jsFlow):
			p.later(durable{kind: ack}, m)
			if !p.js {
				return true
			}
			took = true
		case bytes.HasPrefix(s, jsAPI):
			// What this connection stored before comes first.
			p.settle()
			took = c.s.js.Request(c.ns, c.client, m)
			if !p.js {
				return took
			}
		}
	}
	if p.crossed(m) {
		took = true
	}
	return p.send(p.route(m.Subject), m) || took
}

// JetStream's own subjects.
var (
	jsAck  = []byte("$JS.ACK.")
	jsFlow = []byte("$JS.FC.")
	jsAPI  = []byte("$JS.API.")
)

// reserved subjects are nats-server's own between servers.
func reserved(s []byte) bool {
	return (s[0] == '_' || s[0] == '$') &&
		(bytes.HasPrefix(s, []byte("_GR_.")) || bytes.HasPrefix(s, []byte("$GR.")) || bytes.HasPrefix(s, []byte("$NRG.")))
}

func reservedReply(s []byte) bool {
	return (s[0] == '_' || s[0] == '$') &&
		(bytes.HasPrefix(s, []byte("_R_.")) || bytes.HasPrefix(s, []byte("_GR_.")) ||
			bytes.HasPrefix(s, []byte("$GR.")) || bytes.HasPrefix(s, jsAck))
}

// nobody tells a client that a request found no responder, if it subscribes, without a
// queue, to where the answer would go.
func (c *conn) nobody(m *wire.Msg) {
	for _, r := range c.subj.Match(m.Reply).Receivers {
		if u, ok := r.(*sub); ok && u.c == c {
			c.reply(append503(nil, m.Reply, u.sid, m.Subject))
			return
		}
	}
}

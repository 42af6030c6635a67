package amqp

import (
	"strings"

	"trivium/amqp/wire"
	"trivium/core"
)

// Queues, as in RabbitMQ 4.2's rabbit_channel:handle_method and rabbit_amqqueue.

// queueDeclare makes a queue, or checks that it is like the existing one.
func (ch *channel) queueDeclare(m *wire.QueueDeclare) error {
	c := ch.c
	name := strip(m.Queue)
	if strings.HasPrefix(name, replyQueue) {
		return ch.declareReply(m, name)
	}
	if m.Passive {
		t, err := ch.queueNamed(name)
		if err != nil {
			return err
		}
		return ch.declared(m, name, t)
	}
	owner := ""
	if m.Exclusive {
		owner = c.id
	}
	typ, err := queueType(queueIn(name, c.vhost), m.Arguments)
	if err != nil {
		return err
	}
	if name == "" {
		if typ != typeClassic {
			return refuse(codePreconditionFailed, "Cannot declare a server-named queue for type %s", erlangType(typ))
		}
		name = generated("amq.gen-")
	} else if err := reserved("queue", name); err != nil {
		return err
	}
	what := queueIn(name, c.vhost)
	if t := c.find(name); !t.missing() {
		if err := c.sameQueue(what, name, t, m, typ, owner); err != nil {
			return err
		}
		return ch.declared(m, name, t)
	}
	if v, ok := m.Arguments.Lookup(argDLX); ok && v.Type != wire.TypeString {
		return refuse(codePreconditionFailed, "invalid type '%s' for arg '%s' in %s", typeName(v.Type), argDLX, what)
	}
	if err := checkArgs(what, typ, queueArgs, m.Arguments); err != nil {
		return err
	}
	if typ != typeClassic {
		for _, p := range []struct {
			bad  bool
			name string
		}{{m.AutoDelete, "auto-delete"}, {m.Exclusive, "exclusive-owner"}, {!m.Durable, "non-durable"}} {
			if p.bad {
				return refuse(codePreconditionFailed, "invalid property '%s' for %s", p.name, what)
			}
		}
	}
	var t target
	if typ == typeStream {
		t.stream, err = c.createStream(name, m.Arguments)
	} else {
		t.queue, err = c.createQueue(queueConfig(m, name, typ, owner))
	}
	if hasCode(err, core.Exists) { // somebody else just made it
		m.Queue = name
		return ch.queueDeclare(m)
	}
	if err != nil {
		return err
	}
	return ch.declared(m, name, t)
}

func (c *conn) createQueue(q core.QueueConfig) (made *core.Queue, err error) {
	err = c.s.Broker.Committed(func(tx *core.Tx) (err error) {
		if c.ns.Stream(Realm, q.Name) != nil {
			return &core.Error{Code: core.Exists, Op: "declare queue", Name: q.Name}
		}
		made, err = c.ns.CreateQueue(tx, q)
		return err
	})
	if err == nil && q.Owner != "" {
		c.exclusive[q.Name] = made
	}
	return made, err
}

// createStream makes a stream queue.
func (c *conn) createStream(name string, args wire.Table) (made *core.Stream, err error) {
	if n, ok := intArg(args, argSegmentBytes); ok && n > maxSegmentBytes {
		return nil, refuse(codePreconditionFailed, "Exceeded max value for x-stream-max-segment-size-bytes")
	}
	if n, ok := intArg(args, argFilterBytes); ok && (n < 16 || n > 255) {
		return nil, refuse(codePreconditionFailed, "Invalid value for  x-stream-filter-size-bytes")
	}
	s := core.StreamConfig{Realm: Realm, Name: name, Partitions: 1, Doc: args}
	s.MaxBytes, _ = intArg(args, argMaxBytes)
	if age, ok := textArg(args, argMaxAge); ok {
		s.MaxAge, _ = parseAge(age)
	}
	if d, header := queueDedup(args); d.On {
		s.IDHeader, s.DedupWindow = header, d.TTL
		if d.TTL == 0 {
			s.DedupWindow = defaultWindow
		}
	}
	err = c.s.Broker.Committed(func(tx *core.Tx) (err error) {
		if c.ns.Queue(Realm, name) != nil {
			return &core.Error{Code: core.Exists, Op: "declare stream", Name: name}
		}
		made, err = c.ns.CreateStream(tx, s)
		return err
	})
	return made, err
}

// declared answers a declaration.
func (ch *channel) declared(m *wire.QueueDeclare, name string, t target) error {
	ch.queue = name
	if m.NoWait {
		return nil
	}
	ch.c.barrier()
	ok := &wire.QueueDeclareOk{Queue: name}
	if t.queue != nil {
		if !isQuorum(t.queue) {
			t.queue.Touch()
		}
		ok.MessageCount, ok.ConsumerCount = count32(t.queue.Ready()), uint32(t.queue.Subscribers())
	} else if l := t.stream.Log(t.partition); l != nil {
		ok.MessageCount = count32(l.Messages())
		t.stream.Cursors(func(cur *core.Cursor) bool {
			ok.ConsumerCount += uint32(cur.State().Subscriptions)
			return true
		})
	}
	ch.send(ok)
	return nil
}

// count32 is n as far as the protocol can say it.
func count32(n int64) uint32 { return uint32(max(0, min(n, 1<<32-1))) }

// sameQueue checks that a declaration repeats an existing queue.
func (c *conn) sameQueue(what, name string, t target, m *wire.QueueDeclare, typ, owner string) error {
	current := typeStream
	durable, autoDelete, args := true, false, wire.Table(nil)
	if t.queue != nil {
		qc := t.queue.Config()
		if qc.Owner != owner {
			return c.locked(name)
		}
		durable, autoDelete, args = qc.Durable, qc.AutoDelete, qc.Doc
		current = typeClassic
		if qc.ReturnFirst {
			current = typeQuorum
		}
	} else {
		if owner != "" {
			return c.locked(name)
		}
		args = t.stream.Config().Doc
	}
	if err := c.sameField(what, "durable", erlangBool(m.Durable && owner == ""), erlangBool(durable)); err != nil {
		return err
	}
	if err := c.sameField(what, "auto_delete", erlangBool(m.AutoDelete), erlangBool(autoDelete)); err != nil {
		return err
	}
	if typ != current {
		return c.sameField(what, argType, typ, current)
	}
	for _, name := range queueArgs[current] {
		if name == argType {
			continue
		}
		if err := sameArg(what, name, m.Arguments, args); err != nil {
			return err
		}
	}
	return nil
}

func (ch *channel) queueBind(m *wire.QueueBind) error {
	b, err := ch.queueBinding(m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	if b.Queue == nil && b.Stream == nil {
		return refuse(codeNotFound, "no %s", queueIn(b.Exchange, ch.c.vhost))
	}
	b.Exchange = ""
	if err := ch.c.bind(b); err != nil {
		return err
	}
	ch.answer(m.NoWait, &wire.QueueBindOk{})
	return nil
}

func (ch *channel) queueUnbind(m *wire.QueueUnbind) error {
	b, err := ch.queueBinding(m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	b.Exchange = ""
	if (b.Queue != nil || b.Stream != nil) && ch.c.ns.Exchange(b.Source) != nil {
		if err := ch.c.unbind(b); err != nil {
			return err
		}
	}
	ch.send(&wire.QueueUnbindOk{})
	return nil
}

// queueBinding is the binding of a queue. Its Exchange is the queue's name.
func (ch *channel) queueBinding(queue, exchange, key string, args wire.Table) (b core.Binding, err error) {
	c := ch.c
	if queue == "" && key == "" {
		key = ch.queue
	}
	if queue, err = ch.lastQueue(strip(queue)); err != nil {
		return b, err
	}
	b = core.Binding{Source: strip(exchange), Key: key, Exchange: queue}
	if err := notDefault(b.Source); err != nil {
		return b, err
	}
	if strings.HasPrefix(queue, replyQueue) {
		return b, refuse(codeAccessRefused, "operation not permitted on %s", queueIn(queue, c.vhost))
	}
	t := c.find(queue)
	if t.queue != nil {
		if owner := t.queue.Config().Owner; owner != "" && owner != c.id {
			return b, c.locked(queue)
		}
	}
	if t.stream != nil && t.stream.Partitions() > 1 {
		return b, refuse(codeAccessRefused, "operation not permitted on %s: it is a part of exchange '%s%s.%s'",
			queueIn(queue, c.vhost), systemPrefix, t.stream.Config().Realm, t.stream.Config().Name)
	}
	b.Queue, b.Stream = t.queue, t.stream
	return b, c.bindingArgs(&b, args)
}

// queuePurge removes what is ready.
func (ch *channel) queuePurge(m *wire.QueuePurge) error {
	c := ch.c
	name, err := ch.lastQueue(m.Queue)
	if err != nil {
		return err
	}
	t, err := ch.queueNamed(name)
	if err != nil {
		return err
	}
	if t.queue == nil {
		return refuse(codeNotImplemented, "queue.purge not supported by stream queues %s", queueIn(name, c.vhost))
	}
	c.barrier()
	var n int64
	err = c.s.Broker.Committed(func(tx *core.Tx) error {
		n = t.queue.Purge(tx)
		return nil
	})
	if err != nil {
		return err
	}
	ch.answer(m.NoWait, &wire.QueuePurgeOk{MessageCount: count32(n)})
	return nil
}

// queueDelete removes a queue; one that is not there is removed already.
func (ch *channel) queueDelete(m *wire.QueueDelete) error {
	c := ch.c
	name, err := ch.lastQueue(m.Queue)
	if err != nil {
		return err
	}
	name = strip(name)
	t := c.find(name)
	if t.missing() {
		ch.answer(m.NoWait, &wire.QueueDeleteOk{})
		return nil
	}
	if t, err = ch.queueNamed(name); err != nil {
		return err
	}
	what := queueIn(name, c.vhost)
	var n int64
	if t.queue == nil {
		if t.stream.Config().Realm != Realm {
			return refuse(codeAccessRefused, "deletion of %s not allowed: it belongs to %s", what, t.stream.Config().Realm)
		}
		err = c.s.Broker.Committed(func(tx *core.Tx) error {
			if c.ns.Stream(Realm, name) == t.stream {
				t.stream.Delete(tx)
			}
			return nil
		})
	} else {
		if isQuorum(t.queue) {
			for flag, set := range map[string]bool{"if-unused": m.IfUnused, "if-empty": m.IfEmpty} {
				if set {
					return refuse(codeNotImplemented, "cannot delete %s. queue.delete operations with %s flag set are not supported by quorum queues", what, flag)
				}
			}
		}
		c.barrier()
		err = c.s.Broker.Committed(func(tx *core.Tx) error {
			if c.ns.Queue(Realm, name) != t.queue {
				return nil
			}
			if m.IfUnused && t.queue.Subscribers() > 0 {
				return refuse(codePreconditionFailed, "%s in use", what)
			}
			if m.IfEmpty && t.queue.Ready() > 0 {
				return refuse(codePreconditionFailed, "%s not empty", what)
			}
			n = t.queue.Delete(tx)
			return nil
		})
	}
	if err != nil {
		return err
	}
	delete(c.exclusive, name)
	ch.answer(m.NoWait, &wire.QueueDeleteOk{MessageCount: count32(n)})
	return nil
}

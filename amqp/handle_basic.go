package amqp

import (
	"fmt"
	"time"

	"trivium/amqp/wire"
	"trivium/core"
)

// Consuming, as in RabbitMQ 4.2's rabbit_channel:handle_method.

// qos sets prefetch limits: of each consumer to come, or one shared by the whole channel.
func (ch *channel) qos(m *wire.BasicQos) error {
	if m.PrefetchSize != 0 {
		return refuse(codeNotImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	if m.Global {
		ch.global = int(m.PrefetchCount)
		ch.window.Resize(ch.global)
	} else {
		ch.prefetch = int(m.PrefetchCount)
		if ch.global != 0 {
			ch.global = 0
			ch.window.Resize(0)
		}
	}
	ch.send(&wire.BasicQosOk{})
	return nil
}

// consume starts a consumer.
func (ch *channel) consume(m *wire.BasicConsume) error {
	c := ch.c
	if m.Queue == replyQueue {
		return ch.consumeReplies(m)
	}
	name, err := ch.lastQueue(m.Queue)
	if err != nil {
		return err
	}
	if ch.tagInUse(m.ConsumerTag) {
		return refuse(codeNotAllowed, "attempt to reuse consumer tag '%s'", m.ConsumerTag)
	}
	tag := m.ConsumerTag
	if tag == "" {
		tag = generated("amq.ctag-")
	}
	t, err := ch.queueNamed(name)
	if err != nil {
		return err
	}
	k := &consumer{ch: ch, tag: tag, noAck: m.NoAck, queue: t.queue, stream: t.stream}
	k.render.broker, k.render.dropped = c.s.Broker, &c.s.metrics.headersDropped
	what := queueIn(name, c.vhost)
	// Credit comes after consume-ok, so that no delivery overtakes it.
	o := core.SubscribeOptions{AutoAck: m.NoAck, Exclusive: m.Exclusive, Borrows: true}
	if !m.NoAck {
		o.Windows = []*core.Window{core.NewWindow(ch.prefetch), ch.window}
	}
	if t.queue != nil {
		err = ch.consumeQueue(k, &o, what, m)
	} else {
		err = ch.consumeStream(k, &o, what, t.partition, m)
	}
	if err != nil {
		return err
	}
	sub, err := k.cursor.Subscribe(o, k)
	if err != nil {
		if k.made {
			c.endCursors(map[string]*consumer{tag: k})
		}
		if hasCode(err, core.InUse) {
			return refuse(codeAccessRefused, "%s in exclusive use", what)
		}
		return err
	}
	k.sub = sub
	if ch.begin(k, m.NoWait) {
		k.told.Store(true)
		k.credit()
	}
	return nil
}

// begin tells the client of its consumer, and reports whether that goes on: its queue may be gone again.
func (ch *channel) begin(k *consumer, noWait bool) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.answer(noWait, &wire.BasicConsumeOk{ConsumerTag: k.tag})
	if k.ended {
		k.notify()
		return false
	}
	ch.mu.consumers[k.tag] = k
	return true
}

func (ch *channel) tagInUse(tag string) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.mu.consumers[tag] != nil || ch.reply != nil && ch.reply.tag == tag
}

// consumeQueue prepares a consumer of a classic or quorum queue.
func (ch *channel) consumeQueue(k *consumer, o *core.SubscribeOptions, what string, m *wire.BasicConsume) error {
	qc := k.queue.Config()
	typ := typeClassic
	if k.quorum = qc.ReturnFirst; k.quorum {
		typ = typeQuorum
		if ch.global != 0 && !m.NoAck {
			return refuse(codeNotImplemented, "%s does not support global qos", what)
		}
	}
	if err := checkArgs(what, typ, consumeArgs, m.Arguments); err != nil {
		return err
	}
	if qc.SingleActive && m.Exclusive {
		return refuse(codeAccessRefused, "%s in exclusive use", what)
	}
	n, _ := intArg(m.Arguments, argPriority)
	o.Priority = int(n)
	k.cursor = k.queue.Cursor()
	return nil
}

// cancel ends a consumer; one that is not there has ended already.
func (ch *channel) cancel(m *wire.BasicCancel) error {
	if ch.reply != nil && ch.reply.tag == m.ConsumerTag {
		ch.reply.close()
		ch.reply = nil
	}
	ch.mu.Lock()
	k := ch.mu.consumers[m.ConsumerTag]
	delete(ch.mu.consumers, m.ConsumerTag)
	ch.mu.Unlock()
	if k != nil {
		k.close()
		ch.c.endCursors(map[string]*consumer{k.tag: k})
	}
	ch.answer(m.NoWait, &wire.BasicCancelOk{ConsumerTag: m.ConsumerTag})
	return nil
}

// get hands out one message.
func (ch *channel) get(m *wire.BasicGet) error {
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
		return refuse(codeNotImplemented, "basic.get not supported by stream queues %s", queueIn(name, c.vhost))
	}
	quorum := isQuorum(t.queue)
	if quorum && t.queue.Config().SingleActive {
		return refuse(codeResourceLocked, "cannot obtain access to locked %s. basic.get operations are not supported by quorum queues with single active consumer", queueIn(name, c.vhost))
	}
	c.barrier()
	cur := t.queue.Cursor()
	d, err := cur.Fetch(m.NoAck)
	t.queue.Touch()
	if err != nil {
		return err
	}
	if d == nil {
		c.s.metrics.gotEmpty.Add(1)
		ch.send(&wire.BasicGetEmpty{})
		return nil
	}
	r := render{broker: c.s.Broker, dropped: &c.s.metrics.headersDropped}
	msg, err := r.from(d, quorum, nil)
	if err != nil {
		c.work.settle(opReturn, cur, d.Offset)
		return fmt.Errorf("cannot get a message from %s: %w", queueIn(name, c.vhost), err)
	}
	c.s.metrics.got.Add(1)
	ch.mu.Lock()
	ch.mu.lastTag++
	tag := ch.mu.lastTag
	if !m.NoAck {
		ch.mu.unacked.push(delivery{tag: tag, offset: d.Offset, cursor: cur, at: time.Now().UnixNano()})
		c.holding.Store(true)
	}
	c.out.lock()
	buf := wire.AppendMethod(c.out.mu.buf, ch.id, &wire.BasicGetOk{
		DeliveryTag: tag, Redelivered: d.Redelivered, Exchange: string(msg.exchange), RoutingKey: string(msg.key),
		MessageCount: count32(t.queue.Ready()),
	})
	buf = wire.AppendHeader(buf, ch.id, len(msg.body), msg.props)
	c.out.mu.buf = wire.AppendBody(buf, ch.id, msg.body, c.frameMax)
	much := c.out.waitingLocked() > maxOut
	c.out.unlock()
	ch.mu.Unlock()
	if much { // one read may ask for thousands
		c.out.flush()
		c.out.wait(&c.deaf)
	}
	return nil
}

// reject gives messages up, or back.
func (ch *channel) reject(tag uint64, multiple, requeue bool) error {
	if requeue {
		return ch.settle(tag, multiple, opReturn)
	}
	return ch.settle(tag, multiple, opDiscard)
}

// settle ends the client's hold of a message, or of all up to it.
func (ch *channel) settle(tag uint64, multiple bool, kind opKind) error {
	c := ch.c
	b := &c.work
	if ch.tx != nil {
		b = ch.tx
	}
	n := int64(0)
	ch.mu.Lock()
	found := ch.mu.unacked.take(tag, multiple, func(d *delivery) {
		n++
		b.settle(d.kind(kind), d.cursor, d.offset)
		if ch.tx != nil {
			ch.txTaken = append(ch.txTaken, *d)
		}
	})
	ch.mu.Unlock()
	if !found {
		return refuse(codePreconditionFailed, "unknown delivery tag %d", tag)
	}
	if kind == opReturn {
		c.s.metrics.requeued.Add(n)
	} else {
		c.s.metrics.acked.Add(n)
	}
	return nil
}

// recover gives back all that is unsettled on the channel.
func (ch *channel) recover(requeue, answer bool) error {
	if !requeue {
		return refuse(codeNotImplemented, "requeue=false")
	}
	c := ch.c
	ch.mu.Lock()
	n := int64(0)
	ch.mu.unacked.take(0, true, func(d *delivery) { n++; c.work.settle(d.kind(opReturn), d.cursor, d.offset) })
	ch.mu.Unlock()
	c.s.metrics.requeued.Add(n)
	if answer {
		// Redeliveries come after recover-ok: they wait for the commit.
		ch.send(&wire.BasicRecoverOk{})
	}
	return nil
}

// confirmSelect makes publishes be confirmed.
func (ch *channel) confirmSelect(m *wire.ConfirmSelect) error {
	if ch.tx != nil {
		return refuse(codePreconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.confirming = true
	ch.answer(m.NoWait, &wire.ConfirmSelectOk{})
	return nil
}

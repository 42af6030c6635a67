package amqp

import (
	"sync"

	"trivium/amqp/wire"
	"trivium/core"
)

// channel is one channel. Its fields belong to the connection's reader, but for those under mu.
type channel struct {
	c  *conn
	id uint16
	// closing: channel.close was sent, and nothing is heard but close and close-ok.
	closing bool

	pub        incoming
	bcc        wire.Array // of the message that is being received
	confirming bool
	seq        uint64 // of the last publish
	spanFrom   uint64 // the first publish of this read, 0 if there is none
	tx         *batch // an AMQP transaction
	txTaken    []delivery

	prefetch int          // of consumers to come
	window   *core.Window // shared by all consumers
	global   int          // its size
	queue    string       // the last one declared
	reply    *replyReceiver

	mu struct {
		sync.Mutex
		consumers map[string]*consumer
		lastTag   uint64
		unacked   unacked
		confirms  confirms
		ended     bool // nothing may be sent any more
	}
}

// openChannel handles the first frame of a channel.
func (c *conn) openChannel(f wire.Frame) error {
	if f.Type != wire.FrameMethod || wire.MethodID(f.Payload) != (*wire.ChannelOpen)(nil).ID() {
		if _, ok := c.shut[f.Channel]; ok && late(f) {
			return nil
		}
		return refuse(codeChannelError, "expected 'channel.open'")
	}
	if len(c.channels) >= c.channelMax {
		return refuse(codeNotAllowed, "number of channels opened (%d) has reached the negotiated channel_max (%d)", len(c.channels), c.channelMax)
	}
	if _, _, err := wire.ReadMethod(f.Payload); err != nil {
		return err
	}
	ch := &channel{c: c, id: f.Channel, window: core.NewWindow(0)}
	ch.mu.consumers = map[string]*consumer{}
	c.channels[f.Channel] = ch
	delete(c.shut, f.Channel)
	c.s.metrics.channelsOpened.Add(1)
	c.send(ch.id, &wire.ChannelOpenOk{})
	return nil
}

// late reports whether a frame may have been on its way when its channel was closed: clients that
// acknowledge or publish from several threads send such.
func late(f wire.Frame) bool {
	if f.Type != wire.FrameMethod {
		return true
	}
	switch wire.MethodID(f.Payload) {
	case wire.IDAck, wire.IDPublish, (*wire.BasicNack)(nil).ID(), (*wire.BasicReject)(nil).ID():
		return true
	}
	return false
}

// frame handles a frame of an open channel. An error it returns ends the connection.
func (ch *channel) frame(f wire.Frame) error {
	if ch.closing {
		return ch.frameClosing(f)
	}
	if r := ch.pub.stage.misplaced(f.Type); r != nil {
		id := wire.IDPublish
		if ch.pub.stage == wantMethod {
			id = 0
		}
		ch.c.fail(r, id)
		return nil
	}
	var err error
	id := wire.IDPublish
	switch f.Type {
	case wire.FrameHeader:
		err = ch.header(f)
	case wire.FrameBody:
		err = ch.body(f)
	default:
		id = wire.MethodID(f.Payload)
		err = ch.method(id, f.Payload)
	}
	if err == nil {
		return nil
	}
	r := asRefusal(err)
	if r.hard() {
		ch.c.fail(r, id)
		return nil
	}
	ch.fail(r, id)
	return nil
}

// method handles a method.
func (ch *channel) method(id wire.ID, payload []byte) error {
	switch id {
	case wire.IDPublish:
		return ch.publish(payload)
	case wire.IDAck:
		tag, multiple, err := wire.ParseAck(payload)
		if err != nil {
			return err
		}
		return ch.settle(tag, multiple, opSettle)
	}
	m, _, err := wire.ReadMethod(payload)
	if err != nil {
		return err
	}
	return ch.handle(m)
}

// handle is the table of methods.
func (ch *channel) handle(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ChannelOpen:
		return refuse(codeChannelError, "second 'channel.open' seen")
	case *wire.ChannelClose:
		return ch.close()
	case *wire.ChannelFlow:
		if !m.Active {
			return refuse(codeNotImplemented, "active=false")
		}
		ch.send(&wire.ChannelFlowOk{Active: true})
		return nil
	case *wire.ChannelCloseOk, *wire.ChannelFlowOk:
		return nil
	case *wire.AccessRequest:
		ch.send(&wire.AccessRequestOk{Ticket: 1})
		return nil
	case *wire.ExchangeDeclare:
		return ch.exchangeDeclare(m)
	case *wire.ExchangeDelete:
		return ch.exchangeDelete(m)
	case *wire.ExchangeBind:
		return ch.exchangeBind(m)
	case *wire.ExchangeUnbind:
		return ch.exchangeUnbind(m)
	case *wire.QueueDeclare:
		return ch.queueDeclare(m)
	case *wire.QueueBind:
		return ch.queueBind(m)
	case *wire.QueueUnbind:
		return ch.queueUnbind(m)
	case *wire.QueuePurge:
		return ch.queuePurge(m)
	case *wire.QueueDelete:
		return ch.queueDelete(m)
	case *wire.BasicQos:
		return ch.qos(m)
	case *wire.BasicConsume:
		return ch.consume(m)
	case *wire.BasicCancel:
		return ch.cancel(m)
	case *wire.BasicGet:
		return ch.get(m)
	case *wire.BasicReject:
		return ch.reject(m.DeliveryTag, false, m.Requeue)
	case *wire.BasicNack:
		return ch.reject(m.DeliveryTag, m.Multiple, m.Requeue)
	case *wire.BasicRecover:
		return ch.recover(m.Requeue, true)
	case *wire.BasicRecoverAsync:
		return ch.recover(m.Requeue, false)
	case *wire.ConfirmSelect:
		return ch.confirmSelect(m)
	case *wire.TxSelect:
		return ch.txSelect()
	case *wire.TxCommit:
		return ch.txCommit()
	case *wire.TxRollback:
		return ch.txRollback()
	}
	return refuse(codeCommandInvalid, "unimplemented method")
}

func (ch *channel) send(m wire.Method) { ch.c.send(ch.id, m) }

// reply answers a method, unless the client does not want it.
func (ch *channel) answer(noWait bool, m wire.Method) {
	if !noWait {
		ch.send(m)
	}
}

// fail closes the channel with an error.
func (ch *channel) fail(r *refusal, id wire.ID) {
	ch.c.log.Info("channel refused", "channel", ch.id, "err", r.reply())
	ch.c.s.metrics.refusals.Add(1)
	ch.c.commit()
	ch.end()
	ch.closing = true
	ch.send(&wire.ChannelClose{ReplyCode: r.code, ReplyText: r.reply(), ClassID: id.Class(), MethodID: id.Method()})
}

// frameClosing waits for the client's close-ok.
func (ch *channel) frameClosing(f wire.Frame) error {
	if f.Type != wire.FrameMethod {
		return nil
	}
	switch wire.MethodID(f.Payload) {
	case (*wire.ChannelClose)(nil).ID():
		ch.send(&wire.ChannelCloseOk{})
	case (*wire.ChannelCloseOk)(nil).ID():
		ch.forget()
	}
	return nil
}

// forget makes the number free.
func (ch *channel) forget() {
	delete(ch.c.channels, ch.id)
	ch.c.shut[ch.id] = struct{}{}
	ch.c.last = nil
}

// close is what the client asked for. What it published before can be read by who
// comes next: amqp-publish, then amqp-get.
func (ch *channel) close() error {
	ch.c.barrier()
	ch.end()
	ch.send(&wire.ChannelCloseOk{})
	ch.forget()
	return nil
}

// end stops consumers and gives back what is unsettled. What is not confirmed yet will not be.
func (ch *channel) end() {
	if ch.closing {
		return
	}
	c := ch.c
	ch.mu.Lock()
	ch.mu.ended = true
	consumers := ch.mu.consumers
	ch.mu.consumers = nil
	ch.mu.Unlock()
	for _, k := range consumers {
		k.close()
	}
	if ch.reply != nil {
		ch.reply.close()
		ch.reply = nil
	}
	ch.mu.Lock()
	left := ch.mu.unacked.all()
	ch.mu.unacked = unacked{}
	ch.mu.Unlock()
	b := &batch{}
	for _, list := range [][]delivery{ch.txTaken, left} {
		for i := range list {
			if d := &list[i]; !d.settled {
				b.settle(opReturn, d.cursor, d.offset)
			}
		}
	}
	ch.tx, ch.txTaken = nil, nil
	if len(b.ops) > 0 {
		c.s.metrics.requeued.Add(int64(len(b.offsets)))
		c.run(b, nil)
	}
	c.endCursors(consumers)
	c.s.metrics.channelsClosed.Add(1)
}

// confirmed answers the publishes of a span. Any goroutine; flush must follow.
func (ch *channel) confirmed(id uint64, nacks []uint64, failed bool) {
	c := ch.c
	ch.mu.Lock()
	if !ch.mu.ended {
		c.out.lock()
		c.out.mu.buf = ch.mu.confirms.settle(id, nacks, failed, c.out.mu.buf, ch.id, &c.s.metrics)
		c.out.unlock()
	}
	ch.mu.Unlock()
}

package amqp

import (
	"sync"
	"sync/atomic"
	"time"

	"trivium/amqp/wire"
	"trivium/core"
)

const (
	// deliverWindow and deliverBytes are how much a consumer may be handed before the socket
	// took some of it: what a stalled client holds in memory.
	deliverWindow = 256
	deliverBytes  = DefaultMaxMessageSize + 64<<10
)

// consumer is a basic.consume: a core.Sink.
type consumer struct {
	ch     *channel
	tag    string
	noAck  bool
	cursor *core.Cursor
	queue  *core.Queue // nil for a stream
	stream *core.Stream
	filter *filter // of a stream, or nil
	quorum bool
	sub    *core.Subscription
	// made says that the cursor is the consumer's own, and ends with it.
	made bool

	render render       // belongs to Deliver
	loan   loan         // likewise
	handed atomic.Int32 // since credit was given
	told   atomic.Bool  // consume-ok is sent: deliveries may follow
	ended  bool         // the queue is gone; guarded by channel.mu
}

// Deliver sends messages to the client, on a worker of core's.
func (k *consumer) Deliver(_ *core.Subscription, ds []core.Delivery) {
	for rest := ds; len(rest) > 0; {
		n, room, large := k.atOnce(rest)
		k.deliver(rest[:n], room, large)
		rest = rest[n:]
	}
	if k.handed.Add(int32(len(ds))) >= deliverWindow/2 {
		k.more()
	}
}

const (
	// deliverAtOnce is how much goes to the socket in one write, so that buffers stay small enough to be kept.
	deliverAtOnce = 256 << 10
	// deliverExtra is the most that a delivery's frames, but for all body frames after the first, and a header of
	// its own add to the entry and the consumer's tag.
	deliverExtra = 96
)

// atOnce is how many of ds make one write, at least one, and how many octets they become, if their entries are this
// door's. large says that some are worth lending.
func (k *consumer) atOnce(ds []core.Delivery) (n, room int, large bool) {
	for n < len(ds) {
		body := len(ds[n].Entry.Data)
		size := deliverExtra + len(k.tag) + len(ds[n].Entry.Key) + body + body/(frameMinSize-wire.FrameExtra)*wire.FrameExtra
		if n > 0 && room+size > deliverAtOnce {
			break
		}
		large = large || body >= lendFrom
		room += size
		n++
	}
	return n, room, large
}

// deliver writes messages, or has those who are at it write them. The output is claimed with the channel's lock held, so that
// deliveries go out in the order of their tags.
func (k *consumer) deliver(ds []core.Delivery, room int, large bool) {
	ch, c := k.ch, k.ch.c
	m := &c.s.metrics
	bytes, again := 0, 0
	var skip []core.Offset
	now := int64(0)
	if !k.noAck {
		now = time.Now().UnixNano()
	}
	ch.mu.Lock()
	lend := large && c.out.claim()
	var buf []byte
	if lend {
		buf = k.loan.begin()
	} else {
		c.out.lock()
		c.out.room(room)
		buf = c.out.mu.buf
	}
	for i := range ds {
		d := &ds[i]
		msg, err := k.render.message(d, k)
		if err == nil && k.filter != nil && !k.filter.wants(msg.props) {
			err = errHidden
		}
		if err != nil {
			if err != errHidden {
				c.log.Error("a stored message cannot be read", "queue", k.name(), "offset", d.Offset, "err", err)
			}
			// In a queue it stays where it is; in a stream the reader goes on.
			if k.stream != nil {
				skip = append(skip, d.Offset)
			}
			continue
		}
		ch.mu.lastTag++
		tag := ch.mu.lastTag
		if !k.noAck {
			ch.mu.unacked.push(delivery{tag: tag, offset: d.Offset, cursor: k.cursor, consumer: k, at: now})
		}
		redelivered := d.Redelivered && k.stream == nil
		buf = wire.AppendDeliver(buf, ch.id, k.tag, tag, redelivered, msg.exchange, msg.key)
		buf = wire.AppendHeader(buf, ch.id, len(msg.body), msg.props)
		if lend && len(msg.body) >= lendFrom && d.Entry.Format == Format {
			buf = k.loan.body(buf, ch.id, msg.body, c.frameMax)
		} else {
			buf = wire.AppendBody(buf, ch.id, msg.body, c.frameMax)
		}
		bytes += len(msg.body)
		if redelivered {
			again++
		}
	}
	if !lend {
		c.out.mu.buf = buf
		c.out.unlock()
	}
	if !k.noAck {
		c.holding.Store(true) // after what is held can be seen
	}
	ch.mu.Unlock()
	if lend {
		c.out.write(&k.loan, buf)
	} else {
		c.out.flush()
	}
	if len(skip) > 0 {
		tx := c.s.Broker.Begin()
		k.cursor.Settle(tx, skip...)
		tx.Commit()
	}
	m.delivered.Add(int64(len(ds) - len(skip)))
	m.deliveredBytes.Add(int64(bytes))
	if again > 0 {
		m.redelivered.Add(int64(again))
	}
}

// Idle gives new credit when it was the bytes that ran out.
func (k *consumer) Idle(s *core.Subscription) {
	if k.told.Load() && s.Credit() == 0 {
		k.more()
	}
}

// more gives new credit, when the socket is ready for more.
func (k *consumer) more() {
	c := k.ch.c
	if c.out.stalled() {
		c.pub.paused.add(k)
		// It may have been drained before k was on the list.
		if c.out.stalled() {
			return
		}
		if !c.pub.paused.remove(k) {
			return
		}
	}
	k.credit()
}

// credit lets core hand over a full window.
func (k *consumer) credit() {
	k.handed.Store(0)
	k.sub.SetCredit(deliverWindow, deliverBytes)
}

// Ended tells the client that its consumer is gone: the queue was deleted.
func (k *consumer) Ended(*core.Subscription, error) {
	ch := k.ch
	ch.mu.Lock()
	k.ended = true
	if ch.mu.consumers[k.tag] == k {
		delete(ch.mu.consumers, k.tag)
		k.notify()
	}
	ch.mu.Unlock()
	ch.c.out.flush()
}

// notify cancels the consumer on the server's part.
func (k *consumer) notify() {
	if k.ch.c.caps.cancelNotify {
		k.ch.send(&wire.BasicCancel{ConsumerTag: k.tag, NoWait: true})
	}
}

// close stops deliveries. Requires: channel.mu is not held.
func (k *consumer) close() {
	k.sub.Close()
	k.ch.c.pub.paused.remove(k)
}

func (k *consumer) name() string {
	if k.queue != nil {
		return k.queue.Config().Name
	}
	return k.stream.Config().Name
}

// pausedList are the consumers that wait for the socket.
type pausedList struct {
	mu struct {
		sync.Mutex
		list []*consumer
	}
}

func (p *pausedList) add(k *consumer) {
	p.mu.Lock()
	p.mu.list = append(p.mu.list, k)
	p.mu.Unlock()
}

func (p *pausedList) remove(k *consumer) (found bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, x := range p.mu.list {
		if x == k {
			p.mu.list = append(p.mu.list[:i], p.mu.list[i+1:]...)
			return true
		}
	}
	return false
}

func (p *pausedList) take() []*consumer {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.mu.list
	p.mu.list = nil
	return l
}

// endCursors deletes the cursors that were made for these consumers.
func (c *conn) endCursors(ks map[string]*consumer) {
	var made []*core.Cursor
	for _, k := range ks {
		if k.made {
			made = append(made, k.cursor)
		}
	}
	if len(made) == 0 {
		return
	}
	tx := c.s.Broker.Begin()
	for _, cur := range made {
		cur.Delete(tx)
	}
	tx.Commit()
}

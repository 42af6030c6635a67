package jetstream

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// cursorPrefix keeps our cursors apart from those that other doors have on the same stream.
const cursorPrefix = "js."

// cursorName is the name of a consumer's cursor. The cursors of all partitions share one name space,
// so from the second partition on its number comes before the consumer's name, which has no dots.
func (s *stream) cursorName(consumer string) string {
	if p := s.partition(); p > 0 {
		return cursorPrefix + strconv.Itoa(p) + "." + consumer
	}
	return cursorPrefix + consumer
}

// parseCursorName is its reverse. It reports false for other doors' cursors.
func parseCursorName(s string) (consumer string, partition int, ok bool) {
	if s, ok = strings.CutPrefix(s, cursorPrefix); !ok {
		return "", 0, false
	}
	number, consumer, numbered := strings.Cut(s, ".")
	if !numbered {
		return s, 0, true
	}
	partition, err := strconv.Atoi(number)
	return consumer, partition, err == nil
}

// consumer is a core.Cursor as NATS sees it. It is the sink of the cursor's one subscription:
// a pull consumer's credit is what its waiting requests still ask for, a push
// consumer's what its subscriber may be sent.
type consumer struct {
	a      *account
	stream *stream
	name   string
	key    string // "stream.consumer"
	prefix []byte // of ack subjects

	cursor *core.Cursor
	cfg    atomic.Pointer[server.ConsumerConfig]

	mu struct {
		sync.Mutex
		out     Sender
		sub     *core.Subscription // nil: nothing is delivered
		closed  bool
		timer   *time.Timer
		due     time.Time // when timer fires; zero = not set
		cache   translated
		msg     wire.Msg // the one that is delivered
		ack     []byte   // scratch for ack subjects
		header  []byte   // scratch for header blocks
		held    []core.Delivery
		release time.Time // when the held delivery is due, if it waits for that
		lastMsg int64     // store time of the last message, for replay

		// active is when the consumer was last used; from then on the inactive
		// threshold counts.
		active    time.Time
		delivered time.Time
		pull      pull
		push      push
	}
	samples samples
	// back gathers deliveries that nobody took, to be returned to the cursor.
	back struct {
		sync.Mutex
		os      []core.Offset
		running bool
	}
}

func newConsumer(s *stream, name string, cfg server.ConsumerConfig) *consumer {
	c := &consumer{a: s.a, stream: s, name: name, key: s.name + "." + name}
	c.prefix = []byte(ackPrefix + c.key + ".")
	c.cfg.Store(&cfg)
	c.mu.out = s.a.e.sender(s.a.ns)
	c.mu.active = time.Now()
	return c
}

// bind gives the consumer its cursor.
func (c *consumer) bind(cur *core.Cursor) { c.cursor = cur }

// config is the configuration; it is not modified.
func (c *consumer) config() *server.ConsumerConfig { return c.cfg.Load() }

func (c *consumer) deliverSubject() string { return c.config().DeliverSubject }

// start begins serving: a pull consumer waits for requests, a push consumer for
// interest in its subject.
func (c *consumer) start() {
	cfg := c.config()
	c.mu.Lock()
	defer c.mu.Unlock()
	if cfg.DeliverSubject != "" {
		c.startPush()
	} else if err := c.subscribe(0); err != nil {
		c.a.e.log.Error("consumer cannot be served", "consumer", c.key, "err", err)
	}
	c.arm()
}

// subscribe attaches the cursor. Requires: mu.
func (c *consumer) subscribe(credit int) error {
	sub, err := c.cursor.Subscribe(core.SubscribeOptions{Credit: credit}, c)
	if err != nil {
		return err
	}
	c.mu.sub = sub
	return nil
}

// stop ends serving for ever; waiting requests hear why. It must not be called by the
// cursor's worker.
func (c *consumer) stop(why string) {
	if sub := c.end(why); sub != nil {
		sub.Close()
	}
}

// end is stop without detaching the subscription, which it returns if there is one.
func (c *consumer) end(why string) *core.Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return nil
	}
	c.mu.closed = true
	sub := c.mu.sub
	c.mu.sub = nil
	if c.mu.timer != nil {
		c.mu.timer.Stop()
	}
	for _, p := range c.mu.pull.waiting {
		c.status(p.reply, "409 "+why)
	}
	c.mu.pull.waiting = nil
	c.unwatchAppends()
	c.mu.held = nil
	c.mu.out.Flush()
	return sub
}

// status sends a status line without a body. Requires: mu.
func (c *consumer) status(to []byte, line string) {
	h := append(append(append(c.mu.header[:0], wire.HeaderLine+" "...), line...), "\r\n\r\n"...)
	c.mu.header = h
	c.mu.out.Send(to, &wire.Msg{Subject: to, Header: h})
}

// Deliver implements core.Sink.
func (c *consumer) Deliver(_ *core.Subscription, ds []core.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		c.giveBack(ds)
		return
	}
	cfg := c.config()
	if len(c.mu.held) > 0 {
		c.mu.held = append(c.mu.held, ds...)
	} else {
		c.deliver(cfg, ds, time.Now())
	}
	c.credit(cfg)
	c.mu.out.Flush()
	c.arm()
}

// deliver hands messages out in order; what nobody takes now is held or given back.
// Requires: mu.
func (c *consumer) deliver(cfg *server.ConsumerConfig, ds []core.Delivery, now time.Time) {
	defer func() { c.mu.msg = wire.Msg{} }() // it would keep an entry
	for i := range ds {
		if wait := c.replayDelay(cfg, &ds[i]); wait > 0 {
			c.mu.held = append(c.mu.held, ds[i:]...)
			c.mu.release = now.Add(wait)
			return
		}
		if c.one(cfg, &ds[i], now) {
			continue
		}
		if cfg.AckPolicy == server.AckNone {
			// It counts as settled: it would be lost if it were not kept.
			c.mu.held = append(c.mu.held, ds[i:]...)
		} else {
			c.giveBack(ds[i:])
		}
		return
	}
}

// replayDelay is how long a consumer that replays at the original pace waits before d.
func (c *consumer) replayDelay(cfg *server.ConsumerConfig, d *core.Delivery) time.Duration {
	if cfg.ReplayPolicy != server.ReplayOriginal {
		return 0
	}
	last := c.mu.lastMsg
	c.mu.lastMsg = d.Entry.Time
	if wait := time.Duration(d.Entry.Time - last); last > 0 && wait > time.Millisecond && d.Attempt == 1 {
		return wait
	}
	return 0
}

// one hands out one message and reports whether it was taken. A message that cannot be
// read is skipped, so that it does not block the others. Requires: mu.
func (c *consumer) one(cfg *server.ConsumerConfig, d *core.Delivery, now time.Time) bool {
	m := &c.mu.msg
	*m = wire.Msg{}
	nanos, err := c.stream.read(d.Entry, d.Offset, m, &c.mu.cache)
	if err != nil {
		c.skip(d.Offset, err)
		return true
	}
	c.mu.ack = appendAck(c.mu.ack[:0], c.prefix, uint64(d.Attempt), seqOf(d.Offset), d.Number, nanos, uint64(max(d.Pending, 0)))
	m.Reply = c.mu.ack
	if cfg.HeadersOnly {
		m.Header = m.Header.Set(server.JSMsgSize, appendInt(nil, len(m.Payload)))
		m.Payload = nil
	}
	size := len(m.Subject) + len(m.Reply) + m.Size()
	taken := false
	if cfg.DeliverSubject != "" {
		taken = c.pushOne(cfg, m, size)
	} else {
		taken = c.pullOne(cfg, m, size, d, now)
	}
	if taken {
		c.mu.delivered = now
		c.sampled(cfg, d.Offset)
	}
	return taken
}

// skip settles a message that cannot be delivered.
func (c *consumer) skip(o core.Offset, err error) {
	if !isNotFound(err) {
		c.a.e.log.Error("message cannot be read, skipped", "consumer", c.key, "seq", seqOf(o), "err", err)
	}
	c.a.e.background(func() {
		tx := c.a.e.broker.Begin()
		c.cursor.Settle(tx, o)
		tx.Commit()
	})
}

// Idle implements core.Sink.
func (c *consumer) Idle(*core.Subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed || len(c.mu.held) > 0 || len(c.mu.pull.waiting) == 0 {
		return
	}
	c.idle()
	c.lessCredit()
	c.mu.out.Flush()
	c.arm()
}

// Ended implements core.Sink: the cursor is gone.
func (c *consumer) Ended(*core.Subscription, error) { c.end("Consumer Deleted") }

// Exhausted implements core.CursorEvents.
func (c *consumer) Exhausted(_ *core.Cursor, o core.Offset, attempts int) {
	c.measured(o)
	c.adviseExceeded(seqOf(o), uint64(attempts))
}

// Deleted implements core.CursorEvents.
func (c *consumer) Deleted(*core.Cursor, bool) {
	c.end("Consumer Deleted")
	if c.a.removeConsumer(c) {
		c.adviseDeleted()
	}
}

func (c *consumer) adviseDeleted() {
	c.a.adviseConsumer(server.JSAdvisoryConsumerDeletedPre, c, server.DeleteEvent)
}

// giveBack returns messages to the cursor without counting the attempt. It cannot
// be done here: a sink may be called while nobody may begin a transaction.
func (c *consumer) giveBack(ds []core.Delivery) {
	c.back.Lock()
	defer c.back.Unlock()
	for i := range ds {
		c.back.os = append(c.back.os, ds[i].Offset)
	}
	if c.back.running || len(c.back.os) == 0 {
		return
	}
	c.back.running = c.a.e.background(func() {
		for {
			c.back.Lock()
			os := c.back.os
			c.back.os = nil
			c.back.running = len(os) > 0
			c.back.Unlock()
			if len(os) == 0 {
				if c.config().PriorityPolicy != server.PriorityNone {
					c.mu.Lock()
					c.recredit() // for others, who may be served now
					c.mu.Unlock()
				}
				return
			}
			// The last one first, so that the numbers of the deliveries are free again.
			slices.SortFunc(os, func(a, b core.Offset) int { return cmp.Compare(b, a) })
			tx := c.a.e.broker.Begin()
			c.cursor.Return(tx, 0, false, os...)
			tx.Commit()
		}
	})
}

// delete ends the consumer and forgets it durably.
func (c *consumer) delete() error {
	c.stop("Consumer Deleted")
	known := c.a.removeConsumer(c)
	err := c.a.e.broker.Committed(func(tx *core.Tx) error {
		c.cursor.Delete(tx)
		return nil
	})
	if err == nil && known {
		c.adviseDeleted()
	}
	return err
}

// lastDelivered is the sequence of the last message delivered; before the first one it is
// what comes before the start.
func lastDelivered(st *core.CursorState) uint64 {
	if st.LastDelivered == core.NoOffset {
		return uint64(max(st.Floor, 0))
	}
	return seqOf(st.LastDelivered)
}

// ackFloor is the sequence up to which all is acked. Messages that no filter matches do not
// raise it above what was delivered.
func ackFloor(st *core.CursorState) uint64 {
	return min(uint64(max(st.Floor, 0)), lastDelivered(st))
}

// info is what the API shows of a consumer.
func (c *consumer) info() *server.ConsumerInfo {
	cfg := *c.config()
	cfg.Metadata = shown(cfg.Metadata)
	st := c.cursor.State()
	info := &server.ConsumerInfo{
		Stream: c.stream.name, Name: c.name, Created: at(c.cursor.Created()), Config: &cfg,
		Delivered:     server.SequenceInfo{Consumer: st.Deliveries, Stream: lastDelivered(&st)},
		AckFloor:      server.SequenceInfo{Consumer: st.FloorDeliveries, Stream: ackFloor(&st)},
		NumAckPending: st.InFlight, NumRedelivered: st.Redelivering, NumPending: uint64(max(st.Pending, 0)),
		TimeStamp: now(),
	}
	if cfg.AckPolicy == server.AckNone {
		info.NumAckPending = 0
	}
	if cfg.MaxDeliver == 1 {
		info.NumRedelivered = 0
	}
	if st.LastActive != 0 {
		t := at(st.LastActive)
		info.Delivered.Last = &t
	}
	if st.LastAck != 0 {
		t := at(st.LastAck)
		info.AckFloor.Last = &t
	}
	if cfg.PauseUntil != nil {
		if d := time.Until(*cfg.PauseUntil); d > 0 {
			info.Paused, info.PauseRemaining = true, d
		}
	}
	c.mu.Lock()
	if len(c.mu.pull.waiting) > 0 {
		c.sweep(time.Now()) // who left does not wait any more
		c.lessCredit()
		c.mu.out.Flush()
		c.arm()
	}
	info.NumWaiting = len(c.mu.pull.waiting)
	info.PriorityGroups = c.groups(&cfg)
	info.PushBound = cfg.DeliverSubject != "" && c.mu.push.bound
	c.mu.Unlock()
	return info
}

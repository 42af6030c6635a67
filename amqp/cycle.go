package amqp

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"trivium/core"
)

// inFlightBytes is how much of one connection may be on its way to disk before its reader waits.
const inFlightBytes = 8 << 20

// opKind is what an op does.
type opKind uint8

const (
	opPublish opKind = iota
	opSettle
	opReturn // give back, counted as an attempt
	opDiscard
)

// op is one operation of a read: a publish with its destinations, or the settling of some of one
// cursor's messages.
type op struct {
	kind opKind
	// Of a publish.
	persistent, mandatory, hasTTL bool
	priority                      uint8
	ttl                           time.Duration
	ch                            *channel
	seq                           uint64 // 0: not to be confirmed
	key, data                     []byte
	queues, streams, receivers    run
	ids                           run        // of its queues that have deduplication
	undecided                     *undecided // or nil
	// Of the others.
	cursor  *core.Cursor
	offsets run
}

// run is a part [from, to) of one of a batch's lists.
type run struct{ from, to int }

// streamTarget is a partition of a stream, and the key that its readers are to see.
type streamTarget struct {
	stream    *core.Stream
	partition int
	key       []byte
	ownKey    bool // key is not the routing key
	id        []byte
}

// receiverTarget takes ephemeral messages, published to subject.
type receiverTarget struct {
	receiver core.Receiver
	subject  []byte
}

// batch is what is done in one Tx: the operations of one read, or of an AMQP transaction.
type batch struct {
	ops       []op
	queues    []*core.Queue
	streams   []streamTarget
	receivers []receiverTarget
	ids       []queueID
	offsets   []core.Offset
	// arena and owned hold the messages of the ops; see incoming.
	arena []byte
	owned [][]byte
	bytes int
	// confirming are the channels with publishes to confirm, open those with a message that has begun in arena.
	confirming []*channel
	open       []*channel
}

// keepArena is the largest arena that is kept for the next read.
const keepArena = 256 << 10

func (b *batch) reset() {
	clear(b.ops) // lets go of what they refer to
	b.ops, b.queues, b.streams, b.receivers = b.ops[:0], b.queues[:0], b.streams[:0], b.receivers[:0]
	clear(b.ids)
	b.ids = b.ids[:0]
	b.offsets, b.bytes = b.offsets[:0], 0
	clear(b.confirming)
	b.confirming = b.confirming[:0]
	b.carry()
}

// settle adds the settling of a message; consecutive ones of one cursor and kind become one op.
func (b *batch) settle(kind opKind, cur *core.Cursor, o core.Offset) {
	n := len(b.offsets)
	b.offsets = append(b.offsets, o)
	if len(b.ops) > 0 {
		last := &b.ops[len(b.ops)-1]
		if last.kind == kind && last.cursor == cur && last.offsets.to == n {
			last.offsets.to++
			return
		}
	}
	b.ops = append(b.ops, op{kind: kind, cursor: cur, offsets: run{n, n + 1}})
}

// flight counts what a connection has on its way to disk.
type flight struct {
	mu struct {
		sync.Mutex
		less   sync.Cond
		cycles int
		bytes  int
	}
}

func (f *flight) init() { f.mu.less.L = &f.mu }

func (f *flight) add(bytes int) {
	f.mu.Lock()
	f.mu.cycles++
	f.mu.bytes += bytes
	f.mu.Unlock()
}

func (f *flight) done(bytes int) {
	f.mu.Lock()
	f.mu.cycles--
	f.mu.bytes -= bytes
	f.mu.less.Broadcast()
	f.mu.Unlock()
}

// wait blocks until at most bytes are on their way; waits is set meanwhile.
func (f *flight) wait(bytes int, waits *atomic.Bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.bytes <= bytes {
		return
	}
	waits.Store(true)
	defer waits.Store(false)
	for f.mu.bytes > bytes {
		f.mu.less.Wait()
	}
}

// empty blocks until nothing is on its way.
func (f *flight) empty() {
	f.mu.Lock()
	for f.mu.cycles > 0 {
		f.mu.less.Wait()
	}
	f.mu.Unlock()
}

// cycle hears that a batch is durable. It is pooled: nothing of it may be kept.
type cycle struct {
	c     *conn
	bytes int
	spans []openSpan
	// returns are mandatory messages that turned out to have no destination.
	returns []returned
	// result, if set, gets the outcome: of an AMQP transaction.
	result chan<- error
}

// openSpan is a channel's span in this cycle.
type openSpan struct {
	ch    *channel
	id    uint64
	nacks []uint64
}

var cycles = sync.Pool{New: func() any { return new(cycle) }}

// commit does what this read asked for, in one Tx.
func (c *conn) commit() {
	if len(c.work.ops) > 0 {
		c.run(&c.work, nil)
		c.work.reset()
	}
}

// barrier also waits until it is visible.
func (c *conn) barrier() {
	c.commit()
	c.boxes.empty()
}

// run does what is in b. rejected says that a queue refused a message.
func (c *conn) run(b *batch, result chan<- error) (rejected bool) {
	durable := false
	for i := range b.ops {
		o := &b.ops[i]
		if o.kind != opPublish {
			durable = true
			continue
		}
		durable = durable || o.seq != 0 || o.queues.from < o.queues.to || o.streams.from < o.streams.to || o.undecided != nil
		if o.undecided == nil {
			c.ephemeral(b, o)
		}
	}
	if !durable && result == nil {
		return false
	}
	cy := cycles.Get().(*cycle)
	cy.c, cy.bytes, cy.result = c, b.bytes, result
	for _, ch := range b.confirming {
		ch.mu.Lock()
		id := ch.mu.confirms.open(ch.spanFrom, ch.seq)
		ch.mu.Unlock()
		ch.spanFrom = 0
		cy.spans = append(cy.spans, openSpan{ch: ch, id: id})
	}
	c.boxes.add(b.bytes)
	tx := c.s.Broker.Begin()
	late := false
	for i := range b.ops {
		o := &b.ops[i]
		switch o.kind {
		case opPublish:
			decided := true
			if o.undecided != nil {
				late = true
				if decided = c.decide(tx, b, o); o.empty() {
					cy.unrouted(o)
				}
			}
			if !c.append(tx, b, o) || !decided {
				rejected = true
				cy.nack(o)
			}
		case opSettle:
			o.cursor.Settle(tx, b.offsets[o.offsets.from:o.offsets.to]...)
		case opReturn:
			o.cursor.Return(tx, 0, true, b.offsets[o.offsets.from:o.offsets.to]...)
		case opDiscard:
			o.cursor.Discard(tx, reasonRejected, b.offsets[o.offsets.from:o.offsets.to]...)
		}
	}
	tx.Then(cy)
	tx.Commit()
	for i := range b.ops {
		if o := &b.ops[i]; late && o.receivers.from < o.receivers.to && o.undecided != nil {
			c.receive(b, o)
		}
	}
	return rejected
}

// append stores a publish in all its destinations; false means that one of them refused it.
func (c *conn) append(tx *core.Tx, b *batch, o *op) bool {
	ok := true
	e := &c.entry
	*e = core.Entry{Count: 1, Format: Format, Priority: o.priority, Data: o.data, Key: o.key}
	if o.hasTTL {
		e.Expires = tx.Now() + int64(o.ttl)
	}
	ids := b.ids[o.ids.from:o.ids.to]
	for i, q := range b.queues[o.queues.from:o.queues.to] {
		e.Volatile = !o.persistent && !isQuorum(q)
		if e.ID = nil; len(ids) > 0 && ids[0].at == o.queues.from+i {
			e.ID, ids = ids[0].id, ids[1:]
		}
		if err := q.Append(tx, e); err != nil && !isDuplicate(err) {
			ok = false
		}
	}
	for _, s := range b.streams[o.streams.from:o.streams.to] {
		e.Volatile, e.Expires, e.ID, e.Key, e.Data = false, 0, s.id, o.key, o.data
		if s.ownKey {
			e.Key, e.Data = s.key, withOwnKey(o.data, o.key)
		}
		if _, err := s.stream.Append(tx, s.partition, e, nil); err != nil && !isDuplicate(err) {
			ok = false
		}
	}
	if !ok && o.undecided != nil {
		o.undecided.routes.Unlearn(tx)
	}
	*e = core.Entry{}
	return ok
}

func (cy *cycle) nack(o *op) {
	if o.seq == 0 {
		return
	}
	for i := range cy.spans {
		if s := &cy.spans[i]; s.ch == o.ch {
			s.nacks = append(s.nacks, o.seq)
			return
		}
	}
}

// returned is a message that is given back.
type returned struct {
	ch        *channel
	key, data []byte
}

// unrouted has a publish without a destination given back before it is confirmed.
func (cy *cycle) unrouted(o *op) {
	if !o.mandatory {
		cy.c.s.metrics.dropped.Add(1)
		return
	}
	cy.returns = append(cy.returns, returned{o.ch, slices.Clone(o.key), slices.Clone(o.data)})
}

// Durable answers the publishers. It runs on the journal's goroutine.
func (cy *cycle) Durable(err error) {
	c := cy.c
	for _, r := range cy.returns {
		c.giveBack(r.ch, r.key, r.data)
	}
	for i := range cy.spans {
		s := &cy.spans[i]
		s.ch.confirmed(s.id, s.nacks, err != nil)
		*s = openSpan{}
	}
	if len(cy.spans)+len(cy.returns) > 0 {
		c.out.flush()
	}
	bytes, result := cy.bytes, cy.result
	*cy = cycle{spans: cy.spans[:0]}
	cycles.Put(cy)
	c.boxes.done(bytes)
	if result != nil {
		result <- err
	}
	if err != nil {
		c.storeFailed(err)
	}
}

// storeFailed ends a connection whose messages were lost: what was not confirmed would be lost
// silently otherwise.
func (c *conn) storeFailed(err error) {
	c.log.Error("the store takes nothing", "err", err)
	if c.closing.CompareAndSwap(false, true) {
		c.sendClose(refuse(codeInternalError, "the store is read-only: %s", err), 0)
		c.out.flush()
		_ = c.nc.SetReadDeadline(time.Now().Add(closeWait))
		c.blocked.nudge()
	}
}

package core

import (
	"encoding/binary"
	"fmt"
	"time"

	"trivium/storage"
)

// QueueConfig describes a Queue. Zero limits mean none.
type QueueConfig struct {
	Realm Realm
	Name  string
	// Owner, if not "", is who alone may use it; the door gives and checks it, and removes
	// the queue when the owner leaves. Such queues never survive a restart.
	Owner string

	TTL          time.Duration // of a message, from enqueue; HasTTL tells 0 from none
	ExpiresAfter time.Duration // of the queue, unused
	MaxMessages  int64         // ready messages
	MaxBytes     int64         // of their bodies
	Priorities   int           // levels 0..Priorities; 0 = none
	// MaxAttempts: a message that failed so often is dead-lettered with "delivery_limit".
	MaxAttempts int
	// DeadLetter is the exchange that dead messages go to, if HasDeadLetter.
	DeadLetter    string
	DeadLetterKey string
	// Dedup drops messages by their Entry's ID; IDHeader is the header that holds it.
	Dedup    Dedup
	IDHeader string
	Doc      []byte

	// Durable queues survive a restart, with the entries that are not Volatile.
	Durable bool
	// AutoDelete removes the queue when its last subscription ends, after it had one.
	AutoDelete       bool
	HasTTL           bool
	HasMaxMessages   bool
	HasMaxBytes      bool
	HasDeadLetter    bool
	HasDeadLetterKey bool
	Overflow         Overflow
	// DeadLetterRejected also dead-letters what Overflow RejectNew refuses.
	DeadLetterRejected bool
	// Weighted: of two messages with a priority above 4 and one without, the one comes third, whatever its place.
	// It excludes Priorities.
	Weighted bool
	// SingleActive hands everything to one subscription at a time.
	SingleActive bool
	// ReturnFirst: returned messages come before all others, in the order of their return;
	// otherwise at their original place.
	ReturnFirst bool
}

// Queue is a Stream of one Log with work-queue retention and one shared Cursor. Queues
// do not appear among the Namespace's streams. A message that is settled is deleted
// from the Log; there is no other record of it.
type Queue struct {
	name string
	set  *settings
	// The parts are one piece of memory with the Queue.
	s     Stream
	p     partition
	c     Cursor
	parts [1]*partition
	// known are the messages it had, nil without Dedup. Guarded by the sequencer.
	known *known
	// inbound are the bindings that end here. Guarded by the sequencer.
	inbound *bindings
}

// newQueue makes the object around its Log.
func newQueue(ns *Namespace, id uint64, name string, set *settings, created int64, l *Log, next Offset) *Queue {
	q := &Queue{name: name, set: set}
	sc := &lastingQueue
	if !set.survives() {
		sc = &passingQueue
	}
	q.s.init(ns, id, sc, created)
	q.s.queue = q
	q.p.init(&q.s, 0, l, next)
	q.parts[0] = &q.p
	q.known = newKnown(ns.b, set.Dedup, q)
	q.c.init(&q.s, queueCursor)
	q.c.start(l.Start(), 0)
	return q
}

// What the streams of all queues have in common: names are the queues' own.
var (
	lastingQueue = StreamConfig{Partitions: 1, Retention: KeepWork}
	passingQueue = StreamConfig{Partitions: 1, Retention: KeepWork, Volatile: true}
)

// queueCursor is what all queues' cursors have in common.
var queueCursor = new(CursorConfig)

// survives reports whether the queue is there after a restart.
func (c *QueueConfig) survives() bool { return c.Durable && c.Owner == "" }

// CreateQueue makes a queue. Error codes: Exists.
func (ns *Namespace) CreateQueue(tx *Tx, c QueueConfig) (*Queue, error) {
	if ns.Queue(c.Realm, c.Name) != nil {
		return nil, &Error{Code: Exists, Op: "create queue", Name: c.Name}
	}
	if err := tx.writable("create queue", c.Name); err != nil {
		return nil, err
	}
	l := tx.CreateLog(storage.LogOptions{Volatile: !c.survives()})
	q := newQueue(ns, tx.newID(), c.Name, ns.b.share(c.encode(nil)), tx.Now(), l, 0)
	if c.survives() {
		ns.b.register(&q.c, q.ID())
		if q.known != nil {
			ns.b.register(q.known, tx.newID())
		}
		q.save(tx)
	}
	q.c.lock()
	q.c.mu.idleSince = tx.Now()
	q.c.armIdle()
	q.c.watch()
	q.c.unlock()
	ns.objects.queues.set(nil, q.fullName(), q)
	return q, nil
}

func (q *Queue) fullName() name { return name{q.set.Realm, q.name} }

// queueVersion begins a stored queue:
//
//	version byte, flags byte (1 expiring),
//	uvarints: created in unix nanoseconds, log, owner of what it knows (0 = none),
//	name: a uvarint length and the bytes,
//	settings: what is left, see QueueConfig.encode
const queueVersion = 1

func (q *Queue) save(tx *Tx) {
	b := []byte{queueVersion, flags(q.c.expiring.Load())}
	b = binary.AppendUvarint(b, uint64(q.s.created))
	b = binary.AppendUvarint(b, uint64(q.p.log.ID()))
	known := uint64(0)
	if q.known != nil {
		known = q.known.ds.owner
	}
	b = binary.AppendUvarint(b, known)
	b = appendBytes(b, q.name)
	tx.Set(key(keyQueue, q.s.ns.id, q.ID()), append(b, q.set.encoded...))
}

// loadQueues makes the queues that the index store holds.
func (b *Broker) loadQueues() error {
	return b.scan([]byte{keyQueue}, func(k, v []byte) error {
		var nsID, id uint64
		if _, ok := keyIDs(k, &nsID, &id); !ok {
			return fmt.Errorf("queue key %x", k)
		}
		r := fields{rest: v}
		if version := r.byte(); version != queueVersion {
			return fmt.Errorf("queue %d: version %d", id, version)
		}
		expiring := r.byte()&1 != 0
		created, logID, known := int64(r.uvarint()), storage.LogID(r.uvarint()), r.uvarint()
		name := r.text()
		set := b.share(r.rest)
		if r.short || set == nil {
			return fmt.Errorf("queue %d: record of %d bytes", id, len(v))
		}
		ns, log := b.namespaceByID(nsID), b.store.Log(logID)
		if ns == nil || log == nil {
			return fmt.Errorf("queue %q: no namespace %d or no log %d", name, nsID, logID)
		}
		q := newQueue(ns, id, name, set, created, log, log.End())
		q.c.expiring.Store(expiring)
		if !b.clean {
			q.c.mu.seen = log.End()
		}
		b.register(&q.c, id)
		if q.known != nil {
			b.register(q.known, known)
		}
		ns.objects.queues.set(ns.loading, q.fullName(), q)
		return nil
	})
}

// config has no Name.
func (q *Queue) config() *QueueConfig { return &q.set.QueueConfig }

// Config returns the queue's configuration. Its Doc must not be changed.
func (q *Queue) Config() QueueConfig {
	c := q.set.QueueConfig
	c.Name = q.name
	return c
}

// ID is never reused.
func (q *Queue) ID() uint64 { return q.s.id }

// Created is when the queue was made, in unix nanoseconds.
func (q *Queue) Created() int64 { return q.s.created }

func (q *Queue) Namespace() *Namespace { return q.s.ns }

// Cursor is to subscribe, fetch, settle, return, discard.
func (q *Queue) Cursor() *Cursor { return &q.c }

// Log holds the queue's messages, for browsing.
func (q *Queue) Log() *Log { return q.p.log }

// Ready counts the messages that are visible and not in flight, Unsettled those that
// are in flight.
func (q *Queue) Ready() int64 {
	q.c.lock()
	defer q.c.unlock()
	n := q.readyLocked()
	if c := q.config(); c.HasMaxMessages && c.Overflow == DropOldest {
		n = min(n, c.MaxMessages) // the rest is about to be dropped
	}
	return n
}

func (q *Queue) Unsettled() int64 {
	q.c.lock()
	defer q.c.unlock()
	return q.c.mu.held
}

// Bytes is how much is stored.
func (q *Queue) Bytes() int64 { return q.p.log.Bytes() }

func (q *Queue) Subscribers() int {
	q.c.lock()
	defer q.c.unlock()
	return len(q.c.mu.subs)
}

// readyLocked is Ready. Requires: the Cursor's lock.
func (q *Queue) readyLocked() int64 {
	p := &q.p
	coming := p.next.Load() - int64(p.log.End()) // on their way to disk
	return max(p.log.Messages()-max(coming, 0)-q.c.mu.held, 0)
}

// overLocked reports whether a message must be dropped at the head. Requires: the Cursor's lock.
func (q *Queue) overLocked() bool {
	c := q.config()
	return c.Overflow == DropOldest &&
		(c.HasMaxMessages && q.readyLocked() > c.MaxMessages ||
			c.HasMaxBytes && q.c.mu.ready > c.MaxBytes)
}

// housekeeping reports whether messages must be looked at even if nobody wants them.
func (q *Queue) housekeeping() bool {
	c := q.config()
	return c.HasTTL || q.c.expiring.Load() || (c.HasMaxMessages || c.HasMaxBytes) && c.Overflow == DropOldest
}

// deadline is when a message expires, 0 = never.
func (q *Queue) deadline(e *Entry) int64 {
	at := e.Expires
	if c := q.config(); c.HasTTL {
		if t := after(e.Time, c.TTL); at == 0 || t < at {
			at = t
		}
	}
	return at
}

// Touch restarts the ExpiresAfter clock.
func (q *Queue) Touch() {
	q.c.lock()
	q.c.mu.idleSince = q.s.b.now()
	q.c.unlock()
}

// Append enqueues e. Errors: Full (Overflow RejectNew), Duplicate (the queue has Dedup and knows e.ID; then tx
// completes after the first copy is on disk), Gone, Unwritable. Many queues of one Tx may get the
// same Data slice: it is stored once.
func (q *Queue) Append(tx *Tx, e *Entry) error {
	err := q.append(tx, e)
	if err != nil && err.Code == Full && q.config().DeadLetterRejected {
		if l := q.letter(e, death{NoOffset, MaxLen, 0}, tx.Now()); l != nil {
			l.send(tx)
			tx.afterCommit(l.publish)
		}
	}
	if err != nil {
		return err
	}
	return nil
}

func (q *Queue) append(tx *Tx, e *Entry) *Error {
	c, p := q.config(), &q.p
	var id idHash
	if tx.refused {
		return &Error{Code: Unwritable, Op: "enqueue", Name: q.name, Err: tx.b.store.Err()}
	}
	if q.s.gone {
		return &Error{Code: Gone, Op: "enqueue", Name: q.name}
	}
	if q.known != nil && len(e.ID) > 0 {
		if id = hashID(e.ID); q.known.has(id, tx.Now()) {
			tx.Note(0, nil) // so that it follows the first copy
			return &Error{Code: Duplicate, Op: "enqueue", Name: q.name, Got: NoOffset}
		}
	}
	if c.Overflow == RejectNew && (c.HasMaxMessages || c.HasMaxBytes) {
		q.c.lock()
		held, ready := q.c.mu.held, q.c.mu.ready
		q.c.unlock()
		if c.HasMaxMessages && p.log.Messages()-held >= c.MaxMessages {
			return &Error{Code: Full, Op: "enqueue", Name: q.name, Want: "messages"}
		}
		if c.HasMaxBytes && ready+int64(q.c.weigh(e)) > c.MaxBytes {
			return &Error{Code: Full, Op: "enqueue", Name: q.name, Want: "bytes"}
		}
	}
	e.Count = max(e.Count, 1)
	if e.Expires != 0 && !q.c.expiring.Swap(true) {
		if c.survives() {
			q.save(tx)
		}
		q.c.lock()
		q.c.watch()
		q.c.unlock()
	}
	if c.HasMaxBytes {
		q.c.lock()
		q.c.mu.ready += int64(e.Count) * int64(q.c.weigh(e))
		q.c.unlock()
	}
	e.Offset = tx.Append(p.log, e)
	p.next.Store(int64(e.Next()))
	if c.Weighted && urgent(e) {
		q.c.favor(tx, e.Offset)
	}
	if q.known != nil && len(e.ID) > 0 {
		number := int64(e.Offset)
		if q.known.queue == nil {
			number = q.known.until(tx.Now(), 0)
		}
		q.known.remember(tx, id, number)
	}
	return nil
}

// holds reports whether the message at o is in the queue, delivered or not, or on its way to it.
func (q *Queue) holds(o Offset) bool {
	l := q.p.log
	if o >= l.End() {
		return true
	}
	q.c.lock()
	f := q.c.mu.flights.find(o)
	gone := f != nil && f.state == dying
	q.c.unlock()
	return !gone && l.Live(o)
}

// Identify is what the queue knows a message with these headers by, nil if it does not care. It is valid
// until h is asked again.
func (q *Queue) Identify(h HeaderSource) []byte {
	if q.known == nil {
		return nil
	}
	id, _ := identify(h, q.config().IDHeader)
	return id
}

// Purge removes what is ready and says how many.
func (q *Queue) Purge(tx *Tx) int64 {
	c, p := &q.c, &q.p
	c.lock()
	defer c.unlock()
	before := p.log.Messages()
	from, end := p.log.Start(), Offset(p.next.Load())
	for f := range c.mu.flights.all {
		if f.state == ready {
			c.mu.flights.remove(f)
			continue
		}
		if from < f.offset {
			tx.Delete(p.log, from, f.offset)
		}
		from = f.offset + 1
	}
	if from < end {
		tx.Delete(p.log, from, end)
	}
	c.mu.redo, c.mu.past, c.mu.urgent, c.mu.ready = redo{}, nil, nil, 0
	c.mu.next = end
	c.mu.epoch++
	return before - p.log.Messages()
}

// Delete removes the queue, its bindings and messages, says how many were ready, and ends
// its subscriptions with Gone.
func (q *Queue) Delete(tx *Tx) int64 {
	if q.s.gone {
		return 0
	}
	n := q.Ready()
	q.s.gone = true
	ns, c := q.s.ns, q.config()
	ns.objects.queues.remove(q.fullName())
	ns.queueGone(tx, q)
	if c.survives() {
		tx.Unset(key(keyQueue, ns.id, q.ID()))
	}
	if q.known != nil {
		tx.forget(q.known)
	}
	q.c.Delete(tx)
	tx.DropLog(q.p.log)
	ns.b.unshare(q.set)
	return n
}

// unused is called when the last subscription has ended.
func (q *Queue) unused() {
	if !q.config().AutoDelete {
		return
	}
	tx := q.s.b.Begin()
	if q.Subscribers() == 0 {
		q.Delete(tx)
	}
	tx.Commit()
}

// armIdle has an unused cursor or queue end in time. Requires: mu.
func (c *Cursor) armIdle() {
	if after := c.idleAfter(); after > 0 && len(c.mu.subs) == 0 {
		c.arm(c.mu.idleSince + after)
	}
}

func (c *Cursor) idleAfter() int64 {
	if c.s.queue != nil {
		return int64(c.s.queue.config().ExpiresAfter)
	}
	return int64(c.mu.cfg.InactiveAfter)
}

// idleOut reports whether the cursor or queue was unused for too long; if not yet, it
// looks again in time. Requires: mu.
func (c *Cursor) idleOut(now int64) bool {
	after := c.idleAfter()
	if after <= 0 || len(c.mu.subs)+len(c.mu.fetches) > 0 {
		return false
	}
	if now-c.mu.idleSince < after {
		c.armIdle()
		return false
	}
	return true
}

// expire ends a cursor or queue that was unused for too long.
func (c *Cursor) expire() {
	tx := c.s.b.Begin()
	c.lock()
	out := !c.mu.gone && c.idleOut(c.s.b.now())
	c.unlock()
	if out {
		c.s.b.log.Debug("unused for too long", "stream", c.s.label(), "cursor", c.Config().Name)
		if c.s.queue != nil {
			c.s.queue.Delete(tx)
		} else {
			c.delete(tx, true)
		}
	}
	tx.Commit()
}

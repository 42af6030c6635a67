package core

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server/avl"
)

// StartAt says where a new Cursor begins.
type StartAt uint8

const (
	StartFirst StartAt = iota
	StartLast          // at the last message
	StartNext          // after the last message
	StartOffset
	StartTime
	StartLastPerKey // the last message of each key that matches, then all new ones
)

// AckPolicy says what settles a message.
type AckPolicy uint8

const (
	AckExplicit AckPolicy = iota // each one
	AckUpTo                      // one ack settles all before it
	AckNone                      // delivery settles
)

// CursorConfig describes a Cursor. Zero durations and counts mean none.
type CursorConfig struct {
	Name string `json:",omitzero"`
	// Durable cursors survive a restart; others end with the process.
	Durable bool `json:",omitzero"`
	// Partition of the stream that is read.
	Partition   int     `json:",omitzero"`
	Start       StartAt `json:",omitzero"`
	StartOffset Offset  `json:",omitzero"`
	StartTime   int64   `json:",omitzero"` // unix nanoseconds
	// Filters are subject patterns; none means all messages.
	Filters []string  `json:",omitzero"`
	Ack     AckPolicy `json:",omitzero"`
	// AckWait is how long a delivered message may stay unsettled before it is
	// delivered again; Backoff, if set, gives it per attempt (the last repeats).
	AckWait time.Duration   `json:",omitzero"`
	Backoff []time.Duration `json:",omitzero"`
	// MaxAttempts: after so many deliveries the message is exhausted: see Exhausted.
	MaxAttempts int `json:",omitzero"`
	// MaxInFlight is the most unsettled messages over all subscriptions; 0 = no bound.
	MaxInFlight int `json:",omitzero"`
	// InactiveAfter deletes the cursor when it had no subscription for so long.
	InactiveAfter time.Duration `json:",omitzero"`
	// Paused until then (unix nanoseconds), no message is delivered.
	PausedUntil int64 `json:",omitzero"`
	// Doc is the door's own view of the cursor, kept with it.
	Doc []byte `json:",omitzero"`
}

// CursorEvents are told to the cursor's owner. Calls come from a worker, without locks.
type CursorEvents interface {
	// Exhausted: the message reached MaxAttempts. It stays unsettled in the stream
	// and is delivered no more.
	Exhausted(c *Cursor, o Offset, attempts int)
	// Deleted: the cursor ended, by Delete, InactiveAfter or with its stream.
	Deleted(c *Cursor, inactive bool)
}

// Cursor is ack-tracked delivery over a stream's one Log: a floor below which all
// is settled, the settled offsets above it, what is in flight with deadlines and
// attempts, and what waits for redelivery. Redeliveries come before new
// messages, in offset order. Delivery order among equals is offset order.
//
// A message below next is settled unless it has a flight; one at or above next is
// unsettled unless it is in acked, which a restart fills, and the removal of the last message of a key before that
// was delivered (lastsEnd): the one before it is settled then. A message that had
// all its attempts counts as settled and is in exhausted besides, until it is settled
// indeed or leaves the stream: retention keeps it for that long. So what is kept in
// memory, and in checkpoints, is what is unsettled: nothing is ever dropped from
// it.
type Cursor struct {
	s     *Stream
	p     *partition
	plain *plain // nil for a queue's
	st    runState
	// expiring is set once a queue holds a message with an expiry of its own.
	expiring atomic.Bool
	ds       durableState // guarded by the sequencer
	timer    *timer       // made when it is first set, under mu
	read     *reader      // owned by the run; nil while there is nothing in it
	// unweighed is owned by the run; nil if there is none.
	unweighed *unweighed

	// mu is held from lock to unlock.
	mu struct {
		sync.Mutex
		*service
		cfg  *CursorConfig // replaced, never changed
		gone bool
		// inactive says why, for Deleted; told once.
		inactive, told bool
		blocked        bool // MaxInFlight kept messages back
		watching       bool
		taken          uint8 // messages, modulo weightedTurns

		next Offset // the first message that was never looked at
		// lastsEnd: of the messages before it only those are delivered that are the last ones before it of
		// their keys. 0 = there are none.
		lastsEnd   Offset
		epoch      uint64 // counts Seeks: what was read before one is void
		seen       Offset // below it, messages may have been delivered before the restart
		ready      int64  // weight of what can be handed out: see weigh
		fresh      Offset // from there on, messages had no chance to be delivered yet
		lastUrgent Offset // the last one that ever was in service.urgent
		delivered  Offset // the last one handed out for the first time
		deliveries uint64
		idleSince  int64 // unused since then
	}
}

// plain is what a cursor has that is not a queue's.
type plain struct {
	id      uint64 // 0 if nothing of it survives a restart
	created int64
	began   Offset // where it began
	// news is the last message that matches; looked is where next was when a round
	// ended: no more than next, unless it was moved back since.
	news, looked atomic.Int64

	lasts *lasts // owned by the run; nil if not known

	// Guarded by the cursor's lock.
	events     CursorEvents
	pending    int64 // matching messages never delivered; with a key index only
	lastActive int64
	lastAck    int64
}

// service is what a cursor has while it serves somebody or something of it is unsettled. The many
// that rest do without.
type service struct {
	flights flights
	redo    redo
	acked   *avl.SequenceSet // settled ones at or above next
	// exhausted had all their attempts; low is what State says instead of what
	// follows from the flights: see exhaust.
	exhausted *avl.SequenceSet
	low       floor
	lowNoted  floor            // as it is in the journal
	past      map[Offset]int32 // attempts before the restart, at or above next
	held      int64            // flights that are not ready
	soonest   int64            // no deadline is before it; 0 = there is none
	dying     []death
	spent     []retry  // exhausted, to be told
	urgent    []Offset // of a Weighted queue, never delivered; ascending

	subs    []*Subscription // by priority, then age
	active  *Subscription   // the only one served, with SingleActive
	ended   []*Subscription // to be told
	fetches []*Subscription // of Fetch: served first, for one round
	turns   map[int]int     // whose turn it is, by priority
	turn    int             // likewise, while all have the same priority
}

var services = sync.Pool{New: func() any { return &service{low: noFloor, lowNoted: noFloor} }}

// lock takes mu, with a service.
func (c *Cursor) lock() {
	c.mu.Lock()
	if c.mu.service == nil {
		c.mu.service = services.Get().(*service)
	}
}

// unlock lets go of it, and of the service if it is of no use.
func (c *Cursor) unlock() {
	if v := c.mu.service; len(v.subs) == 0 && v.over() {
		c.mu.service = nil
		*v = service{flights: flights{list: v.flights.list[:0]}, low: noFloor, lowNoted: noFloor}
		services.Put(v)
	}
	c.mu.Unlock()
}

// over reports whether nothing in v has to be remembered, but for subs.
func (v *service) over() bool {
	return v.flights.live+len(v.past)+len(v.dying)+len(v.spent)+len(v.urgent)+len(v.ended)+len(v.fetches) == 0 &&
		v.acked == nil && v.exhausted == nil && v.low == noFloor && v.lowNoted == noFloor && v.redo.empty()
}

// cursorRecord is a durable Cursor in the index store.
type cursorRecord struct {
	Config  CursorConfig
	Created int64
	Next    Offset // where it began
	// LastsEnd is Cursor.mu.lastsEnd as it began.
	LastsEnd Offset `json:",omitzero"`
}

func newCursor(s *Stream, id uint64, c *CursorConfig, created int64, ev CursorEvents) *Cursor {
	cur := &Cursor{}
	cur.init(s, c)
	cur.plain = &plain{id: id, created: created, events: ev}
	cur.plain.news.Store(int64(maxOffset)) // not known: what was there before
	return cur
}

func (c *Cursor) init(s *Stream, cfg *CursorConfig) {
	c.s, c.p = s, s.partition(cfg.Partition)
	c.mu.cfg = cfg
	c.mu.delivered, c.mu.lastUrgent = NoOffset, NoOffset
}

// CreateCursor makes a cursor on one partition of a stream. Error codes: Exists, Gone;
// NotFound if there is no such partition.
func (s *Stream) CreateCursor(tx *Tx, c CursorConfig, ev CursorEvents) (*Cursor, error) {
	switch {
	case tx.refused:
		return nil, tx.writable("create cursor", c.Name)
	case s.gone:
		return nil, &Error{Code: Gone, Op: "create cursor", Name: c.Name}
	case s.Cursor(c.Name) != nil:
		return nil, &Error{Code: Exists, Op: "create cursor", Name: c.Name}
	case s.partition(c.Partition) == nil:
		return nil, &Error{Code: NotFound, Op: "create cursor", Name: c.Name, Want: "a partition"}
	}
	id := uint64(0)
	if c.Durable && !s.config().Volatile {
		id = tx.newID()
	}
	cur := newCursor(s, id, &c, tx.Now(), ev)
	p := cur.p
	next := Offset(p.next.Load())
	var lastsEnd Offset
	switch c.Start {
	case StartFirst:
		next = p.first()
	case StartLast:
		next = max(p.first(), next-1)
		if p.keys != nil {
			if last := p.keys.lastOf(c.Filters); last != NoOffset {
				next = last
			} else {
				next = Offset(p.next.Load())
			}
		}
	case StartOffset:
		next = c.StartOffset
	case StartTime:
		// The one look at the log's time index under the sequencer: cursors are made
		// rarely, and their creator is told what is pending.
		next = p.first()
		if o, err := p.log.OffsetAt(c.StartTime); err == nil {
			next = o
		}
	case StartLastPerKey:
		if p.keys != nil {
			lastsEnd = next
			_, next = p.keys.countLasts(c.Filters, next, 0, next)
		}
	}
	cur.start(next, lastsEnd)
	if id != 0 {
		s.b.register(cur, id)
		tx.Set(key(keyCursor, s.id, id), mustJSON(cursorRecord{c, cur.plain.created, next, lastsEnd}))
	}
	s.attach(cur)
	cur.lock()
	cur.mu.idleSince = tx.Now()
	cur.armIdle()
	cur.unlock()
	return cur, nil
}

// start puts a new cursor at next. Requires: the sequencer.
func (c *Cursor) start(next, lastsEnd Offset) {
	c.lock()
	defer c.unlock()
	c.mu.next, c.mu.fresh = next, max(next, lastsEnd)
	c.mu.lastsEnd = lastsEnd
	if c.plain != nil {
		c.plain.began = next
	}
	c.recount()
}

// recount counts what is pending. Requires: mu, and the sequencer or loading.
func (c *Cursor) recount() {
	if c.p.keys == nil || c.s.queue != nil {
		return
	}
	c.plain.pending = c.between(c.mu.next, maxOffset)
	c.plain.pending -= c.ackedLive(maxOffset)
	for f := range c.mu.flights.all {
		if f.attempts == 0 {
			c.plain.pending++
		}
	}
}

// between counts the messages in [from, to) that are to be delivered, settled ones included. Requires: mu, a
// key index, and the sequencer for an exact answer.
func (c *Cursor) between(from, to Offset) (n int64) {
	if end := c.mu.lastsEnd; from < min(end, to) {
		n, _ = c.p.keys.countLasts(c.mu.cfg.Filters, end, from, min(end, to))
		from = end
	}
	if from < to {
		n += c.p.keys.messages(c.mu.cfg.Filters, from, to)
	}
	return n
}

// outdated reports whether a message with that key is not to be delivered since another one is the last one of its
// key before lastsEnd. Requires: mu.
func (c *Cursor) outdated(k []byte, o Offset) bool {
	return o < c.mu.lastsEnd && !c.p.keys.isLast(k, o, c.mu.lastsEnd)
}

// attach adds c to its stream. Requires: the sequencer, or loading.
func (s *Stream) attach(c *Cursor) {
	s.waiting = append(s.waiting, c)
	c.p.interestChanged()
	s.mu.Lock()
	if s.mu.cursors == nil {
		s.mu.cursors = map[string]*Cursor{}
	}
	s.mu.cursors[c.mu.cfg.Name] = c
	s.mu.Unlock()
}

// detach is the reverse, in the index too.
func (c *Cursor) detach(tx *Tx) {
	s := c.s
	if i := slices.Index(s.waiting, c); i >= 0 {
		s.waiting = slices.Delete(slices.Clone(s.waiting), i, i+1)
		c.p.interestChanged()
	}
	name := c.Config().Name
	s.mu.Lock()
	if s.mu.cursors[name] == c {
		delete(s.mu.cursors, name)
	}
	s.mu.Unlock()
	if id := c.plain.id; id != 0 {
		tx.Unset(key(keyCursor, s.id, id))
	}
}

// loadCursors makes the cursors that the index store holds, queues' excepted.
func (b *Broker) loadCursors() error {
	return b.scan([]byte{keyCursor}, func(k, v []byte) error {
		var streamID, id uint64
		var r cursorRecord
		if _, ok := keyIDs(k, &streamID, &id); !ok {
			return fmt.Errorf("cursor key %x", k)
		}
		if err := json.Unmarshal(v, &r); err != nil {
			return fmt.Errorf("cursor %d: %w", id, err)
		}
		s := b.loading.streams[streamID]
		if s == nil {
			return fmt.Errorf("cursor %q: no stream %d", r.Config.Name, streamID)
		}
		if s.partition(r.Config.Partition) == nil {
			return fmt.Errorf("cursor %q: no partition %d", r.Config.Name, r.Config.Partition)
		}
		c := newCursor(s, id, &r.Config, r.Created, nil)
		c.plain.began, c.mu.next, c.mu.fresh, c.mu.lastsEnd = r.Next, r.Next, r.Next, r.LastsEnd
		b.register(c, id)
		s.attach(c)
		return nil
	})
}

// Cursor returns the cursor of that name, or nil.
func (s *Stream) Cursor(name string) *Cursor {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.cursors[name]
}

// Cursors calls f for each cursor, in name order, until f returns false.
func (s *Stream) Cursors(f func(c *Cursor) bool) {
	s.mu.RLock()
	names := slices.Sorted(maps.Keys(s.mu.cursors))
	all := make([]*Cursor, len(names))
	for i, n := range names {
		all[i] = s.mu.cursors[n]
	}
	s.mu.RUnlock()
	for _, c := range all {
		if !f(c) {
			return
		}
	}
}

// name is the cursor's or its queue's. Requires: mu, for a plain cursor.
func (c *Cursor) name() string {
	if c.s.queue != nil {
		return c.s.queue.name
	}
	return c.mu.cfg.Name
}

// SetEvents is for cursors found after a restart.
func (c *Cursor) SetEvents(ev CursorEvents) {
	c.lock()
	c.plain.events = ev
	c.unlock()
}

func (c *Cursor) Stream() *Stream { return c.s }

// Created is when the cursor was made, in unix nanoseconds.
func (c *Cursor) Created() int64 { return c.plain.created }

func (c *Cursor) Config() CursorConfig {
	c.lock()
	defer c.unlock()
	cfg := *c.mu.cfg
	if c.s.queue != nil {
		cfg.Name, cfg.Durable = c.name(), c.s.queue.config().survives()
	}
	return cfg
}

// Update replaces the configuration; Name, Durable, Start and Ack must not change.
func (c *Cursor) Update(tx *Tx, cfg CursorConfig) error {
	c.lock()
	old := c.mu.cfg
	switch {
	case c.mu.gone:
		c.unlock()
		return &Error{Code: Gone, Op: "update cursor", Name: old.Name}
	case cfg.Name != old.Name || cfg.Durable != old.Durable || cfg.Ack != old.Ack:
		c.unlock()
		return &Error{Code: Invalid, Op: "update cursor", Name: old.Name}
	}
	refilter := !slices.Equal(cfg.Filters, old.Filters)
	c.mu.cfg = &cfg
	if refilter {
		c.mu.epoch++ // what was read is not what matches now
		c.plain.news.Store(int64(maxOffset))
		c.p.interestChanged()
		c.recount()
	}
	if p := c.plain; p.id != 0 {
		tx.Set(key(keyCursor, c.s.id, p.id), mustJSON(cursorRecord{cfg, p.created, p.began, c.mu.lastsEnd}))
	}
	c.armIdle()
	c.unlock()
	if refilter && c.s.config().Retention == KeepInterest {
		c.p.release(tx)
	}
	tx.wakeAfter(c)
	return nil
}

// Delete ends the cursor: its subscriptions hear Gone.
func (c *Cursor) Delete(tx *Tx) { c.delete(tx, false) }

func (c *Cursor) delete(tx *Tx, inactive bool) {
	c.lock()
	if c.mu.gone {
		c.unlock()
		return
	}
	c.mu.gone, c.mu.inactive = true, inactive
	for f := range c.mu.flights.all {
		c.unhold(f)
		c.releaseWindows(f)
	}
	c.mu.flights, c.mu.redo, c.mu.acked, c.mu.past, c.mu.dying = flights{}, redo{}, nil, nil, nil
	c.mu.urgent, c.mu.exhausted = nil, nil
	c.mu.ended = append(append(c.mu.ended, c.mu.subs...), c.mu.fetches...)
	c.mu.subs, c.mu.fetches, c.mu.active = nil, nil, nil
	unwatch, timer := c.mu.watching, c.timer
	c.mu.watching = false
	c.unlock()

	if unwatch {
		c.p.log.Unwatch(c)
	}
	if timer != nil {
		c.s.b.timers.clear(timer)
	}
	if c.plain != nil {
		c.detach(tx)
	}
	tx.forget(c)
	if !c.s.gone && c.s.config().Retention == KeepInterest {
		c.p.release(tx)
	}
	tx.wakeAfter(c) // to tell
}

// CursorState is a snapshot.
type CursorState struct {
	// Floor: every matching message below it is settled. LastDelivered: offset of the
	// last message handed out for the first time, NoOffset if none; Deliveries: how many
	// deliveries there were (redeliveries included); FloorDeliveries is the number of the
	// delivery that belongs to the floor. A message that had all its attempts while it was
	// the first unsettled one holds the floor until nothing is in flight.
	Floor           Offset
	LastDelivered   Offset
	Deliveries      uint64
	FloorDeliveries uint64
	InFlight        int
	Redelivering    int   // unsettled messages with more than one attempt, exhausted ones included
	Again           int64 // of those in flight, what waits to be delivered again
	Pending         int64
	Subscriptions   int
	LastActive      int64 // of a delivery; 0 = never, or a queue's
	LastAck         int64
}

func (c *Cursor) State() CursorState {
	pending := int64(-1)
	if c.s.queue == nil && c.p.keys == nil {
		c.lock()
		next := c.mu.next
		c.unlock()
		pending = c.p.liveFrom(next)
	}
	c.lock()
	defer c.unlock()
	st := CursorState{
		LastDelivered: c.mu.delivered, Deliveries: c.mu.deliveries,
		Subscriptions: len(c.mu.subs),
	}
	if p := c.plain; p != nil {
		st.LastActive, st.LastAck, st.Pending = p.lastActive, p.lastAck, p.pending
	}
	if pending >= 0 {
		st.Pending = pending
	}
	if c.mu.next < c.mu.seen && c.s.queue == nil { // delivered before the restart, not looked at since
		again := c.again()
		st.InFlight, st.Pending, st.Again = int(again), st.Pending-again, again
	}
	low := c.low()
	if c.mu.low.at != NoOffset {
		low = c.mu.low
	}
	st.Floor, st.FloorDeliveries = low.at, low.number
	if c.mu.exhausted != nil {
		st.Redelivering = c.mu.exhausted.Size()
	}
	for f := range c.mu.flights.all {
		if f.attempts == 0 {
			continue
		}
		st.InFlight++
		if f.state == ready {
			st.Again++
		}
		if f.attempts > 1 {
			st.Redelivering++
		}
	}
	if c.s.queue != nil {
		st.Pending = c.s.queue.readyLocked()
		st.InFlight = int(c.mu.held)
	}
	return st
}

// again counts the unsettled messages from next on that may have been delivered
// before the restart. Requires: mu.
func (c *Cursor) again() (n int64) {
	if c.p.keys != nil {
		n = c.between(c.mu.next, c.mu.seen)
	} else {
		n = int64(c.mu.seen - c.mu.next)
	}
	return max(n-c.ackedLive(c.mu.seen), 0)
}

// ackedLive counts the settled messages from next up to end that are still stored.
// Requires: mu.
func (c *Cursor) ackedLive(end Offset) (n int64) {
	if c.mu.acked == nil {
		return 0
	}
	c.mu.acked.Range(func(o uint64) bool {
		if Offset(o) < end && c.p.stored(Offset(o)) {
			n++
		}
		return Offset(o) < end
	})
	return n
}

// stored reports whether a message was not removed yet, as decided if there is a key
// index.
func (p *partition) stored(o Offset) bool {
	if p.keys == nil {
		return p.log.Live(o)
	}
	return p.log.Retains(o)
}

// wants reports whether a message with that key matches the filters. Requires: mu or
// the sequencer.
func (c *Cursor) wants(k []byte) bool {
	fs := c.mu.cfg.Filters
	if len(fs) == 0 {
		return true
	}
	for _, f := range fs {
		if SubjectMatches(f, text(k)) {
			return true
		}
	}
	return false
}

// interestKnown bounds how many keys a partition remembers the cursors of.
const interestKnown = 4096

// wantedBy returns the cursors whose filters match a key. Requires: the sequencer.
func (p *partition) wantedBy(k []byte) []*Cursor {
	if len(p.s.waiting) == 0 {
		return nil
	}
	if cs, ok := p.interest[string(k)]; ok {
		return cs
	}
	var cs []*Cursor
	for _, c := range p.s.waiting {
		if c.p == p && c.wants(k) {
			cs = append(cs, c)
		}
	}
	if len(p.interest) >= interestKnown {
		clear(p.interest)
	}
	if p.interest == nil {
		p.interest = map[string][]*Cursor{}
	}
	p.interest[string(k)] = cs
	return cs
}

// interestChanged is called when cursors come, go or change their filters.
// Requires: the sequencer, or loading.
func (p *partition) interestChanged() { p.interest = nil }

// appended counts a message at o that matches. Requires: the sequencer.
func (c *Cursor) appended(o Offset) {
	c.plain.news.Store(int64(o))
	c.mu.Lock() // needs no service
	c.plain.pending++
	c.mu.Unlock()
}

// removed forgets a message that matches and was taken out of the stream.
// Requires: the sequencer, and a key index.
func (c *Cursor) removed(tx *Tx, o Offset, k []byte) {
	c.lock()
	defer c.unlock()
	c.revive(o)
	if o >= c.mu.next {
		before := NoOffset
		if o < c.mu.lastsEnd {
			before = c.p.keys.last(k, c.mu.lastsEnd)
		}
		if before > o {
			return // it was not to be delivered
		}
		if !c.acked(o) {
			c.plain.pending--
		}
		if before >= c.mu.next && !c.acked(before) { // it does not take the place of the one that goes
			c.ackPast(before)
			c.note(tx, noteSettled, func(b []byte) []byte { return appendOffsets(b, []Offset{before}) })
		}
	} else if f := c.mu.flights.find(o); f != nil {
		if f.attempts == 0 {
			c.plain.pending--
		}
		c.unhold(f)
		c.releaseWindows(f)
		c.mu.flights.remove(f)
		c.freeFloor()
		if c.mu.blocked {
			c.mu.blocked = false
			c.wake()
		}
	}
}

// acked reports whether a message at or above next is settled. Requires: mu.
func (c *Cursor) acked(o Offset) bool { return c.mu.acked != nil && c.mu.acked.Exists(uint64(o)) }

// keeps reports whether the cursor still needs a message that matches, for
// KeepInterest.
func (c *Cursor) keeps(o Offset, k []byte) bool {
	c.lock()
	defer c.unlock()
	if c.mu.gone {
		return false
	}
	if c.mu.exhausted != nil && c.mu.exhausted.Exists(uint64(o)) {
		return true
	}
	if o < c.mu.next {
		return c.mu.flights.find(o) != nil
	}
	if c.outdated(k, o) {
		return false
	}
	return !c.acked(o)
}

// release deletes messages that no cursor keeps any more, after one of them ended.
func (p *partition) release(tx *Tx) {
	if p.keys == nil {
		return
	}
	for at, end := p.first(), Offset(p.next.Load()); at < end; at += indexStep {
		for _, o := range p.keys.offsets(nil, at, min(at+indexStep, end)) {
			k, _ := p.keys.key(o)
			if !p.kept(o, raw(k)) {
				p.remove(tx, o)
			}
		}
	}
}

// kept reports whether any cursor keeps a message. Requires: the sequencer.
func (p *partition) kept(o Offset, k []byte) bool {
	return slices.ContainsFunc(p.wantedBy(k), func(c *Cursor) bool { return c.keeps(o, k) })
}

func (c *Cursor) durableState() *durableState { return &c.ds }
func (c *Cursor) runState() *runState         { return &c.st }

// wake has the cursor look for something to do.
func (c *Cursor) wake() { c.s.b.workers.wake(c) }

// Advanced is storage.Watcher. If nothing that matches was appended since the cursor
// looked, there is nothing to look for.
func (c *Cursor) Advanced(*Log) {
	if c.s.queue != nil || c.plain.news.Load() >= c.plain.looked.Load() {
		c.wake()
	}
}

package core

import (
	"slices"
	"sync"
	"time"

	"trivium/storage"
)

const (
	// readAhead bounds what a run reads at once.
	readAheadEntries = 256
	readAheadBytes   = 1 << 20
	// redoAhead is how many messages out of turn are looked at in one round.
	redoAhead = 64
	// runRounds is how many rounds a run may take before others get the worker.
	runRounds = 8
)

// reader is what a run has read and not used yet. Only the run touches it.
type reader struct {
	ahead []Entry // from at on
	at    int
	lease storage.Lease // of ahead
	from  Offset        // where to read on
	epoch uint64        // of the cursor when it was read
	redo  []redoEntry
	work  work
	// fetches are the Fetches that this round serves.
	fetches []*Subscription

	keys  []Message // of the entry at keysOf that holds several messages
	keyOf *Entry
}

// work is what a round decided to do once it has let go of the lock.
type work struct {
	serve     []*Subscription // have a batch
	idle      []*Subscription
	ended     []*Subscription
	settled   []Offset // by being handed over
	retried   []retry
	dying     []death
	exhausted []retry
	pending   int64 // matching messages not delivered yet, for the deliveries
	now       int64
	progress  bool
}

// retry is a message's number of attempts.
type retry struct {
	offset   Offset
	attempts int32
}

func (w *work) reset(now int64) {
	clear(w.serve)
	clear(w.idle)
	clear(w.dying)
	*w = work{
		serve: w.serve[:0], idle: w.idle[:0], settled: w.settled[:0], retried: w.retried[:0],
		dying: w.dying[:0], exhausted: w.exhausted[:0], now: now,
	}
}

// run is the Cursor's turn on a worker.
func (c *Cursor) run() (more bool) {
	if c.read == nil {
		c.read = readers.Get().(*reader)
	}
	for range runRounds {
		if !c.round() {
			c.putReader()
			return false
		}
	}
	return true
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// putReader gives the reader to others unless it holds something.
func (c *Cursor) putReader() {
	r := c.read
	if r.at < len(r.ahead) || len(r.fetches) > 0 {
		return
	}
	r.forget()
	r.work.reset(0)
	clear(r.keys)
	*r = reader{redo: r.redo[:0], work: r.work, keys: r.keys[:0], lease: r.lease}
	c.read = nil
	readers.Put(r)
}

// forget lets go of what was read ahead.
func (r *reader) forget() {
	r.ahead, r.at = nil, 0
	r.lease.End()
}

// round hands out what it can, once: look under the lock, read without it, decide
// under it, act without it. It reports whether there may be more to do.
func (c *Cursor) round() (more bool) {
	w := &c.read.work
	w.reset(c.s.b.now())
	end := c.p.log.End()
	if c.unweighed != nil {
		c.weighStored()
	}
	if c.sorted() {
		c.sortAhead(end)
	}

	c.lock()
	if c.mu.gone {
		w.ended = append(c.mu.ended, c.read.fetches...)
		c.mu.ended, c.read.fetches = nil, nil
		tell := !c.mu.told
		c.mu.told = true
		events, inactive := c.events(), c.mu.inactive
		c.unlock()
		for _, s := range w.ended {
			if s.begin() {
				s.sink.Ended(s, &Error{Code: Gone, Op: "deliver", Name: c.Config().Name})
				s.end()
			}
		}
		if tell && events != nil {
			events.Deleted(c, inactive)
		}
		return false
	}
	if c.idleOut(w.now) {
		c.unlock()
		c.expire()
		return true
	}
	c.overdue(w)
	w.dying = append(w.dying, c.mu.dying...)
	clear(c.mu.dying)
	c.mu.dying = c.mu.dying[:0]
	w.exhausted = append(w.exhausted, c.mu.spent...)
	c.mu.spent = nil
	paused := c.mu.cfg.PausedUntil > w.now
	if paused {
		c.arm(c.mu.cfg.PausedUntil)
	}
	c.read.fetches = append(c.read.fetches, c.mu.fetches...)
	c.mu.fetches = nil
	willing := !paused && c.willing()
	look := willing || c.s.queue != nil && c.s.queue.housekeeping()
	next, epoch, filters, lastsEnd := c.mu.next, c.mu.epoch, c.mu.cfg.Filters, c.mu.lastsEnd
	if look {
		c.popRedo(end)
	}
	c.unlock()

	if look {
		c.readRedo()
		if c.read.epoch != epoch {
			c.read.forget()
			c.read.from, c.read.epoch = 0, epoch
		}
		if next < end && !c.sorted() && (len(c.read.redo) < redoAhead || c.weighted()) {
			c.fill(next, end, filters, lastsEnd)
		}
	}
	if c.s.queue == nil && c.p.keys == nil && willing {
		w.pending = c.p.liveFrom(next)
	}

	c.lock()
	if c.mu.gone {
		c.mu.ended = append(c.mu.ended, c.read.fetches...)
		c.read.fetches = nil
		c.unlock()
		return true
	}
	drained := !look
	if look && c.mu.epoch == c.read.epoch {
		if c.s.queue != nil {
			w.pending = c.s.queue.readyLocked()
		}
		drained = c.assign(paused, end)
		c.mu.fresh = max(c.mu.fresh, end)
	}
	if c.mu.epoch == c.read.epoch {
		c.mu.redo.unpop(c, c.read.redo)
	}
	clear(c.read.redo)
	c.read.redo = c.read.redo[:0]
	ranOut := drained
	drained = drained && !c.outOfTurn(c.p.log.End()) && c.mu.next >= c.p.log.End()
	idle := drained && !paused
	if idle && c.full() { // that nothing more comes is known when something is settled
		idle, c.mu.blocked = false, true
	}
	for _, s := range c.mu.subs {
		if s.idle && idle || s.short {
			w.idle = append(w.idle, s)
			s.busy, s.idle, s.short = true, false, false
		}
	}
	if n := len(c.read.fetches); n > 0 && ranOut && !drained && look {
		w.progress = true // there is more to read for them
	} else if n > 0 {
		for _, s := range c.read.fetches {
			s.busy = true
			w.idle = append(w.idle, s)
		}
		c.read.fetches = nil
	}
	if c.plain != nil {
		c.plain.looked.Store(int64(c.mu.next))
	}
	// A message that was removed between being read and being handed out was uncounted twice.
	miscounted := drained && c.s.queue == nil && c.p.keys != nil && c.plain.pending != 0 && int64(c.mu.next) >= c.p.next.Load()
	events := c.events()
	c.unlock()

	if miscounted {
		tx := c.s.b.Begin()
		c.lock()
		c.recount()
		c.unlock()
		tx.Commit()
	}
	c.persist(w)
	if len(w.dying) > 0 {
		c.s.queue.bury(w.dying, w.now)
		w.progress = true
	}
	for _, s := range w.serve {
		s.sink.Deliver(s, s.batch)
	}
	for _, s := range w.idle {
		s.sink.Idle(s)
	}
	if len(w.serve)+len(w.idle) > 0 {
		c.lock()
		for _, s := range w.serve {
			s.release()
		}
		for _, s := range w.idle {
			s.release()
		}
		c.unlock()
	}
	if events != nil {
		for _, x := range w.exhausted {
			events.Exhausted(c, x.offset, int(x.attempts))
		}
	}
	return w.progress
}

// begin announces a call of the sink, unless the subscription is closed.
func (s *Subscription) begin() bool {
	s.c.lock()
	defer s.c.unlock()
	if s.closed {
		return false
	}
	s.busy = true
	return true
}

func (s *Subscription) end() {
	s.c.lock()
	s.release()
	s.c.unlock()
}

// overdue gives back what was not settled in time, or whose delay has passed.
// Requires: mu.
func (c *Cursor) overdue(w *work) {
	if c.mu.soonest == 0 || c.mu.soonest > w.now {
		if c.mu.soonest != 0 {
			c.arm(c.mu.soonest) // the timer may have fired for something else
		}
		return
	}
	c.mu.soonest = 0
	for f := range c.mu.flights.all {
		if f.deadline == 0 || f.state != inFlight && f.state != waiting {
			continue
		}
		if f.deadline > w.now {
			c.deadline(f.deadline)
			continue
		}
		c.releaseWindows(f)
		c.giveBack(f, w)
	}
}

// deadline makes sure that the cursor looks at its deadlines at that time.
// Requires: mu.
func (c *Cursor) deadline(at int64) {
	if c.mu.soonest == 0 || at < c.mu.soonest {
		c.mu.soonest = at
		c.arm(at)
	}
}

// arm has the cursor woken at that time, if not before. Requires: mu.
func (c *Cursor) arm(at int64) {
	if c.timer == nil {
		c.timer = &timer{fire: c.wake}
	}
	c.s.b.timers.before(c.timer, at)
}

// events is who is told, or nil. Requires: mu.
func (c *Cursor) events() CursorEvents {
	if c.plain == nil {
		return nil
	}
	return c.plain.events
}

// giveBack makes a held message ready again, unless it had its attempts.
// Requires: mu.
func (c *Cursor) giveBack(f *flight, w *work) {
	f.deadline = 0
	if most := c.maxAttempts(); most > 0 && int(f.attempts) >= most {
		if c.s.queue != nil {
			f.state = dying
			w.dying = append(w.dying, death{f.offset, DeliveryLimit, f.attempts})
			return
		}
		w.exhausted = append(w.exhausted, retry{f.offset, f.attempts})
		c.exhaust(f)
		return
	}
	c.unhold(f)
	f.state = ready
	c.mu.ready += int64(f.weight)
	c.mu.redo.push(c, f)
}

func (c *Cursor) maxAttempts() int {
	if c.s.queue != nil {
		return c.s.queue.config().MaxAttempts
	}
	return c.mu.cfg.MaxAttempts
}

// hold counts a flight that is not ready, unhold uncounts it. Requires: mu.
func (c *Cursor) hold(f *flight) {
	c.mu.held++
	c.mu.ready -= int64(f.weight)
}

func (c *Cursor) unhold(f *flight) {
	if f.state != ready && f.state != settled {
		c.mu.held--
	}
}

// releaseWindows gives back the room a flight took. Requires: mu.
func (c *Cursor) releaseWindows(f *flight) {
	if s := f.sub; s != nil {
		f.sub = nil
		for _, w := range s.o.Windows {
			w.release(1)
		}
	}
}

// popRedo takes what comes out of turn and is visible before end. Requires: mu.
func (c *Cursor) popRedo(end Offset) {
	r := &c.mu.redo
	for len(c.read.redo) < redoAhead {
		level := -1
		if len(r.fifo) == 0 && len(r.heap) == 0 {
			for i := len(r.levels) - 1; i >= 0 && level < 0; i-- {
				if len(r.levels[i]) > 0 {
					level = i
				}
			}
		}
		o, ok := r.pop()
		if !ok {
			break
		}
		f := c.mu.flights.find(o)
		if level < 0 && (f == nil || f.state != ready) || f != nil && f.state != ready {
			continue // settled meanwhile
		}
		c.read.redo = append(c.read.redo, redoEntry{offset: o, level: level})
	}
	for _, o := range c.mu.urgent {
		if o >= end || len(c.read.redo) >= redoAhead {
			return
		}
		c.read.redo = append(c.read.redo, redoEntry{offset: o, level: urgentLevel})
	}
}

// readRedo reads the entries of what comes out of turn; those that are gone get nil.
func (c *Cursor) readRedo() {
	var es []Entry
	for i := range c.read.redo {
		r := &c.read.redo[i]
		if n := len(es); n > 0 && r.offset >= es[n-1].Offset && r.offset < es[n-1].Next() {
			r.entry = &es[n-1]
			continue
		}
		got, _, err := c.p.log.Read(r.offset, Limit{Entries: 1}, make([]Entry, 0, 1))
		if err != nil {
			c.failed(err)
			continue
		}
		if len(got) > 0 && got[0].Offset <= r.offset && r.offset < got[0].Next() {
			r.entry = &got[0]
			es = got
		}
	}
}

// fill reads ahead from next, if nothing is left of what was read before.
func (c *Cursor) fill(next, end Offset, filters []string, lastsEnd Offset) {
	r := c.read
	for r.at < len(r.ahead) && r.ahead[r.at].Next() <= next {
		r.at++
	}
	if r.at < len(r.ahead) && r.ahead[r.at].Offset <= next {
		return
	}
	if r.at < len(r.ahead) && r.from > next {
		return // what lies between is deleted
	}
	if c.p.keys != nil && (len(filters) > 0 || next < lastsEnd) {
		c.readMatching(next, end, filters, lastsEnd)
	} else {
		c.readFrom(next)
	}
}

const (
	// scanAhead is how many messages are looked up in the key index at once.
	scanAhead = 1 << 14
	// sparse is how many messages there are to one that matches when it pays to read
	// only that one.
	sparse = 4
)

// lasts are the last messages of their keys, in order, if they are few enough to be listed at once.
type lasts struct {
	epoch uint64 // of the cursor
	few   bool
	all   []Offset
}

// lastsFew is how many are few.
const lastsFew = 1 << 16

// pickLasts is matching for what is delivered before lastsEnd.
func (c *Cursor) pickLasts(from, to Offset, filters []string, lastsEnd Offset) (os []Offset, scanned Offset) {
	if l := c.plain.lasts; l == nil || l.epoch != c.read.epoch {
		c.plain.lasts = &lasts{epoch: c.read.epoch}
		c.plain.lasts.all, c.plain.lasts.few = c.p.keys.lasts(filters, lastsEnd, lastsFew)
	}
	if !c.plain.lasts.few {
		return c.p.keys.matchingLasts(filters, lastsEnd, from, min(to, from+scanAhead), readAheadEntries)
	}
	all := c.plain.lasts.all
	i, _ := slices.BinarySearch(all, from)
	j, _ := slices.BinarySearch(all, to)
	if n := i + readAheadEntries; n < j {
		return all[i:n], all[n]
	}
	return all[min(i, j):j], to
}

// superseded reports whether a message with that key is passed over since another one is the last one of its key.
// Requires: mu.
func (c *Cursor) superseded(k []byte, o Offset) bool {
	if o < c.mu.lastsEnd && c.plain.lasts != nil && c.plain.lasts.few && c.plain.lasts.epoch == c.mu.epoch {
		_, listed := slices.BinarySearch(c.plain.lasts.all, o)
		return !listed
	}
	return c.outdated(k, o)
}

// readMatching reads ahead only what the filters match, as the key index tells.
func (c *Cursor) readMatching(from, end Offset, filters []string, lastsEnd Offset) {
	r := c.read
	var os []Offset
	var scanned Offset
	if from < lastsEnd {
		os, scanned = c.pickLasts(from, min(end, lastsEnd), filters, lastsEnd)
	} else {
		os, scanned = c.p.keys.matching(filters, from, min(end, from+scanAhead), readAheadEntries)
		c.plain.lasts = nil
	}
	r.forget()
	r.from = scanned
	if len(os) == 0 {
		return
	}
	if n := len(os); int(os[n-1]-os[0]) < n*sparse {
		c.readFrom(os[0])
		return
	}
	bytes := 0
	r.ahead = make([]Entry, 0, len(os))
	for _, o := range os {
		if len(r.ahead) > 0 && o < r.ahead[len(r.ahead)-1].Next() {
			continue
		}
		if bytes > readAheadBytes {
			r.from = o
			return
		}
		n := len(r.ahead)
		es, _, err := c.p.log.Borrow(o, Limit{Entries: 1}, r.ahead, &r.lease)
		if err != nil {
			c.failed(err)
		} else if len(es) > n && es[n].Offset <= o && o < es[n].Next() {
			r.ahead = es
			bytes += len(es[n].Data)
		}
	}
}

func (c *Cursor) readFrom(o Offset) {
	r := c.read
	n := min(int(c.p.log.End()-o), readAheadEntries)
	r.forget()
	var err error
	r.ahead, r.from, err = c.p.log.Borrow(o, Limit{Entries: n, Bytes: readAheadBytes}, make([]Entry, 0, max(n, 1)), &r.lease)
	if err != nil {
		c.failed(err)
	}
}

// failed reports a read that failed; a damaged entry is passed over.
func (c *Cursor) failed(err error) {
	if storage.IsCorrupt(err) {
		c.s.b.log.Error("a stored message is damaged and passed over", "stream", c.s.label(), "err", err)
		return
	}
	c.s.b.log.Error("cannot read a log", "stream", c.s.label(), "err", err)
}

// sortAhead puts all that became visible into the queue's priority levels.
func (c *Cursor) sortAhead(end Offset) {
	levels := c.s.queue.config().Priorities
	for {
		c.lock()
		next := c.mu.next
		c.unlock()
		if next >= end {
			return
		}
		c.readFrom(next)
		r := c.read
		c.lock()
		if c.mu.next == next {
			for i := range r.ahead {
				e := &r.ahead[i]
				for o := max(e.Offset, next); o < e.Next(); o++ {
					c.mu.redo.level(o, min(int(e.Priority), levels))
				}
			}
			c.mu.next = max(next+1, r.from)
		}
		c.unlock()
		r.forget()
	}
}

// stale reports whether a message of e is not stored any more: it was deleted before
// e was read, or since. A queue's messages are removed through its cursor, which
// forgets what it read.
func (c *Cursor) stale(e *Entry, o Offset) bool {
	return (e.Count > 1 || c.s.queue == nil) && !c.p.log.Live(o)
}

// assign decides who gets what was read, when the Log ended at end, in order, and
// reports whether it ran out of messages. Requires: mu.
func (c *Cursor) assign(paused bool, end Offset) (drained bool) {
	r := c.read
	for len(r.redo) > 0 {
		x := r.redo[0]
		f := c.mu.flights.find(x.offset)
		if x.level == urgentLevel && c.othersTurn() {
			e, o := c.head()
			switch {
			case e == nil && c.mu.next < end:
				r.work.progress = true
				return true // to be read
			case e != nil && o < x.offset:
				if !c.give(e, o, nil, 0, paused) {
					return false
				}
				continue
			}
		}
		switch {
		case f != nil && f.state != ready, f == nil && x.level < 0:
			// settled while it was read
		case x.entry == nil || c.stale(x.entry, x.offset):
			if f != nil { // deleted
				c.mu.flights.remove(f)
			}
			if x.level == urgentLevel {
				c.notUrgent(x.offset)
			}
		default:
			if f == nil && c.acked(x.offset) {
				break
			}
			if !c.give(x.entry, x.offset, f, max(x.level, 0), paused) {
				return false
			}
		}
		r.redo = r.redo[1:]
	}
	switch {
	case c.outOfTurn(end):
		r.work.progress = true
		return true // to be read
	case c.sorted():
		return true
	}
	for {
		e, o := c.head()
		if e == nil {
			r.work.progress = r.work.progress || c.mu.next < c.p.log.End()
			return true
		}
		if !c.give(e, o, nil, 0, paused) {
			return false
		}
	}
}

// head is the first message of what was read ahead that is to be delivered, nil if
// there is none: next has moved up to it. Requires: mu.
func (c *Cursor) head() (*Entry, Offset) {
	r, weighted := c.read, c.weighted()
	for ; r.at < len(r.ahead); r.at++ {
		e := &r.ahead[r.at]
		for o := max(e.Offset, c.mu.next); o < e.Next(); o++ {
			if o > c.mu.next {
				c.skip(o)
			}
			if c.acked(o) || !c.wants(c.keyAt(e, o)) ||
				c.stale(e, o) || c.hidden(e, o) || c.superseded(c.keyAt(e, o), o) || weighted && urgent(e) {
				c.skip(o + 1)
				continue
			}
			return e, o
		}
	}
	if r.from > c.mu.next {
		c.skip(r.from) // deleted ones
	}
	return nil, NoOffset
}

// skip moves next on to o. Requires: mu.
func (c *Cursor) skip(o Offset) {
	if c.mu.acked != nil {
		for !c.mu.acked.IsEmpty() {
			first, _ := c.mu.acked.MinMax()
			if Offset(first) >= o {
				break
			}
			c.mu.acked.Delete(first)
		}
		if c.mu.acked.IsEmpty() {
			c.mu.acked = nil
		}
	}
	c.mu.next = o
}

// several decodes the entry that holds several messages.
func (c *Cursor) several(e *Entry, o Offset) *Message {
	if c.read.keyOf != e {
		ms, err := c.s.b.messages(e, c.read.keys[:0])
		if err != nil || len(ms) < int(e.Count) {
			ms = make([]Message, e.Count)
		}
		c.read.keys, c.read.keyOf = ms, e
	}
	return &c.read.keys[o-e.Offset]
}

// keyAt is the key of the message at o.
func (c *Cursor) keyAt(e *Entry, o Offset) []byte {
	if e.Count == 1 || len(c.mu.cfg.Filters) == 0 && o >= c.mu.lastsEnd {
		return e.Key
	}
	return c.several(e, o).Key
}

// hidden reports whether o is a position without a message.
func (c *Cursor) hidden(e *Entry, o Offset) bool {
	return e.Producer.Control || e.Count > 1 && len(c.mu.cfg.Filters) > 0 && c.several(e, o).Hidden
}

// give hands out one message, or lets it expire, or drops it as one too many, and
// reports whether it did. f is its flight, if it has one. Requires: mu.
func (c *Cursor) give(e *Entry, o Offset, f *flight, level int, paused bool) bool {
	w := &c.read.work
	var at int64
	if c.s.queue != nil {
		at = c.s.queue.deadline(e)
	}
	expired := at != 0 && at <= w.now
	// One too many is only kept by a subscription that was waiting when it came: a Fetch
	// comes later, and finds the queue within its limits.
	surplus := c.s.queue != nil && (o < c.mu.fresh || len(c.mu.subs) == 0) && c.s.queue.overLocked()
	// A message that may not wait at all is given to who can take it at once.
	if !surplus && (!expired || o >= c.mu.fresh && at <= e.Time) {
		if s := c.pickFor(e, f, paused); s != nil {
			c.hand(s, e, o, f, level)
			return true
		}
	}
	switch {
	case expired:
		c.die(e, o, f, level, Expired)
	case c.s.queue != nil && c.s.queue.overLocked():
		c.die(e, o, f, level, MaxLen)
	default:
		if at != 0 {
			c.arm(at) // it stays at the head
		}
		return false
	}
	return true
}

// pickFor is choose within the cursor's own bounds. Requires: mu.
func (c *Cursor) pickFor(e *Entry, f *flight, paused bool) *Subscription {
	if paused {
		return nil
	}
	if (f == nil || f.attempts == 0) && c.full() {
		c.mu.blocked = true
		return nil
	}
	return c.choose(e)
}

// full reports whether as many messages are unsettled as may be. Requires: mu.
func (c *Cursor) full() bool {
	most := c.mu.cfg.MaxInFlight
	return most > 0 && c.mu.held >= int64(most) && c.mu.cfg.Ack != AckNone
}

// hand gives a message to s. Requires: mu.
func (c *Cursor) hand(s *Subscription, e *Entry, o Offset, f *flight, level int) {
	w := &c.read.work
	w.progress = true
	if !s.o.Borrows {
		c.read.lease.Keep()
	}
	first := f == nil || f.attempts == 0
	attempts := int32(0)
	if f != nil {
		attempts = f.attempts
	} else if n, ok := c.mu.past[o]; ok {
		attempts = n
		delete(c.mu.past, o)
	} else if o < c.mu.seen {
		attempts = 1
	}
	redelivered := attempts > 0 || f != nil && f.number > 0
	attempts++
	c.mu.deliveries++
	if c.plain != nil {
		c.plain.lastActive = w.now
	}
	if first {
		if level == 0 { // in its order
			c.mu.delivered = max(c.mu.delivered, o)
		}
		if c.plain != nil && c.plain.pending > 0 {
			c.plain.pending--
		}
		w.pending = max(w.pending-1, 0)
	} else if c.s.queue != nil {
		w.pending = max(w.pending-1, 0)
	}
	if f == nil {
		c.took(o, level)
	}
	if s.o.AutoAck || c.mu.cfg.Ack == AckNone {
		w.settled = append(w.settled, o)
		c.mu.ready -= int64(c.weigh(e))
		if f != nil {
			c.mu.flights.remove(f)
		}
	} else {
		if f == nil {
			f = c.mu.flights.add(flight{offset: o, priority: uint8(level)})
		}
		f.state, f.sub, f.attempts, f.weight = inFlight, s, attempts, c.weigh(e)
		if first || f.number == 0 {
			f.number, f.again = c.mu.deliveries, 0
		} else {
			f.again = uint32(min(c.mu.deliveries-f.number, uint64(maxAgain)))
		}
		c.hold(f)
		if wait := c.ackWait(attempts); wait > 0 {
			f.deadline = after(w.now, wait)
			c.deadline(f.deadline)
		}
		if attempts > 1 && c.s.queue == nil {
			w.retried = append(w.retried, retry{o, attempts})
		}
	}
	d := Delivery{Entry: e, Offset: o, Attempt: int(attempts), Number: c.mu.deliveries, Redelivered: redelivered}
	if d.Pending = w.pending; c.s.queue == nil && c.p.keys != nil {
		d.Pending = c.plain.pending
	}
	s.batch = append(s.batch, d)
	s.idle = true
	if !s.busy {
		s.busy = true
		w.serve = append(w.serve, s)
	}
}

// ackWait is how long a message may stay unsettled after so many attempts.
func (c *Cursor) ackWait(attempts int32) time.Duration {
	if b := c.mu.cfg.Backoff; len(b) > 0 {
		return b[min(int(attempts), len(b))-1]
	}
	return c.mu.cfg.AckWait
}

// die takes a message out to be dead-lettered. Requires: mu.
func (c *Cursor) die(e *Entry, o Offset, f *flight, level int, reason string) {
	w := &c.read.work
	if f == nil {
		c.took(o, level)
		f = c.mu.flights.add(flight{offset: o, priority: uint8(level)})
	}
	if n, ok := c.mu.past[o]; ok {
		f.attempts = n
		delete(c.mu.past, o)
	}
	f.state, f.weight = dying, c.weigh(e)
	c.hold(f)
	w.pending = max(w.pending-1, 0)
	w.dying = append(w.dying, death{o, reason, f.attempts})
}

package core

import (
	"slices"
)

// Delivery is one message handed to a Sink.
type Delivery struct {
	// Entry holds the message; it covers Entry.Count offsets, this is the one at Offset.
	Entry  *Entry
	Offset Offset
	// Attempt is 1 for the first delivery. Number counts the cursor's deliveries
	// from 1. Pending is how many matching messages come after this one that were never
	// delivered; for a queue, how many are ready.
	Attempt int
	Number  uint64
	Pending int64
	// Redelivered is set if the message may have been seen before.
	Redelivered bool
}

// Sink receives deliveries. Calls for one Subscription never overlap. They come
// from a worker that holds no lock and must not block: a Sink bounds what it
// takes by the credit and window it gives. A Sink may begin transactions, and must
// not Close its own Subscription.
type Sink interface {
	// Deliver hands over messages, in order. The slice is valid during the call, what
	// it refers to is immutable, and stays valid unless the subscription Borrows.
	Deliver(s *Subscription, ds []Delivery)
	// Idle is called when the cursor ran out of messages for s after it had some, or after Credit was
	// added while there were none: nothing more will come until something is appended. It is not while as many messages
	// are unsettled as may be.
	Idle(s *Subscription)
	// Ended: the subscription ended for a reason other than Close. err is an *Error: Gone.
	Ended(s *Subscription, err error)
}

// SubscribeOptions of a Subscription.
type SubscribeOptions struct {
	// Priority: higher ones are served first while they can take messages; equal ones in turn.
	Priority int
	// Exclusive fails with InUse if there is any other subscription, and keeps others out.
	Exclusive bool
	// AutoAck settles each message as it is handed over.
	AutoAck bool
	// Borrows says that the sink keeps nothing of what Deliver hands over, nor of what its entries refer to, when
	// Deliver returns: then that memory is used again.
	Borrows bool
	// Windows bound what is unsettled; a message needs room in all of them. AutoAck
	// subscriptions ignore them.
	Windows []*Window
	// Credit is how many messages may still be handed over; negative means no bound.
	Credit int
	// CreditBytes bounds the sum of the Key and Data lengths likewise; 0 means no bound. A message that does not
	// fit ends the credit: Credit becomes 0 and Idle is called; but one that is larger than all that was given comes alone.
	CreditBytes int
}

// Subscription is one receiver of a Cursor's messages.
type Subscription struct {
	c    *Cursor
	o    SubscribeOptions
	sink Sink

	// Guarded by the Cursor's lock.
	credit  int
	bytes   int // left of CreditBytes
	limited bool
	whole   bool // nothing is taken from bytes yet
	idle    bool // is owed a call of Idle when there are no more messages
	short   bool // is owed one because a message did not fit
	closed  bool
	busy    bool            // a call of the sink is about to come or running
	free    []chan struct{} // closed when busy ends
	batch   []Delivery      // owned by the run while busy
}

// Subscribe attaches a sink. Error codes: InUse, Gone.
func (c *Cursor) Subscribe(o SubscribeOptions, sink Sink) (*Subscription, error) {
	s := &Subscription{c: c, o: o, sink: sink, credit: o.Credit, bytes: o.CreditBytes, limited: o.CreditBytes > 0, whole: true, idle: true}
	c.lock()
	defer c.unlock()
	switch {
	case c.mu.gone:
		return nil, &Error{Code: Gone, Op: "subscribe", Name: c.name()}
	case len(c.mu.subs) > 0 && (o.Exclusive || c.mu.subs[0].o.Exclusive):
		return nil, &Error{Code: InUse, Op: "subscribe", Name: c.name()}
	}
	i := len(c.mu.subs)
	for i > 0 && c.mu.subs[i-1].o.Priority < o.Priority {
		i--
	}
	c.mu.subs = slices.Insert(c.mu.subs, i, s)
	c.watch()
	c.wake()
	return s, nil
}

// watch has c woken by appends if it has any use for them. Requires: mu.
func (c *Cursor) watch() {
	want := len(c.mu.subs) > 0 || c.s.queue != nil && c.s.queue.housekeeping()
	switch {
	case want && !c.mu.watching:
		c.p.log.Watch(c)
	case !want && c.mu.watching:
		c.p.log.Unwatch(c)
	}
	c.mu.watching = want
}

func (s *Subscription) Cursor() *Cursor { return s.c }

// AddCredit adds to the credit, SetCredit replaces it.
func (s *Subscription) AddCredit(n int) {
	s.c.lock()
	if s.credit >= 0 {
		s.credit += n
	}
	s.idle = true
	s.c.unlock()
	s.c.wake()
}

// SetCredit replaces the credit; bytes is 0 for no bound.
func (s *Subscription) SetCredit(n, bytes int) {
	s.c.lock()
	s.credit, s.bytes, s.limited, s.whole = n, bytes, bytes > 0, true
	s.idle = true
	s.c.unlock()
	s.c.wake()
}

// Credit is how many messages may still be handed over.
func (s *Subscription) Credit() int {
	s.c.lock()
	defer s.c.unlock()
	return s.credit
}

// Close detaches the sink; when it returns no call of it is running or will come. Its unsettled messages stay in flight until
// settled, returned or overdue. It must not be called from the sink, nor while a Tx is open.
func (s *Subscription) Close() {
	c := s.c
	c.lock()
	s.closed = true
	i := slices.Index(c.mu.subs, s)
	if i >= 0 {
		c.mu.subs = slices.Delete(c.mu.subs, i, i+1)
	}
	if c.mu.active == s {
		c.mu.active = nil
	}
	last := i >= 0 && len(c.mu.subs) == 0 && !c.mu.gone
	if last {
		c.mu.idleSince = c.s.b.now()
		c.armIdle()
		c.watch()
	}
	var wait chan struct{}
	if s.busy {
		wait = make(chan struct{})
		s.free = append(s.free, wait)
	}
	c.unlock()
	if wait != nil {
		<-wait
	}
	c.wake()
	if last && c.s.queue != nil {
		c.s.queue.unused()
	}
}

// release ends a call of the sink. Requires: the Cursor's lock.
func (s *Subscription) release() {
	s.busy = false
	clear(s.batch)
	s.batch = s.batch[:0]
	for _, ch := range s.free {
		close(ch)
	}
	s.free = nil
}

// takes reports whether s can take a message now, and if so takes the room for it.
// Requires: the Cursor's lock.
func (s *Subscription) takes(e *Entry, settles bool) bool {
	if s.credit == 0 || s.closed {
		return false
	}
	if s.limited && !s.whole && len(e.Key)+len(e.Data) > s.bytes {
		s.credit, s.short = 0, true
		return false
	}
	if !settles && !takeAll(s.o.Windows, s.c, false) {
		return false
	}
	s.charge(e)
	return true
}

func (s *Subscription) charge(e *Entry) {
	if s.credit > 0 {
		s.credit--
	}
	if s.limited {
		s.bytes -= len(e.Key) + len(e.Data)
		s.whole = false
	}
}

// willing reports whether s might take a message. Requires: the Cursor's lock.
func (s *Subscription) willing() bool {
	if s.closed || s.credit == 0 {
		return false
	}
	if !s.o.AutoAck {
		for _, w := range s.o.Windows {
			if w.full(s.c) {
				return false
			}
		}
	}
	return true
}

// choose picks who gets a message, nil if nobody can take it. Requires: mu.
func (c *Cursor) choose(e *Entry) *Subscription {
	if n := len(c.read.fetches); n > 0 {
		s := c.read.fetches[0]
		c.read.fetches = c.read.fetches[1:]
		if !s.o.AutoAck {
			takeAll(s.o.Windows, c, true)
		}
		s.charge(e)
		return s
	}
	subs := c.mu.subs
	none := c.mu.cfg.Ack == AckNone
	if c.s.queue != nil && c.s.queue.config().SingleActive {
		if c.mu.active == nil && len(subs) > 0 {
			c.mu.active = subs[0]
		}
		if s := c.mu.active; s != nil && s.takes(e, s.o.AutoAck || none) {
			return s
		}
		return nil
	}
	if n := len(subs); n > 0 && subs[0].o.Priority == subs[n-1].o.Priority {
		return turn(subs, &c.mu.turn, e, none)
	}
	for len(subs) > 0 {
		n, p := 1, subs[0].o.Priority
		for n < len(subs) && subs[n].o.Priority == p {
			n++
		}
		if c.mu.turns == nil {
			c.mu.turns = map[int]int{}
		}
		t := c.mu.turns[p]
		if s := turn(subs[:n], &t, e, none); s != nil {
			c.mu.turns[p] = t
			return s
		}
		subs = subs[n:]
	}
	return nil
}

// turn picks the next one of subs, from the one whose turn it is, that can take e.
func turn(subs []*Subscription, t *int, e *Entry, none bool) *Subscription {
	for i := range subs {
		k := (*t + i) % len(subs)
		if s := subs[k]; s.takes(e, s.o.AutoAck || none) {
			*t = k + 1
			return s
		}
	}
	return nil
}

// willing reports whether anyone might take a message. Requires: mu.
func (c *Cursor) willing() bool {
	if len(c.read.fetches) > 0 {
		return true
	}
	if c.s.queue != nil && c.s.queue.config().SingleActive && c.mu.active != nil {
		return c.mu.active.willing()
	}
	return slices.ContainsFunc(c.mu.subs, (*Subscription).willing)
}

// fetched is the Sink of a Fetch.
type fetched struct {
	got  *Delivery
	err  error
	done chan struct{}
}

func (f *fetched) Deliver(s *Subscription, ds []Delivery) {
	d := ds[0]
	f.got = &d
	close(f.done)
}
func (f *fetched) Idle(*Subscription)               { close(f.done) }
func (f *fetched) Ended(_ *Subscription, err error) { f.err = err; close(f.done) }

// Fetch hands out one message without a subscription, nil if none is ready. It may read from disk.
// What it hands out takes room in the windows even if they are full.
func (c *Cursor) Fetch(autoAck bool, w ...*Window) (*Delivery, error) {
	f := &fetched{done: make(chan struct{})}
	s := &Subscription{c: c, sink: f, credit: 1, o: SubscribeOptions{AutoAck: autoAck, Windows: w}}
	c.lock()
	if c.mu.gone {
		name := c.mu.cfg.Name
		c.unlock()
		return nil, &Error{Code: Gone, Op: "fetch", Name: name}
	}
	c.mu.fetches = append(c.mu.fetches, s)
	c.mu.idleSince = c.s.b.now()
	c.unlock()
	c.wake()
	select {
	case <-f.done:
	case <-c.s.b.workers.stopped:
		return nil, &Error{Code: Gone, Op: "fetch", Name: c.Config().Name}
	}
	return f.got, f.err
}

package natswire

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"trivium/core"
	"trivium/natswire/wire"
)

// producer delivers what one goroutine publishes: it collects, while a read buffer is
// parsed, which message goes to which subscription, and then visits each
// destination once: one lock, one append, one wake-up. Messages alias the read
// buffer until finish.
type producer struct {
	s  *Server
	c  *conn // whose producer it is; nil for the server itself
	ns *core.Namespace
	routes

	dests map[*conn]*dest
	self  *dest // c's
	*scratch
	neutral core.Message

	inMsgs, inBytes int64
	seed            uint64
	stalled         time.Duration // in this read
}

// scratch is what a producer collects during one read. It goes back to a pool after it, so
// that a connection that was busy once holds no memory.
type scratch struct {
	msgs    []wire.Msg
	recs    []record
	touched []*dest
	durable []durable
	storing storing
	missed  []record // whose subscriptions are over
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// dest is a connection that the producer delivers to: first and last of its records, as
// positions + 1 in scratch.recs, 0 = none.
type dest struct {
	c           *conn
	first, last int32
	// dirty: a Sender has still to flush it.
	dirty bool
}

// record is one delivery. Without a subscription the message's Payload is sent as it is.
type record struct {
	u    *sub
	m    int32 // in scratch.msgs
	next int32 // of the same dest
}

// maxRecords bounds what is collected before it is delivered, so that a burst to very many
// subscriptions takes no more memory than this.
const maxRecords = 64 << 10

// maxDests bounds the destinations that a producer remembers.
const maxDests = 4 << 10

func (p *producer) init(s *Server, c *conn, ns *core.Namespace) {
	p.s, p.c = s, c
	p.seed = rand.Uint64() | 1
	if c != nil {
		p.self = &dest{c: c}
	}
	p.move(ns)
}

// move starts publishing into another namespace. Requires: nothing is collected.
func (p *producer) move(ns *core.Namespace) {
	p.ns = ns
	p.routes.reset(ns.Subjects())
}

// forget drops all that is cached: connections that are gone must not keep each other.
func (p *producer) forget() {
	p.routes.reset(p.subjects)
	p.dests = nil
}

// dest returns the place to collect what goes to c.
// Requires: check has run.
func (p *producer) dest(c *conn) *dest {
	if c == p.c && c != nil {
		return p.self
	}
	d := p.dests[c]
	if d == nil {
		d = &dest{c: c}
		p.dests[c] = d
	}
	return d
}

// collect adds a record.
func (p *producer) collect(d *dest, u *sub, m int32) {
	p.recs = append(p.recs, record{u: u, m: m})
	n := int32(len(p.recs))
	if d.first == 0 {
		d.first = n
		p.touched = append(p.touched, d)
	} else {
		p.recs[d.last-1].next = n
	}
	d.last = n
}

// add keeps m until finish, and returns its number.
func (p *producer) add(m *wire.Msg) int32 {
	if p.scratch == nil {
		p.scratch = scratches.Get().(*scratch)
	}
	p.msgs = append(p.msgs, *m)
	return int32(len(p.msgs) - 1)
}

// later leaves m to settle; d says how.
func (p *producer) later(d durable, m *wire.Msg) {
	d.m = p.add(m)
	p.durable = append(p.durable, d)
}

// own queues bytes for the producer's own connection.
func (p *producer) own(b []byte) {
	p.collect(p.self, nil, p.add(&wire.Msg{Payload: b}))
}

// random picks a queue group's first member.
func (p *producer) random(n int) int {
	p.seed ^= p.seed << 13
	p.seed ^= p.seed >> 7
	p.seed ^= p.seed << 17
	return int(p.seed>>32) * n >> 32
}

// send hands m to all that r leads to and reports whether anybody took it.
func (p *producer) send(r *route, m *wire.Msg) bool {
	if r.empty() {
		return false
	}
	at := int32(-1)
	index := func() int32 {
		if at < 0 {
			at = p.add(m)
		}
		return at
	}
	took := false
	for i := range r.plain {
		t := &r.plain[i]
		if t.u.take() {
			p.collect(t.d, t.u, index())
			took = true
		}
	}
	for _, g := range r.groups {
		k := 0
		if len(g) > 1 {
			k = p.random(len(g))
		}
		for range g {
			t := &g[k]
			if t.u == nil {
				if t.r.Receive(m.Subject, p.neutralOf(m)) {
					took = true
					break
				}
			} else if t.u.take() {
				p.collect(t.d, t.u, index())
				took = true
				break
			}
			if k++; k == len(g) {
				k = 0
			}
		}
	}
	for _, f := range r.foreign {
		if f.Receive(m.Subject, p.neutralOf(m)) {
			took = true
		}
	}
	for _, s := range r.streams {
		at := index()
		p.durable = append(p.durable, durable{kind: ingest, stream: s, m: at})
		took = true
	}
	if r.stored {
		at := index()
		p.durable = append(p.durable, durable{kind: store, route: r, m: at})
		took = true
	}
	if p.scratch != nil && len(p.recs) >= maxRecords {
		p.deliver()
	}
	return took
}

// finish delivers, flushes and makes durable what was collected. The read buffer may be reused
// after it.
func (p *producer) finish() {
	if p.scratch != nil {
		p.settle()
		clear(p.msgs)
		p.msgs = p.msgs[:0]
		p.storing = storing{data: p.storing.data} // the pool keeps nobody
		scratches.Put(p.scratch)
		p.scratch = nil
	}
	if p.inMsgs > 0 {
		p.s.count.inMsgs.Add(p.inMsgs)
		p.s.count.inBytes.Add(p.inBytes)
		p.inMsgs, p.inBytes = 0, 0
	}
	p.stalled = 0
	if len(p.dests) > maxDests {
		p.routes.reset(p.subjects)
	}
}

// deliver appends what was collected to its destinations, then flushes them.
func (p *producer) deliver() {
	for len(p.touched) > 0 {
		for _, d := range p.touched {
			p.append(d)
		}
		for i, d := range p.touched {
			d.c.flush()
			d.first, d.last = 0, 0
			p.touched[i] = nil
		}
		p.touched = p.touched[:0]
		clear(p.recs)
		p.recs = p.recs[:0]
		p.redirect()
	}
}

// redirect finds others of their queue groups for messages that were taken by who is gone.
func (p *producer) redirect() {
	for i := range p.missed {
		x := &p.missed[i]
		m := &p.msgs[x.m]
		if !p.again(x.u, x.m) && len(m.Reply) > 0 && p.c != nil && p.c.opts.NoResponders && p.route(m.Subject).empty() {
			p.c.nobody(m)
		}
	}
	clear(p.missed)
	p.missed = p.missed[:0]
}

// again hands a message to another one of u's queue group, and reports whether there is one.
func (p *producer) again(u *sub, m int32) bool {
	for _, g := range p.route(p.msgs[m].Subject).groups {
		if !slices.ContainsFunc(g, func(t target) bool { return t.u != nil && t.u.queue == u.queue }) {
			continue
		}
		first := p.random(len(g))
		for k := range g {
			t := &g[(first+k)%len(g)]
			if t.u == nil {
				if t.r.Receive(p.msgs[m].Subject, p.neutralOf(&p.msgs[m])) {
					return true
				}
			} else if t.u.take() {
				p.collect(t.d, t.u, m)
				return true
			}
		}
	}
	return false
}

// The waits of a client for another that is behind, as in nats-server: it slows fast
// producers before a slow consumer has to be closed. They begin earlier than there, so that what waits for a busy receiver
// is little: what its socket takes in milliseconds keeps it busy, more is only memory. Those that come close to
// being closed are waited for longer than there, because producers are faster here.
const (
	behind     = 4 << 20 // or less, see Server.behind
	stallShort = 2 * time.Millisecond
	stallLong  = 10 * time.Millisecond // from seven eighths of MaxPending on
	stallTotal = 20 * time.Millisecond // per read
)

// append moves one destination's records into its output. What a client said to itself before it unsubscribed is
// before the answer to what it says after that.
func (p *producer) append(d *dest) {
	o := &d.c.out
	o.mu.Lock()
	if o.mu.stall != nil && d.c != p.c && p.c != nil && p.stalled < stallTotal {
		wait, stall := stallShort, o.mu.stall
		if o.mu.pending > p.s.o.MaxPending/8*7 {
			wait = stallLong
		}
		o.mu.Unlock()
		p.stall(stall, min(wait, stallTotal-p.stalled))
		o.mu.Lock()
	}
	for i := d.first; i != 0; {
		r := &p.recs[i-1]
		i = r.next
		m := &p.msgs[r.m]
		switch {
		case o.mu.closed, o.mu.pending > p.s.o.MaxPending, r.u != nil && d.c != p.c && r.u.left.Load():
			if r.u != nil && r.u.queue != "" {
				p.missed = append(p.missed, *r)
			}
		case r.u == nil:
			o.appendRawLocked(m.Payload)
		case p.shares(d.c, m.Payload):
			o.appendSharedLocked(m, r.u.sid, p.c.in.k)
		default:
			o.appendLocked(m, r.u.sid)
		}
	}
	slow := !o.mu.closed && d.c.boundLocked()
	o.mu.Unlock()
	if slow {
		d.c.slow()
	}
}

// shares reports whether payload is to be sent to c out of the buffer that it was read into. What is no socket
// takes bytes in one piece better. Requires: c.out.mu.
func (p *producer) shares(c *conn, payload []byte) bool {
	if p.c == nil || c.raw == nil || p.c.in.k == nil {
		return false
	}
	k := p.c.in.k
	return len(payload) >= shareFrom && c.out.mu.pinned < sharePinned*p.s.o.MaxPending && k.holds(payload)
}

func (p *producer) stall(stall <-chan struct{}, d time.Duration) {
	p.s.count.stalls.Add(1)
	start := time.Now()
	t := time.NewTimer(d)
	select {
	case <-stall:
	case <-t.C:
	}
	t.Stop()
	p.stalled += time.Since(start)
}

// behind is how much a connection has to take when others begin to wait for it.
func (s *Server) behind() int { return min(behind, s.o.MaxPending/4*3) }

// boundLocked arms the stall when the output is getting full and reports whether it is
// too full.
func (c *conn) boundLocked() (slow bool) {
	o := &c.out
	if o.mu.pending > c.s.behind() && o.mu.stall == nil {
		o.mu.stall = make(chan struct{})
	}
	if o.mu.pending <= c.s.o.MaxPending {
		return false
	}
	o.mu.closed, o.mu.dead = true, true
	if !o.mu.writing {
		o.releaseLocked()
	}
	return true
}

func (c *conn) slow() {
	c.s.count.slow.Add(1)
	c.s.o.Log.Warn("natswire: slow consumer", "id", c.id, "host", c.host, "reason", string(SlowConsumerPending))
	c.close(SlowConsumerPending)
}

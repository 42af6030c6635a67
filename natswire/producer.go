package natswire

import (
	"math/rand/v2"
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

	msgs    []wire.Msg
	dests   map[*conn]*dest
	self    *dest // c's
	touched []*dest
	pending int // records in all of touched

	durable []durable
	neutral core.Message

	inMsgs, inBytes int64
	seed            uint64
	stalled         time.Duration // in this read
}

// dest is what is collected for one connection.
type dest struct {
	c    *conn
	recs []record
	used bool
}

// record is one delivery. Without a subscription the message's Payload is sent as it is.
type record struct {
	u *sub
	m int32
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

// dest returns the place to collect what goes to c.
func (p *producer) dest(c *conn) *dest {
	if c == p.c && c != nil {
		return p.self
	}
	d := p.dests[c]
	if d == nil {
		if p.dests == nil {
			p.dests = make(map[*conn]*dest)
		}
		d = &dest{c: c}
		p.dests[c] = d
	}
	return d
}

// collect adds a record.
func (p *producer) collect(d *dest, u *sub, m int32) {
	if !d.used {
		d.used = true
		p.touched = append(p.touched, d)
	}
	d.recs = append(d.recs, record{u, m})
	p.pending++
}

// own queues bytes for the producer's own connection.
func (p *producer) own(b []byte) {
	p.msgs = append(p.msgs, wire.Msg{Payload: b})
	p.collect(p.self, nil, int32(len(p.msgs)-1))
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
			at = int32(len(p.msgs))
			p.msgs = append(p.msgs, *m)
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
		p.durable = append(p.durable, durable{kind: ingest, stream: s, m: index()})
		took = true
	}
	if r.stored {
		p.durable = append(p.durable, durable{kind: store, route: r, m: index()})
		took = true
	}
	if p.pending >= maxRecords {
		p.deliver()
	}
	return took
}

// finish makes durable, delivers and flushes what was collected. The read buffer may be reused
// after it.
func (p *producer) finish() {
	p.settle()
	p.deliver()
	clear(p.msgs)
	p.msgs = p.msgs[:0]
	if p.inMsgs > 0 {
		p.s.count.inMsgs.Add(p.inMsgs)
		p.s.count.inBytes.Add(p.inBytes)
		p.inMsgs, p.inBytes = 0, 0
	}
	p.stalled = 0
	if len(p.dests) > maxDests {
		clear(p.dests)
		p.routes.reset(p.subjects)
	}
}

// deliver appends what was collected to its destinations, then flushes them.
func (p *producer) deliver() {
	if len(p.touched) == 0 {
		return
	}
	for _, d := range p.touched {
		p.append(d)
	}
	for i, d := range p.touched {
		d.c.flush()
		d.recs = d.recs[:0]
		d.used = false
		p.touched[i] = nil
	}
	p.touched = p.touched[:0]
	p.pending = 0
}

// The waits of a client for another that is behind, as in nats-server: it slows fast
// producers before a slow consumer has to be closed.
const (
	stallShort = 2 * time.Millisecond
	stallLong  = 5 * time.Millisecond
	stallTotal = 10 * time.Millisecond // per read
)

// append moves one destination's records into its output.
func (p *producer) append(d *dest) {
	o := &d.c.out
	o.mu.Lock()
	if o.mu.stall != nil && d.c != p.c && p.c != nil && p.stalled < stallTotal {
		wait, stall := stallShort, o.mu.stall
		if o.mu.pending >= p.s.o.MaxPending {
			wait = stallLong
		}
		o.mu.Unlock()
		p.stall(stall, min(wait, stallTotal-p.stalled))
		o.mu.Lock()
	}
	if o.mu.closed {
		o.mu.Unlock()
		return
	}
	for _, r := range d.recs {
		m := &p.msgs[r.m]
		if r.u == nil {
			o.appendRawLocked(m.Payload)
		} else {
			o.appendLocked(m, r.u.sid)
		}
	}
	slow := d.c.boundLocked()
	o.mu.Unlock()
	if slow {
		d.c.slow()
	}
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

// boundLocked arms the stall when the output is getting full and reports whether it is
// too full.
func (c *conn) boundLocked() (slow bool) {
	o := &c.out
	if o.mu.pending > c.s.o.MaxPending/4*3 && o.mu.stall == nil {
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

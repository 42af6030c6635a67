package natswire

import (
	"trivium/core"
	"trivium/natswire/jetstream"
	"trivium/natswire/wire"
)

// Sender publishes into a namespace's subject space for the server itself:
// answers, deliveries, advisories. One goroutine uses it at a time. It implements
// jetstream.Sender.
type Sender struct {
	p     producer
	dirty []*dest // to be flushed
	// slowest is the receiver of the last Send that had the most to take, back bytes; nil if there was none.
	slowest *conn
	back    int
}

// Sender returns a new Sender for ns.
func (s *Server) Sender(ns *core.Namespace) *Sender {
	x := &Sender{}
	x.p.init(s, nil, ns)
	return x
}

// Send hands m to everyone who is interested in to (m.Subject if it is nil), shows it under
// m.Subject, and reports how many took it; streams that capture the subject count and
// store it later. m is not used after the call. It never blocks.
func (s *Sender) Send(to []byte, m *wire.Msg) (taken int) {
	if to == nil {
		to = m.Subject
	}
	p := &s.p
	s.slowest, s.back = nil, 0
	r := p.route(to)
	for i := range r.plain {
		if s.give(&r.plain[i], m) {
			taken++
		}
	}
	for _, g := range r.groups {
		k := p.random(len(g))
		for range g {
			if s.give(&g[k], m) {
				taken++
				break
			}
			if k++; k == len(g) {
				k = 0
			}
		}
	}
	for _, f := range r.foreign {
		if f.Receive(m.Subject, p.neutralOf(m)) {
			taken++
		}
	}
	if len(r.streams) > 0 || r.stored {
		if p.s.keep(p.ns, r, to, m) {
			taken++
		}
	}
	return taken
}

// give delivers to one target.
func (s *Sender) give(t *target, m *wire.Msg) bool {
	if t.u == nil {
		return t.r.Receive(m.Subject, s.p.neutralOf(m))
	}
	if !t.u.take() {
		return false
	}
	c := t.u.c
	o := &c.out
	o.mu.Lock()
	if o.mu.closed || t.u.left.Load() {
		o.mu.Unlock()
		return false
	}
	o.appendLocked(m, t.u.sid)
	if o.mu.pending > s.back {
		s.slowest, s.back = c, o.mu.pending
	}
	slow := c.boundLocked()
	o.mu.Unlock()
	if slow {
		c.slow()
		return true
	}
	if !t.d.dirty {
		t.d.dirty = true
		s.dirty = append(s.dirty, t.d)
	}
	return true
}

// Backlog is how many bytes the slowest receiver of the last Send has still to take, now.
func (s *Sender) Backlog() int {
	if s.slowest == nil {
		return 0
	}
	return s.slowest.pending()
}

// Flush pushes what was sent since the last one into the sockets, as far as they take
// it without blocking.
func (s *Sender) Flush() {
	for _, d := range s.dirty {
		d.c.flush()
	}
	s.clean()
}

// FlushPassed has it done once for all that Completions say in one pass: for them only.
func (s *Sender) FlushPassed() {
	for _, d := range s.dirty {
		s.p.s.later.put(d.c)
	}
	s.clean()
}

func (s *Sender) clean() {
	for i, d := range s.dirty {
		d.dirty = false
		s.dirty[i] = nil
	}
	s.dirty = s.dirty[:0]
	if len(s.p.dests) > maxDests {
		s.p.routes.reset(s.p.subjects)
	}
}

var _ jetstream.Sender = (*Sender)(nil)

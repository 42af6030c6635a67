package natswire

import (
	"bytes"

	"trivium/core"
)

// routes caches, for one producer, who wants a subject: what core matched, sorted by how
// to reach it. It is read without locks.
type routes struct {
	subjects *core.Subjects
	version  uint64
	// bySubject holds for one version of the subject space. byMatch holds for ever:
	// core gives the same Matched for all subjects that the same patterns match,
	// inboxes for example, and a new one when the patterns change.
	bySubject map[string]*route
	byMatch   map[*core.Matched]*route
	// inbox is where the last message to an inbox went; it holds for one version too.
	inbox struct {
		subject []byte
		r       *route
	}
	// changes counts versions since the last sweep.
	changes int
	// js: somebody subscribes to JetStream's own subjects.
	js bool
}

// maxRoutes bounds each cache; one that is full starts anew.
const maxRoutes = 1 << 10

// sweepEvery is after how many changes of the subject space a producer forgets all that it knows, so
// that it keeps nothing of connections that are long gone.
const sweepEvery = 1 << 10

// route is a core.Matched, sorted by how to reach who wants the subject.
type route struct {
	plain   []target
	groups  [][]target
	foreign []core.Receiver // other doors'
	streams []*core.Stream  // of JetStream
	// stored: matched has queues, exchanges, or streams of other doors.
	stored  bool
	matched *core.Matched
}

// target is a subscription, or another door's member of a queue group.
type target struct {
	u *sub
	d *dest
	r core.Receiver
}

func (r *route) empty() bool {
	return len(r.plain)+len(r.groups)+len(r.foreign)+len(r.streams) == 0 && !r.stored
}

func (r *routes) reset(s *core.Subjects) { *r = routes{subjects: s} }

// check drops what is cached for an older version.
func (p *producer) check() {
	v := p.subjects.Version()
	if v == p.version && p.bySubject != nil {
		return
	}
	p.version = v
	p.inbox.r = nil
	p.js = p.subjects.HasInterest("$JS.>")
	if p.changes++; p.changes >= sweepEvery && p.scratch == nil || p.bySubject == nil {
		p.changes = 0
		p.bySubject = make(map[string]*route)
		p.byMatch = make(map[*core.Matched]*route)
		p.dests = make(map[*conn]*dest)
		return
	}
	clear(p.bySubject)
}

// route returns who wants subject.
func (p *producer) route(subject []byte) *route {
	p.check()
	inbox := isInbox(subject)
	if inbox {
		if p.inbox.r != nil && bytes.Equal(subject, p.inbox.subject) {
			return p.inbox.r
		}
	} else if r := p.bySubject[string(subject)]; r != nil {
		return r
	}
	m := p.subjects.Match(subject)
	r := p.byMatch[m]
	if r == nil {
		if len(p.byMatch) >= maxRoutes {
			clear(p.byMatch)
		}
		r = p.compile(m)
		p.byMatch[m] = r
	}
	if inbox {
		p.inbox.subject, p.inbox.r = append(p.inbox.subject[:0], subject...), r
		return r
	}
	if len(p.bySubject) >= maxRoutes {
		clear(p.bySubject)
	}
	p.bySubject[string(subject)] = r
	return r
}

// isInbox tells inboxes, which are published to once as a rule, or, by a consumer that was asked for
// messages, many times in a row: they would only push others out of the cache.
func isInbox(subject []byte) bool {
	return len(subject) > len(inboxPrefix) && string(subject[:len(inboxPrefix)]) == inboxPrefix
}

const inboxPrefix = "_INBOX."

// compile sorts m. Subscriptions of a client that wants no echo are left out.
func (p *producer) compile(m *core.Matched) *route {
	r := &route{matched: m}
	noEcho := p.c != nil && !p.c.opts.Echo
	for _, x := range m.Receivers {
		switch u, ok := x.(*sub); {
		case !ok:
			r.foreign = append(r.foreign, x)
		case !noEcho || u.c != p.c:
			r.plain = append(r.plain, target{u: u, d: p.dest(u.c)})
		}
	}
	for _, g := range m.Groups {
		var ts []target
		for _, x := range g {
			switch u, ok := x.(*sub); {
			case !ok:
				ts = append(ts, target{r: x})
			case !noEcho || u.c != p.c:
				ts = append(ts, target{u: u, d: p.dest(u.c)})
			}
		}
		if len(ts) > 0 {
			r.groups = append(r.groups, ts)
		}
	}
	for _, s := range m.Streams {
		if s.Config().Realm == Realm && p.s.js != nil {
			r.streams = append(r.streams, s)
		} else {
			r.stored = true
		}
	}
	r.stored = r.stored || len(m.Queues)+len(m.Exchanges) > 0
	return r
}

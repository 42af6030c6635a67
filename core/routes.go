package core

import (
	"strings"
	"sync/atomic"

	"trivium/internal/hamt"
)

// Routes is where a message goes: each destination once. Its slices are reused
// by the next Route into it.
type Routes struct {
	Queues    []*Queue
	Streams   []*Stream
	Receivers []Receiver
	// Subjects holds, for each of Receivers, the key that led to it.
	Subjects []string

	queues    once[*Queue]
	streams   once[*Stream]
	receivers once[Receiver]
	exchanges []*Exchange // met so far; those from done on are still to be asked
	met       once[*Exchange]

	// Undecided: an exchange with Dedup was met. Where the message goes is for RouteIn to say.
	Undecided bool
	tx        *Tx       // of RouteIn
	learned   []learned // by RouteIn
}

// learned is an ID that an exchange did not know before.
type learned struct {
	x  *Exchange
	id idHash
}

// Empty reports that nobody wants the message.
func (r *Routes) Empty() bool { return len(r.Queues)+len(r.Streams)+len(r.Receivers) == 0 }

func (r *Routes) reset() {
	r.Queues, r.Streams, r.Receivers = r.Queues[:0], r.Streams[:0], r.Receivers[:0]
	r.Subjects, r.exchanges = r.Subjects[:0], r.exchanges[:0]
	r.Undecided, r.learned = false, r.learned[:0]
	clear(r.queues.known)
	clear(r.streams.known)
	clear(r.receivers.known)
	clear(r.met.known)
}

// inboxPrefix begins the subjects on which answers are awaited. They are the
// only ones that stay inside the subject space and yet can be published to
// through exchanges.
const inboxPrefix = "_INBOX."

// replyPrefix begins the keys by which the default exchange reaches other subjects on which answers
// are awaited.
const replyPrefix = SubjectExchange + ".reply-to."

// ReplyKey is the key by which the default exchange reaches subject, on which an answer is
// awaited.
func ReplyKey(subject string) string {
	if strings.HasPrefix(subject, inboxPrefix) {
		return subject
	}
	return replyPrefix + subject
}

// replySubject is its reverse, "" if key is no such key.
func replySubject(key string) string {
	if strings.HasPrefix(key, inboxPrefix) {
		return key
	}
	if subject, ok := strings.CutPrefix(key, replyPrefix); ok && !insideSubject(subject) {
		return subject
	}
	return ""
}

// Route finds the destinations of a message published to x with these keys (one, or
// several for carbon copies), following exchange bindings and alternates. It takes no lock.
// It picks one member of every queue group that it meets in the subject space.
// It keeps the keys in into, no longer than until the next Route.
func (ns *Namespace) Route(x *Exchange, keys []string, h HeaderSource, into *Routes) {
	into.reset()
	into.exchanges = append(into.exchanges, x)
	for i := 0; i < len(into.exchanges); i++ {
		x := into.exchanges[i]
		if x.route(keys, h, into) || x.config.Alternate == "" {
			continue
		}
		if alt := ns.Exchange(x.config.Alternate); alt != nil {
			into.exchanges = into.met.add(into.exchanges, alt)
		}
	}
}

// RouteIn is Route inside a Tx, in which exchanges with Dedup decide: what one of them knows it does not route,
// the rest it knows from now on. Error-free: if the message then is not stored, Unlearn must follow in the same Tx.
func (ns *Namespace) RouteIn(tx *Tx, x *Exchange, keys []string, h HeaderSource, into *Routes) {
	into.tx = tx
	ns.Route(x, keys, h, into)
	into.tx = nil
}

// Unlearn makes the exchanges that RouteIn met forget what they learned from it, so that a message that was
// refused can be published again.
func (r *Routes) Unlearn(tx *Tx) {
	for _, l := range r.learned {
		l.x.known.remember(tx, l.id, 0)
	}
	r.learned = r.learned[:0]
}

// knows reports whether x has had the message already.
func (x *Exchange) knows(h HeaderSource, into *Routes) bool {
	if into.tx == nil {
		into.Undecided = true
		return false
	}
	id, ttl := identify(h, x.config.IDHeader)
	if len(id) == 0 {
		return false
	}
	now, hash := into.tx.Now(), hashID(id)
	if x.known.has(hash, now) {
		into.tx.Note(0, nil) // so that it follows the first copy
		return true
	}
	x.known.remember(into.tx, hash, x.known.until(now, ttl))
	into.learned = append(into.learned, learned{x, hash})
	return false
}

// route adds x's own destinations and reports whether there is any, new or not.
func (x *Exchange) route(keys []string, h HeaderSource, into *Routes) (found bool) {
	switch {
	case x.config.Name == "":
		for _, key := range keys {
			if q := x.ns.Queue(defaultRealm, key); q != nil {
				into.Queues = into.queues.add(into.Queues, q)
				found = true
			} else if subject := replySubject(key); subject != "" {
				found = into.addMatched(x.ns.subjects, subject) || found
			}
		}
		return found
	case x.config.Name == SubjectExchange:
		for _, key := range keys {
			if !insideSubject(key) || strings.HasPrefix(key, inboxPrefix) {
				found = into.addMatched(x.ns.subjects, key) || found
			}
		}
		return found
	}
	if x.known != nil && x.knows(h, into) {
		return false
	}
	t := x.table.Load()
	switch x.config.Kind {
	case Direct:
		for _, key := range keys {
			if s, ok := t.direct.Get(key); ok {
				into.addSet(s)
				found = true
			}
		}
	case Fanout:
		if t.all != nil {
			into.addSet(t.all)
			found = true
		}
	case Topic:
		var buf [8]*bindings
		for _, key := range keys {
			for _, s := range t.topic.match(key, buf[:0]) {
				into.addSet(s)
				found = true
			}
		}
	case Headers:
		if t.all != nil {
			found = t.all.match(h, into)
		}
	}
	return found
}

func (r *Routes) add(f *flat) {
	if len(r.Queues) == 0 {
		r.Queues = append(r.Queues, f.queues...) // they are different already
	} else {
		for _, q := range f.queues {
			r.Queues = r.queues.add(r.Queues, q)
		}
	}
	for _, s := range f.streams {
		r.Streams = r.streams.add(r.Streams, s)
	}
	for _, x := range f.exchanges {
		r.exchanges = r.met.add(r.exchanges, x)
	}
}

// addMatched adds who wants subject.
func (r *Routes) addMatched(s *Subjects, subject string) bool {
	m := s.match(subject)
	if m.Empty() {
		return false
	}
	r.add(&flat{queues: m.Queues, streams: m.Streams, exchanges: m.Exchanges})
	for _, list := range [2][]Receiver{m.Receivers, m.members} {
		for _, c := range list {
			r.Receivers = r.receivers.add(r.Receivers, c)
			if len(r.Receivers) > len(r.Subjects) {
				r.Subjects = append(r.Subjects, subject)
			}
		}
	}
	return true
}

// routingTable is an exchange's bindings as a source, arranged for its kind. It
// is immutable.
type routingTable struct {
	n      int
	direct hamt.Map[string, *bindings]
	topic  trie[*bindings]
	all    *bindings // of fanout and headers
}

// with returns a table with b added or removed.
func (t *routingTable) with(edit *hamt.Edit, kind string, b *binding, remove bool) *routingTable {
	c := *t
	change := func(s *bindings) *bindings { return s.with(edit, b, remove) }
	if remove {
		c.n--
	} else {
		c.n++
	}
	switch {
	case b.from.config.Name == SubjectExchange: // Subjects knows it
	case kind == Direct:
		old, _ := c.direct.Get(b.key)
		if s := change(old); s == nil {
			c.direct = c.direct.Delete(edit, b.key)
		} else {
			c.direct = c.direct.Set(edit, b.key, s)
		}
	case kind == Topic:
		c.topic = c.topic.update(edit, b.key, topicDialect, change)
	default:
		c.all = change(c.all)
	}
	return &c
}

// bindings lists all.
func (t *routingTable) bindings() []*binding {
	all := t.all.list()
	t.direct.Each(func(_ string, s *bindings) bool { all = append(all, s.list()...); return true })
	t.topic.root.each(func(s *bindings) { all = append(all, s.list()...) })
	return all
}

// bindings is a set of them, nil if there are none. It is immutable, but for what is computed from it.
// A set of one costs nothing: it is part of the binding.
type bindings struct {
	one  *binding
	many *manyBindings // if there is more than one
}

type manyBindings struct {
	set   hamt.Map[bindingHash, *binding]
	flat  atomic.Pointer[flat]
	rules atomic.Pointer[headerRules]
}

// with returns the set with b added or removed.
func (s *bindings) with(edit *hamt.Edit, b *binding, remove bool) *bindings {
	var set hamt.Map[bindingHash, *binding]
	switch {
	case s == nil && !remove:
		return &b.alone
	case s == nil || remove && s.one == b:
		return nil
	case s.many != nil:
		set = s.many.set
	default:
		set = set.Set(edit, s.one.id().hash(), s.one)
	}
	if remove {
		set = set.Delete(edit, b.id().hash())
	} else {
		set = set.Set(edit, b.id().hash(), b)
	}
	if set.Len() > 1 {
		return &bindings{many: &manyBindings{set: set}}
	}
	set.Each(func(_ bindingHash, last *binding) bool { s = &last.alone; return false })
	return s
}

// find returns the one with that identity, nil if it is not among them.
func (s *bindings) find(id bindingID) *binding {
	switch {
	case s == nil:
	case s.many != nil:
		b, _ := s.many.set.Get(id.hash())
		return b
	case s.one.id() == id:
		return s.one
	}
	return nil
}

func (s *bindings) list() (all []*binding) {
	switch {
	case s == nil:
	case s.many == nil:
		all = append(all, s.one)
	default:
		s.many.set.Each(func(_ bindingHash, b *binding) bool { all = append(all, b); return true })
	}
	return all
}

// addSet adds where the bindings of s lead.
func (r *Routes) addSet(s *bindings) {
	if s.many == nil {
		r.addBinding(s.one)
		return
	}
	f := s.many.flat.Load()
	if f == nil { // made when it is first needed: so many changes in a row cost little each
		var u uniqueFlat
		s.many.set.Each(func(_ bindingHash, b *binding) bool { u.add(b); return true })
		f = &u.flat
		s.many.flat.Store(f)
	}
	r.add(f)
}

// flat lists different destinations.
type flat struct {
	queues    []*Queue
	streams   []*Stream
	exchanges []*Exchange
}

type uniqueFlat struct {
	flat
	q once[*Queue]
	s once[*Stream]
	x once[*Exchange]
}

func (u *uniqueFlat) add(b *binding) {
	switch q, s, x := b.end(); {
	case q != nil:
		u.queues = u.q.add(u.queues, q)
	case s != nil:
		u.streams = u.s.add(u.streams, s)
	default:
		u.exchanges = u.x.add(u.exchanges, x)
	}
}

package core

import "bytes"

// HeaderText begins the canonical form of a header whose value is text; the text follows.
const HeaderText = 's'

// HeaderMatch is a binding's condition on headers: all or any of Want hold. A value is
// a comparable canonical form, which begins with a byte for its type: HeaderText, or one
// that the door with more types chooses; a nil value means: present.
// All of nothing holds, any of nothing does not.
type HeaderMatch struct {
	Any  bool
	Want []HeaderWant
}

// HeaderWant is one condition.
type HeaderWant struct {
	Name  string
	Value []byte
}

// HeaderSource looks up a message's headers in the same canonical form. A header that
// can equal no wanted value has a nil one.
type HeaderSource interface {
	Header(name string) (value []byte, ok bool)
}

// holds reports whether h satisfies m. A nil m wants nothing; a nil h has no headers.
func (m *HeaderMatch) holds(h HeaderSource) bool {
	if m == nil {
		return true
	}
	for i := range m.Want {
		if m.Want[i].holds(h) == m.Any {
			return m.Any
		}
	}
	return !m.Any
}

func (w *HeaderWant) holds(h HeaderSource) bool {
	if h == nil {
		return false
	}
	v, ok := h.Header(w.Name)
	return ok && (w.Value == nil || v != nil && bytes.Equal(v, w.Value))
}

// headerRules are the bindings of a headers exchange. Those that need all of
// several headers, one of them with a value, are found by that value, so that a
// message is compared with few of them.
type headerRules struct {
	byValue []headerIndex
	rest    []*binding
}

type headerIndex struct {
	name   string
	values map[string][]*binding
}

// match adds where those bindings lead whose conditions hold, and reports whether there is any.
func (s *bindings) match(h HeaderSource, into *Routes) (found bool) {
	if s.many == nil {
		return into.addHolding(s.one, h)
	}
	r := s.many.rules.Load()
	if r == nil {
		r = &headerRules{}
		s.many.set.Each(func(_ bindingHash, b *binding) bool { r.add(b); return true })
		s.many.rules.Store(r)
	}
	return r.match(h, into)
}

func (r *headerRules) add(b *binding) {
	m := b.match()
	if m == nil || m.Any {
		r.rest = append(r.rest, b)
		return
	}
	for _, w := range m.Want {
		if w.Value == nil {
			continue
		}
		for i := range r.byValue {
			if r.byValue[i].name == w.Name {
				v := r.byValue[i].values
				v[string(w.Value)] = append(v[string(w.Value)], b)
				return
			}
		}
		r.byValue = append(r.byValue, headerIndex{w.Name, map[string][]*binding{string(w.Value): {b}}})
		return
	}
	r.rest = append(r.rest, b)
}

func (r *headerRules) match(h HeaderSource, into *Routes) (found bool) {
	try := func(list []*binding) {
		for _, b := range list {
			found = into.addHolding(b, h) || found
		}
	}
	try(r.rest)
	if h == nil {
		return found
	}
	for i := range r.byValue {
		if v, ok := h.Header(r.byValue[i].name); ok && v != nil {
			try(r.byValue[i].values[string(v)])
		}
	}
	return found
}

// addHolding adds where b leads if its condition holds.
func (r *Routes) addHolding(b *binding, h HeaderSource) bool {
	if !b.match().holds(h) {
		return false
	}
	r.addBinding(b)
	return true
}

func (r *Routes) addBinding(b *binding) {
	switch q, s, x := b.end(); {
	case q != nil:
		r.Queues = r.queues.add(r.Queues, q)
	case s != nil:
		r.Streams = r.streams.add(r.Streams, s)
	default:
		r.exchanges = r.met.add(r.exchanges, x)
	}
}

package core

import (
	"cmp"
	"fmt"
	"slices"

	"trivium/internal/hamt"
)

// Exposed is a second name of a Stream, in the name space of another door than its own. Its owner gave it, so
// it is an ordinary name there, which nothing else gets; but it is not the door's own: that reads, writes and keeps
// positions, and neither changes nor deletes it.
type Exposed struct {
	Realm  Realm // of the name
	Name   string
	Stream *Stream
}

// MaxExposedName is the longest second name, which every door can carry.
const MaxExposedName = 255

// Expose gives s a second name. Repeating one is no error. Codes: Exists, of what has the name already; Gone;
// Invalid for the realm that s is of, and for a stream that its door keeps to itself.
func (ns *Namespace) Expose(tx *Tx, x Exposed) error {
	c := x.Stream.config()
	n := name{x.Realm, x.Name}
	refuse := func(code Code, want string) error {
		return &Error{Code: code, Op: "expose", Name: x.Name, Want: want}
	}
	switch old, ok := ns.exposed.Load().Get(n); {
	case x.Stream.gone || x.Stream.queue != nil:
		return refuse(Gone, "a stream")
	case c.Realm == x.Realm:
		return refuse(Invalid, "another realm than the stream's own")
	case c.Internal || c.Volatile:
		return refuse(Invalid, "a stream that is stored, and no internal one")
	case ok && old == x.Stream:
		return nil
	case ok || ns.Stream(x.Realm, x.Name) != nil || ns.Queue(x.Realm, x.Name) != nil ||
		x.Realm == defaultRealm && ns.Exchange(x.Name) != nil:
		return refuse(Exists, "")
	}
	tx.Set(ns.exposedKey(n), key(keyStream, x.Stream.id)[1:])
	ns.expose(n, x.Stream)
	return nil
}

func (ns *Namespace) expose(n name, s *Stream) {
	all := ns.exposed.Load().Set(ns.loading, n, s)
	ns.exposed.Store(&all)
}

// Conceal takes a second name away, and reports whether there was such a one.
func (ns *Namespace) Conceal(tx *Tx, r Realm, n string) bool {
	if ns.Exposed(r, n) == nil {
		return false
	}
	all := ns.exposed.Load().Delete(nil, name{r, n})
	ns.exposed.Store(&all)
	tx.Unset(ns.exposedKey(name{r, n}))
	return true
}

// Exposed returns the stream that has this second name, or nil. It takes no lock.
func (ns *Namespace) Exposed(r Realm, n string) *Stream {
	s, _ := ns.exposed.Load().Get(name{r, n})
	return s
}

// AllExposed lists the second names in order.
func (ns *Namespace) AllExposed() (all []Exposed) {
	ns.exposed.Load().Each(func(n name, s *Stream) bool {
		all = append(all, Exposed{n.realm, n.name, s})
		return true
	})
	slices.SortFunc(all, func(a, b Exposed) int {
		return cmp.Or(cmp.Compare(a.Realm, b.Realm), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// concealStream takes away all second names of a stream that is gone.
func (ns *Namespace) concealStream(tx *Tx, s *Stream) {
	for _, x := range ns.AllExposed() {
		if x.Stream == s {
			ns.Conceal(tx, x.Realm, x.Name)
		}
	}
}

// exposedKey is realm and name, each a uvarint length and the bytes; the value is the stream's id.
func (ns *Namespace) exposedKey(n name) []byte {
	return appendBytes(appendBytes(key(keyExposed, ns.id), n.realm), n.name)
}

// loadExposed puts a stored second name in use. The streams are there already.
func (ns *Namespace) loadExposed(rest, v []byte) error {
	r := fields{rest: rest}
	n := name{Realm(r.text()), r.text()}
	var id uint64
	if _, ok := keyIDs(append([]byte{keyStream}, v...), &id); !ok || r.short {
		return fmt.Errorf("exposed name %x", rest)
	}
	s := ns.b.loading.streams[id]
	if s == nil || s.ns != ns {
		return fmt.Errorf("exposed name %q: no stream %d", n.name, id)
	}
	ns.expose(n, s)
	return nil
}

// exposedNames are a namespace's second names.
type exposedNames = hamt.Map[name, *Stream]

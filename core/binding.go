package core

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// Binding connects an exchange to a queue, a stream or another exchange. Its identity is
// all of it but Match, Durable and Doc.
type Binding struct {
	Source string
	// Exactly one destination: a Queue, a Stream (one partition or keyed) or an exchange.
	Queue    *Queue
	Stream   *Stream
	Exchange string
	Key      string
	// ArgsID is a canonical form of the binding's arguments, "" for none.
	ArgsID string
	// Capture, of a stream bound to the SubjectExchange, makes Key a plain subject
	// pattern, in which # is an ordinary character, and has it match the subjects
	// that begin with $ or _ as well. Other bindings never see those.
	Capture bool
	// Match are the header conditions of a headers exchange.
	Match *HeaderMatch
	// Durable bindings survive a restart if both their ends do.
	Durable bool
	Doc     []byte
}

// binding is a Binding in use. It is immutable.
type binding struct {
	from            *Exchange
	stream          *Stream // where it ends, a queue's or not; nil if at an exchange
	key             string
	more            *bindingMore // nil if there is nothing of it
	capture, stored bool
	alone           bindings // the set of this one
}

// bindingMore is what few Bindings have.
type bindingMore struct {
	to     *Exchange // where it ends
	argsID string
	match  *HeaderMatch
	doc    []byte
}

// newBinding makes one of b with its ends.
func newBinding(b *Binding, from, to *Exchange) *binding {
	n := &binding{from: from, stream: b.Stream, key: b.Key, capture: b.Capture}
	if q := b.Queue; q != nil {
		n.stream = &q.s
		if n.key == q.name {
			n.key = q.name // as is usual: one string is enough
		}
	}
	if to != nil || b.ArgsID != "" || b.Match != nil || len(b.Doc) > 0 {
		n.more = &bindingMore{to, b.ArgsID, b.Match, slices.Clone(b.Doc)}
	}
	n.alone.one = n
	return n
}

// binding is b as its users know it.
func (b *binding) binding() *Binding {
	q, s, x := b.end()
	p := &Binding{Source: b.from.config.Name, Queue: q, Stream: s, Key: b.key, Capture: b.capture, Durable: b.stored}
	if x != nil {
		p.Exchange = x.config.Name
	}
	if m := b.more; m != nil {
		p.ArgsID, p.Match, p.Doc = m.argsID, m.match, m.doc
	}
	return p
}

// end is where it ends: one of them.
func (b *binding) end() (*Queue, *Stream, *Exchange) {
	switch s := b.stream; {
	case s == nil:
		return nil, nil, b.more.to
	case s.queue != nil:
		return s.queue, nil, nil
	default:
		return nil, s, nil
	}
}

// match is the condition on headers, nil for none.
func (b *binding) match() *HeaderMatch {
	if b.more == nil {
		return nil
	}
	return b.more.match
}

// Bind adds a binding; repeating one is no error. Error codes: NotFound (with Name of
// what is missing), Invalid.
func (ns *Namespace) Bind(tx *Tx, b Binding) error {
	src, to, err := ns.bindingEnds("bind", &b)
	if err != nil {
		return err
	}
	id, n := b.id(), newBinding(&b, src, to)
	if (*n.inbound()).find(id) != nil {
		return nil
	}
	n.stored = b.Durable && src.config.Durable
	switch {
	case b.Queue != nil:
		n.stored = n.stored && b.Queue.config().survives()
	case b.Stream != nil:
		n.stored = n.stored && !b.Stream.config().Volatile
	default:
		n.stored = n.stored && to.config.Durable
	}
	if n.stored {
		tx.Set(ns.bindingKey(id), b.encode())
	}
	ns.link(n)
	return nil
}

// Unbind removes a binding and reports whether there was one. Error codes: NotFound (with Name
// of what is missing), Invalid.
func (ns *Namespace) Unbind(tx *Tx, b Binding) (bool, error) {
	src, to, err := ns.bindingEnds("unbind", &b)
	if err != nil {
		return false, err
	}
	n := (*newBinding(&b, src, to).inbound()).find(b.id())
	if n == nil {
		return false, nil
	}
	ns.unbind(tx, n)
	return true, nil
}

func (ns *Namespace) bindingEnds(op string, b *Binding) (src, to *Exchange, err error) {
	src = ns.Exchange(b.Source)
	switch {
	case src == nil:
		return nil, nil, &Error{Code: NotFound, Op: op, Name: b.Source}
	case b.Source == "":
		return nil, nil, &Error{Code: Invalid, Op: op, Want: "an exchange that is not the default one"}
	case b.Queue != nil:
		if ns.Queue(b.Queue.set.Realm, b.Queue.name) != b.Queue {
			return nil, nil, &Error{Code: NotFound, Op: op, Name: b.Queue.name}
		}
	case b.Stream != nil:
		c := b.Stream.config()
		if ns.Stream(c.Realm, c.Name) != b.Stream {
			return nil, nil, &Error{Code: NotFound, Op: op, Name: c.Name}
		}
	default:
		if to = ns.Exchange(b.Exchange); to == nil {
			return nil, nil, &Error{Code: NotFound, Op: op, Name: b.Exchange}
		} else if b.Exchange == "" {
			return nil, nil, &Error{Code: Invalid, Op: op, Want: "an exchange that is not the default one"}
		}
	}
	return src, to, nil
}

// link puts a new binding in use. Requires: the sequencer, or loading.
func (ns *Namespace) link(b *binding) {
	in := b.inbound()
	*in = (*in).with(ns.edit, b, false)
	ns.routed(b, false)
}

// inbound are the bindings that end where b does.
func (b *binding) inbound() **bindings {
	switch q, s, x := b.end(); {
	case q != nil:
		return &q.inbound
	case s != nil:
		return &s.inbound
	default:
		return &x.inbound
	}
}

// routed changes what publishers see.
func (ns *Namespace) routed(b *binding, remove bool) {
	src := b.from
	if src.config.Name == SubjectExchange {
		ns.subjects.change(subjectChange{binding: b, remove: remove})
	}
	src.table.Store(src.table.Load().with(ns.loading, src.config.Kind, b, remove))
}

// unbind removes a binding, then its source if that was auto-delete and has none left.
func (ns *Namespace) unbind(tx *Tx, b *binding) {
	if b.stored {
		tx.Unset(ns.bindingKey(b.id()))
	}
	in := b.inbound()
	*in = (*in).with(ns.edit, b, true)
	src := b.from
	ns.routed(b, true)
	if src.config.AutoDelete && !src.Bound() {
		src.Delete(tx)
	}
}

// unbindAll removes those of a list that are still there: removing one may delete an exchange,
// and so others.
func (ns *Namespace) unbindAll(tx *Tx, list []*binding) {
	for _, b := range list {
		if (*b.inbound()).find(b.id()) == b {
			ns.unbind(tx, b)
		}
	}
}

// queueGone removes the bindings of a queue that is being deleted.
func (ns *Namespace) queueGone(tx *Tx, q *Queue) { ns.unbindAll(tx, q.inbound.list()) }

// streamGone removes the bindings of a stream that is being deleted, and all
// groups' positions in it.
func (ns *Namespace) streamGone(tx *Tx, s *Stream) {
	ns.unbindAll(tx, s.inbound.list())
	ns.concealStream(tx, s)
	ns.forgetStream(tx, s.ID(), s.Partitions())
}

// The kinds of destination, as stored.
const (
	toQueue    = 'q'
	toStream   = 's'
	toExchange = 'x'
)

// bindingID is a binding's identity, and its key in the index: source, kind of destination,
// destination's realm and name, key, arguments, capture.
type bindingID string

// bindingHash stands for it in a set of many.
type bindingHash [16]byte

func (id bindingID) hash() bindingHash {
	h := sha256.Sum256([]byte(id))
	return bindingHash(h[:])
}

func (b *binding) id() bindingID { return b.binding().id() }

func (b *Binding) id() bindingID {
	var kind byte
	var realm, name string
	switch {
	case b.Queue != nil:
		kind, realm, name = toQueue, string(b.Queue.set.Realm), b.Queue.name
	case b.Stream != nil:
		c := b.Stream.config()
		kind, realm, name = toStream, string(c.Realm), c.Name
	default:
		kind, name = toExchange, b.Exchange
	}
	id := appendBytes(nil, b.Source)
	id = append(id, kind)
	id = appendBytes(id, realm)
	id = appendBytes(id, name)
	id = appendBytes(id, b.Key)
	id = appendBytes(id, b.ArgsID)
	return bindingID(append(id, flags(b.Capture)))
}

func (ns *Namespace) bindingKey(id bindingID) []byte { return append(key(keyBinding, ns.id), id...) }

// bindingVersion begins a stored binding, whose key holds its identity (see id):
//
//	version byte, doc: a uvarint length and the bytes,
//	flags byte (1 there is a header match, 2 any), and of a header match
//	uvarint count, then for each: name, flags byte (1 with value), value
const bindingVersion = 1

func (b *Binding) encode() []byte {
	v := appendBytes([]byte{bindingVersion}, b.Doc)
	m := b.Match
	if m == nil {
		return append(v, 0)
	}
	v = append(v, flags(true, m.Any))
	v = binary.AppendUvarint(v, uint64(len(m.Want)))
	for _, w := range m.Want {
		v = appendBytes(v, w.Name)
		v = append(v, flags(w.Value != nil))
		v = appendBytes(v, w.Value)
	}
	return v
}

// loadBinding puts a stored binding in use.
func (ns *Namespace) loadBinding(id bindingID, v []byte) error {
	r := fields{rest: []byte(id)}
	b := Binding{Source: r.text(), Durable: true}
	kind, realm, name := r.byte(), Realm(r.text()), r.text()
	b.Key, b.ArgsID = r.text(), r.text()
	b.Capture = r.byte()&1 != 0
	if r.short {
		return fmt.Errorf("binding key %q", id)
	}
	r = fields{rest: v}
	if version := r.byte(); version != bindingVersion {
		return fmt.Errorf("binding %q: version %d", id, version)
	}
	b.Doc = r.bytes()
	if f := r.byte(); f&1 != 0 {
		b.Match = &HeaderMatch{Any: f&2 != 0}
		for n := r.uvarint(); n > 0 && !r.short; n-- {
			w := HeaderWant{Name: r.text()}
			set := r.byte()&1 != 0
			if value := r.bytes(); set {
				w.Value = append([]byte{}, value...)
			}
			b.Match.Want = append(b.Match.Want, w)
		}
	}
	if r.short {
		return fmt.Errorf("binding %q: too short", id)
	}
	switch kind {
	case toQueue:
		b.Queue = ns.Queue(realm, name)
	case toStream:
		b.Stream = ns.Stream(realm, name)
	case toExchange:
		b.Exchange = name
	}
	src, to, err := ns.bindingEnds("load binding", &b)
	if err != nil || kind != toExchange && b.Queue == nil && b.Stream == nil {
		ns.b.log.Error("a binding is left out: an end is not there", "namespace", ns.name, "binding", id)
		return nil
	}
	n := newBinding(&b, src, to)
	n.stored = true
	ns.link(n)
	return nil
}

package core

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"trivium/internal/hamt"
)

// Matched is who wants a subject. It is immutable.
type Matched struct {
	Receivers []Receiver   // without group
	Groups    [][]Receiver // one member of each
	// Streams capture the subject, Queues and Exchanges are bound to it.
	Streams   []*Stream
	Queues    []*Queue
	Exchanges []*Exchange

	members []Receiver // a group each: see group
	names   []string   // of Groups
}

var nobody = &Matched{}

// Empty reports that nobody wants the subject.
func (m *Matched) Empty() bool {
	return len(m.Receivers)+len(m.Groups)+len(m.Streams)+len(m.Queues)+len(m.Exchanges) == 0
}

// size counts what m refers to.
func (m *Matched) size() int {
	n := len(m.Receivers) + len(m.Streams) + len(m.Queues) + len(m.Exchanges)
	for _, g := range m.Groups {
		n += len(g)
	}
	return n
}

// group hands a message to one of its members: a random one, or else the next
// that takes it.
type group []Receiver

func (g group) Receive(subject []byte, m *Message) bool {
	first := 0
	if len(g) > 1 {
		first = rand.IntN(len(g))
	}
	for i := range g {
		if g[(first+i)%len(g)].Receive(subject, m) {
			return true
		}
	}
	return false
}

// subjectLeaf is all that has one pattern. It is immutable once it is in a
// snapshot, but for what is computed from it.
type subjectLeaf struct {
	edit      *hamt.Edit
	id        uint64
	interests hamt.Map[*Interest, struct{}]
	captures  hamt.Map[*binding, struct{}]
	bindings  hamt.Map[*binding, struct{}]

	// made holds the leaf's own Matched, for the other subjects and for those that
	// stay inside (see insideSubject), made when first asked for.
	made [2]atomic.Pointer[Matched]
	// merged is set when the leaf is in the mergeCache, replaced when it is in the
	// current snapshot no more.
	merged, replaced atomic.Bool
}

// apply returns nil when nothing is left.
func (l *subjectLeaf) apply(edit *hamt.Edit, c subjectChange) *subjectLeaf {
	switch {
	case c.interest != nil && c.remove:
		l.interests = l.interests.Delete(edit, c.interest)
	case c.interest != nil:
		l.interests = l.interests.Set(edit, c.interest, struct{}{})
	default:
		set := &l.bindings
		if c.binding.capture {
			set = &l.captures
		}
		if c.remove {
			*set = set.Delete(edit, c.binding)
		} else {
			*set = set.Set(edit, c.binding, struct{}{})
		}
	}
	if l.interests.Len()+l.captures.Len()+l.bindings.Len() == 0 {
		return nil
	}
	return l
}

// matched is the answer for a subject that matches this leaf only.
func (l *subjectLeaf) matched(inside bool) *Matched {
	made := &l.made[variant(inside)]
	m := made.Load()
	if m == nil {
		m = mergeLeaves([]*subjectLeaf{l}, inside)
		made.Store(m)
	}
	return m
}

func variant(inside bool) uint64 {
	if inside {
		return 1
	}
	return 0
}

func mergeLeaves(leaves []*subjectLeaf, inside bool) *Matched {
	m := &Matched{}
	groups := map[string]int{}
	var streams once[*Stream]
	var queues once[*Queue]
	var exchanges once[*Exchange]
	add := func(b *binding, _ struct{}) bool {
		switch q, s, x := b.end(); {
		case q != nil:
			m.Queues = queues.add(m.Queues, q)
		case s != nil:
			m.Streams = streams.add(m.Streams, s)
		default:
			m.Exchanges = exchanges.add(m.Exchanges, x)
		}
		return true
	}
	for _, l := range leaves {
		l.interests.Each(func(i *Interest, _ struct{}) bool {
			if i.group == "" {
				m.Receivers = append(m.Receivers, i.r)
				return true
			}
			n, ok := groups[i.group]
			if !ok {
				n = len(m.Groups)
				groups[i.group] = n
				m.Groups = append(m.Groups, nil)
				m.names = append(m.names, i.group)
			}
			m.Groups[n] = append(m.Groups[n], i.r)
			return true
		})
		l.captures.Each(add)
		if !inside {
			l.bindings.Each(add)
		}
	}
	for _, g := range m.Groups {
		m.members = append(m.members, group(g))
	}
	if m.Empty() {
		return nobody
	}
	return m
}

// once keeps a list free of duplicates.
type once[T comparable] struct{ known map[T]struct{} }

// onceScanMax is how many elements are searched one by one.
const onceScanMax = 16

func (o *once[T]) add(list []T, x T) []T {
	if len(list) < onceScanMax {
		if slices.Contains(list, x) {
			return list
		}
		return append(list, x)
	}
	if len(o.known) == 0 {
		if o.known == nil {
			o.known = make(map[T]struct{}, 2*len(list))
		}
		for _, y := range list {
			o.known[y] = struct{}{}
		}
	}
	if _, ok := o.known[x]; ok {
		return list
	}
	o.known[x] = struct{}{}
	return append(list, x)
}

const (
	// mergeSlots is how many answers that come from several patterns are kept;
	// a power of two.
	mergeSlots = 512
	// mergeSizeMax bounds the receivers and destinations that they list together.
	mergeSizeMax = 1 << 20
)

// mergeCache keeps the answers for subjects that match several patterns. It goes
// by the set of leaves, not by the subject: so subjects that are used once, as
// inboxes are, share one answer instead of crowding others out, and an answer
// never becomes wrong, since leaves do not change.
type mergeCache struct {
	slots [mergeSlots]atomic.Pointer[mergedLeaves]
	size  atomic.Int64
}

type mergedLeaves struct {
	leaves []*subjectLeaf
	inside bool
	m      *Matched
	size   int64
}

func (e *mergedLeaves) is(leaves []*subjectLeaf, inside bool) bool {
	return e != nil && e.inside == inside && slices.Equal(e.leaves, leaves)
}

func (e *mergedLeaves) stale() bool {
	return slices.ContainsFunc(e.leaves, func(l *subjectLeaf) bool { return l.replaced.Load() })
}

func (c *mergeCache) matched(leaves []*subjectLeaf, inside bool) *Matched {
	h := variant(inside)
	for _, l := range leaves {
		h = (h ^ l.id) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	first, second := &c.slots[h%mergeSlots], &c.slots[h%mergeSlots^1]
	for _, slot := range [2]*atomic.Pointer[mergedLeaves]{first, second} {
		if e := slot.Load(); e.is(leaves, inside) {
			return e.m
		}
	}
	m := mergeLeaves(leaves, inside)
	e := &mergedLeaves{leaves: slices.Clone(leaves), inside: inside, m: m, size: int64(m.size())}
	for _, l := range leaves {
		l.merged.Store(true)
	}
	if c.size.Load()+e.size > mergeSizeMax {
		for i := range c.slots {
			c.drop(&c.slots[i], c.slots[i].Load())
		}
	}
	c.put(second, c.put(first, e))
	if e.stale() { // a sweep may just have missed it
		c.drop(first, e)
		c.drop(second, e)
	}
	return m
}

// put returns what was in the slot before.
func (c *mergeCache) put(slot *atomic.Pointer[mergedLeaves], e *mergedLeaves) *mergedLeaves {
	old := slot.Swap(e)
	if e != nil {
		c.size.Add(e.size)
	}
	if old != nil {
		c.size.Add(-old.size)
	}
	return old
}

func (c *mergeCache) drop(slot *atomic.Pointer[mergedLeaves], e *mergedLeaves) {
	if e != nil && slot.CompareAndSwap(e, nil) {
		c.size.Add(-e.size)
	}
}

// sweep drops what refers to leaves that were replaced, so that their receivers
// are not kept.
func (c *mergeCache) sweep() {
	for i := range c.slots {
		if e := c.slots[i].Load(); e != nil && e.stale() {
			c.drop(&c.slots[i], e)
		}
	}
}

package core

import (
	"cmp"
	"slices"
	"sync/atomic"

	"trivium/internal/hamt"
)

// name is a door's name for something.
type name struct {
	realm Realm
	name  string
}

// objects are a namespace's streams and queues.
type objects struct {
	streams registry[*Stream]
	queues  registry[*Queue]
}

// registry finds things by their names without a lock. Who changes it holds the
// sequencer.
type registry[T any] struct {
	now atomic.Pointer[hamt.Map[name, T]]
}

func (r *registry[T]) get(n name) (x T) {
	if m := r.now.Load(); m != nil {
		x, _ = m.Get(n)
	}
	return x
}

// set and remove copy one path; edit is of a batch of changes that nobody reads yet, or nil.
func (r *registry[T]) set(edit *hamt.Edit, n name, x T) {
	var m hamt.Map[name, T]
	if old := r.now.Load(); old != nil {
		m = *old
	}
	m = m.Set(edit, n, x)
	r.now.Store(&m)
}

func (r *registry[T]) remove(n name) {
	if old := r.now.Load(); old != nil {
		m := old.Delete(nil, n)
		r.now.Store(&m)
	}
}

// each calls f in order of realm and name, until it returns false.
func (r *registry[T]) each(f func(x T) bool) {
	m := r.now.Load()
	if m == nil {
		return
	}
	type named struct {
		name name
		x    T
	}
	all := make([]named, 0, m.Len())
	m.Each(func(n name, x T) bool { all = append(all, named{n, x}); return true })
	slices.SortFunc(all, func(a, b named) int {
		return cmp.Or(cmp.Compare(a.name.realm, b.name.realm), cmp.Compare(a.name.name, b.name.name))
	})
	for _, a := range all {
		if !f(a.x) {
			return
		}
	}
}

// Stream returns the stream of that name, or nil: including one whose creation
// is on its way to disk. It takes no lock.
func (ns *Namespace) Stream(r Realm, n string) *Stream { return ns.objects.streams.get(name{r, n}) }

// Streams calls f for each stream of all realms, in order of realm and name,
// until f returns false.
func (ns *Namespace) Streams(f func(s *Stream) bool) { ns.objects.streams.each(f) }

// Queue returns the queue of that name, or nil: including one whose creation is
// on its way to disk. It takes no lock.
func (ns *Namespace) Queue(r Realm, n string) *Queue { return ns.objects.queues.get(name{r, n}) }

// Queues calls f for each queue of all realms, in order of realm and name, until
// f returns false.
func (ns *Namespace) Queues(f func(q *Queue) bool) { ns.objects.queues.each(f) }

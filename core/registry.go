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
	now atomic.Pointer[[]realmNames[T]] // replaced, never changed
}

// realmNames is what has a name in one realm, of which there are few.
type realmNames[T any] struct {
	realm Realm
	names hamt.Map[string, T]
}

func (r *registry[T]) realms() []realmNames[T] {
	if all := r.now.Load(); all != nil {
		return *all
	}
	return nil
}

func (r *registry[T]) get(n name) (x T) {
	for _, in := range r.realms() {
		if in.realm == n.realm {
			x, _ = in.names.Get(n.name)
			break
		}
	}
	return x
}

// set and remove copy one path; edit is of a batch of changes that nobody reads yet, or nil.
func (r *registry[T]) set(edit *hamt.Edit, n name, x T) {
	r.change(n.realm, func(m hamt.Map[string, T]) hamt.Map[string, T] { return m.Set(edit, n.name, x) })
}

func (r *registry[T]) remove(n name) {
	r.change(n.realm, func(m hamt.Map[string, T]) hamt.Map[string, T] { return m.Delete(nil, n.name) })
}

func (r *registry[T]) change(realm Realm, f func(hamt.Map[string, T]) hamt.Map[string, T]) {
	all := slices.Clone(r.realms())
	i := slices.IndexFunc(all, func(in realmNames[T]) bool { return in.realm == realm })
	if i < 0 {
		i, all = len(all), append(all, realmNames[T]{realm: realm})
	}
	all[i].names = f(all[i].names)
	r.now.Store(&all)
}

// each calls f in order of realm and name, until it returns false.
func (r *registry[T]) each(f func(x T) bool) {
	type named struct {
		name name
		x    T
	}
	var all []named
	for _, in := range r.realms() {
		in.names.Each(func(n string, x T) bool { all = append(all, named{name{in.realm, n}, x}); return true })
	}
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

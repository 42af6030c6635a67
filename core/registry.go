package core

import (
	"cmp"
	"slices"
	"sync"
)

// name is a door's name for something.
type name struct {
	realm Realm
	name  string
}

// objects are a namespace's streams and queues. Changed under the sequencer.
type objects struct {
	mu      sync.RWMutex
	streams map[name]*Stream
	queues  map[name]*Queue
}

// sorted returns the values of m in the order of their names. Requires: mu.
func sorted[T any](m map[name]T) []T {
	names := make([]name, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b name) int {
		return cmp.Or(cmp.Compare(a.realm, b.realm), cmp.Compare(a.name, b.name))
	})
	all := make([]T, len(names))
	for i, n := range names {
		all[i] = m[n]
	}
	return all
}

// Stream returns the stream of that name, or nil: including one whose creation
// is on its way to disk.
func (ns *Namespace) Stream(r Realm, n string) *Stream {
	ns.objects.mu.RLock()
	defer ns.objects.mu.RUnlock()
	return ns.objects.streams[name{r, n}]
}

// Streams calls f for each stream of all realms, in order of realm and name,
// until f returns false.
func (ns *Namespace) Streams(f func(s *Stream) bool) {
	ns.objects.mu.RLock()
	all := sorted(ns.objects.streams)
	ns.objects.mu.RUnlock()
	for _, s := range all {
		if !f(s) {
			return
		}
	}
}

// Queue returns the queue of that name, or nil: including one whose creation is
// on its way to disk.
func (ns *Namespace) Queue(r Realm, n string) *Queue {
	ns.objects.mu.RLock()
	defer ns.objects.mu.RUnlock()
	return ns.objects.queues[name{r, n}]
}

// Queues calls f for each queue of all realms, in order of realm and name, until
// f returns false.
func (ns *Namespace) Queues(f func(q *Queue) bool) {
	ns.objects.mu.RLock()
	all := sorted(ns.objects.queues)
	ns.objects.mu.RUnlock()
	for _, q := range all {
		if !f(q) {
			return
		}
	}
}

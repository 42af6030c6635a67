package storage

import (
	"slices"
	"sync"
	"sync/atomic"
)

// listeners are called after each pass of Completions.
type listeners struct {
	mu  sync.Mutex
	all atomic.Pointer[[]*func()]
}

func (l *listeners) call() {
	if all := l.all.Load(); all != nil {
		for _, f := range *all {
			(*f)()
		}
	}
}

// change replaces the listeners by what edit makes of a copy.
func (l *listeners) change(edit func(all []*func()) []*func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*func()
	if old := l.all.Load(); old != nil {
		all = slices.Clone(*old)
	}
	all = edit(all)
	l.all.Store(&all)
}

// Passed has f called whenever some Completions have run and there are no more at the moment, until end is called: so
// what they have to say can be sent once for all of them. The same rules hold for f as for Completions. A call may
// be under way when end returns.
func (s *Store) Passed(f func()) (end func()) {
	s.passed.change(func(all []*func()) []*func() { return append(all, &f) })
	return func() {
		s.passed.change(func(all []*func()) []*func() {
			return slices.DeleteFunc(all, func(g *func()) bool { return g == &f })
		})
	}
}

package core

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"trivium/internal/hamt"
)

// Receiver gets ephemeral messages of the subject space. It must not block.
type Receiver interface {
	// Receive takes a message published to subject. m is valid during the call only. It reports
	// false if it cannot take it, so that another member of its group is tried.
	Receive(subject []byte, m *Message) bool
}

// Subjects is a namespace's subject space: who is interested in a message with this
// subject. Reading is lock-free: Match works on an immutable snapshot.
type Subjects struct {
	now    atomic.Pointer[subjectSpace]
	merges mergeCache

	// pending changes are applied together by whoever gets writer next: so changes
	// that come at once share one new snapshot.
	pending struct {
		sync.Mutex
		changes []subjectChange
	}
	writer sync.Mutex
	leaves uint64 // ids given to leaves; guarded by writer
}

// subjectSpace is one immutable snapshot.
type subjectSpace struct {
	version uint64
	trie    trie[*subjectLeaf]
}

// subjectChange adds or removes an Interest or a binding.
type subjectChange struct {
	interest *Interest
	binding  *binding
	remove   bool
}

func newSubjects() *Subjects {
	s := &Subjects{}
	s.now.Store(&subjectSpace{})
	return s
}

// Subjects returns the namespace's subject space.
func (ns *Namespace) Subjects() *Subjects { return ns.subjects }

// Interest is one subscription in the subject space.
type Interest struct {
	s              *Subjects
	pattern, group string
	r              Receiver
	closed         atomic.Bool
}

// Subscribe adds interest of r in the subjects that match pattern; group "" is none, else one
// member of the group gets each message. The handle ends it.
func (s *Subjects) Subscribe(pattern, group string, r Receiver) *Interest {
	i := &Interest{s: s, pattern: pattern, group: group, r: r}
	s.change(subjectChange{interest: i})
	return i
}

// Close ends the interest. A message that is being delivered may still arrive.
func (i *Interest) Close() {
	if !i.closed.Swap(true) {
		i.s.change(subjectChange{interest: i, remove: true})
	}
}

// change returns when a snapshot with c is in use.
func (s *Subjects) change(c subjectChange) {
	s.pending.Lock()
	s.pending.changes = append(s.pending.changes, c)
	s.pending.Unlock()

	s.writer.Lock()
	defer s.writer.Unlock()
	s.pending.Lock()
	batch := s.pending.changes
	s.pending.changes = nil
	s.pending.Unlock()
	if len(batch) == 0 {
		return // whoever held writer before took c along
	}
	old := s.now.Load()
	next := &subjectSpace{version: old.version + 1, trie: old.trie}
	edit := new(hamt.Edit)
	stale := false
	for _, c := range batch {
		pattern, d := c.pattern()
		next.trie = next.trie.update(edit, pattern, d, func(l *subjectLeaf) *subjectLeaf {
			if l == nil || l.edit != edit {
				s.leaves++
				old := l
				l = &subjectLeaf{edit: edit, id: s.leaves}
				if old != nil {
					l.interests, l.captures, l.bindings = old.interests, old.captures, old.bindings
					old.replaced.Store(true)
					stale = stale || old.merged.Load()
				}
			}
			return l.apply(edit, c)
		})
	}
	s.now.Store(next)
	if stale {
		s.merges.sweep()
	}
}

func (c *subjectChange) pattern() (string, dialect) {
	switch {
	case c.interest != nil:
		return c.interest.pattern, subjectDialect
	case c.binding.capture:
		return c.binding.key, subjectDialect
	}
	return c.binding.key, bothDialects
}

// Version changes whenever a Match might answer differently.
func (s *Subjects) Version() uint64 { return s.now.Load().version }

// Match returns who wants a literal subject; wildcards in it are ordinary characters, and
// with an empty word it matches nothing. The answer is immutable, and right as long as Version is
// what it was before the call.
func (s *Subjects) Match(subject []byte) *Matched {
	return s.match(unsafe.String(unsafe.SliceData(subject), len(subject)))
}

// match does not keep subject.
func (s *Subjects) match(subject string) *Matched {
	if !wellWorded(subject) {
		return nobody
	}
	var buf [8]*subjectLeaf
	leaves := s.now.Load().trie.match(subject, buf[:0])
	inside := insideSubject(subject)
	switch len(leaves) {
	case 0:
		return nobody
	case 1:
		return leaves[0].matched(inside)
	}
	return s.merges.matched(leaves, inside)
}

// HasInterest reports whether any pattern overlaps with pattern.
func (s *Subjects) HasInterest(pattern string) bool {
	if !wellWorded(pattern) {
		return false
	}
	inside := insideSubject(pattern)
	return s.now.Load().trie.overlaps(newPattern(pattern, subjectDialect), func(l *subjectLeaf) bool {
		return l.interests.Len()+l.captures.Len() > 0 || !inside
	})
}

// Publish delivers an ephemeral message to all receivers (and one per group) that match, and
// reports how many took it. It does not store it in streams or queues: Route does that.
func (s *Subjects) Publish(subject []byte, m *Message) int {
	matched := s.Match(subject)
	n := 0
	for _, r := range matched.Receivers {
		if r.Receive(subject, m) {
			n++
		}
	}
	for _, r := range matched.members {
		if r.Receive(subject, m) {
			n++
		}
	}
	return n
}

package jetstream

import (
	"sync"

	"trivium/core"
)

// viewKeys knows the last message of each subject of a view, whose stream has no index of
// keys: it reads what was appended since it was last asked.
type viewKeys struct {
	sync.Mutex
	next core.Offset // where to read on
	last map[string]core.Offset
	size int
	full bool // there are too many subjects: nothing is kept
}

const (
	// viewKeysSize bounds what the subjects of one view take, in bytes.
	viewKeysSize = 64 << 20
	// viewKeyCost is about what a subject takes besides its own length.
	viewKeyCost = 64
	// scanAhead is how many entries a scan reads at first, scanAheadMax at most at once.
	scanAhead    = 8
	scanAheadMax = 1024
	// nearby is how many messages are looked at before the subjects are asked whether there
	// is one at all.
	nearby = 1024
)

// scan calls f for the messages of a view from an offset on, in order, until f returns false. It
// reports where it ended.
func (s *stream) scan(from core.Offset, f func(o core.Offset, subject []byte) bool) (core.Offset, error) {
	var cache translated
	var es []core.Entry
	ahead := scanAhead // few at first: what is looked for is often near
	for end := s.log.End(); from < end; ahead = min(2*ahead, scanAheadMax) {
		var next core.Offset
		var err error
		es, next, err = s.log.Read(from, core.Limit{Entries: ahead, Bytes: 1 << 20}, es[:0])
		if err != nil {
			return from, err
		}
		for i := range es {
			e := &es[i]
			for o := max(e.Offset, from); o < min(e.Next(), end); o++ {
				subject, ok := s.subjectAt(e, o, &cache)
				if ok && (e.Count == 1 || s.log.Live(o)) && !f(o, subject) {
					return o + 1, nil
				}
			}
		}
		if from = next; len(es) == 0 {
			break
		}
	}
	return max(from, s.log.End()), nil
}

// subjectAt is the subject of the message at o, which e holds; false if there is none.
func (s *stream) subjectAt(e *core.Entry, o core.Offset, cache *translated) ([]byte, bool) {
	if e.Producer.Control {
		return nil, false
	}
	if e.Count == 1 && !e.Producer.Set { // else it may be part of what was aborted
		return s.view.subject(e.Key), true
	}
	m, err := s.translate(e, o, cache)
	if err != nil {
		return nil, false
	}
	return s.view.subject(m.Key), true
}

// lastIn is the last message of a view whose subject matches, NoOffset if there is none.
func (s *stream) lastIn(pattern string) (core.Offset, error) {
	k := &s.view.keys
	k.Lock()
	defer k.Unlock()
	if err := s.catchUp(k); err != nil {
		return core.NoOffset, err
	}
	last := core.NoOffset
	if !k.full {
		if literal(pattern) {
			if o, ok := k.last[pattern]; ok {
				last = o
			}
		} else {
			for subject, o := range k.last {
				if o > last && core.SubjectMatches(pattern, subject) {
					last = o
				}
			}
		}
		if last == core.NoOffset || s.log.Live(last) {
			return last, nil
		}
		if last < s.log.Start() {
			return core.NoOffset, nil // what comes before it went first
		}
	}
	last = core.NoOffset
	_, err := s.scan(s.log.Start(), func(o core.Offset, subject []byte) bool {
		if core.SubjectMatches(pattern, string(subject)) {
			last = o
		}
		return true
	})
	return last, err
}

// catchUp reads what was appended since. Requires: k is locked.
func (s *stream) catchUp(k *viewKeys) error {
	if k.full {
		return nil
	}
	if k.last == nil {
		k.last = map[string]core.Offset{}
	}
	for {
		next, err := s.scan(max(k.next, s.log.Start()), func(o core.Offset, subject []byte) bool {
			if _, known := k.last[string(subject)]; !known {
				k.size += len(subject) + viewKeyCost
			}
			k.last[string(subject)] = o
			return k.size <= viewKeysSize
		})
		if k.next = next; err != nil || k.size <= viewKeysSize {
			return err
		}
		if k.forget(s.log.Start()); k.full {
			return nil
		}
	}
}

// forget drops the subjects whose messages are gone; if that is not half of them, all. Requires:
// k is locked.
func (k *viewKeys) forget(start core.Offset) {
	for subject, o := range k.last {
		if o < start {
			delete(k.last, subject)
			k.size -= len(subject) + viewKeyCost
		}
	}
	if k.size > viewKeysSize/2 {
		k.last, k.full, k.size = nil, true, 0
	}
}

// nextIn is the first message of a view at or after from whose subject matches, NoOffset if
// there is none.
func (s *stream) nextIn(pattern string, from core.Offset) (core.Offset, error) {
	first, n := core.NoOffset, 0
	look := func(o core.Offset, subject []byte) bool {
		if core.SubjectMatches(pattern, string(subject)) {
			first = o
		}
		n++
		return first == core.NoOffset && n != nearby
	}
	next, err := s.scan(max(from, s.log.Start()), look)
	if err != nil || first != core.NoOffset || n < nearby {
		return first, err
	}
	if last, err := s.lastIn(pattern); err != nil || last < next {
		return core.NoOffset, err
	}
	_, err = s.scan(next, look)
	return first, err
}

package core

import (
	"math"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"trivium/internal/names"
)

// KeyState is what the key index knows of one key.
type KeyState struct {
	Last     Offset
	Messages int64
}

// keyIndex knows the key of every live message of a Log. A key has 24 bytes and its name in memory, see
// package names; a message has none: who has which key is in pages (keypages.go), which the
// index store keeps and a cache has at hand. What is live the Log knows. It includes messages
// that are on their way to disk.
//
// A message's page leads to the one before it that has the same key, so each key's messages are a chain
// from the last one back. The first one is looked for when it is asked for.
//
// It is written under the sequencer and read from anywhere.
type keyIndex struct {
	log retained
	pages

	mu      sync.RWMutex
	names   names.Set
	keys    []*keysPage // by id; 0 is not used
	ids     uint32      // the first id that was never given out
	free    []uint32
	renamed uint64 // counts the ids that lost their name
	end     Offset // after the last message that was ever added
	total   int64  // live messages

	// What the next checkpoint writes; only the sequencer looks at it.
	newNames map[uint32]struct{} // groups of names that changed
	long     map[uint32]struct{} // ids whose names are stored by themselves
}

// retained is what a key index asks a Log.
type retained interface {
	// Retains: the message at o was appended, as decided, and not deleted. The others are about the same.
	Retains(o Offset) bool
	Count(from, to Offset) int64
	NextRetained(from Offset) Offset
	Bitmap(from Offset, dst []uint64)
}

// keyInfo is the state of a key, with those of its messages that are on their way to disk.
type keyInfo struct {
	// first is the key's first message; if that is not known, ^first is an offset before which there is none.
	first, last Offset
	messages    int64
}

// from is an offset before which the key has no message.
func (k *keyInfo) from() Offset {
	if k.first < 0 {
		return ^k.first
	}
	return k.first
}

// keysPageLen is how many keys' states are allocated together.
const keysPageLen = 1024

type keysPage [keysPageLen]keyInfo

func newKeyIndex(log retained, store pageStore, cache *pageCache) *keyIndex {
	x := &keyIndex{log: log, ids: 1, newNames: map[uint32]struct{}{}, long: map[uint32]struct{}{}}
	x.pages.init(store, cache)
	return x
}

func (x *keyIndex) info(id uint32) *keyInfo { return &x.keys[id/keysPageLen][id%keysPageLen] }

// text views k as a string for a lookup.
func text(k []byte) string { return unsafe.String(unsafe.SliceData(k), len(k)) }

// raw views s as bytes that must not be written to.
func raw(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// id is the id of a key, 0 if no live message has it. Requires: mu.
func (x *keyIndex) id(k []byte) uint32 { return x.names.Find(text(k)) }

// count is how many keys there are.
func (x *keyIndex) count() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.names.Len()
}

// add puts o, which must be higher than all before it, at the end of key k.
func (x *keyIndex) add(o Offset, k []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	id := x.id(k)
	if id == 0 {
		if n := len(x.free); n > 0 {
			id, x.free = x.free[n-1], x.free[:n-1]
		} else {
			id = x.ids
			x.reach(id)
		}
		x.names.Add(id, text(k))
		x.newNames[id/namesLen] = struct{}{}
	}
	i := x.info(id)
	r := keyRef{id: id}
	if i.messages > 0 {
		r.back = distance(o - i.last)
	} else {
		i.first = o
	}
	i.last = o
	i.messages++
	x.total++
	x.end = o + 1
	if passed := x.put(o, r); passed >= 0 && x.log.Count(passed*pageLen, (passed+1)*pageLen) == 0 {
		x.drop(passed)
	}
}

// reach makes room for the states of all ids up to id. Requires: mu.
func (x *keyIndex) reach(id uint32) {
	for int(id/keysPageLen) >= len(x.keys) {
		x.keys = append(x.keys, new(keysPage))
	}
	x.ids = max(x.ids, id+1)
}

// remove takes o out and returns its key.
func (x *keyIndex) remove(o Offset) (key string, ok bool) {
	r := x.at(o)
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.holds(r.id) || !x.log.Retains(o) {
		return "", false
	}
	key = x.names.Name(r.id)
	x.takeOut(r.id, o)
	return key, true
}

// holds reports whether an id is in use. Requires: mu.
func (x *keyIndex) holds(id uint32) bool { return id > 0 && id < x.ids && x.info(id).messages > 0 }

// removeOf takes o out, which is there and has that key.
func (x *keyIndex) removeOf(key []byte, o Offset) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.takeOut(x.id(key), o)
}

// takeOut requires mu, and that the Log retains o still.
func (x *keyIndex) takeOut(id uint32, o Offset) {
	i := x.info(id)
	x.total--
	i.messages--
	switch {
	case i.messages == 0:
		x.names.Remove(id)
		x.newNames[id/namesLen] = struct{}{}
		x.renamed++
		x.free = append(x.free, id)
		*i = keyInfo{}
		return
	case o == i.last && i.messages == 1 && i.first >= 0:
		i.last = i.first
	case o == i.last:
		i.last = x.before(id, o)
	}
	switch {
	case i.messages == 1:
		i.first = i.last
	case o == i.first:
		i.first = ^(o + 1)
	}
}

// removed forgets the pages among from <= o < to of which nothing is left, once the Log has deleted that.
func (x *keyIndex) removed(from, to Offset) {
	for no := from / pageLen; no*pageLen < to; no++ {
		if no < x.held.tail && x.log.Count(no*pageLen, (no+1)*pageLen) == 0 {
			x.drop(no)
		}
	}
}

// key is the key of the live message at o.
func (x *keyIndex) key(o Offset) (string, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	r := x.at(o)
	if !x.holds(r.id) || !x.log.Retains(o) {
		return "", false
	}
	return x.names.Name(r.id), true
}

// state is what is known of a key, counting only messages below end.
func (x *keyIndex) state(k []byte, end Offset) (KeyState, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.stateOf(x.id(k), end)
}

// Requires: mu.
func (x *keyIndex) stateOf(id uint32, end Offset) (KeyState, bool) {
	none := KeyState{NoOffset, 0}
	if id == 0 {
		return none, false
	}
	i := x.info(id)
	st := KeyState{i.last, i.messages}
	for st.Last >= end {
		st.Messages--
		if st.Messages == 0 {
			return none, false
		}
		if st.Last = x.before(id, st.Last); st.Last == NoOffset {
			return none, false
		}
	}
	return st, true
}

// wild reports whether a pattern may match more than the subject equal to it.
func wild(pattern string) bool { return strings.ContainsAny(pattern, "*>#") }

// match calls f for the ids of the keys that match pattern, "" meaning all, in order, until
// f returns false. Requires: mu.
func (x *keyIndex) match(pattern string, f func(id uint32) bool) {
	x.matchFrom(pattern, "", math.MaxInt, f)
}

// matchFrom is match for the keys that are not before from. Once it has looked at so many, it returns where to go on
// from. Requires: mu; from is empty, or came from here.
func (x *keyIndex) matchFrom(pattern, from string, looks int, f func(id uint32) bool) (next string, more bool) {
	if pattern != "" && !wild(pattern) {
		if id := x.id(raw(pattern)); id != 0 {
			f(id)
		}
		return "", false
	}
	prefix, whole := x.whole(pattern)
	if !whole {
		prefix = literalPrefix(pattern)
	}
	x.names.Each(prefix, from, func(id uint32) int {
		if looks--; looks < 0 {
			next, more = x.names.Name(id), true
			return -1
		}
		if !whole {
			if name := x.names.Name(id); !SubjectMatches(pattern, name) {
				return mismatch(pattern, name)
			}
		}
		if !f(id) {
			return -1
		}
		return 0
	})
	return next, more
}

// walkStep is how many keys a walk looks at before it lets go of the lock.
const walkStep = 1 << 10

// walk is match for who does not hold mu: f runs with it held for reading, but between steps it is let go. A key that
// is there all the time is passed once, as it is then; one that comes or goes meanwhile may be.
func (x *keyIndex) walk(pattern string, f func(id uint32) bool) {
	for from, more := "", true; more; {
		x.mu.RLock()
		from, more = x.matchFrom(pattern, from, walkStep, f)
		x.mu.RUnlock()
	}
}

// whole returns the prefix that a key needs to match pattern, if that is all it needs. Requires: mu.
func (x *keyIndex) whole(pattern string) (prefix string, ok bool) {
	if pattern == "" {
		return "", true
	}
	prefix, ok = strings.CutSuffix(pattern, ">")
	if !ok || literalPrefix(pattern) != prefix {
		return "", false
	}
	// No subject has an empty word, but a key of another protocol may: a pattern does not match it.
	empty := strings.HasPrefix(prefix, ".") || strings.Contains(prefix, "..") || x.names.Find(prefix) != 0 || x.names.Any(prefix+".")
	return prefix, !empty
}

// all reports whether every key matches one of the patterns (none = all), without a look at each. Requires: mu.
func (x *keyIndex) all(patterns []string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		prefix, ok := x.whole(p)
		return ok && (prefix == "" || x.names.All(prefix))
	})
}

// eachKey calls f once for the id of each key that matches one of the patterns (none = all), in no certain
// order. Requires: mu.
func (x *keyIndex) eachKey(patterns []string, f func(id uint32)) {
	if x.all(patterns) {
		for id := uint32(1); id < x.ids; id++ {
			if x.holds(id) {
				f(id)
			}
		}
		return
	}
	var seen map[uint32]bool
	if len(patterns) > 1 {
		seen = map[uint32]bool{}
	}
	for _, p := range patterns {
		x.match(p, func(id uint32) bool {
			if seen == nil {
				f(id)
			} else if !seen[id] {
				seen[id] = true
				f(id)
			}
			return true
		})
	}
}

// literalPrefix is what all subjects that match a subject pattern begin with.
func literalPrefix(pattern string) string {
	for at := 0; ; {
		w, rest, more := strings.Cut(pattern[at:], ".")
		if w == "*" || w == ">" && !more {
			return pattern[:at]
		}
		if !more {
			return pattern
		}
		at = len(pattern) - len(rest)
	}
}

// mismatch returns how many of s's first bytes are enough to know that nothing that
// begins with them matches pattern; 0 if that is not known. Requires: s does not match pattern.
func mismatch(pattern, s string) int {
	for at := 0; ; {
		p, rest, pmore := strings.Cut(pattern, ".")
		w, _, smore := strings.Cut(s[at:], ".")
		if !smore {
			return 0
		}
		at += len(w) + 1
		if p == "" || w == "" || p != "*" && p != w || !pmore {
			return at
		}
		pattern = rest
	}
}

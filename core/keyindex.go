package core

import (
	"slices"
	"strings"
	"sync"
	"unsafe"

	"trivium/internal/names"
)

// KeyState is what the key index knows of one key.
type KeyState struct {
	First, Last Offset
	Messages    int64
}

// keyIndex knows the key of every live message of a Log: 12 bytes a message, and 24 and
// a name a key; see package names. It includes messages that are on their way
// to disk. The messages of one key are linked by distances, so that the next one
// in either direction is found at once.
//
// It is written under the sequencer and read from anywhere.
type keyIndex struct {
	mu    sync.RWMutex
	names names.Set
	keys  []*keysPage // by id; 0 is not used
	ids   uint32      // the first id that was never given out
	free  []uint32
	base  Offset // of pages[0], a multiple of pageLen
	pages []*keyPage
	end   Offset // after the last message that was ever added
	total int64  // live messages

	// What the next checkpoint writes; only the sequencer looks at it.
	newKeys  map[uint32]struct{} // ids whose name changed
	newPages []int64             // numbers of pages
}

// keysPageLen is how many keys' states are allocated together.
const keysPageLen = 1024

type keysPage [keysPageLen]KeyState

const (
	pageLen = 64
	// far is a distance that does not fit: the neighbour is found by searching.
	far = ^uint32(0)
)

type keyPage struct {
	refs  [pageLen]keyRef
	live  int
	dirty bool // in newPages
}

// keyRef is one message: its key's id, 0 if it is not live, and how far away the
// key's neighbours are, 0 if there are none.
type keyRef struct{ id, prev, next uint32 }

func newKeyIndex() *keyIndex {
	return &keyIndex{ids: 1, base: -1, newKeys: map[uint32]struct{}{}}
}

// info is the state of a key, with those of its messages that are on their way to disk.
func (x *keyIndex) info(id uint32) *KeyState { return &x.keys[id/keysPageLen][id%keysPageLen] }

// text views k as a string for a lookup.
func text(k []byte) string { return unsafe.String(unsafe.SliceData(k), len(k)) }

// raw views s as bytes that must not be written to.
func raw(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// id is the id of a key, 0 if no live message has it. Requires: mu.
func (x *keyIndex) id(k []byte) uint32 { return x.names.Find(text(k)) }

// ref returns the place of o, nil if it is outside of what is known. Requires: mu.
func (x *keyIndex) ref(o Offset) *keyRef {
	if i := (o - x.base) / pageLen; o >= x.base && x.base >= 0 && int(i) < len(x.pages) {
		if p := x.pages[i]; p != nil {
			return &p.refs[o%pageLen]
		}
	}
	return nil
}

func distance(d Offset) uint32 {
	if d >= Offset(far) {
		return far
	}
	return uint32(d)
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
		}
		x.name(id, text(k))
		x.newKeys[id] = struct{}{}
	}
	x.addID(o, id)
}

// name gives an id a name. Requires: mu.
func (x *keyIndex) name(id uint32, name string) {
	for int(id/keysPageLen) >= len(x.keys) {
		x.keys = append(x.keys, new(keysPage))
	}
	x.ids = max(x.ids, id+1)
	*x.info(id) = KeyState{First: NoOffset, Last: NoOffset}
	x.names.Add(id, name)
}

// addID puts o at the end of the key with that id. Requires: mu.
func (x *keyIndex) addID(o Offset, id uint32) {
	if len(x.pages) == 0 {
		x.base = o - o%pageLen
	}
	page := int((o - x.base) / pageLen)
	for len(x.pages) <= page {
		x.pages = append(x.pages, nil)
	}
	if x.pages[page] == nil {
		x.pages[page] = new(keyPage)
	}
	info := x.info(id)
	r := &x.pages[page].refs[o%pageLen]
	r.id = id
	if info.Last != NoOffset {
		r.prev = distance(o - info.Last)
		x.ref(info.Last).next = r.prev
	} else {
		info.First = o
	}
	x.pages[page].live++
	x.touch(x.pages[page], o)
	x.total++
	info.Last = o
	info.Messages++
	x.end = o + 1
}

// touch has the page that holds o written by the next checkpoint.
func (x *keyIndex) touch(p *keyPage, o Offset) {
	if !p.dirty {
		p.dirty = true
		x.newPages = append(x.newPages, int64(o/pageLen))
	}
}

// remove takes o out and returns its key.
func (x *keyIndex) remove(o Offset) (key string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.ref(o)
	if r == nil || r.id == 0 {
		return "", false
	}
	id := r.id
	info := x.info(id)
	key = x.names.Name(id)
	prev, next := x.prev(o, r), x.next(o, r)
	if prev != NoOffset {
		x.ref(prev).next = 0
		if next != NoOffset {
			x.ref(prev).next = distance(next - prev)
		}
	} else {
		info.First = next
	}
	if next != NoOffset {
		x.ref(next).prev = 0
		if prev != NoOffset {
			x.ref(next).prev = distance(next - prev)
		}
	} else {
		info.Last = prev
	}
	*r = keyRef{}
	if info.Messages--; info.Messages == 0 {
		x.names.Remove(id)
		*info = KeyState{}
		x.free = append(x.free, id)
		x.newKeys[id] = struct{}{}
	}
	x.total--
	page := (o - x.base) / pageLen
	x.touch(x.pages[page], o)
	if x.pages[page].live--; x.pages[page].live == 0 {
		x.pages[page] = nil
		x.shrink()
	}
	return key, true
}

// shrink gives back pages at the front.
func (x *keyIndex) shrink() {
	n := 0
	for n < len(x.pages)-1 && x.pages[n] == nil {
		n++
	}
	x.base += Offset(n) * pageLen
	if x.pages = x.pages[n:]; cap(x.pages) > 2*len(x.pages)+1024 {
		x.pages = slices.Clone(x.pages)
	}
}

// next and prev are the neighbours of o with the same key. Requires: mu.
func (x *keyIndex) next(o Offset, r *keyRef) Offset {
	switch r.next {
	case 0:
		return NoOffset
	case far:
		for n := o + Offset(far); ; n++ {
			if q := x.ref(n); q != nil && q.id == r.id {
				return n
			}
		}
	}
	return o + Offset(r.next)
}

func (x *keyIndex) prev(o Offset, r *keyRef) Offset {
	switch r.prev {
	case 0:
		return NoOffset
	case far:
		for n := o - Offset(far); ; n-- {
			if q := x.ref(n); q != nil && q.id == r.id {
				return n
			}
		}
	}
	return o - Offset(r.prev)
}

// key is the key of the live message at o.
func (x *keyIndex) key(o Offset) (string, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if r := x.ref(o); r != nil && r.id != 0 {
		return x.names.Name(r.id), true
	}
	return "", false
}

// state is what is known of a key, counting only messages below end.
func (x *keyIndex) state(k []byte, end Offset) (KeyState, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.stateOf(x.id(k), end)
}

// Requires: mu.
func (x *keyIndex) stateOf(id uint32, end Offset) (KeyState, bool) {
	if id == 0 {
		return KeyState{NoOffset, NoOffset, 0}, false
	}
	st := *x.info(id)
	for st.Last >= end {
		st.Messages--
		if st.Last = x.prev(st.Last, x.ref(st.Last)); st.Last == NoOffset {
			return KeyState{NoOffset, NoOffset, 0}, false
		}
	}
	return st, true
}

// wild reports whether a pattern may match more than the subject equal to it.
func wild(pattern string) bool { return strings.ContainsAny(pattern, "*>#") }

// match calls f for the ids of the keys that match pattern, "" meaning all, until
// f returns false. Requires: mu.
func (x *keyIndex) match(pattern string, f func(id uint32) bool) {
	if pattern != "" && !wild(pattern) {
		if id := x.id(raw(pattern)); id != 0 {
			f(id)
		}
		return
	}
	x.names.Each(literalPrefix(pattern), func(id uint32) int {
		matches, pass := true, 0
		if pattern != "" {
			name := x.names.Name(id)
			if matches = SubjectMatches(pattern, name); !matches {
				pass = mismatch(pattern, name)
			}
		}
		if matches && !f(id) {
			return -1
		}
		return pass
	})
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

// each calls f for every live message of a key in [from, to), in order. Requires: mu.
func (x *keyIndex) each(id uint32, from, to Offset, f func(o Offset) bool) {
	info := x.info(id)
	if info.Last < from || info.First >= to {
		return
	}
	o := info.First
	if o < from { // seek from the end, which is where readers are
		o = info.Last
		for {
			p := x.prev(o, x.ref(o))
			if p == NoOffset || p < from {
				break
			}
			o = p
		}
	}
	for o != NoOffset && o < to {
		next := x.next(o, x.ref(o))
		if !f(o) {
			return
		}
		o = next
	}
}

// offsets returns the live messages in [from, to) whose key matches one of the
// patterns (none = all), in order.
func (x *keyIndex) offsets(patterns []string, from, to Offset) []Offset {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []Offset
	add := func(o Offset) bool { all = append(all, o); return true }
	if len(patterns) == 0 {
		x.live(from, to, func(o Offset, _ uint32) bool { return add(o) })
		return all
	}
	for _, p := range patterns {
		x.match(p, func(id uint32) bool {
			x.each(id, from, to, add)
			return true
		})
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// offsetsOf returns the live messages of one key before to.
func (x *keyIndex) offsetsOf(k string, to Offset) (all []Offset) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if id := x.id(raw(k)); id != 0 {
		x.each(id, 0, to, func(o Offset) bool { all = append(all, o); return true })
	}
	return all
}

// count is the number of live messages in [from, to) whose key matches one of the
// patterns (none = all).
func (x *keyIndex) count(patterns []string, from, to Offset) (n int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	one := func(Offset) bool { n++; return true }
	if len(patterns) == 0 {
		x.livePages(from, to, func(first Offset, p *keyPage) bool {
			if first >= from && first+pageLen <= to {
				n += int64(p.live)
				return true
			}
			p.live1(first, from, to, func(o Offset, _ uint32) bool { return one(o) })
			return true
		})
		return n
	}
	seen := map[uint32]bool{}
	for _, p := range patterns {
		x.match(p, func(id uint32) bool {
			if len(patterns) > 1 {
				if seen[id] {
					return true
				}
				seen[id] = true
			}
			if k := x.info(id); k.First >= from && k.Last < to {
				n += k.Messages
			} else {
				x.each(id, from, to, one)
			}
			return true
		})
	}
	return n
}

// livePages calls f for each page that overlaps [from, to) and holds a live
// message. Requires: mu.
func (x *keyIndex) livePages(from, to Offset, f func(first Offset, p *keyPage) bool) {
	if len(x.pages) == 0 {
		return
	}
	for i := int(max(0, from-x.base) / pageLen); i < len(x.pages); i++ {
		first := x.base + Offset(i)*pageLen
		if first >= to {
			return
		}
		if p := x.pages[i]; p != nil && !f(first, p) {
			return
		}
	}
}

// live1 calls f for the live messages of one page in [from, to).
func (p *keyPage) live1(first, from, to Offset, f func(o Offset, id uint32) bool) bool {
	for i := range p.refs {
		if o := first + Offset(i); p.refs[i].id != 0 && o >= from && o < to && !f(o, p.refs[i].id) {
			return false
		}
	}
	return true
}

// live calls f for each live message in [from, to). Requires: mu.
func (x *keyIndex) live(from, to Offset, f func(o Offset, id uint32) bool) {
	x.livePages(from, to, func(first Offset, p *keyPage) bool { return p.live1(first, from, to, f) })
}

// matching returns up to most live messages in [from, to) whose key matches one of
// the patterns, in order, and where it stopped looking.
func (x *keyIndex) matching(patterns []string, from, to Offset, most int) (os []Offset, next Offset) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	known := map[uint32]bool{}
	wilds := patterns[:0:0]
	for _, p := range patterns {
		if wild(p) {
			wilds = append(wilds, p)
		} else if id := x.id(raw(p)); id != 0 {
			known[id] = true
		}
	}
	if len(wilds) == 0 && len(known) == 0 {
		return nil, to
	}
	next = to
	x.live(from, to, func(o Offset, id uint32) bool {
		m, ok := known[id]
		if !ok {
			m = slices.ContainsFunc(wilds, func(p string) bool { return SubjectMatches(p, x.names.Name(id)) })
			known[id] = m
		}
		if m {
			if len(os) == most {
				next = o
				return false
			}
			os = append(os, o)
		}
		return true
	})
	return os, next
}

// nextMatch is the first live message in [from, to) whose key matches pattern,
// "" meaning any.
func (x *keyIndex) nextMatch(pattern string, from, to Offset) Offset {
	x.mu.RLock()
	defer x.mu.RUnlock()
	found := NoOffset
	if pattern != "" && !wild(pattern) {
		if id := x.id(raw(pattern)); id != 0 {
			x.each(id, from, to, func(o Offset) bool { found = o; return false })
		}
		return found
	}
	matches := map[uint32]bool{}
	x.live(from, to, func(o Offset, id uint32) bool {
		m, ok := matches[id]
		if !ok {
			m = pattern == "" || SubjectMatches(pattern, x.names.Name(id))
			matches[id] = m
		}
		if m {
			found = o
		}
		return !m
	})
	return found
}

// last is the last message, including those on their way to disk, whose key
// matches pattern.
func (x *keyIndex) last(pattern string) Offset {
	x.mu.RLock()
	defer x.mu.RUnlock()
	last := NoOffset
	x.match(pattern, func(id uint32) bool { last = max(last, x.info(id).Last); return true })
	return last
}

// lasts returns the last message of each key that matches one of the patterns (none
// = all), in order.
func (x *keyIndex) lasts(patterns []string) []Offset {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(patterns) == 0 {
		patterns = []string{""}
	}
	var all []Offset
	for _, p := range patterns {
		x.match(p, func(id uint32) bool { all = append(all, x.info(id).Last); return true })
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// lastOf is the last of them, NoOffset if there are none.
func (x *keyIndex) lastOf(patterns []string) Offset {
	if all := x.lasts(patterns); len(all) > 0 {
		return all[len(all)-1]
	}
	return NoOffset
}

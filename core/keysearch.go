package core

import (
	"math/bits"
	"slices"
)

// eachLive calls f for each message of a page that is live and in [from, to), in order, until f returns false, which
// it then does, too. Requires: mu.
func (x *keyIndex) eachLive(no Offset, p *keyPage, from, to Offset, f func(o Offset, id uint32) bool) bool {
	var live [pageLen / 64]uint64
	first := no * pageLen
	x.log.Bitmap(first, live[:])
	for w, b := range live {
		for ; b != 0; b &= b - 1 {
			o := first + Offset(64*w+bits.TrailingZeros64(b))
			if o >= to || int(o-first) >= len(p.refs) {
				return true
			}
			if id := p.refs[o-first].id; o >= from && x.holds(id) && !f(o, id) {
				return false
			}
		}
	}
	return true
}

// scan calls f for each live message in [from, to), in order, until f returns false. f runs with mu held for reading,
// but from page to page that is let go: x may change.
func (x *keyIndex) scan(from, to Offset, f func(o Offset, id uint32) bool) {
	for {
		from = x.log.NextRetained(from)
		if from == NoOffset || from >= to {
			return
		}
		no := from / pageLen
		p := x.page(no)
		x.mu.RLock()
		more := x.eachLive(no, p, from, to, f)
		x.mu.RUnlock()
		if !more {
			return
		}
		from = (no + 1) * pageLen
	}
}

// before is the last live message of a key before o, which is or was the key's. Requires: mu.
func (x *keyIndex) before(id uint32, o Offset) Offset {
	for from := x.info(id).from(); o > from; {
		r := x.at(o)
		switch {
		case r.id == id && r.back == 0:
			return NoOffset
		case r.id != id || r.back == far: // its page is gone, or the distance does not fit
			return x.searchDown(id, from, o)
		}
		if o -= Offset(r.back); x.log.Retains(o) {
			return o
		}
	}
	return NoOffset
}

// searchDown is the last live message of a key in [from, to), NoOffset if there is none. Requires: mu.
func (x *keyIndex) searchDown(id uint32, from, to Offset) (last Offset) {
	last = NoOffset
	for no, step := (to-1)/pageLen, Offset(1); (no+1)*pageLen > from; {
		if x.log.Count((no+1-step)*pageLen, (no+1)*pageLen) == 0 { // so many pages, and perhaps more before them, are empty
			no, step = no-step, 2*step
			continue
		}
		if step > 1 {
			step = 1
			continue
		}
		x.eachLive(no, x.page(no), from, to, func(o Offset, other uint32) bool {
			if other == id {
				last = o
			}
			return true
		})
		if last != NoOffset {
			break
		}
		no--
	}
	return last
}

// first is the first message of a key, NoOffset if it has none. It is looked for from both ends: page by page from
// where it may be, which finds that of other keys, too, and back along the chain. Requires: the sequencer.
func (x *keyIndex) first(key []byte) Offset {
	x.mu.Lock()
	defer x.mu.Unlock()
	id := x.id(key)
	if id == 0 {
		return NoOffset
	}
	i := x.info(id)
	from := i.from()
	for up, down := from, i.last; i.first < 0; {
		if up = x.log.NextRetained(up); up == NoOffset || up >= down {
			i.first = down
			break
		}
		no := up / pageLen
		x.eachLive(no, x.page(no), up, down, func(o Offset, id uint32) bool {
			if k := x.info(id); k.first < 0 && ^k.first >= from {
				k.first = o
			}
			return true
		})
		up = (no + 1) * pageLen
		for page := down / pageLen; i.first < 0 && down/pageLen == page; {
			o := x.before(id, down)
			if o == NoOffset {
				i.first = down
				break
			}
			down = o
		}
	}
	return i.first
}

// chain calls f for the live messages of a key in [from, to), the last one first, until f returns
// false. Requires: mu.
func (x *keyIndex) chain(id uint32, from, to Offset, f func(o Offset) bool) {
	for o := x.info(id).last; o != NoOffset && o >= from; o = x.before(id, o) {
		if o < to && !f(o) {
			return
		}
	}
}

// chainCost is how many messages a scan passes in the time in which a chain goes back by one.
const chainCost = 64

// each calls f, in no certain order, for the live messages in [from, to) of keys that match one of the
// patterns (none = all), by the shorter way. f runs with mu held for reading. Requires: the sequencer, for an exact
// answer.
func (x *keyIndex) each(patterns []string, from, to Offset, f func(o Offset)) {
	if len(patterns) == 0 {
		x.scan(from, to, func(o Offset, _ uint32) bool { f(o); return true })
		return
	}
	x.mu.RLock()
	ids, chained := []uint32(nil), int64(0)
	x.eachKey(patterns, func(id uint32) {
		if i := x.info(id); i.last >= from && i.from() < to {
			ids, chained = append(ids, id), chained+i.messages
		}
	})
	if chained*chainCost < x.log.Count(from, to) {
		for _, id := range ids {
			x.chain(id, from, to, func(o Offset) bool { f(o); return true })
		}
		x.mu.RUnlock()
		return
	}
	x.mu.RUnlock()
	m := x.matcher(patterns)
	x.scan(from, to, func(o Offset, id uint32) bool {
		if m.matches(id) {
			f(o)
		}
		return true
	})
}

// offsets returns the live messages in [from, to) whose key matches one of the
// patterns (none = all), in order. Requires: the sequencer.
func (x *keyIndex) offsets(patterns []string, from, to Offset) (all []Offset) {
	x.each(patterns, from, to, func(o Offset) { all = append(all, o) })
	if !slices.IsSorted(all) {
		slices.Sort(all)
	}
	return all
}

// offsetsOf returns the live messages of one key before to, in order.
func (x *keyIndex) offsetsOf(k string, to Offset) (all []Offset) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if id := x.id(raw(k)); id != 0 {
		x.chain(id, 0, to, func(o Offset) bool { all = append(all, o); return true })
	}
	slices.Reverse(all)
	return all
}

// messages is the number of live messages in [from, to) whose key matches one of the
// patterns (none = all). Requires: the sequencer, for an exact answer.
func (x *keyIndex) messages(patterns []string, from, to Offset) (n int64) {
	if len(patterns) == 0 {
		return x.log.Count(from, to)
	}
	x.mu.RLock()
	if x.all(patterns) {
		x.mu.RUnlock()
		return x.log.Count(from, to)
	}
	var inside, outside int64 // of keys that are whole in [from, to); of those that are not, in all
	part := map[uint32]bool{}
	x.eachKey(patterns, func(id uint32) {
		switch i := x.info(id); {
		case i.last < from || i.from() >= to:
		case i.from() >= from && i.last < to:
			inside += i.messages
		default:
			part[id] = true
			outside += i.messages
		}
	})
	if outside*chainCost < x.log.Count(from, to) {
		for id := range part {
			x.chain(id, from, to, func(Offset) bool { inside++; return true })
		}
		x.mu.RUnlock()
		return inside
	}
	x.mu.RUnlock()
	count := func(from, to Offset) (n int64) {
		x.scan(from, to, func(_ Offset, id uint32) bool {
			if part[id] {
				n++
			}
			return true
		})
		return n
	}
	if to >= maxOffset && x.log.Count(0, from) < x.log.Count(from, to) {
		return inside + outside - count(0, from)
	}
	return inside + count(from, to)
}

// matcher knows which ids belong to keys that match one of the patterns (none = all).
type matcher struct {
	x        *keyIndex
	patterns []string
	known    map[uint32]bool
	renamed  uint64 // as it was when they were looked at
}

func (x *keyIndex) matcher(patterns []string) *matcher {
	return &matcher{x: x, patterns: patterns, known: map[uint32]bool{}}
}

// matches requires mu.
func (m *matcher) matches(id uint32) bool {
	if len(m.patterns) == 0 {
		return true
	}
	if m.renamed != m.x.renamed {
		m.renamed = m.x.renamed
		clear(m.known)
	}
	is, ok := m.known[id]
	if !ok {
		name := m.x.names.Name(id)
		is = slices.ContainsFunc(m.patterns, func(p string) bool { return matches(p, name) })
		m.known[id] = is
	}
	return is
}

// matches reports whether a key matches a pattern: "" stands for all, one without wildcards for itself.
func matches(pattern, key string) bool {
	return pattern == "" || pattern == key && !wild(pattern) || wild(pattern) && SubjectMatches(pattern, key)
}

// matching returns up to most live messages in [from, to) whose key matches one of
// the patterns, in order, and where it stopped looking.
func (x *keyIndex) matching(patterns []string, from, to Offset, most int) (os []Offset, next Offset) {
	m := x.matcher(patterns)
	return x.pick(from, to, most, func(_ Offset, id uint32) bool { return m.matches(id) })
}

// matchingLasts is matching for the messages that are the last ones of their keys before end.
func (x *keyIndex) matchingLasts(patterns []string, end, from, to Offset, most int) (os []Offset, next Offset) {
	m := x.matcher(patterns)
	return x.pick(from, to, most, func(o Offset, id uint32) bool { return m.matches(id) && x.lastBelow(id, end) == o })
}

// pick returns up to most live messages in [from, to) that are wanted, in order, and where it stopped looking. wanted
// runs with mu held for reading.
func (x *keyIndex) pick(from, to Offset, most int, wanted func(o Offset, id uint32) bool) (os []Offset, next Offset) {
	next = to
	x.scan(from, to, func(o Offset, id uint32) bool {
		if !wanted(o, id) {
			return true
		}
		if len(os) == most {
			next = o
			return false
		}
		os = append(os, o)
		return true
	})
	return os, next
}

// nextMatch is the first live message in [from, to) whose key matches pattern,
// "" meaning any.
func (x *keyIndex) nextMatch(pattern string, from, to Offset) Offset {
	if pattern == "" {
		if o := x.log.NextRetained(from); o < to {
			return o
		}
		return NoOffset
	}
	if !wild(pattern) {
		return x.nextOf(raw(pattern), from, to)
	}
	found := NoOffset
	m := x.matcher([]string{pattern})
	x.scan(from, to, func(o Offset, id uint32) bool {
		if m.matches(id) {
			found = o
		}
		return found == NoOffset
	})
	return found
}

// nextOf is the first live message in [from, to) of a key. It is looked for from both ends.
func (x *keyIndex) nextOf(key []byte, from, to Offset) Offset {
	found := NoOffset
	x.mu.RLock()
	defer x.mu.RUnlock()
	id := x.id(key)
	if id == 0 {
		return NoOffset
	}
	i := x.info(id)
	if i.last < from || i.from() >= to {
		return NoOffset
	}
	// up is below what was looked through, down a message at or above from.
	up, down := max(from, i.from()), i.last
	for up != NoOffset && up < min(down, to) {
		no := up / pageLen
		x.eachLive(no, x.page(no), up, down, func(o Offset, other uint32) bool {
			if other == id {
				found = o
			}
			return found == NoOffset
		})
		if found != NoOffset {
			break
		}
		up = x.log.NextRetained((no + 1) * pageLen)
		for page := down / pageLen; down/pageLen == page; {
			o := x.before(id, down)
			if o == NoOffset || o < from {
				up = NoOffset
				break
			}
			down = o
		}
	}
	if found == NoOffset {
		found = down
	}
	if found >= to {
		return NoOffset
	}
	return found
}

// last is the last message of a key before end, NoOffset if there is none.
func (x *keyIndex) last(key []byte, end Offset) Offset {
	st, _ := x.state(key, end)
	return st.Last
}

// lastOf is the last message, including those on their way to disk, whose key matches one of the patterns (none = all), NoOffset if there is none.
func (x *keyIndex) lastOf(patterns []string) Offset {
	x.mu.RLock()
	defer x.mu.RUnlock()
	last := NoOffset
	x.eachKey(patterns, func(id uint32) { last = max(last, x.info(id).last) })
	return last
}

// lastBelow is the last message of a key before end, NoOffset if there is none. Requires: mu.
func (x *keyIndex) lastBelow(id uint32, end Offset) Offset {
	st, _ := x.stateOf(id, end)
	return st.Last
}

// isLast reports whether the message at o is the last one of its key before end.
func (x *keyIndex) isLast(key []byte, o, end Offset) bool {
	return o < end && x.last(key, end) == o
}

// firstLasts is how many messages are looked at for the first that is the last one of its key.
const firstLasts = 16 * pageLen

// countLasts counts the keys that match one of the patterns (none = all) and whose last message before end is
// in [from, to), and returns the first of those messages, to if there is none. Requires: the sequencer, for an exact
// answer.
func (x *keyIndex) countLasts(patterns []string, end, from, to Offset) (n int64, first Offset) {
	// Most who ask want all keys, of which there may be millions, and soon find the first message.
	first, looks := to, 0
	x.scan(0, min(end, to), func(o Offset, id uint32) bool {
		if x.info(id).last == o {
			first = o
		}
		looks++
		return first == to && looks < firstLasts
	})
	x.mu.RLock()
	defer x.mu.RUnlock()
	if first != to && from <= first && end >= x.end && to >= end && x.all(patterns) {
		return int64(x.names.Len()), first
	}
	n, first = 0, to
	x.eachKey(patterns, func(id uint32) {
		if o := x.lastBelow(id, end); o >= from && o < to && o != NoOffset {
			n++
			first = min(first, o)
		}
	})
	return n, first
}

// lasts returns, in order, the last message before end of each key that matches one of the patterns (none = all);
// false if there are more than most keys.
func (x *keyIndex) lasts(patterns []string, end Offset, most int) (all []Offset, ok bool) {
	if x.count() > most && len(patterns) == 0 {
		return nil, false
	}
	if len(patterns) == 0 {
		patterns = []string{""}
	}
	n := 0
	for _, p := range patterns {
		x.walk(p, func(id uint32) bool {
			if o := x.lastBelow(id, end); o != NoOffset {
				all = append(all, o)
			}
			n++
			return n <= most
		})
	}
	if n > most {
		return nil, false
	}
	slices.Sort(all)
	return slices.Compact(all), true
}

package core

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"trivium/internal/names"
)

// The index finds the keys that match a pattern, in order, as if it looked at each.
func TestKeyIndexMatches(t *testing.T) {
	word := rapid.SampledFrom([]string{"a", "b", "ab", "", "*", ">", "#"})
	subject := rapid.Map(rapid.SliceOfN(word, 1, 4), func(ws []string) string { return strings.Join(ws, ".") })
	rapid.Check(t, func(t *rapid.T) {
		x := newKeyIndex(&fakeLog{}, nil, nil)
		keys := rapid.SliceOfDistinct(subject, rapid.ID).Draw(t, "keys")
		for i, k := range keys {
			x.add(Offset(i), []byte(k))
		}
		pattern := subject.Draw(t, "pattern")
		var want, got []string
		for _, k := range keys {
			if pattern == k && !wild(pattern) || pattern == "" || wild(pattern) && SubjectMatches(pattern, k) {
				want = append(want, k)
			}
		}
		slices.Sort(want)
		x.match(pattern, func(id uint32) bool { got = append(got, x.names.Name(id)); return true })
		if !slices.Equal(got, want) {
			t.Fatalf("match(%q) %q, want %q", pattern, got, want)
		}
		// In steps, between which some keys go and others come.
		var stays, passed []string
		gone := rapid.SliceOfDistinct(rapid.SampledFrom(append(keys, "none")), rapid.ID).Draw(t, "gone")
		for _, k := range want {
			if !slices.Contains(gone, k) {
				stays = append(stays, k)
			}
		}
		next := Offset(len(keys))
		for from, more := "", true; more; {
			looks := rapid.IntRange(1, 4).Draw(t, "looks")
			from, more = x.matchFrom(pattern, from, looks, func(id uint32) bool {
				passed = append(passed, x.names.Name(id))
				looks--
				return true
			})
			if looks < 0 {
				t.Fatal("more keys than asked for")
			}
			for ; len(gone) > 0 && rapid.Bool().Draw(t, "go"); gone = gone[1:] {
				if i := slices.Index(keys, gone[0]); i >= 0 {
					x.removeOf([]byte(gone[0]), Offset(i))
				}
			}
			if k := subject.Draw(t, "new"); x.names.Find(k) == 0 && !slices.Contains(keys, k) {
				x.add(next, []byte(k))
				next++
			}
		}
		if !slices.IsSorted(passed) || len(slices.Compact(slices.Clone(passed))) != len(passed) {
			t.Fatalf("passed %q", passed)
		}
		passed = slices.DeleteFunc(passed, func(k string) bool { return !slices.Contains(stays, k) })
		if !slices.Equal(passed, stays) {
			t.Fatalf("walk(%q) passed %q of those that stay, %q", pattern, passed, stays)
		}
	})
}

// Keys that cannot match any more are passed over together.
func TestMismatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       int
	}{
		{"a.*.c", "a.b.d.e", 6}, {"a.*.c", "a.b.d", 0}, {"*.c", "a.b.x", 4}, {"a.b", "a.b.c", 4}, {"*", "a.b", 2}, {"a.b.c", "a.b", 0}, {"*.x.>", "a.b.c", 4},
	} {
		if got := mismatch(c.pattern, c.s); got != c.want {
			t.Errorf("mismatch(%q, %q) %d, want %d", c.pattern, c.s, got, c.want)
		}
	}
}

// TestManyKeys bounds what a key of a stream costs in memory, with its only message.
func TestManyKeys(t *testing.T) {
	const n, bound = 50_000, 100
	before := int64(heapInUse())
	x := newKeyIndex(&fakeLog{all: true}, func(Offset) []byte { return nil }, new(pageCache))
	for i := range n {
		x.add(Offset(i), fmt.Appendf(nil, "customer.%d.cart", i))
	}
	for more := true; more; more = x.unfinished() {
		x.snapshot(snapshotRows, func(_, _ []byte) {})
		x.written()
	}
	x.cache.clear()
	if each := (int64(heapInUse()) - before) / n; each > bound {
		t.Errorf("a key takes %d bytes, not %d", each, bound)
	}
	if x.total != n {
		t.Error(x.total)
	}
}

// fakeLog is what a Log retains: all, or what is in live.
type fakeLog struct {
	all  bool
	live map[Offset]string
	next Offset
	// counts are the calls of Count.
	counts int
}

func (l *fakeLog) Retains(o Offset) bool { _, ok := l.live[o]; return l.all || ok }

func (l *fakeLog) Count(from, to Offset) (n int64) {
	l.counts++
	switch from, to = max(from, 0), min(to, l.next); {
	case l.all:
		return max(int64(to-from), 0) + 1
	case to-from > Offset(len(l.live)):
		for o := range l.live {
			if o >= from && o < to {
				n++
			}
		}
	default:
		for o := from; o < to; o++ {
			if l.Retains(o) {
				n++
			}
		}
	}
	return n
}

func (l *fakeLog) NextRetained(from Offset) Offset {
	for o := max(from, 0); o < l.next; o++ {
		if l.Retains(o) {
			return o
		}
	}
	return NoOffset
}

func (l *fakeLog) Bitmap(from Offset, dst []uint64) {
	clear(dst)
	for i := range 64 * len(dst) {
		if l.Retains(from + Offset(i)) {
			dst[i/64] |= 1 << (i % 64)
		}
	}
}

// indexModel is a key index beside a plain map, and the rows that its checkpoints have written.
type indexModel struct {
	t      *rapid.T
	keys   int
	log    *fakeLog
	x      *keyIndex
	rows   map[string][]byte
	cache  *pageCache
	replay Offset // what the rows lack, at most
}

func (m *indexModel) draw(most int, label string) int {
	return rapid.IntRange(0, most).Draw(m.t, label)
}

// name is a key's; some are long, one is empty.
func (m *indexModel) name(i int) string {
	switch {
	case i == 2:
		return ""
	case i%17 == 5:
		return fmt.Sprintf("%c.%d", 'a'+i%3, i) + strings.Repeat("x", longName)
	}
	return fmt.Sprintf("%c.%d", 'a'+i%3, i)
}

func (m *indexModel) open() {
	m.x = newKeyIndex(m.log, func(no Offset) []byte {
		return m.rows[string(binary.BigEndian.AppendUint64([]byte{partKeyPage}, uint64(no)))]
	}, m.cache)
}

// offsets are the live messages in [from, to) of keys that match.
func (m *indexModel) offsets(patterns []string, from, to Offset) (os []Offset) {
	for o, k := range m.log.live {
		if o >= from && o < to && (len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return matches(p, k) })) {
			os = append(os, o)
		}
	}
	slices.Sort(os)
	return os
}

// byKey are the live messages before end of each key, in order.
func (m *indexModel) byKey(end Offset) map[string][]Offset {
	all := map[string][]Offset{}
	for _, o := range m.offsets(nil, 0, end) {
		all[m.log.live[o]] = append(all[m.log.live[o]], o)
	}
	return all
}

// lasts are the last messages before end of the keys that match, in order.
func (m *indexModel) lasts(patterns []string, end Offset) (os []Offset) {
	last := map[string]Offset{}
	for _, o := range m.offsets(patterns, 0, end) {
		last[m.log.live[o]] = o
	}
	return slices.Sorted(maps.Values(last))
}

// restart restores an index from what a crash has left of the last checkpoint.
func (m *indexModel) restart() {
	m.cache.clear()
	m.open()
	for _, part := range slices.Sorted(maps.Keys(m.rows)) {
		m.x.restore([]byte(part), m.rows[part])
	}
	m.x.restored()
	for o := m.replay; o < m.log.next; o++ {
		if k, ok := m.log.live[o]; ok && o >= m.x.end {
			m.x.add(o, []byte(k))
		}
	}
}

func (m *indexModel) add(k string) {
	m.log.live[m.log.next] = k
	m.log.next++
	m.x.add(m.log.next-1, []byte(k))
}

func (m *indexModel) remove(o Offset) {
	k, ok := m.x.remove(o)
	if want, there := m.log.live[o]; ok != there || k != want {
		m.t.Fatalf("remove(%d) %.20q, want %.20q", o, k, want)
	}
	delete(m.log.live, o)
	m.x.removed(o, o+1)
}

// change has messages come and go.
func (m *indexModel) change() {
	switch m.draw(7, "what") {
	case 0, 1, 2: // messages come
		seed := m.draw(1<<20, "seed")
		for i := range m.draw(3*pageLen, "n") {
			m.add(m.name((seed + i*i) % m.keys))
		}
	case 3: // a page becomes full
		for m.log.next%pageLen != 0 {
			m.add(m.name(int(m.log.next) % m.keys))
		}
	case 4: // some go
		every, from := 1+m.draw(5, "every"), Offset(m.draw(int(m.log.next), "from"))
		for _, o := range m.offsets(nil, from, from+Offset(m.draw(2*pageLen, "range"))) {
			if int(o)%every == 0 {
				m.remove(o)
			}
		}
	case 5: // the last ones go
		lasts := m.lasts(nil, m.log.next)
		for _, o := range lasts[:m.draw(min(len(lasts), 20), "lasts")] {
			m.remove(o)
		}
	case 6: // the first one of a key goes
		k, want := m.name(m.draw(m.keys-1, "key")), NoOffset
		if all := m.byKey(m.log.next)[k]; len(all) > 0 {
			want = all[0]
		}
		o := m.x.first([]byte(k))
		if o != want {
			m.t.Fatalf("first of %q %d, want %d", k, o, want)
		}
		if o != NoOffset {
			m.x.removeOf([]byte(k), o)
			delete(m.log.live, o)
			m.x.removed(o, o+1)
		}
	case 7: // trimmed
		before := Offset(m.draw(int(m.log.next), "before"))
		for _, o := range m.offsets(nil, 0, before) {
			m.x.remove(o)
		}
		maps.DeleteFunc(m.log.live, func(o Offset, _ string) bool { return o < before })
		m.x.removed(0, before)
	}
}

// checkpoint writes a checkpoint in rounds, between which messages come and go, or only the first rows of it.
func (m *indexModel) checkpoint(changing, torn bool) {
	m.x.written()
	type row struct {
		part string
		v    []byte
	}
	var rows []row
	begun, most := m.log.next, 1+m.draw(8, "most")
	for more := true; more; more = m.x.unfinished() {
		m.x.snapshot(most, func(part, v []byte) { rows = append(rows, row{string(part), v}) })
		if changing && m.x.unfinished() && m.draw(1, "between") == 1 {
			m.change()
		}
	}
	n := len(rows)
	if torn {
		n = m.draw(n, "rows")
	}
	for _, r := range rows[:n] {
		if m.rows[r.part] = r.v; r.v == nil {
			delete(m.rows, r.part)
		}
	}
	if !torn {
		m.replay = begun
	}
}

// checkStored sees to it that nothing is kept that is not needed: after two checkpoints without a change between.
func (m *indexModel) checkStored() {
	for part := range m.rows {
		if part[0] != partKeyPage {
			continue
		}
		no := Offset(binary.BigEndian.Uint64([]byte(part[1:])))
		if no != m.x.held.tail && len(m.offsets(nil, no*pageLen, (no+1)*pageLen)) == 0 {
			m.t.Fatalf("page %d is stored and holds nothing", no)
		}
	}
	for no := range m.x.held.pages {
		if no != m.x.held.tail {
			m.t.Fatalf("page %d is held although it is stored, the last one is %d", no, m.x.held.tail)
		}
	}
}

// An index answers like a plain map of what is live, whatever was added, removed, written, and lost in crashes.
func TestKeyIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &indexModel{t: t, log: &fakeLog{live: map[Offset]string{}}, rows: map[string][]byte{}, cache: new(pageCache)}
		m.keys = rapid.SampledFrom([]int{1, 3, 40, 1000}).Draw(t, "keys")
		m.open()
		for range m.draw(40, "steps") {
			switch m.draw(5, "step") {
			case 0, 1, 2:
				m.change()
			case 3:
				m.checkpoint(true, false)
			case 4: // a crash, perhaps during a checkpoint
				if m.draw(1, "torn") == 1 {
					m.checkpoint(true, true)
				}
				m.restart()
			case 5: // others need the room
				m.cache.clear()
			}
		}
		m.check()
		for range 2 {
			m.checkpoint(false, false)
		}
		m.x.written()
		m.checkStored()
		m.cache.clear()
		m.check()
		m.restart()
		m.check()
	})
}

func (m *indexModel) check() {
	t, x, draw := m.t, m.x, m.draw
	if x.total != int64(len(m.log.live)) {
		t.Fatalf("%d messages, want %d", x.total, len(m.log.live))
	}
	for o := range m.log.next {
		k, ok := x.key(o)
		if want, there := m.log.live[o]; ok != there || k != want {
			t.Fatalf("key(%d) %q, want %q", o, k, want)
		}
	}
	end := Offset(draw(int(m.log.next), "end"))
	from := Offset(draw(int(m.log.next), "from"))
	byKey := m.byKey(end)
	for i := range m.keys {
		k := m.name(i)
		all := byKey[k]
		want := KeyState{Last: NoOffset, Messages: int64(len(all))}
		if len(all) > 0 {
			want.Last = all[len(all)-1]
		}
		if got, ok := x.state([]byte(k), end); got != want || ok != (len(all) > 0) {
			t.Fatalf("state(%q, %d) %v, want %v", k, end, got, want)
		}
		if got := x.offsetsOf(k, end); !slices.Equal(got, all) {
			t.Fatalf("offsetsOf(%q, %d) %v, want %v", k, end, got, all)
		}
		next := NoOffset
		if i, _ := slices.BinarySearch(all, from); i < len(all) {
			next = all[i]
		}
		if got := x.nextOf([]byte(k), from, end); got != next {
			t.Fatalf("nextOf(%q, %d, %d) %d, want %d", k, from, end, got, next)
		}
	}
	for _, ps := range [][]string{nil, {">"}, {"a.>"}, {"*.1"}, {"a.0", "b.>"}, {"a.>", "a.*"}, {m.name(m.keys / 2)}} {
		all := m.offsets(ps, from, end)
		if got := x.offsets(ps, from, end); !slices.Equal(got, all) {
			t.Fatalf("offsets(%q, %d, %d) %v, want %v", ps, from, end, got, all)
		}
		if got := x.messages(ps, from, end); got != int64(len(all)) {
			t.Fatalf("messages(%q, %d, %d) %d, want %d", ps, from, end, got, len(all))
		}
		most := 1 + draw(50, "most")
		got, next := x.matching(ps, from, end, most)
		if n := min(most, len(all)); !slices.Equal(got, all[:n]) || n < len(all) && next != all[n] || n == len(all) && next != max(end, from) && next != end {
			t.Fatalf("matching(%q, %d, %d, %d) %v %d, want %v", ps, from, end, most, got, next, all)
		}
		all = m.lasts(ps, end)
		if got, ok := x.lasts(ps, end, 1<<20); !ok || !slices.Equal(got, all) {
			t.Fatalf("lasts(%q, %d) %v, want %v", ps, end, got, all)
		}
		all = slices.DeleteFunc(all, func(o Offset) bool { return o < from })
		if got, _ := x.matchingLasts(ps, end, from, end, 1<<20); !slices.Equal(got, all) {
			t.Fatalf("matchingLasts(%q, %d, %d) %v, want %v", ps, from, end, got, all)
		}
		to := Offset(draw(int(end), "to"))
		all = slices.DeleteFunc(all, func(o Offset) bool { return o >= to })
		first := to
		if len(all) > 0 {
			first = all[0]
		}
		if n, o := x.countLasts(ps, end, from, to); n != int64(len(all)) || o != first {
			t.Fatalf("countLasts(%q, %d, %d, %d) %d %d, want %d %d", ps, end, from, to, n, o, len(all), first)
		}
		want := NoOffset
		if all = m.offsets(ps, 0, m.log.next); len(all) > 0 {
			want = all[len(all)-1]
		}
		if got := x.lastOf(ps); got != want {
			t.Fatalf("lastOf(%q) %d, want %d", ps, got, want)
		}
	}
}

// A message is found however far it is before the next one of its key, in few steps.
func TestFarApart(t *testing.T) {
	log := &fakeLog{live: map[Offset]string{}}
	x := newKeyIndex(log, nil, nil)
	os := []Offset{5, 700, 2 * Offset(far), 2*Offset(far) + 3, 5 * Offset(far)}
	for i, o := range os {
		k := "a"
		if i%2 == 1 {
			k = "b"
		}
		log.live[o], log.next = k, o+1
		x.add(o, []byte(k))
	}
	if got, want := x.offsetsOf("a", maxOffset), []Offset{os[0], os[2], os[4]}; !slices.Equal(got, want) {
		t.Errorf("offsets %v, want %v", got, want)
	}
	if got := x.last([]byte("b"), os[3]); got != os[1] {
		t.Errorf("%d is the last one before, not %d", got, os[1])
	}
	if log.counts > 1000 {
		t.Errorf("the Log was asked %d times", log.counts)
	}
}

// FuzzKeyPage: a row becomes a page, whatever is in it, and what was read is read again like that.
func FuzzKeyPage(f *testing.F) {
	f.Add((&keyPage{refs: []keyRef{{1, 0}, {}, {7, 2}, {names.MaxID, far}}}).encode())
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, row []byte) {
		p := decodePage(row)
		if len(p.refs) > pageLen {
			t.Fatalf("%d messages in a page", len(p.refs))
		}
		if again := decodePage(p.encode()); !slices.Equal(again.refs, p.refs) {
			t.Errorf("%v became %v", p.refs, again.refs)
		}
	})
}

// FuzzKeyIndexRows: an index is restored from damaged rows, with what fits together, and takes what comes then.
func FuzzKeyIndexRows(f *testing.F) {
	names := []byte{0, 2, 'a', 3, 'b', '.', 0}
	page := (&keyPage{refs: []keyRef{{1, 0}, {2, 0}, {1, 2}, {9, 1}}}).encode()
	f.Add(names, []byte("long"), uint8(5), page, uint8(0), page, uint8(3))
	f.Add([]byte{0, 2, 'a', 2, 'a', 3, 'a', 'a'}, []byte("a"), uint8(9), page, uint8(0), page, uint8(3)) // names that are equal
	f.Fuzz(func(t *testing.T, group, long []byte, id uint8, one []byte, no1 uint8, two []byte, no2 uint8) {
		log := &fakeLog{all: true, next: 256 * pageLen}
		x := newKeyIndex(log, func(Offset) []byte { return two }, new(pageCache))
		x.restore([]byte{partNames, 0, 0, 0, 0}, group)
		x.restore([]byte{partLongName, 0, 0, 0, id}, long)
		x.restore([]byte{partKeyPage, 0, 0, 0, 0, 0, 0, 0, no1}, one)
		x.restore([]byte{partKeyPage, 0, 0, 0, 0, 0, 0, 0, no2}, two)
		x.restored()
		for i := range Offset(5) {
			x.add(log.next+i, []byte{byte('a' + i)})
		}
		x.matching([]string{"a.>", "a"}, 0, maxOffset, 10)
		for o := Offset(no1) * pageLen; o < Offset(no1+1)*pageLen; o++ {
			if k, ok := x.remove(o); ok {
				x.state([]byte(k), o)
			}
		}
	})
}

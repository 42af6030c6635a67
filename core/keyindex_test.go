package core

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
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
		x.snapshot(func(_, _ []byte) {})
		x.written()
	}
	*x.cache = pageCache{}
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
}

func (l *fakeLog) Retains(o Offset) bool { _, ok := l.live[o]; return l.all || ok }

func (l *fakeLog) Count(from, to Offset) (n int64) {
	for o := max(from, 0); o < min(to, l.next); o++ {
		if l.Retains(o) {
			n++
		}
	}
	if l.all {
		n++
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
	log    *fakeLog
	x      *keyIndex
	rows   map[string][]byte
	cache  *pageCache
	replay Offset // what the rows lack, at most
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
	*m.cache = pageCache{}
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

// An index answers like a plain map of what is live, whatever was added, removed, written, and lost in crashes.
func TestKeyIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &indexModel{log: &fakeLog{live: map[Offset]string{}}, rows: map[string][]byte{}, cache: new(pageCache)}
		m.open()
		keys := rapid.SampledFrom([]int{1, 3, 40, 1000}).Draw(t, "keys")
		name := func(i int) string {
			n := fmt.Sprintf("%c.%d", 'a'+i%3, i)
			if i%17 == 5 {
				n += strings.Repeat("x", longName)
			}
			return n
		}
		draw := func(most int, label string) int { return rapid.IntRange(0, most).Draw(t, label) }
		remove := func(o Offset) {
			k, ok := m.x.remove(o)
			if want, there := m.log.live[o]; ok != there || k != want {
				t.Fatalf("remove(%d) %.20q, want %.20q", o, k, want)
			}
			delete(m.log.live, o)
			m.x.removed(o, o+1)
		}
		for range draw(40, "steps") {
			switch draw(8, "what") {
			case 0, 1, 2: // messages come
				seed := draw(1<<20, "seed")
				for i := range draw(3*pageLen, "n") {
					k := name((seed + i*i) % keys)
					m.log.live[m.log.next] = k
					m.log.next++
					m.x.add(m.log.next-1, []byte(k))
				}
			case 3: // some go
				every, from := 1+draw(5, "every"), Offset(draw(int(m.log.next), "from"))
				for _, o := range m.offsets(nil, from, from+Offset(draw(2*pageLen, "range"))) {
					if int(o)%every == 0 {
						remove(o)
					}
				}
			case 4: // the last ones go
				for _, o := range m.lasts(nil, m.log.next)[:draw(min(len(m.lasts(nil, m.log.next)), 20), "lasts")] {
					remove(o)
				}
			case 5: // the first one of a key goes
				k := name(draw(keys-1, "key"))
				want := NoOffset
				if all := m.offsets([]string{k}, 0, m.log.next); len(all) > 0 {
					want = all[0]
				}
				o := m.x.first([]byte(k))
				if o != want {
					t.Fatalf("first of %q %d, want %d", k, o, want)
				}
				if o != NoOffset {
					m.x.removeOf([]byte(k), o)
					delete(m.log.live, o)
					m.x.removed(o, o+1)
				}
			case 6: // trimmed
				before := Offset(draw(int(m.log.next), "before"))
				for _, o := range m.offsets(nil, 0, before) {
					m.x.remove(o)
				}
				maps.DeleteFunc(m.log.live, func(o Offset, _ string) bool { return o < before })
				m.x.removed(0, before)
			case 7, 8: // written, or only in part
				torn := draw(3, "torn") == 0
				m.checkpoint(func(rows int) int {
					if torn {
						return draw(rows, "rows")
					}
					return rows
				})
				if torn || draw(3, "crash") == 0 {
					m.restart()
				}
			}
		}
		m.check(t, keys, name, draw)
		m.restart()
		m.check(t, keys, name, draw)
		m.checkpoint(func(rows int) int { return rows })
		for part := range m.rows {
			if part[0] != partKeyPage {
				continue
			}
			no := Offset(binary.BigEndian.Uint64([]byte(part[1:])))
			if no != m.x.held.tail && len(m.offsets(nil, no*pageLen, (no+1)*pageLen)) == 0 {
				t.Fatalf("page %d is stored and holds nothing", no)
			}
		}
	})
}

// checkpoint writes so many of the rows that there are.
func (m *indexModel) checkpoint(some func(rows int) int) {
	m.x.written()
	type row struct {
		part string
		v    []byte
	}
	var rows []row
	for more := true; more; more = m.x.unfinished() {
		m.x.snapshot(func(part, v []byte) { rows = append(rows, row{string(part), v}) })
	}
	n := some(len(rows))
	for _, r := range rows[:n] {
		if m.rows[r.part] = r.v; r.v == nil {
			delete(m.rows, r.part)
		}
	}
	if n == len(rows) {
		m.replay = m.log.next
	}
}

func (m *indexModel) check(t *rapid.T, keys int, name func(i int) string, draw func(most int, label string) int) {
	x := m.x
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
	for i := range keys {
		k := name(i)
		all := m.offsets([]string{k}, 0, end)
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
		if os := m.offsets([]string{k}, from, end); len(os) > 0 {
			next = os[0]
		}
		if got := x.nextMatch(k, from, end); got != next {
			t.Fatalf("nextMatch(%q, %d, %d) %d, want %d", k, from, end, got, next)
		}
	}
	for _, ps := range [][]string{nil, {">"}, {"a.>"}, {"*.1"}, {"a.0", "b.>"}, {"a.>", "a.*"}, {name(keys / 2)}} {
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

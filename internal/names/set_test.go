package names

import (
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A set answers like a plain map, whatever was added and removed, and what it handed out stays as it was.
func TestSet(t *testing.T) {
	name := rapid.OneOf(
		rapid.StringMatching(`[ab]{0,4}`), rapid.StringMatching(`(a\.|b\.|a)*[ab*]`), rapid.StringN(0, 3, -1),
		rapid.Map(rapid.IntRange(0, 3), func(n int) string { return strings.Repeat("long", n*chunkSize/10) }))
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		ids, views := map[string]uint32{}, map[string]string{}
		var free []uint32
		unwanted := map[uint32]bool{}
		for _, n := range rapid.SliceOfDistinct(name, rapid.ID).Draw(t, "bulk") {
			id := uint32(len(ids) + len(free) + 1)
			s.Put(id, n)
			if unwanted[id] = rapid.IntRange(0, 4).Draw(t, "unwanted") == 0; unwanted[id] {
				free = append(free, id)
			} else {
				ids[n] = id
			}
		}
		s.Build(func(id uint32) bool { return !unwanted[id] })
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			n := name.Draw(t, "name")
			if s.Find(n) != ids[n] {
				t.Fatalf("Find(%q) %d, want %d", n, s.Find(n), ids[n])
			}
			if id := ids[n]; id != 0 {
				s.Remove(id)
				delete(ids, n)
				free = append(free, id)
			} else {
				id = uint32(len(ids) + len(free) + 1)
				if len(free) > 0 {
					id, free = free[len(free)-1], free[:len(free)-1]
				}
				s.Add(id, n)
				ids[n] = id
				views[n] = s.Name(id)
			}
		}
		all := slices.Sorted(maps.Keys(ids))
		if s.Len() != len(all) {
			t.Fatalf("Len %d, want %d", s.Len(), len(all))
		}
		for n, view := range views {
			if view != n {
				t.Fatalf("the name %q became %q", n, view)
			}
			if got := s.Find(n); got != ids[n] {
				t.Fatalf("Find(%q) %d, want %d", n, got, ids[n])
			}
		}
		prefix := name.Draw(t, "prefix")
		var got, want []string
		under, from := 0, ""
		if rapid.Bool().Draw(t, "from") {
			from = prefix + name.Draw(t, "from")
		}
		s.Each(prefix, from, func(id uint32) int { got = append(got, s.Name(id)); return 0 })
		for _, n := range all {
			if !strings.HasPrefix(n, prefix) {
				continue
			}
			if under++; n >= from {
				want = append(want, n)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("Each(%q, %q) %q, want %q", prefix, from, got, want)
		}
		if every := s.All(prefix); every != (under > 0 && under == len(all)) {
			t.Fatalf("All(%q) %v of %q", prefix, every, all)
		}
	})
}

// Whoever knows that nothing more with these first bytes is wanted is not asked again about one.
func TestPass(t *testing.T) {
	var s Set
	for i, n := range []string{"a.1", "a.2", "b.1", "b.1.x", "b.2", "c"} {
		s.Add(uint32(i+1), n)
	}
	for _, c := range []struct {
		pass func(name string) int
		want string
	}{
		{func(string) int { return 0 }, "a.1 a.2 b.1 b.1.x b.2 c"},
		{func(string) int { return 2 }, "a.1 b.1 c"},
		{func(string) int { return 3 }, "a.1 a.2 b.1 b.2 c"},
		{func(n string) int { return map[string]int{"a.2": -1}[n] }, "a.1 a.2"},
	} {
		var got []string
		s.Each("", "", func(id uint32) int {
			got = append(got, s.Name(id))
			return c.pass(s.Name(id))
		})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// A name costs little besides its bytes, and those of names that are gone are given back.
func TestMemory(t *testing.T) {
	const n, length = 100_000, 16
	name := func(i int) string { s := strconv.Itoa(i); return strings.Repeat("x", length-len(s)) + s }
	before := heapBytes()
	s := new(Set)
	for i := range n {
		s.Add(uint32(i+1), name(i))
	}
	if each := (heapBytes() - before) / n; each > length+40 {
		t.Errorf("%d bytes a name, want at most %d", each, length+40)
	}
	for i := range n {
		if i%100 != 0 {
			s.Remove(uint32(i + 1))
		}
	}
	for i := range n {
		if got := s.Find(name(i)); got != 0 && i%100 != 0 || got != uint32(i+1) && i%100 == 0 {
			t.Fatalf("Find(%q) %d", name(i), got)
		}
	}
	chunks := 0
	for _, c := range s.texts.chunks {
		chunks += cap(c.b)
	}
	if most := 4*n/100*padded(length) + 2*chunkSize; chunks > most {
		t.Errorf("%d bytes hold the names of a hundredth, want at most %d", chunks, most)
	}
	runtime.KeepAlive(s)
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkBuild measures a set that is read from disk, in the order in which its names came.
func BenchmarkBuild(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		var s Set
		for i := range n {
			s.Put(uint32(i+1), "customer."+strconv.Itoa(i*7919%n)+".cart")
		}
		s.Build(func(uint32) bool { return true })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/name")
}

func BenchmarkAdd(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		var s Set
		for i := range n {
			s.Add(uint32(i+1), "customer."+strconv.Itoa(i*7919%n)+".cart")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/name")
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var s Set
			all := make([]string, n)
			for i := range n {
				all[i] = "customer." + strconv.Itoa(i*7919%n) + ".cart"
				s.Add(uint32(i+1), all[i])
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; s.Find(all[i*7907%n]) == 0 {
					b.Fatal("not found")
				}
			}
		})
	}
}

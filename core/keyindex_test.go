package core

import (
	"fmt"
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
		x := newKeyIndex()
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
	const n, bound = 50_000, 110
	before := int64(heapInUse())
	x := newKeyIndex()
	for i := range n {
		x.add(Offset(i), fmt.Appendf(nil, "customer.%d.cart", i))
	}
	x.newKeys = nil // a checkpoint empties it
	if each := (int64(heapInUse()) - before) / n; each > bound {
		t.Errorf("a key takes %d bytes, not %d", each, bound)
	}
	if x.total != n {
		t.Error(x.total)
	}
}

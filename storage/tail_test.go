package storage

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTail compares with a slice.
func TestTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 50 {
		var tl tail
		var want []item
		next := Offset(0)
		for range 100 {
			if rng.IntN(2) == 0 {
				for range rng.IntN(rng.IntN(2*tailChunk) + 1) {
					next += Offset(max(rng.IntN(20)-18, 0)) // a gap
					i := item{offset: next, count: int32(1 + max(rng.IntN(10)-8, 0))}
					tl.push(i)
					want = append(want, i)
					next = i.next()
				}
			} else {
				n := len(want)
				if rng.IntN(3) > 0 {
					n = rng.IntN(n + 1)
				}
				tl.drop(n)
				want = want[n:]
			}
			var got []item
			tl.all(func(i *item) bool { got = append(got, *i); return true })
			if !slices.Equal(got, want) || tl.len() != len(want) {
				t.Fatalf("%d items, want %d", tl.len(), len(want))
			}
			o := next - Offset(rng.IntN(3*tailChunk))
			i := slices.IndexFunc(want, func(i item) bool { return i.next() > o })
			if i < 0 {
				i = len(want)
			}
			if got := tl.find(o); got != i {
				t.Fatalf("find(%d) %d, want %d", o, got, i)
			}
		}
	}
}

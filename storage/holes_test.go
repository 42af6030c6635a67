package storage

import (
	"math/rand/v2"
	"testing"
)

// TestHoles compares with a set of offsets.
func TestHoles(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 40 {
		var h holes
		set := map[Offset]bool{}
		const top = 3 * pageOffsets
		offset := func() Offset {
			if rng.IntN(2) == 0 {
				return Offset(rng.IntN(top/64+1) * 64) // at the edges of words and pages
			}
			return Offset(rng.IntN(top))
		}
		for range 60 {
			from, to := offset(), offset()
			if rng.IntN(2) == 0 {
				to = from + Offset(rng.IntN(5))
			}
			switch rng.IntN(8) {
			case 0:
				h.trim(from)
				for o := range set {
					if o < from {
						delete(set, o)
					}
				}
			default:
				added := int64(0)
				for o := from; o < to; o++ {
					if !set[o] {
						set[o] = true
						added++
					}
				}
				if got := h.add(from, to); got != added {
					t.Fatalf("add(%d, %d) = %d, want %d", from, to, got, added)
				}
			}
			if h.len() != int64(len(set)) {
				t.Fatalf("len %d, want %d", h.len(), len(set))
			}
			from, to = offset(), offset()
			n := int64(0)
			for o := from; o < to; o++ {
				if set[o] {
					n++
				}
				if h.has(o) != set[o] {
					t.Fatalf("has(%d) = %v", o, h.has(o))
				}
			}
			if got := h.count(from, to); got != n {
				t.Fatalf("count(%d, %d) = %d, want %d", from, to, got, n)
			}
			for _, in := range []bool{true, false} {
				want := from
				for want < to && set[want] != in {
					want++
				}
				if from < to && h.next(from, in, to) != want {
					t.Fatalf("next(%d, %v, %d) = %d, want %d", from, in, to, h.next(from, in, to), want)
				}
			}
			var sum int64
			h.ranges(from, to, func(a, b Offset) {
				for o := a; o < b; o++ {
					if !set[o] {
						t.Fatalf("range %d to %d", a, b)
					}
				}
				sum += int64(b - a)
			})
			if from < to && sum != n {
				t.Fatalf("ranges of %d, want %d", sum, n)
			}
		}
	}
}

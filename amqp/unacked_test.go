package amqp

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
)

// The list is compared with a map, over random operations.
func TestUnacked(t *testing.T) {
	for seed := range int64(200) {
		rng := rand.New(rand.NewSource(seed))
		var u unacked
		live := map[uint64]bool{}
		var lastTag uint64
		var taken []delivery
		for range 2000 {
			switch n := rng.Intn(10); {
			case n < 5:
				lastTag++
				u.push(delivery{tag: lastTag})
				live[lastTag] = true
			case n < 9 && lastTag > 0:
				// Most of the time a recent one; sometimes one is never settled.
				tag := lastTag - min(lastTag, uint64(rng.Intn(40)))
				if tag%97 == 3 {
					continue
				}
				got := 0
				ok := u.take(tag, false, func(d *delivery) { got++; taken = append(taken, *d) })
				if ok != live[tag] || got != 0 != ok {
					t.Fatalf("seed %d: take %d gave %v", seed, tag, ok)
				}
				delete(live, tag)
			case rng.Intn(30) == 0 && lastTag > 0:
				tag := lastTag - min(lastTag, uint64(rng.Intn(100)))
				var got []uint64
				ok := u.take(tag, true, func(d *delivery) { got = append(got, d.tag) })
				if tag != 0 && ok != live[tag] || tag == 0 && !ok {
					t.Fatalf("seed %d: take up to %d gave %v", seed, tag, ok)
				}
				var want []uint64
				for l := range live {
					if ok && (l <= tag || tag == 0) {
						want = append(want, l)
					}
				}
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d: take up to %d gave %v, want %v", seed, tag, got, want)
				}
				for _, l := range want {
					delete(live, l)
				}
			case rng.Intn(50) == 0:
				var back []delivery
				for _, d := range taken {
					if !live[d.tag] {
						d.settled = false
						back = append(back, d)
						live[d.tag] = true
					}
				}
				u.restore(back)
				taken = nil
			}
			if u.len() != len(live) {
				t.Fatalf("seed %d: %d entries, want %d", seed, u.len(), len(live))
			}
		}
	}
}

// One delivery that is never settled pins nothing but itself.
func TestUnackedStaysSmall(t *testing.T) {
	var u unacked
	for tag := uint64(1); tag <= 10_000; tag++ { // a backlog that is left behind
		u.push(delivery{tag: tag})
	}
	for tag := uint64(2); tag < 200_000; tag++ {
		if tag > 10_000 {
			u.push(delivery{tag: tag})
		}
		if !u.take(tag, false, func(*delivery) {}) {
			t.Fatal(tag)
		}
	}
	if cap(u.list) > 2*keepUnacked || u.len() != 1 {
		t.Errorf("room for %d entries for %d deliveries", cap(u.list), u.len())
	}
}

// Settling costs the same however many deliveries are unsettled, in whatever order.
func BenchmarkUnacked(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		for name, at := range map[string]func(i int) int{
			"first": func(i int) int { return i }, "last": func(i int) int { return n - 1 - i },
			"scattered": func(i int) int { return i * 7919 % n },
		} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				var u unacked
				for i := 0; b.Loop(); i = (i + 1) % n {
					for tag := uint64(1); i == 0 && tag <= uint64(n); tag++ {
						u.push(delivery{tag: tag})
					}
					if !u.take(uint64(at(i))+1, false, func(*delivery) {}) {
						b.Fatal(i)
					}
				}
			})
		}
	}
}

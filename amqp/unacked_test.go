package amqp

import (
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
	u.push(delivery{tag: 1})
	for tag := uint64(2); tag < 100_000; tag++ {
		u.push(delivery{tag: tag})
		if !u.take(tag, false, func(*delivery) {}) {
			t.Fatal(tag)
		}
	}
	if len(u.list) > 4*compactFrom || u.len() != 1 {
		t.Errorf("%d entries for %d deliveries", len(u.list), u.len())
	}
}

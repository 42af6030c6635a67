package core

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFilters compares what filtered cursors deliver, and what they say is pending,
// with a scan of the messages.
func TestFilters(t *testing.T) {
	h := newHarness(t)
	if err := h.cmdStream("s", parseArgs(nil)); err != nil {
		t.Fatal(err)
	}
	s := h.ns.Stream(defaultRealm, "s")
	rng := rand.New(rand.NewPCG(1, 2))
	keys := map[Offset]string{}
	for range 30 {
		tx := h.b.Begin()
		for range 200 {
			k := fmt.Sprintf("a.%d", rng.IntN(3))
			if rng.IntN(50) == 0 {
				k = fmt.Sprintf("rare.%d.x", rng.IntN(4))
			}
			o, err := s.Append(tx, 0, &Entry{Key: []byte(k), Data: []byte(k)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			keys[o] = k
			if gone := Offset(rng.IntN(int(o) + 1)); rng.IntN(10) == 0 && s.Remove(tx, 0, gone) {
				delete(keys, gone)
			}
		}
		tx.Commit()
	}
	h.rest()
	filters := [][]string{nil, {"a.1"}, {"rare.*.x"}, {"rare.2.x"}, {"rare.>", "a.0"}, {"none"}, {"*.2", "rare.0.x"}}
	for i, fs := range filters {
		var want []Offset
		for o, k := range keys {
			if len(fs) == 0 || slices.ContainsFunc(fs, func(f string) bool { return SubjectMatches(f, k) }) {
				want = append(want, o)
			}
		}
		slices.Sort(want)
		var c *Cursor
		err := h.tx(func(tx *Tx) (err error) {
			c, err = s.CreateCursor(tx, CursorConfig{Name: fmt.Sprint(i), Filters: fs, Ack: AckNone}, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for n, o := range want {
			if got := c.State().Pending; got != int64(len(want)-n) {
				t.Fatalf("%v: %d pending, not %d", fs, got, len(want)-n)
			}
			d, err := c.Fetch(false)
			if err != nil {
				t.Fatal(err)
			}
			if d == nil || d.Offset != o || string(d.Entry.Data) != keys[o] || d.Pending != int64(len(want)-n-1) {
				t.Fatalf("%v: got %+v, want offset %d, %d pending", fs, d, o, len(want)-n-1)
			}
		}
		if d, err := c.Fetch(false); d != nil || err != nil {
			t.Fatalf("%v: got %+v, %v at the end", fs, d, err)
		}
	}
}

// TestManyQueues bounds what an idle queue costs, and a binding to a topic exchange by a key of its own: the
// least of several rounds, because what else lives in the process (a memtable, a journal buffer) comes and goes
// between two readings.
func TestManyQueues(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many queues")
	}
	const rounds, n, queueBound, bindingBound = 4, 3000, 700, 180
	b := benchBroker(t)
	ns := b.Namespace(DefaultNamespace)
	name := func(i int) string { return fmt.Sprintf("queue.%d.of.many", i) }
	queue, binding := int64(math.MaxInt64), int64(math.MaxInt64)
	for r := range rounds {
		each := func(f func(tx *Tx, i int) error) int64 {
			before := heapInUse()
			for i := r * n; i < (r+1)*n; i += 500 {
				err := b.Committed(func(tx *Tx) error {
					for k := range 500 {
						if err := f(tx, i+k); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			return (int64(heapInUse()) - int64(before)) / n
		}
		queue = min(queue, each(func(tx *Tx, i int) error {
			_, err := ns.CreateQueue(tx, QueueConfig{Realm: defaultRealm, Name: name(i), Durable: true})
			return err
		}))
		binding = min(binding, each(func(tx *Tx, i int) error {
			return ns.Bind(tx, Binding{Source: "amq.topic", Queue: ns.Queue(defaultRealm, name(i)), Key: name(i), Durable: true})
		}))
	}
	if queue > queueBound || binding > bindingBound {
		t.Errorf("an idle queue takes %d bytes, its binding %d; not %d and %d", queue, binding, queueBound, bindingBound)
	}
}

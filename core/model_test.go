package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// queueModel is a queue as simple as can be: a list that is searched.
type queueModel struct {
	c        QueueConfig
	messages []*modelMessage // in the order of their offsets
	next     Offset
	now      int64
	dead     []string // what went to the dead-letter queue
	taken    int      // for Weighted
}

type modelMessage struct {
	offset   Offset
	priority int
	expires  int64
	back     int64 // returned with a delay until then
	held     bool
	attempts int
	returned int // for ReturnFirst: the how-manieth return
}

// ready are the messages that can be handed out, in order.
func (q *queueModel) ready() (all []*modelMessage) {
	for _, m := range q.messages {
		if !m.held {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b *modelMessage) int {
		if q.c.ReturnFirst && (a.returned > 0 || b.returned > 0) {
			switch {
			case a.returned == 0:
				return 1
			case b.returned == 0:
				return -1
			}
			return a.returned - b.returned
		}
		if q.c.Weighted {
			return 0
		}
		return b.priority - a.priority
	})
	if !q.c.Weighted {
		return all
	}
	// Two urgent ones to one that is the first of all.
	returned := slices.IndexFunc(all, func(m *modelMessage) bool { return m.returned == 0 })
	if returned < 0 {
		return all
	}
	rest, taken := slices.Clone(all[returned:]), q.taken
	all = all[:returned]
	for ; len(rest) > 0; taken++ {
		i := slices.IndexFunc(rest, func(m *modelMessage) bool { return m.priority > 4 })
		if i < 0 || taken%3 == 2 {
			i = 0
		}
		all = append(all, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return all
}

// take counts a message that leaves its place for the first time.
func (q *queueModel) take(m *modelMessage) {
	if m.returned == 0 {
		q.taken++
	}
}

func (q *queueModel) drop(m *modelMessage, reason string) {
	i := slices.Index(q.messages, m)
	q.messages = slices.Delete(q.messages, i, i+1)
	if reason != "" {
		q.dead = append(q.dead, fmt.Sprintf("%d+%s@q", m.offset, reason))
	}
}

// settleDown applies what happens by itself.
func (q *queueModel) settleDown() {
	back := slices.Clone(q.messages)
	for _, m := range back {
		if m.back != 0 && m.back <= q.now {
			m.back = 0
			q.giveBack(m)
		}
	}
	for {
		all := q.ready()
		switch {
		case len(all) > 0 && all[0].expires != 0 && all[0].expires <= q.now:
			q.take(all[0])
			q.drop(all[0], Expired)
		case q.c.HasMaxMessages && int64(len(all)) > q.c.MaxMessages, q.c.HasMaxBytes && weight(all) > q.c.MaxBytes:
			q.take(all[0])
			q.drop(all[0], MaxLen)
		default:
			return
		}
	}
}

// weight is how long the bodies of ms are.
func weight(ms []*modelMessage) (n int64) {
	for _, m := range ms {
		n += int64(len(fmt.Append(nil, m.offset)))
	}
	return n
}

var returns int

func (q *queueModel) giveBack(m *modelMessage) {
	if q.c.MaxAttempts > 0 && m.attempts >= q.c.MaxAttempts {
		q.drop(m, DeliveryLimit)
		return
	}
	returns++
	m.held, m.returned = false, returns
}

// TestModel plays random operations on a queue and on its model: both hand out the
// same messages in the same order, let the same ones die, and count alike.
func TestModel(t *testing.T) {
	for seed := range uint64(seeds()) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { playModel(t, seed) })
	}
}

func playModel(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	h := newHarness(t)
	c := QueueConfig{Realm: defaultRealm, Name: "q", Durable: rng.IntN(2) == 0, HasDeadLetter: true, HasDeadLetterKey: true, DeadLetterKey: "dead"}
	switch rng.IntN(4) {
	case 0:
		c.Priorities = 3
	case 1:
		c.ReturnFirst = true
	case 2:
		c.ReturnFirst, c.Weighted = true, true
	}
	if rng.IntN(2) == 0 {
		c.HasTTL, c.TTL = true, 50*time.Millisecond
	}
	if rng.IntN(2) == 0 {
		c.HasMaxMessages, c.MaxMessages = true, int64(1+rng.IntN(8))
	}
	if rng.IntN(3) == 0 {
		c.HasMaxBytes, c.MaxBytes = true, int64(1+rng.IntN(12))
	}
	if rng.IntN(2) == 0 {
		c.MaxAttempts = 1 + rng.IntN(3)
	}
	m := &queueModel{c: c, now: h.now.Load()}
	var q, dead *Queue
	err := h.tx(func(tx *Tx) (err error) {
		if q, err = h.ns.CreateQueue(tx, c); err == nil {
			dead, err = h.ns.CreateQueue(tx, QueueConfig{Realm: defaultRealm, Name: "dead"})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var trace []string
	for range 120 {
		op := playModelOp(t, rng, h, q, m)
		h.rest()
		m.settleDown()
		trace = append(trace, op)
		if got, want := q.Ready(), int64(len(m.ready())); got != want {
			t.Fatalf("%+v\n%q\nready %d, not %d", c, trace, got, want)
		}
		var gone []string
		es, _, err := dead.Log().Read(0, Limit{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			gone = append(gone, string(e.Data))
		}
		// What dies in one step for several reasons may do so in any order.
		slices.Sort(gone)
		want := slices.Sorted(slices.Values(m.dead))
		if !slices.Equal(gone, want) {
			t.Fatalf("%+v\n%q\ndead %q, not %q", c, trace, gone, want)
		}
	}
}

// playModelOp does one random thing to both, and says what.
func playModelOp(t *testing.T, rng *rand.Rand, h *harness, q *Queue, m *queueModel) string {
	var held []*modelMessage
	for _, x := range m.messages {
		if x.held && x.back == 0 {
			held = append(held, x)
		}
	}
	op := rng.IntN(10)
	if len(held) == 0 && op >= 6 {
		op = rng.IntN(6)
	}
	tx := func(f func(tx *Tx)) {
		if err := h.tx(func(tx *Tx) error { f(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	switch op {
	case 0, 1, 2:
		x := &modelMessage{offset: m.next, priority: min(rng.IntN(6), m.c.Priorities)}
		if m.c.Weighted {
			x.priority = 3 + rng.IntN(3)
		}
		e := Entry{Data: fmt.Append(nil, m.next), Priority: uint8(x.priority), Time: m.now}
		if m.c.Priorities > 0 && x.priority == m.c.Priorities {
			e.Priority += uint8(rng.IntN(3)) // above the highest is the highest
		}
		if m.c.HasTTL {
			x.expires = m.now + int64(m.c.TTL)
		}
		if rng.IntN(4) == 0 {
			e.Expires = m.now + rng.Int64N(100)*int64(time.Millisecond) + int64(time.Millisecond)
			if x.expires == 0 || e.Expires < x.expires {
				x.expires = e.Expires
			}
		}
		m.next++
		m.messages = append(m.messages, x)
		tx(func(tx *Tx) {
			if err := q.Append(tx, &e); err != nil {
				t.Fatal(err)
			}
		})
		return fmt.Sprintf("publish %d prio=%d expires=%d", x.offset, x.priority, x.expires)
	case 3, 4:
		d, err := q.Cursor().Fetch(false)
		if err != nil {
			t.Fatal(err)
		}
		all := m.ready()
		if d == nil || len(all) == 0 {
			if d != nil || len(all) > 0 {
				t.Fatalf("fetched %+v, %d are ready", d, len(all))
			}
			return "fetch nothing"
		}
		x := all[0]
		redelivered := x.attempts > 0
		m.take(x)
		x.held = true
		x.attempts++
		if d.Offset != x.offset || d.Redelivered != redelivered || d.Attempt != x.attempts {
			t.Fatalf("fetched %+v, not %+v", d, x)
		}
		return fmt.Sprint("fetch ", d.Offset)
	case 5:
		ms := rng.IntN(40)
		m.now += int64(ms) * int64(time.Millisecond)
		h.now.Store(m.now)
		h.b.timers.fire()
		return fmt.Sprintf("advance %d", ms)
	}
	x := held[rng.IntN(len(held))]
	switch op {
	case 6, 7:
		m.drop(x, "")
		tx(func(tx *Tx) { q.Cursor().Settle(tx, x.offset) })
		return fmt.Sprint("settle ", x.offset)
	case 8:
		delay := time.Duration(rng.IntN(3)) * 10 * time.Millisecond
		if delay == 0 {
			m.giveBack(x)
		} else {
			x.back = m.now + int64(delay)
		}
		tx(func(tx *Tx) { q.Cursor().Return(tx, delay, true, x.offset) })
		return fmt.Sprintf("return %d delay=%v", x.offset, delay)
	}
	m.drop(x, Rejected)
	tx(func(tx *Tx) { q.Cursor().Discard(tx, Rejected, x.offset) })
	return fmt.Sprint("reject ", x.offset)
}

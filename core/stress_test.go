package core

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// worker is a Sink that settles, returns or rejects what it gets from other goroutines,
// as a door does.
type worker struct {
	h    *harness
	todo chan Delivery
	seen *tally
}

// tally counts how often each number was settled.
type tally struct {
	mu      sync.Mutex
	settled map[int]int
	total   atomic.Int64
}

func (w *worker) Deliver(_ *Subscription, ds []Delivery) {
	for _, d := range ds {
		w.todo <- d // as long as the window: never blocks
	}
}
func (w *worker) Idle(*Subscription)         {}
func (w *worker) Ended(*Subscription, error) {}

func (w *worker) work(c *Cursor, rng *rand.Rand) {
	for d := range w.todo {
		tx := w.h.b.Begin()
		if rng.IntN(8) == 0 {
			c.Return(tx, time.Duration(rng.IntN(2))*time.Millisecond, true, d.Offset)
		} else if c.Settle(tx, d.Offset) == 1 {
			n, _ := strconv.Atoi(string(d.Entry.Data))
			w.seen.mu.Lock()
			w.seen.settled[n]++
			w.seen.mu.Unlock()
			w.seen.total.Add(1)
		}
		tx.Commit()
	}
}

// TestStress publishes to and consumes from a queue and a stream from many
// goroutines: every message is settled exactly once, whoever comes and goes.
func TestStress(t *testing.T) {
	const publishers, each, window = 4, 300, 16
	for _, kind := range []string{"queue", "transient", "levels=3", "stream"} {
		t.Run(kind, func(t *testing.T) {
			h := newHarness(t)
			var c *Cursor
			var send func(tx *Tx, e *Entry) error
			if kind == "stream" {
				if err := h.cmdStream("s", parseArgs([]string{"retention=work"})); err != nil {
					t.Fatal(err)
				}
				if err := h.cmdCursor("s/c", parseArgs(nil)); err != nil {
					t.Fatal(err)
				}
				s := h.ns.Stream(defaultRealm, "s")
				c = s.Cursor("c")
				send = func(tx *Tx, e *Entry) error { _, err := s.Append(tx, 0, e, nil); return err }
			} else {
				if err := h.cmdQueue("q", parseArgs([]string{kind})); err != nil {
					t.Fatal(err)
				}
				q := h.ns.Queue(defaultRealm, "q")
				c, send = q.Cursor(), q.Append
			}
			seen := &tally{settled: map[int]int{}}
			var pubs, subs sync.WaitGroup
			for p := range publishers {
				pubs.Go(func() {
					for i := range each {
						tx := h.b.Begin()
						e := Entry{Key: []byte("k"), Priority: uint8(i % 5), Data: fmt.Append(nil, p*each+i)}
						if err := send(tx, &e); err != nil {
							t.Error(err)
						}
						tx.Commit()
					}
				})
			}
			for i := range 5 {
				subs.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(i), 1))
					for seen.total.Load() < publishers*each {
						w := &worker{h: h, todo: make(chan Delivery, window), seen: seen}
						var done sync.WaitGroup
						done.Go(func() { w.work(c, rng) })
						s, err := c.Subscribe(SubscribeOptions{Windows: []*Window{NewWindow(window)}, Credit: 10 + rng.IntN(100)}, w)
						if err != nil {
							t.Error(err)
						}
						for s.Credit() > 0 && seen.total.Load() < publishers*each {
							time.Sleep(100 * time.Microsecond)
							h.now.Add(int64(time.Millisecond))
							h.b.timers.wake()
						}
						s.Close()
						close(w.todo)
						done.Wait()
					}
				})
			}
			pubs.Wait()
			subs.Wait()
			h.rest()
			for n := range publishers * each {
				if seen.settled[n] != 1 {
					t.Errorf("message %d was settled %d times", n, seen.settled[n])
				}
			}
			if n := c.p.log.Messages(); n != 0 {
				t.Errorf("%d messages are left", n)
			}
			if st := c.State(); st.InFlight != 0 || st.Pending != 0 {
				t.Errorf("state %+v", st)
			}
		})
	}
}

package core

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// byID is a message's headers: just its ID.
type byID string

func (byID) Header(string) ([]byte, bool)             { return nil, false }
func (b byID) ID(string) (id []byte, _ time.Duration) { return []byte(b), 0 }

// What an exchange and a queue know of ids is as durable as the messages: after a crash an id is known if, and
// only if, its message is there. Checkpoints in between change nothing.
func TestKnownAfterCrash(t *testing.T) {
	for seed := range uint64(seeds()) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { playKnown(t, seed) })
	}
}

func playKnown(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 11))
	h := &harness{t: t, fs: vfs.NewCrashableMem(), subs: map[string]*recorder{}}
	h.now.Store(1000 * second)
	h.open()
	defer func() { h.close() }()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const size = 50
	must(h.b.Committed(func(tx *Tx) error {
		_, err := h.ns.CreateExchange(tx, ExchangeConfig{Name: "x", Kind: Fanout, Durable: true, Dedup: Dedup{On: true, Size: size}, IDHeader: "id"})
		must(err)
		for _, c := range []QueueConfig{
			{Name: "all"}, {Name: "present", Dedup: Dedup{On: true}}, {Name: "window", Dedup: Dedup{On: true, Size: size}},
		} {
			c.Realm, c.Durable = defaultRealm, true
			q, err := h.ns.CreateQueue(tx, c)
			must(err)
			if c.Name == "all" {
				must(h.ns.Bind(tx, Binding{Source: "x", Queue: q, Durable: true}))
			}
		}
		return nil
	}))
	next := 0
	acked := map[string]bool{} // by ID, of the last round
	for range 4 {
		var facts []*fact
		var ids, fresh []string
		for range 20 + rng.IntN(60) {
			id := fmt.Sprint("m", next)
			next++
			if n := len(fresh); rng.IntN(4) == 0 && n > 0 {
				id = fresh[n-1-rng.IntN(min(n, size/4))]
			} else {
				fresh = append(fresh, id)
			}
			ids = append(ids, id)
			f := new(fact)
			facts = append(facts, f)
			tx := h.b.Begin()
			var to Routes
			h.ns.RouteIn(tx, h.ns.Exchange("x"), []string{""}, byID(id), &to)
			for _, q := range to.Queues {
				must(q.Append(tx, &Entry{Data: []byte(id)}))
			}
			for _, n := range []string{"present", "window"} {
				if err := h.ns.Queue(defaultRealm, n).Append(tx, &Entry{ID: []byte(id), Data: []byte(id)}); err != nil {
					if e, ok := err.(*Error); !ok || e.Code != Duplicate {
						t.Fatal(err)
					}
				}
			}
			tx.Then(f)
			tx.Commit()
			if rng.IntN(30) == 0 {
				must(h.store.Checkpoint())
			}
			if rng.IntN(8) == 0 { // let the disk catch up
				must(h.b.Committed(func(tx *Tx) error { tx.Note(0, nil); return nil }))
			}
		}
		clear(acked)
		for i, f := range facts {
			if f.acked() {
				acked[ids[i]] = true
			}
		}
		fs := h.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		h.close()
		h.fs = fs
		h.open()
		stored := map[string]map[string]int{}
		for _, n := range []string{"all", "present", "window"} {
			stored[n] = map[string]int{}
			l := h.ns.Queue(defaultRealm, n).Log()
			es, _, err := l.Read(0, Limit{Entries: 1 << 20, Bytes: 1 << 30}, nil)
			must(err)
			for _, e := range es {
				stored[n][string(e.Data)]++
			}
		}
		tx := h.b.Begin()
		for _, id := range fresh[max(0, len(fresh)-size/2):] { // so many are known whatever the disk lost
			hash := hashID([]byte(id))
			for n, k := range map[string]*known{
				"all": h.ns.Exchange("x").known, "present": h.ns.Queue(defaultRealm, "present").known, "window": h.ns.Queue(defaultRealm, "window").known,
			} {
				if got, want := k.has(hash, tx.Now()), stored[n][id] > 0; got != want {
					t.Errorf("%s: %s is known: %v, is stored: %v", n, id, got, want)
				}
				if stored[n][id] > 1 {
					t.Errorf("%s: %s is stored %d times", n, id, stored[n][id])
				}
				if acked[id] && stored[n][id] == 0 {
					t.Errorf("%s: %s was acknowledged and is gone", n, id)
				}
			}
		}
		tx.Commit()
	}
}

// What is remembered stays within its bounds, in memory and in checkpoints.
func TestKnownIsBounded(t *testing.T) {
	p := newTopology(t)
	p.do(func(tx *Tx) error {
		_, err := p.ns.CreateExchange(tx, ExchangeConfig{Name: "x", Kind: Fanout, Durable: true, Dedup: Dedup{On: true, Size: 100}, IDHeader: "id"})
		return err
	})
	p.do(func(tx *Tx) error {
		_, err := p.ns.CreateQueue(tx, QueueConfig{Realm: defaultRealm, Name: "q", Durable: true, Dedup: Dedup{On: true}})
		return err
	})
	k, q := p.ns.Exchange("x").known, p.ns.Queue(defaultRealm, "q")
	for i := range 5000 {
		p.do(func(tx *Tx) error {
			var to Routes
			p.ns.RouteIn(tx, p.ns.Exchange("x"), []string{""}, byID(fmt.Sprint(i)), &to)
			e := Entry{ID: fmt.Append(nil, i), Data: []byte("x")}
			if err := q.Append(tx, &e); err != nil {
				return err
			}
			tx.Delete(q.Log(), 0, e.Offset) // one stays
			return nil
		})
		if i%500 == 0 {
			if err := p.store.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, k := range map[string]*known{"exchange": k, "queue": q.known} {
		if n := len(k.byID); n > 300 || len(k.order) > 600 || k.saved > 1200 {
			t.Errorf("%s: %d ids, %d in order, %d saved", name, n, len(k.order), k.saved)
		}
	}
}

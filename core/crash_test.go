package core

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// seeds is how many histories the crash test plays.
func seeds() int {
	if n, err := strconv.Atoi(os.Getenv("TRIVIUM_SEEDS")); err == nil {
		return n
	}
	return 20
}

// TestCrash plays random histories, takes the disk away in the middle of each, and
// compares what comes back with what was acknowledged.
func TestCrash(t *testing.T) {
	first := uint64(0)
	if s, err := strconv.ParseUint(os.Getenv("TRIVIUM_SEED"), 10, 64); err == nil {
		first = s
	}
	for seed := first; seed < first+uint64(seeds()); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { playCrash(t, seed) })
	}
}

// fact is something that was asked for, and whether it was acknowledged.
type fact struct {
	mu   sync.Mutex
	done bool
}

func (f *fact) Durable(err error) {
	f.mu.Lock()
	f.done = err == nil
	f.mu.Unlock()
}

func (f *fact) acked() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// message is one number, published to the queue and the stream in one transaction.
type message struct {
	sent, settled, acked *fact // settled in the queue, acked by the cursor
	offset               Offset
	sequence             int32 // of the producer, -1 = none
	lost                 bool  // a crash took it
	// spent: the cursor x delivered it once, which is all it gets; late: settled there afterwards.
	spent, late *fact
	// What was acknowledged when the disk went away.
	wasSent, wasSettled, wasAcked, wasSpent, wasLate bool
}

type history struct {
	messages []*message
	byOffset map[Offset]*message
	sequence int32
}

func playCrash(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	h := &harness{t: t, fs: vfs.NewCrashableMem(), subs: map[string]*recorder{}}
	h.now.Store(1000 * second)
	h.open()
	kind := []string{"dlk=dead", "attempts=1000"}
	if seed%2 == 1 {
		kind = append(kind, "weighted", "returnfirst")
	}
	var setup = []error{
		h.cmdQueue("q", parseArgs(kind)),
		h.cmdQueue("dead", parseArgs(nil)),
		h.cmdStream("s", parseArgs([]string{"dedup=1000000"})),
		h.cmdCursor("s/c", parseArgs([]string{"ackwait=100000"})),
		h.cmdCursor("s/x", parseArgs([]string{"attempts=1"})),
		h.cmdStream("k", parseArgs([]string{"perkey=3", "max=40"})),
	}
	if err := errors.Join(setup...); err != nil {
		t.Fatal(err)
	}
	hs := &history{byOffset: map[Offset]*message{}}
	for range 1 + rng.IntN(4) {
		h.play(rng, hs)
		h.crash(rng, hs)
	}
	h.close()
}

// play does random things without waiting for most of them.
func (h *harness) play(rng *rand.Rand, hs *history) {
	q, s := h.ns.Queue(defaultRealm, "q"), h.ns.Stream(defaultRealm, "s")
	var inQueue, inStream []*Delivery
	for range rng.IntN(200) {
		switch rng.IntN(11) {
		case 0, 1, 2:
			h.send(rng, hs, q, s)
		case 3, 4:
			if d := h.fetch(q.Cursor()); d != nil {
				if m := hs.message(h, d); m.settled != nil {
					h.t.Errorf("message %s is delivered though it was settled", d.Entry.Data)
				}
				inQueue = append(inQueue, d)
			}
		case 5:
			if d := take(rng, &inQueue); d != nil {
				f := new(fact)
				tx := h.b.Begin()
				if rng.IntN(3) == 0 {
					q.Cursor().Return(tx, 0, true, d.Offset)
				} else {
					hs.message(h, d).settled = f
					if q.Cursor().Settle(tx, d.Offset) != 1 {
						h.t.Errorf("offset %d was not in flight", d.Offset)
					}
				}
				tx.Then(f)
				tx.Commit()
			}
		case 6:
			if d := h.fetch(s.Cursor("c")); d != nil {
				if hs.message(h, d).acked != nil {
					h.t.Errorf("message %s is delivered again though it was settled", d.Entry.Data)
				}
				inStream = append(inStream, d)
			}
		case 7:
			if d := take(rng, &inStream); d != nil {
				f := new(fact)
				tx := h.b.Begin()
				s.Cursor("c").Settle(tx, d.Offset)
				hs.message(h, d).acked = f
				tx.Then(f)
				tx.Commit()
			}
		case 8:
			if rng.IntN(10) == 0 {
				h.rest()
			}
			h.churn(rng)
		case 9:
			if rng.IntN(10) == 0 {
				if err := h.store.Checkpoint(); err != nil {
					h.t.Fatal(err)
				}
			}
		case 10:
			h.spend(rng, hs, s.Cursor("x"))
		}
	}
}

// spend lets a message have its one attempt, and settles an earlier one after all.
func (h *harness) spend(rng *rand.Rand, hs *history, c *Cursor) {
	d := h.fetch(c)
	if d == nil {
		return
	}
	m := hs.message(h, d)
	if m.spent != nil {
		h.t.Errorf("message %s is delivered again after its only attempt", d.Entry.Data)
	}
	tx := h.b.Begin()
	c.Return(tx, 0, true, d.Offset)
	tx.Commit()
	h.rest()
	m.spent = new(fact)
	tx = h.b.Begin()
	tx.Then(m.spent)
	if old := hs.messages[rng.IntN(len(hs.messages))]; old.spent != nil && old.late == nil && !old.lost && rng.IntN(2) == 0 {
		old.late = new(fact)
		if c.Settle(tx, old.offset) != 1 {
			h.t.Errorf("offset %d is not settled after its only attempt", old.offset)
		}
		tx.Then(old.late)
	}
	tx.Commit()
}

// checkSpent compares what a cursor knows to be exhausted with what was.
func (h *harness) checkSpent(hs *history, c *Cursor) {
	c.lock()
	defer c.unlock()
	for n, m := range hs.messages {
		if m.lost {
			continue // another one has its offset
		}
		spent := c.mu.exhausted != nil && c.mu.exhausted.Exists(uint64(m.offset))
		switch {
		case m.late == nil && spent != (m.spent != nil) && (spent || m.wasSpent), m.wasLate && spent:
			h.t.Errorf("message %d: exhausted %v", n, spent)
		case !spent && m.spent != nil && m.late == nil:
			m.spent = nil // a crash took that
		case spent:
			m.late = nil
		}
	}
}

// churn appends to, and removes from, a stream with many keys.
func (h *harness) churn(rng *rand.Rand) {
	s := h.ns.Stream(defaultRealm, "k")
	tx := h.b.Begin()
	defer tx.Commit()
	for range rng.IntN(20) {
		e := Entry{Key: fmt.Appendf(nil, "a.%d", rng.IntN(30))}
		if rng.IntN(6) == 0 {
			e.Count = int32(rng.IntN(6))
		}
		if rng.IntN(50) == 0 {
			e.Key = nil
		}
		o, err := s.Append(tx, 0, &e, nil)
		if err != nil {
			h.t.Fatal(err)
		}
		switch rng.IntN(20) {
		case 0:
			s.Remove(tx, 0, o-Offset(rng.IntN(30)))
		case 1:
			if _, err := s.Purge(tx, "a.*", o, int64(rng.IntN(2))); err != nil {
				h.t.Fatal(err)
			}
		case 2:
			s.Trim(tx, 0, o-Offset(rng.IntN(30)))
		}
	}
}

// checkIndex compares a stream's key index with one built from its log.
func (h *harness) checkIndex(s *Stream) {
	p := s.partition(0)
	fresh := &partition{s: s, log: p.log, keys: newKeyIndex(p.log, nil, nil)}
	fresh.indexLog()
	dump := func(x *keyIndex) string {
		var b strings.Builder
		var names []string
		x.match("", func(id uint32) bool { names = append(names, x.names.Name(id)); return true })
		slices.Sort(names)
		for _, n := range names {
			st, _ := x.state([]byte(n), maxOffset)
			fmt.Fprintf(&b, "%q %+v %v\n", n, st, x.offsetsOf(n, maxOffset))
		}
		return b.String()
	}
	if got, want := dump(p.keys), dump(fresh.keys); got != want {
		h.t.Errorf("key index:\n%s\nlog:\n%s", got, want)
	}
}

func (h *harness) send(rng *rand.Rand, hs *history, q *Queue, s *Stream) {
	n := len(hs.messages)
	m := &message{sent: new(fact), sequence: -1}
	e := Entry{Key: []byte("k"), ID: fmt.Appendf(nil, "id%d", n), Data: fmt.Appendf(nil, "%d", n)}
	tx := h.b.Begin()
	if err := q.Append(tx, &Entry{Data: e.Data, Priority: uint8(n % 3 * 4)}); err != nil {
		h.t.Fatal(err)
	}
	if rng.IntN(2) == 0 {
		m.sequence = hs.sequence
		e.Producer = Producer{Set: true, ID: 1, First: m.sequence, Last: m.sequence}
		hs.sequence++
	}
	var err error
	if m.offset, err = s.Append(tx, 0, &e, nil); err != nil {
		h.t.Fatal(err)
	}
	tx.Then(m.sent)
	tx.Commit()
	hs.messages = append(hs.messages, m)
}

func (h *harness) fetch(c *Cursor) *Delivery {
	d, err := c.Fetch(false)
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

func take(rng *rand.Rand, ds *[]*Delivery) *Delivery {
	if len(*ds) == 0 {
		return nil
	}
	i := rng.IntN(len(*ds))
	d := (*ds)[i]
	*ds = append((*ds)[:i], (*ds)[i+1:]...)
	return d
}

func (hs *history) message(h *harness, d *Delivery) *message {
	n, err := strconv.Atoi(string(d.Entry.Data))
	if err != nil || n < 0 || n >= len(hs.messages) || hs.messages[n].lost {
		h.t.Fatalf("message %q was never sent", d.Entry.Data)
	}
	return hs.messages[n]
}

// crash takes the disk as it might be found after a power cut, and checks it.
func (h *harness) crash(rng *rand.Rand, hs *history) {
	for _, m := range hs.messages {
		m.wasSent = m.sent.acked()
		m.wasSettled = m.settled != nil && m.settled.acked()
		m.wasAcked = m.acked != nil && m.acked.acked()
		m.wasSpent = m.spent != nil && m.spent.acked()
		m.wasLate = m.late != nil && m.late.acked()
	}
	fs := h.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	h.close()
	h.fs = fs
	h.open()
	q, s := h.ns.Queue(defaultRealm, "q"), h.ns.Stream(defaultRealm, "s")
	inQueue, inStream := h.numbers(q.Log(), len(hs.messages)), h.numbers(s.Log(0), len(hs.messages))

	h.checkIndex(s)
	h.checkIndex(h.ns.Stream(defaultRealm, "k"))
	if n := h.warnings.Swap(0); n > 0 {
		h.t.Errorf("%d warnings", n)
	}

	last := int32(-1)
	for n, m := range hs.messages {
		_, queued := inQueue[n]
		o, streamed := inStream[n]
		switch {
		case m.lost:
			if queued || streamed {
				h.t.Errorf("message %d came back", n)
			}
		case streamed && o != m.offset:
			h.t.Errorf("message %d moved from %d to %d", n, m.offset, o)
		case m.wasSent && !streamed:
			h.t.Errorf("message %d was acknowledged and is lost", n)
		case m.settled == nil && queued != streamed:
			h.t.Errorf("message %d: queued %v, streamed %v: a transaction was torn", n, queued, streamed)
		case queued && m.wasSettled:
			h.t.Errorf("message %d was settled and is back", n)
		}
		m.lost = !streamed
		if streamed {
			m.sent = &fact{done: true}
			if queued {
				m.settled = nil
			} else {
				m.settled = &fact{done: true}
			}
			last = max(last, m.sequence)
		}
	}
	hs.sequence = last + 1
	h.checkSenders(hs, s, last)
	h.checkSpent(hs, s.Cursor("x"))

	// Everything unsettled is delivered once, in order, and nothing else; what a
	// checkpoint knew to be in flight once its time is up.
	h.now.Add(200 * second)
	h.b.timers.fire()
	h.rest()
	h.checkDeliveries(hs, q.Cursor(), func(m *message) (must, may bool) { return m.settled == nil, m.settled == nil })
	h.checkDeliveries(hs, s.Cursor("c"), func(m *message) (must, may bool) { return m.acked == nil, !m.wasAcked })
}

// numbers are the numbers in a log, by message number; each at most once, in order.
func (h *harness) numbers(l *Log, most int) map[int]Offset {
	es, _, err := l.Read(0, Limit{}, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	all, last := map[int]Offset{}, -1
	for _, e := range es {
		n, err := strconv.Atoi(string(e.Data))
		if err != nil || n <= last || n >= most {
			h.t.Fatalf("offset %d holds %q after %d", e.Offset, e.Data, last)
		}
		all[n], last = e.Offset, n
	}
	return all
}

// checkSenders sends again what is stored: each is a duplicate of its first copy.
func (h *harness) checkSenders(hs *history, s *Stream, last int32) {
	tx := h.b.Begin()
	defer tx.Commit()
	if _, got, ok := s.ProducerState(0, 1); ok != (last >= 0) || ok && got != last {
		h.t.Errorf("the producer's last sequence is %d, not %d", got, last)
	}
	for n, m := range hs.messages {
		if m.lost {
			continue
		}
		_, err := s.Append(tx, 0, &Entry{Key: []byte("k"), ID: fmt.Appendf(nil, "id%d", n)}, nil)
		var e *Error
		if !errors.As(err, &e) || e.Code != Duplicate || e.Got != m.offset || !e.Durable {
			h.t.Errorf("message %d sent again: %v, not a duplicate of %d", n, err, m.offset)
		}
	}
}

func (h *harness) checkDeliveries(hs *history, c *Cursor, want func(m *message) (must, may bool)) {
	got, last := map[*message]bool{}, map[bool]Offset{false: NoOffset, true: NoOffset}
	var all []Offset
	for d := h.fetch(c); d != nil; d = h.fetch(c) {
		m := hs.message(h, d)
		if _, may := want(m); !may || got[m] {
			h.t.Errorf("%s: message %s is delivered again", c.Config().Name, d.Entry.Data)
		}
		first := c.weighted() && urgent(d.Entry)
		if d.Offset <= last[first] {
			h.t.Errorf("%s: %d is delivered after %d", c.Config().Name, d.Offset, last[first])
		}
		got[m], last[first] = true, d.Offset
		all = append(all, d.Offset)
	}
	for n, m := range hs.messages {
		if must, _ := want(m); must && !m.lost && !got[m] {
			h.t.Errorf("%s: message %d is not delivered", c.Config().Name, n)
		}
		if c.s.queue == nil {
			m.acked = nil
			if !got[m] {
				m.acked = &fact{done: true}
			}
		}
	}
	tx := h.b.Begin()
	if n := c.Return(tx, 0, false, all...); n != len(all) {
		h.t.Errorf("%s: %d of %d returned", c.Config().Name, n, len(all))
	}
	tx.Commit()
}

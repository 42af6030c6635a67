package storage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// readers read beside the operations of a model test whatever is there, while the store changes places: what they
// are given once was appended there, in order, and nothing is missing that was live all the while. The store pauses
// where one of its structures has changed and the next has not, so that they read just then; they pause where they
// have found out where something is and have not read it.
type readers struct {
	s     *Store
	turns chan struct{} // each lets one of them read once
	stop  chan struct{}
	work  sync.WaitGroup
	reads atomic.Uint64
	steps atomic.Uint64 // of who pauses
	wrong atomic.Pointer[error]

	rng struct {
		sync.Mutex
		*rand.Rand
	}
	mu struct {
		sync.Mutex
		logs map[LogID]*history
		ids  []LogID
	}
}

// history is what a Log once had, and what may be gone of it.
type history struct {
	l       *Log
	entries []Entry
	gone    map[Offset]bool
	dropped bool
}

func newReaders(seed uint64) *readers {
	r := &readers{turns: make(chan struct{}, 4)}
	r.rng.Rand = rand.New(rand.NewPCG(seed, 3))
	return r
}

// begin starts reading of s, which has what the oracle says.
func (r *readers) begin(s *Store, o *oracle) {
	if r == nil {
		return
	}
	r.s = s
	r.mu.Lock()
	r.mu.logs, r.mu.ids = map[LogID]*history{}, nil
	for id, l := range o.logs {
		r.mu.logs[id] = &history{l: s.Log(id), entries: slices.Clone(l.entries), gone: maps.Clone(l.gone)}
		r.mu.ids = append(r.mu.ids, id)
	}
	slices.Sort(r.mu.ids)
	r.mu.Unlock()
	stop := make(chan struct{})
	r.stop = stop
	for range 2 {
		rng := rand.New(rand.NewPCG(r.random(1<<30), 4))
		r.work.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-r.turns:
				}
				if err := r.read(rng); err != nil && !(errors.Is(err, ErrClosed) && s.closed.Load()) {
					r.wrong.CompareAndSwap(nil, &err)
				}
				r.reads.Add(1)
			}
		})
	}
}

// end waits for the last reads, and returns what was wrong.
func (r *readers) end() error {
	if r == nil {
		return nil
	}
	if r.s != nil {
		close(r.stop)
		r.work.Wait()
		r.s = nil
	}
	return r.err()
}

func (r *readers) err() error {
	if err := r.wrong.Load(); err != nil {
		return *err
	}
	return nil
}

// Before they take effect the model says what it does, but for appends: these are read when they are committed.

func (r *readers) created(l *Log) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.logs[l.id] = &history{l: l, gone: map[Offset]bool{}}
	r.mu.ids = append(r.mu.ids, l.id)
}

func (r *readers) appended(l *Log, e Entry) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.mu.logs[l.id]
	h.entries = append(h.entries, e)
}

func (r *readers) deletes(l *Log, from, to Offset) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for o := max(from, l.Start()); o < to; o++ {
		r.mu.logs[l.id].gone[o] = true
	}
}

func (r *readers) drops(l *Log) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.logs[l.id].dropped = true
}

func (r *readers) random(n int) uint64 {
	r.rng.Lock()
	defer r.rng.Unlock()
	return r.rng.Uint64N(uint64(n))
}

// turn lets somebody read, if nobody is late.
func (r *readers) turn() {
	select {
	case r.turns <- struct{}{}:
	default:
	}
}

// pause lets others run: sometimes for as long as it takes somebody to read, or to come to the next place like this.
func (r *readers) pause() {
	steps, reads := r.steps.Add(1), r.reads.Load()
	switch n := r.random(8); n {
	case 0, 1:
		for range 1 + r.random(10) {
			runtime.Gosched()
		}
	case 2, 3:
		for i := 0; i < 50 && r.steps.Load() == steps && r.reads.Load() == reads; i++ {
			runtime.Gosched()
		}
	}
}

// pausing is the journal of a store that is read. The settler syncs it when it has written new segments, and before
// the index and Logs know them.
type pausing struct {
	journal
	r *readers
}

func (j pausing) sync() error {
	if err := j.journal.sync(); err != nil {
		return err
	}
	j.r.turn()
	j.r.hold()
	j.r.pause()
	return nil
}

func (j pausing) read(pos Position, p place, b []byte) error {
	j.r.pause()
	return j.journal.read(pos, p, b)
}

func (j pausing) release(pos Position) error {
	j.r.turn()
	j.r.pause()
	defer j.r.turn()
	return j.journal.release(pos)
}

func (j pausing) discard(num uint64) error {
	j.r.turn()
	j.r.pause()
	defer j.r.turn()
	return j.journal.discard(num)
}

// hold keeps everybody from some Log for a while, so that others are changed before it and after it.
func (r *readers) hold() {
	r.mu.Lock()
	var l *Log
	if len(r.mu.ids) > 0 && r.random(2) == 0 {
		l = r.mu.logs[r.mu.ids[r.random(len(r.mu.ids))]].l
	}
	r.mu.Unlock()
	if l == nil {
		return
	}
	l.mu.Lock()
	r.work.Go(func() {
		defer l.mu.Unlock()
		n := r.reads.Load()
		for i := 0; i < 100 && r.reads.Load() < n+2; i++ {
			r.turn()
			runtime.Gosched()
		}
	})
}

func (r *readers) String() string { return "pausing" }

// MaybeError pauses before operations on files that readers and the settler use. It never fails.
func (r *readers) MaybeError(op errorfs.Op) error {
	if !strings.HasSuffix(op.Path, segmentSuffix) && !strings.HasSuffix(op.Path, journalSuffix) {
		return nil
	}
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpRemove, errorfs.OpFileSync:
		r.turn()
		r.pause()
	case errorfs.OpOpen, errorfs.OpFileReadAt, errorfs.OpFileWriteAt:
		r.pause()
	}
	return nil
}

// read reads something of some Log and checks it.
func (r *readers) read(rng *rand.Rand) error {
	r.mu.Lock()
	if len(r.mu.ids) == 0 {
		r.mu.Unlock()
		return nil
	}
	i := rng.IntN(len(r.mu.ids))
	h := r.mu.logs[r.mu.ids[i]]
	if h.dropped && rng.IntN(4) == 0 {
		r.mu.ids = slices.Delete(r.mu.ids, i, i+1) // read often enough
	}
	r.mu.Unlock()
	l := h.l
	x := reading{r: r, h: h, end: l.End()}
	start := l.Start()
	x.from = start + Offset(rng.IntN(int(max(x.end-start, 0))+1))
	if rng.IntN(3) == 0 {
		x.from = 0
	}
	limit := Limit{Entries: 1 + rng.IntN(30), Bytes: rng.IntN(2) * rng.IntN(5000)}
	var err error
	what := "borrow"
	switch rng.IntN(8) {
	case 0, 1:
		what = "raw"
		err = x.raw(Format(rng.IntN(3)), limit)
	case 2:
		what = "time"
		err = x.offsetAt(1000 + int64(rng.IntN(500)))
	case 3:
		what = "read"
		var es []Entry
		if es, x.next, err = l.Read(x.from, limit, nil); err == nil {
			err = x.check(es)
		}
	default:
		var lease Lease
		var es []Entry
		if es, x.next, err = l.Borrow(x.from, limit, nil, &lease); err == nil {
			err = x.check(es)
		}
		if err == nil {
			r.pause()
			err = x.check(es) // still
		}
		lease.End()
	}
	if err != nil {
		return fmt.Errorf("log %d: %s from %d on, when the end was %d: %w", l.id, what, x.from, x.end, err)
	}
	return nil
}

// reading is one read.
type reading struct {
	r          *readers
	h          *history
	from, next Offset
	end        Offset // before it
}

// must reports whether the read had to find a message of e: it was there before, and is now. Requires: r.mu is held.
func (x *reading) must(e *Entry, to Offset) bool {
	if x.h.dropped {
		return false
	}
	for o := max(e.Offset, x.from); o < min(e.Next(), to, x.end); o++ {
		if !x.h.gone[o] {
			return true
		}
	}
	return false
}

// since returns what there was from the first entry on that ends after from. Requires: r.mu is held.
func (x *reading) since() []Entry {
	es := x.h.entries
	i, _ := slices.BinarySearchFunc(es, x.from, func(e Entry, o Offset) int {
		if e.Next() <= o {
			return -1
		}
		return 1
	})
	return es[i:]
}

// check compares entries that were read up to next.
func (x *reading) check(got []Entry) error {
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	to := x.next
	if to < x.from {
		return fmt.Errorf("it ends at %d", to)
	}
	if len(got) == 0 {
		to = x.end
	}
	all := x.since()
	for i := range got {
		g := &got[i]
		for len(all) > 0 && all[0].Offset < g.Offset {
			if x.must(&all[0], to) {
				return fmt.Errorf("up to %d there is no %d", x.next, all[0].Offset)
			}
			all = all[1:]
		}
		if len(all) == 0 || all[0].Offset != g.Offset {
			return fmt.Errorf("there never was, or not in this order:\n%+v", g)
		}
		if !equalEntry(g, &all[0]) {
			return fmt.Errorf("%+v\nis\n%+v", all[0], g)
		}
		all = all[1:]
	}
	for i := 0; i < len(all) && all[i].Offset < to; i++ {
		if x.must(&all[i], to) {
			return fmt.Errorf("%d entries up to %d, but no %d", len(got), x.next, all[i].Offset)
		}
	}
	return nil
}

// raw reads spans, of which each is an entry's Data.
func (x *reading) raw(f Format, limit Limit) error {
	s, err := x.h.l.Raw(x.from, f, limit)
	if err != nil {
		return err
	}
	defer s.Close()
	x.next = s.Next
	x.r.pause()
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	// How many spans the entries so far may be: more than one number if some are gone.
	may := map[int]bool{0: true}
	for _, e := range x.since() {
		if e.Offset >= s.Next {
			break
		}
		must := x.must(&e, s.Next)
		next := map[int]bool{}
		for n := range may {
			if !must {
				next[n] = true
			}
			if e.Format == f && n < len(s.Spans) && bytes.Equal(s.Spans[n].Mem, e.Data) {
				next[n+1] = true
			}
		}
		may = next
	}
	if !may[len(s.Spans)] {
		return fmt.Errorf("%d spans up to %d are not what is there", len(s.Spans), s.Next)
	}
	return nil
}

// offsetAt looks for a time.
func (x *reading) offsetAt(t int64) error {
	o, err := x.h.l.OffsetAt(t)
	if err != nil {
		return err
	}
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	x.from = 0
	known := o >= x.end
	for i := range x.h.entries {
		e := &x.h.entries[i]
		if e.Time < t {
			continue
		}
		if e.Next() <= o && x.must(e, x.end) {
			return fmt.Errorf("the first of time %d is %d, not %d", t, e.Offset, o)
		}
		// One that was found may be gone by the time it is known where the Log starts.
		known = known || e.Offset <= o && (o < e.Next() || x.h.dropped || x.h.gone[e.Next()-1])
	}
	if !known {
		return fmt.Errorf("nothing of time %d is at %d", t, o)
	}
	return nil
}

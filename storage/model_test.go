package storage

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// The model test runs random transactions on a file system that can crash, crashes
// it anywhere, opens what survived, and compares with a sequential oracle: every
// acknowledged transaction is there, every one is whole or absent, what is there is a
// prefix of what was issued, and nothing is invented. Then it goes on from there.

var (
	flagSeed  = flag.Uint64("storage.seed", 0, "run the model test with this seed only")
	flagSeeds = flag.Int("storage.seeds", 0, "run the model test with so many seeds")
)

func seeds(t *testing.T, normal int) (first, n uint64) {
	if *flagSeed != 0 {
		return *flagSeed, 1
	}
	n = uint64(normal)
	if testing.Short() {
		n /= 4
	}
	if v, err := strconv.Atoi(os.Getenv("TRIVIUM_STORAGE_SEEDS")); err == nil {
		n = uint64(v)
	}
	if *flagSeeds > 0 {
		n = uint64(*flagSeeds)
	}
	return 1, n
}

// eachSeed runs f with many seeds, some at the same time.
func eachSeed(t *testing.T, normal int, f func(t testing.TB, seed uint64)) {
	first, n := seeds(t, normal)
	var next atomic.Uint64
	next.Store(first)
	for i := range 4 {
		t.Run(fmt.Sprint("worker ", i), func(t *testing.T) {
			t.Parallel()
			var seed uint64
			defer func() {
				if t.Failed() {
					t.Logf("run it again with: go test ./storage -run '%s' -storage.seed=%d", strings.Split(t.Name(), "/")[0], seed)
				}
			}()
			for seed = next.Add(1) - 1; seed < first+n; seed = next.Add(1) - 1 {
				f(t, seed)
			}
		})
	}
}

// change is one operation of a transaction, as the oracle sees it.
type change struct {
	op       byte
	log      LogID
	from, to Offset
	e        Entry
	key, val string
	owner    uint64
	note     uint64
}

// oracle is the state after some transactions.
type oracle struct {
	logs  map[LogID]*oracleLog
	index map[string]string
	notes map[uint64]noteState
}

type oracleLog struct {
	first, next Offset
	volatile    bool
	entries     []Entry
	gone        map[Offset]bool
}

// noteState is what the state machine of the test keeps per owner: a fingerprint of
// the notes, which are numbered.
type noteState struct{ last, sum uint64 }

func (n noteState) add(note uint64) noteState {
	if note <= n.last {
		return n
	}
	return noteState{note, n.sum*31 + note}
}

func newOracle() *oracle {
	return &oracle{map[LogID]*oracleLog{}, map[string]string{}, map[uint64]noteState{}}
}

func (o *oracle) apply(cs []change) {
	for i := range cs {
		c := &cs[i]
		l := o.logs[c.log]
		switch c.op {
		case opCreate:
			o.logs[c.log] = &oracleLog{first: c.from, next: c.from, volatile: c.e.Volatile, gone: map[Offset]bool{}}
		case opDrop:
			delete(o.logs, c.log)
		case opAppend:
			for p := l.next; p < c.e.Offset; p++ {
				l.gone[p] = true
			}
			l.entries = append(l.entries, c.e)
			l.next = c.e.Next()
		case opDelete:
			for p := max(c.from, l.first); p < min(c.to, l.next); p++ {
				l.gone[p] = true
			}
		case opSet:
			o.index[c.key] = c.val
		case opUnset:
			delete(o.index, c.key)
		case opUnsetRange:
			for k := range o.index {
				if k >= c.key && k < c.val {
					delete(o.index, k)
				}
			}
		case opNote:
			o.notes[c.owner] = o.notes[c.owner].add(c.note)
		}
	}
}

// restart removes what a restart takes away.
func (o *oracle) restart() {
	for id, l := range o.logs {
		if l.volatile {
			delete(o.logs, id)
			continue
		}
		for i := range l.entries {
			if e := &l.entries[i]; e.Volatile {
				for p := e.Offset; p < e.Next(); p++ {
					l.gone[p] = true
				}
			}
		}
	}
}

func (l *oracleLog) live(e *Entry) bool {
	for p := e.Offset; p < e.Next(); p++ {
		if !l.gone[p] {
			return true
		}
	}
	return false
}

// lastTimes are what the time of the last entry may be after a restart: it may forget
// volatile ones.
func (l *oracleLog) lastTimes() (all []int64) {
	for i := len(l.entries) - 1; i >= 0; i-- {
		e := &l.entries[i]
		if all = append(all, e.Time); !e.Volatile && !l.volatile {
			return all
		}
	}
	return append(all, 0)
}

// model runs one seed.
type model struct {
	t      testing.TB
	rng    *rand.Rand
	fs     *crashFS
	s      *Store
	o      Options
	logs   []*Log
	txs    [][]change // all that were issued since the base
	base   *oracle    // the state before them
	sent   uint64     // number of the last transaction
	kept   uint64     // number of the last one in base
	kepts  int        // kept files when they were counted
	lent   []loan     // what was borrowed and not given back
	beside *readers

	acked  atomic.Uint64
	failed atomic.Bool

	notes struct {
		sync.Mutex
		m     map[uint64]noteState
		dirty map[uint64]bool
	}
	note uint64
}

// loan is what was borrowed of a Log, and what it was then.
type loan struct {
	lease     *Lease
	got, then []Entry
}

// borrow reads something and uses it for a while.
func (m *model) borrow() {
	if len(m.logs) == 0 {
		return
	}
	l, x := m.logs[m.rng.IntN(len(m.logs))], loan{lease: &Lease{}}
	from := l.Start() + Offset(m.rng.IntN(1+int(max(l.End()-l.Start(), 0)))) // what is deleted may not be visible yet
	var err error
	if x.got, _, err = l.Borrow(from, Limit{Entries: 1 + m.rng.IntN(20)}, nil, x.lease); err != nil {
		m.fatalf("log %d: borrow from %d on: %v", l.ID(), from, err)
	}
	for _, e := range x.got {
		x.then = append(x.then, cloneEntry(e))
	}
	m.lent = append(m.lent, x)
}

// giveBack ends the use of some of what was borrowed, which is still what it was.
func (m *model) giveBack(most int) {
	for range min(most, len(m.lent)) {
		i := m.rng.IntN(len(m.lent))
		x := m.lent[i]
		m.lent = slices.Delete(m.lent, i, i+1)
		for k := range x.got {
			if !equalEntry(&x.got[k], &x.then[k]) {
				m.fatalf("while it was borrowed\n%+v\nbecame\n%+v", x.then[k], x.got[k])
			}
		}
		if m.rng.IntN(4) == 0 {
			x.lease.Keep()
		}
		x.lease.End()
	}
}

type ack struct {
	m *model
	n uint64
}

func (a ack) Durable(err error) {
	if err != nil {
		a.m.failed.Store(true)
		return
	}
	if !a.m.failed.Load() && a.m.o.Durability == Sync {
		a.m.acked.Store(max(a.m.acked.Load(), a.n))
	}
}

func (m *model) ReplayAppend(pos Position, log LogID, e *Entry)        {}
func (m *model) ReplayDelete(pos Position, log LogID, from, to Offset) {}
func (m *model) ReplayNote(pos Position, owner uint64, data []byte) {
	m.notes.m[owner] = m.notes.m[owner].add(binary.BigEndian.Uint64(data))
	m.notes.dirty[owner] = true
}

func (m *model) Checkpoint(at Position, set func(key, value []byte)) error {
	m.notes.Lock()
	defer m.notes.Unlock()
	for owner := range m.notes.dirty {
		st := m.notes.m[owner]
		v := binary.BigEndian.AppendUint64(nil, st.last)
		set(fmt.Appendf(nil, "!%d", owner), binary.BigEndian.AppendUint64(v, st.sum))
	}
	clear(m.notes.dirty)
	return nil
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf(format, args...)
}

func (m *model) open() {
	s, err := Open(m.o)
	if err != nil {
		m.fatalf("open: %v", err)
	}
	if m.beside != nil {
		s.journal = pausing{s.journal, m.beside}
	}
	if err := m.recover(s); err != nil {
		m.fatalf("recover: %v", err)
	}
}

// use makes fs the file system.
func (m *model) use(fs *crashFS) {
	m.fs, m.o.FS = fs, fs
	if m.beside != nil {
		m.o.FS = errorfs.Wrap(fs, m.beside)
	}
}

// endReaders sees to it that nobody reads any more.
func (m *model) endReaders() {
	if err := m.beside.end(); err != nil {
		m.fatalf("%v", err)
	}
}

// recover loads the state machine's checkpoints and has the rest replayed.
func (m *model) recover(s *Store) error {
	m.s = s
	m.notes.m, m.notes.dirty = map[uint64]noteState{}, map[uint64]bool{}
	err := s.Scan([]byte("!"), func(k, v []byte) bool {
		owner, _ := strconv.ParseUint(string(k[1:]), 10, 64)
		m.notes.m[owner] = noteState{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])}
		return true
	})
	if err != nil {
		return err
	}
	return s.Recover(m)
}

// step runs one random transaction.
func (m *model) step() {
	rng := m.rng
	m.sent++
	var cs []change
	tx := m.s.Begin()
	for range 1 + rng.IntN(4) {
		cs = append(cs, m.change(tx)...)
	}
	key := fmt.Sprint(m.sent)
	tx.Set([]byte("tx"), []byte(key))
	cs = append(cs, change{op: opSet, key: "tx", val: key})
	tx.Then(ack{m, m.sent})
	tx.Commit()
	m.txs = append(m.txs, cs)
}

func (m *model) data() []byte {
	n := m.rng.IntN(40)
	switch m.rng.IntN(20) {
	case 0:
		n = m.rng.IntN(6000)
	case 1:
		n = 0
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.rng.Uint32())
	}
	return b
}

func (m *model) change(tx *Tx) []change {
	rng := m.rng
	pick := rng.IntN(100)
	if len(m.logs) == 0 {
		pick = 0
	}
	var l *Log
	if len(m.logs) > 0 {
		l = m.logs[rng.IntN(len(m.logs))]
	}
	switch {
	case pick < 3:
		first := Offset(rng.IntN(2) * rng.IntN(10000))
		volatile := rng.IntN(5) == 0
		l := tx.CreateLog(LogOptions{Volatile: volatile, First: first})
		m.beside.created(l)
		m.logs = append(m.logs, l)
		return []change{{op: opCreate, log: l.ID(), from: first, e: Entry{Volatile: volatile}}}
	case pick < 4:
		m.logs = slices.DeleteFunc(m.logs, func(x *Log) bool { return x == l })
		m.beside.drops(l)
		tx.DropLog(l)
		return []change{{op: opDrop, log: l.ID()}}
	case pick < 60:
		var cs []change
		e := Entry{Data: m.data(), Format: Format(rng.IntN(3)), Volatile: rng.IntN(6) == 0}
		if rng.IntN(3) == 0 {
			e.Key = m.data()
		}
		if rng.IntN(8) == 0 {
			e.ID, e.Priority, e.Expires = []byte("id"), 3, 77
			e.Producer = Producer{Set: true, ID: 5, First: 1}
		}
		if rng.IntN(5) == 0 {
			e.Count = 1 + int32(rng.IntN(5))
		}
		for range 1 + rng.IntN(2)*rng.IntN(4) {
			x := e
			tx.Append(l, &x)
			x.Volatile = x.Volatile || l.seq.volatile
			x = cloneEntry(x)
			m.beside.appended(l, x)
			cs = append(cs, change{op: opAppend, log: l.ID(), e: x})
			l = m.logs[rng.IntN(len(m.logs))]
		}
		return cs
	case pick < 85:
		next := l.Next()
		from, to := Offset(0), Offset(0)
		switch rng.IntN(4) {
		case 0: // a prefix
			to = l.Start() + Offset(rng.IntN(40))
		case 1: // all but the last few
			to = next - Offset(rng.IntN(10))
		case 2: // somewhere
			from = l.Start() + Offset(rng.IntN(int(next-l.Start())+1))
			to = from + 1 + Offset(rng.IntN(2)*rng.IntN(20))
		case 3: // the first one
			from = l.Start()
			to = from + 1
		}
		m.beside.deletes(l, from, min(to, next))
		tx.Delete(l, from, to)
		if to > next {
			to = next
		}
		if from >= to {
			return nil
		}
		return []change{{op: opDelete, log: l.ID(), from: from, to: to}}
	case pick < 93:
		k, v := fmt.Sprintf("k%02d", rng.IntN(50)), fmt.Sprint(rng.IntN(1000))
		switch rng.IntN(5) {
		case 0:
			tx.Unset([]byte(k))
			return []change{{op: opUnset, key: k}}
		case 1:
			to := fmt.Sprintf("k%02d", rng.IntN(50))
			tx.UnsetRange([]byte(k), []byte(to))
			return []change{{op: opUnsetRange, key: k, val: to}}
		}
		tx.Set([]byte(k), []byte(v))
		return []change{{op: opSet, key: k, val: v}}
	default:
		m.note++
		owner := uint64(1 + rng.IntN(5))
		tx.Note(owner, binary.BigEndian.AppendUint64(nil, m.note))
		m.notes.Lock()
		m.notes.m[owner] = m.notes.m[owner].add(m.note)
		m.notes.dirty[owner] = true
		m.notes.Unlock()
		return []change{{op: opNote, owner: owner, note: m.note}}
	}
}

func cloneEntry(e Entry) Entry {
	clone := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		return append([]byte{}, b...)
	}
	e.Key, e.ID, e.Data = clone(e.Key), clone(e.ID), clone(e.Data)
	return e
}

// wait waits until all that was issued is complete.
func (m *model) wait() {
	d := make(done, 1)
	m.sent++
	tx := m.s.Begin()
	tx.Set([]byte("tx"), fmt.Append(nil, m.sent))
	tx.Then(d)
	tx.Then(ack{m, m.sent})
	tx.Commit()
	m.txs = append(m.txs, []change{{op: opSet, key: "tx", val: fmt.Sprint(m.sent)}})
	if err := <-d; err != nil {
		m.fatalf("commit: %v", err)
	}
	if m.o.Durability != Sync {
		if err := m.s.journal.sync(); err != nil {
			m.fatalf("sync: %v", err)
		}
		m.acked.Store(m.sent)
	}
}

// settleUp makes the oracle's state that after transaction k.
func (m *model) settleUp(k uint64) {
	for _, cs := range m.txs[:k-m.kept] {
		m.base.apply(cs)
	}
	m.txs, m.kept, m.sent = nil, k, k
}

// check compares everything with the oracle. restarted: volatile things are gone.
func (m *model) check() {
	m.t.Helper()
	m.countKept()
	m.giveBack(len(m.lent))
	o := m.base
	n := 0
	m.s.Logs(func(l *Log) { n++ })
	if n != len(o.logs) {
		m.fatalf("%d Logs, want %d", n, len(o.logs))
	}
	for id, ol := range o.logs {
		l := m.s.Log(id)
		if l == nil {
			m.fatalf("log %d is missing", id)
		}
		m.checkLog(l, ol)
	}
	index := map[string]string{}
	err := m.s.Scan(nil, func(k, v []byte) bool {
		if k[0] != '!' {
			index[string(k)] = string(v)
		}
		return true
	})
	if err != nil {
		m.fatalf("scan: %v", err)
	}
	if fmt.Sprint(index) != fmt.Sprint(o.index) {
		m.fatalf("index\n%v\nwant\n%v", index, o.index)
	}
	m.notes.Lock()
	defer m.notes.Unlock()
	if fmt.Sprint(m.notes.m) != fmt.Sprint(o.notes) {
		m.fatalf("notes\n%v\nwant\n%v", m.notes.m, o.notes)
	}
}

func (m *model) checkLog(l *Log, ol *oracleLog) {
	m.t.Helper()
	id := l.ID()
	var want []Entry
	var messages, size int64
	start := NoOffset
	for i := range ol.entries {
		e := &ol.entries[i]
		if !ol.live(e) {
			continue
		}
		want = append(want, *e)
		size += int64(len(e.Key) + len(e.ID) + len(e.Data))
		for p := e.Offset; p < e.Next(); p++ {
			if !ol.gone[p] {
				messages++
				if start == NoOffset {
					start = p
				}
			}
		}
	}
	if start == NoOffset {
		start = l.End()
	}
	defer func() {
		if m.t.Failed() {
			l.dump()
			for _, e := range want {
				fmt.Println(e.Offset, e.Count, e.Volatile)
			}
		}
	}()
	if l.Start() != start || l.End() < ol.next {
		m.fatalf("log %d: start %d end %d, want %d and at least %d", id, l.Start(), l.End(), start, ol.next)
	}
	if l.Messages() != messages {
		m.fatalf("log %d: %d messages, want %d", id, l.Messages(), messages)
	}
	if times := ol.lastTimes(); !slices.Contains(times, l.LastTime()) {
		m.fatalf("log %d: last time %d, want one of %d", id, l.LastTime(), times)
	}
	m.s.settler.work.Lock()
	err := m.s.measure(l)
	m.s.settler.work.Unlock()
	if err != nil {
		m.fatalf("log %d: measure: %v", id, err)
	}
	exact := true
	l.mu.Lock()
	for _, r := range l.mu.runs {
		exact = exact && r.exact // not so only if the sizes cannot be read
	}
	l.mu.Unlock()
	if exact && l.Bytes() != size {
		l.dump()
		m.fatalf("log %d: %d bytes, want %d", id, l.Bytes(), size)
	}
	for p := start; p < l.End(); p++ {
		if live := !ol.gone[p] && p < ol.next; l.Live(p) != live {
			m.fatalf("log %d: live(%d) = %v", id, p, !live)
		}
	}
	if err := sameRetained(l, Offset(m.rng.IntN(int(l.End())+1))); err != nil {
		m.fatalf("log %d: %v", id, err)
	}
	// Read in pieces of some size.
	var got []Entry
	limit := Limit{Entries: m.rng.IntN(20), Bytes: m.rng.IntN(2) * m.rng.IntN(5000)}
	for o := Offset(0); o < l.End(); {
		es, next, err := l.Read(o, limit, nil)
		if err != nil {
			m.fatalf("log %d: read %d: %v", id, o, err)
		}
		if next <= o {
			m.fatalf("log %d: read %d goes on at %d", id, o, next)
		}
		got = append(got, es...)
		o = next
	}
	if len(got) != len(want) {
		m.fatalf("log %d: %d entries, want %d", id, len(got), len(want))
	}
	for i := range got {
		if !equalEntry(&got[i], &want[i]) {
			m.fatalf("log %d: entry %d:\n%+v\nwant\n%+v", id, i, got[i], want[i])
		}
	}
	// The same bytes as spans.
	f := Format(m.rng.IntN(3))
	spans, err := l.Raw(0, f, limit)
	if err != nil {
		m.fatalf("log %d: raw: %v", id, err)
	}
	var raw []byte
	for _, s := range spans.Spans {
		raw = append(raw, s.Mem...)
	}
	spans.Close()
	for i := range want {
		e := &want[i]
		if e.Next() > spans.Next || e.Format != f {
			break
		}
		if !bytes.HasPrefix(raw, e.Data) {
			m.fatalf("log %d: raw: offset %d", id, e.Offset)
		}
		raw = raw[len(e.Data):]
	}
	if len(raw) > 0 {
		m.fatalf("log %d: raw: %d bytes too many", id, len(raw))
	}
	// By time.
	if len(want) > 0 {
		at := want[m.rng.IntN(len(want))].Time
		i := slices.IndexFunc(want, func(e Entry) bool { return e.Time >= at })
		if o, err := l.OffsetAt(at); err != nil || o != max(want[i].Offset, start) {
			m.fatalf("log %d: OffsetAt(%d) = %d, %v, want %d", id, at, o, err, want[i].Offset)
		}
	}
}

func equalEntry(a, b *Entry) bool {
	return a.Offset == b.Offset && a.Count == b.Count && a.Format == b.Format && a.Volatile == b.Volatile &&
		a.Priority == b.Priority && a.Time == b.Time && a.Expires == b.Expires && a.Producer == b.Producer &&
		(a.Key == nil) == (b.Key == nil) && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.ID, b.ID) && bytes.Equal(a.Data, b.Data)
}

// crash takes what would survive a power failure now, and opens that.
func (m *model) crash() {
	acked := m.acked.Load()
	fs := m.fs.crash(m.rng)
	issued := m.sent
	m.giveBack(len(m.lent))
	m.s.Close() // on the old file system; what it does there does not matter
	m.endReaders()
	m.use(fs)
	m.open()
	m.recovered(acked, issued)
}

// recovered finds out how far the store got and compares.
func (m *model) recovered(acked, issued uint64) {
	m.t.Helper()
	v, err := m.s.Get([]byte("tx"))
	if err != nil {
		m.fatalf("get: %v", err)
	}
	k, _ := strconv.ParseUint(string(v), 10, 64)
	if k < acked || k > issued || k < m.kept {
		m.fatalf("recovered up to transaction %d; acknowledged %d, issued %d", k, acked, issued)
	}
	m.settleUp(k)
	m.base.restart()
	m.acked.Store(k)
	m.failed.Store(false)
	m.logs = m.logs[:0]
	m.s.Logs(func(l *Log) { m.logs = append(m.logs, l) })
	slices.SortFunc(m.logs, func(a, b *Log) int { return int(a.ID()) - int(b.ID()) })
	m.check()
	// From here on offsets may have jumped over those of volatile entries.
	for _, l := range m.logs {
		ol := m.base.logs[l.ID()]
		for p := ol.next; p < l.End(); p++ {
			ol.gone[p] = true
		}
		ol.next = l.End()
	}
	m.beside.begin(m.s, m.base)
}

// options chooses sizes so small that everything happens all the time.
func (m *model) options() {
	now := int64(1000)
	m.o = testOptions(nil)
	m.use(m.fs)
	if *flagSeed != 0 {
		m.o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	m.o.Now = func() int64 { now += int64(m.rng.IntN(3)); return now }
	m.o.JournalFileBytes = 8 << 10 << m.rng.IntN(4)
	m.o.JournalBytes = m.o.JournalFileBytes * int64(2+m.rng.IntN(4))
	m.o.CacheBytes = 1 << (8 + m.rng.IntN(12))
	m.o.segmentBytes = 4 << 10 << m.rng.IntN(4)
	m.o.chunkBytes = 256 << m.rng.IntN(5)
	m.o.reserveOffsets = 16
	if m.rng.IntN(3) > 0 {
		m.o.copyRate = 1 // what is live enough is kept
	}
	m.o.mergeRuns = 1 + m.rng.IntN(5)
	if m.rng.IntN(4) == 0 {
		m.o.Durability = Interval + Durability(m.rng.IntN(2))
	}
}

func runModel(t testing.TB, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	m := &model{t: t, rng: rng, fs: newCrashFS(), base: newOracle(), beside: newReaders(seed)}
	m.options()
	m.open()
	m.beside.begin(m.s, m.base)
	defer func() { m.s.Close(); m.beside.end() }()
	for range 3 {
		for range rng.IntN(300) {
			if err := m.beside.err(); err != nil {
				m.fatalf("%v", err)
			}
			m.beside.turn()
			switch rng.IntN(60) {
			case 0:
				m.wait()
			case 1:
				m.wait()
				m.settleUp(m.sent)
				m.check()
			case 2:
				if err := m.s.Checkpoint(); err != nil {
					m.fatalf("checkpoint: %v", err)
				}
			case 3:
				// Close and open again.
				if rng.IntN(4) == 0 {
					issued := m.sent
					m.giveBack(len(m.lent))
					if err := m.s.Close(); err != nil {
						m.fatalf("close: %v", err)
					}
					m.endReaders()
					m.open()
					m.recovered(issued, issued)
				}
			case 4, 5, 6, 7:
				m.borrow()
			case 8:
				m.giveBack(3)
			default:
				m.step()
			}
		}
		m.crash()
	}
}

func TestModel(t *testing.T) {
	t.Cleanup(func() {
		if *flagSeed == 0 && (modelKept.Load() == 0 || modelGone.Load() == 0) {
			t.Errorf("%d times entries were in kept files, %d times such a file went", modelKept.Load(), modelGone.Load())
		}
	})
	eachSeed(t, 250, runModel)
}

// What the model test has seen: read from kept files, and fewer of them than before.
var modelKept, modelGone atomic.Int64

// countKept sees to it that the model test is about kept files too.
func (m *model) countKept() {
	n := 0
	m.s.Logs(func(l *Log) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, r := range l.mu.runs {
			n += len(r.refs)
		}
	})
	if n > 0 {
		modelKept.Add(1)
	}
	m.s.settler.work.Lock()
	defer m.s.settler.work.Unlock()
	if k := len(m.s.kept); k < m.kepts {
		modelGone.Add(1)
	}
	m.kepts = len(m.s.kept)
}

// dump prints what a failed comparison needs.
func (l *Log) dump() {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	fmt.Printf("log %d start %d next %d end %d settled %d reserved %d bytes %d holes %d\n", l.id, m.start, m.next, l.End(), m.settled, m.reserved, m.bytes, m.holes.len())
	for _, r := range m.runs {
		fmt.Printf("  run %d-%d file %d entries %d payload %d bytes %d exact %v each %d\n", r.from, r.to, r.file, r.entries, r.payload, r.bytes, r.exact, r.each)
	}
	for it := range m.tail.all {
		fmt.Printf("  item %d+%d %d live %v\n", it.offset, it.count, it.bytes, it.blk != nil)
	}
	m.holes.ranges(m.start, m.next, func(a, b Offset) { fmt.Printf("  hole %d-%d\n", a, b) })
}

// sameRetained compares what a Log says of what it retains from an offset on with what it says of each message.
func sameRetained(l *Log, from Offset) error {
	next := NoOffset
	var n int64
	for o := from; o <= l.mu.next; o++ {
		if !l.Retains(o) {
			continue
		}
		n++
		if next == NoOffset {
			next = o
		}
	}
	if got := l.Count(from, math.MaxInt64); got != n {
		return fmt.Errorf("%d messages from %d on, want %d", got, from, n)
	}
	if got := l.NextRetained(from); got != next {
		return fmt.Errorf("the first message from %d on is at %d, want %d", from, got, next)
	}
	var words [3]uint64
	from &^= 63
	l.Bitmap(from, words[:])
	for i := range Offset(64 * len(words)) {
		if got := words[i/64]>>(i%64)&1 == 1; got != l.Retains(from+i) {
			return fmt.Errorf("the message at %d is retained: %v", from+i, got)
		}
	}
	return nil
}

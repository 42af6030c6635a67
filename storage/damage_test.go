package storage

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// reports counts what is logged as an error.
type reports struct{ n atomic.Int64 }

func (r *reports) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (r *reports) Handle(context.Context, slog.Record) error    { r.n.Add(1); return nil }
func (r *reports) WithAttrs([]slog.Attr) slog.Handler           { return r }
func (r *reports) WithGroup(string) slog.Handler                { return r }

// flip changes one bit of a journal or segment file and says where.
func flip(t testing.TB, fs vfs.FS, rng *rand.Rand) string {
	var names []string
	for _, dir := range []string{"data/journal", "data/segments"} {
		list, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			names = append(names, dir+"/"+n)
		}
	}
	name := names[rng.IntN(len(names))]
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() == 0 {
		return name
	}
	at := rng.Int64N(st.Size())
	var b [1]byte
	f.ReadAt(b[:], at)
	b[0] ^= 1 << rng.IntN(8)
	f.WriteAt(b[:], at)
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s at %d", name, at)
}

// runDamage flips bits in a store that is closed, or was killed, and looks at what
// it says afterwards: whatever it returns is what was written, and what is missing is reported.
// Only the very last frame may go without a word: it looks like a torn one.
func runDamage(t testing.TB, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	m := &model{t: t, rng: rng, fs: newCrashFS(), base: newOracle()}
	m.options()
	m.o.Durability = Sync
	m.o.segmentBytes = 64 << 10
	m.open()
	for range 20 + rng.IntN(300) {
		if m.step(); rng.IntN(50) == 0 {
			m.wait()
		}
	}
	m.wait()
	if rng.IntN(2) == 0 {
		if err := m.s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		for range rng.IntN(20) {
			m.step()
		}
		m.wait()
	}
	fs := wrapCrashFS(m.fs.CrashClone(vfs.CrashCloneCfg{}))
	if rng.IntN(2) == 0 {
		m.s.Close()
		fs = m.fs
	} else {
		m.s.Close()
	}
	var where []string
	for range 1 + rng.IntN(2) {
		where = append(where, flip(t, fs, rng))
	}
	defer func() {
		if t.Failed() {
			t.Logf("flipped %v", where)
		}
	}()
	var r reports
	m.fs, m.o.FS, m.o.Log = fs, fs, slog.New(&r)
	s, err := Open(m.o)
	if err != nil {
		t.Fatalf("a flipped bit prevents opening: %v", err)
	}
	if err := m.recover(s); err != nil {
		t.Fatalf("a flipped bit prevents recovery: %v", err)
	}
	defer s.Close()
	written := map[string]*Entry{}
	for _, cs := range m.txs {
		for i := range cs {
			if cs[i].op == opAppend {
				written[fmt.Sprint(cs[i].log, "/", cs[i].e.Offset)] = &cs[i].e
			}
		}
	}
	reported := r.n.Load() > 0
	s.Logs(func(l *Log) {
		for o := Offset(0); o < l.End(); {
			es, next, err := l.Read(o, Limit{Entries: 10}, nil)
			for i := range es {
				if w := written[fmt.Sprint(l.ID(), "/", es[i].Offset)]; w == nil || !equalEntry(&es[i], w) {
					t.Fatalf("log %d: read what was not written: %+v", l.ID(), es[i])
				}
			}
			if err != nil {
				if !IsCorrupt(err) {
					t.Fatalf("log %d: %v", l.ID(), err)
				}
				reported = true
			}
			if next <= o {
				t.Fatalf("log %d: read of %d goes on at %d after %v", l.ID(), o, next, err)
			}
			o = next
		}
	})
	if reported {
		return
	}
	// Nothing was reported: then all must be there, but for the last frame perhaps.
	v, err := s.Get([]byte("tx"))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := strconv.ParseUint(string(v), 10, 64)
	if k > m.sent || k < m.acked.Load() && !strings.Contains(strings.Join(where, " "), "journal") {
		t.Fatalf("up to %d without a report; acknowledged %d", k, m.acked.Load())
	}
	m.recovered(k, m.sent)
}

func TestDamage(t *testing.T) { eachSeed(t, 200, runDamage) }

// TestEpoch leaves whole frames of an earlier epoch behind the end of a reused file.
func TestEpoch(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	o.JournalFileBytes, o.JournalBytes, o.Durability = 64<<10, 256<<10, OS
	open := func() *diskJournal {
		j, err := openJournal(&o, "j", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	write := func(j *diskJournal, pos Position, text string) {
		j.propose(pos, append(make([]byte, frameHeader), text...), func(_ place, err error) {
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	replay := func(j *diskJournal) (got string) {
		_, err := j.replay(1, true, func(pos Position, _ place, b []byte) error {
			got += fmt.Sprintf("%d%s ", pos, b[frameHeader:])
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	j := open()
	replay(j)
	for pos := Position(1); pos <= 5; pos++ {
		write(j, pos, "old")
	}
	name := j.cur.name
	j.close()
	// The power went: the second frame is torn, the third and so on are whole.
	f, _ := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	f.WriteAt([]byte{0xff}, blockSize+64)
	f.Close()
	j = open()
	if got := replay(j); got != "1old " {
		t.Fatal(got)
	}
	write(j, 2, "new")
	j.close()
	j = open()
	if got := replay(j); got != "1old 2new " || j.damaged != 0 {
		t.Fatal(got, j.damaged)
	}
	// The same file again, now for the new epoch: frame 3 of the old one is behind frame 2.
	if err := j.closeFiles(); err != nil {
		t.Fatal(err)
	}
	data := func(n string) []byte {
		f, _ := fs.Open(n)
		b := make([]byte, 8192)
		n2, _ := f.ReadAt(b, 0)
		f.Close()
		return b[:n2]
	}
	old := data(name)
	newer := data("j/000002.journal")
	third := int64(blockSize + 2*alignUp(frameHeader+3, frameAlign))
	copy(newer[blockSize+alignUp(frameHeader+3, frameAlign):], old[third:third+frameHeader+3])
	f, _ = fs.OpenReadWrite("j/000002.journal", vfs.WriteCategoryUnspecified)
	f.WriteAt(newer, 0)
	f.Close()
	j = open()
	if got := replay(j); got != "1old 2new " {
		t.Fatal("a frame of an earlier epoch was taken: ", got)
	}
	j.close()
}

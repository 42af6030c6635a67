package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"trivium/internal/race"
)

// TestRemover: files go in the order in which they came, large ones bit by bit.
func TestRemover(t *testing.T) {
	dir := t.TempDir()
	stop := make(chan struct{})
	r := newRemover(vfs.Default, stop)
	large, small, missing := filepath.Join(dir, "large"), filepath.Join(dir, "small"), filepath.Join(dir, "missing")
	for name, size := range map[string]int64{large: 3*removeStep + 1, small: 1} {
		if err := os.WriteFile(name, make([]byte, size), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// Who has it open sees it shrink: three bits, and what is left of it goes with its name.
	f, err := os.Open(large)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r.add(missing)
	r.add(large)
	r.add(small)
	end := make(chan error)
	go func() { end <- r.run() }()
	awaitGone(t, small)
	awaitGone(t, large)
	if st, err := f.Stat(); err != nil || st.Size() != 1 {
		t.Errorf("it went with %d bytes (%v), want 1", st.Size(), err)
	}
	close(stop)
	if err := <-end; err != nil {
		t.Error(err)
	}
}

func awaitGone(t *testing.T, name string) {
	t.Helper()
	for {
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			return
		}
		runtime.Gosched()
	}
}

// TestRemoveSegments: a segment's file goes when its Log is dropped, but not while somebody reads it;
// one that a crash left goes after the next start.
func TestRemoveSegments(t *testing.T) {
	o := testOptions(nil)
	o.FS, o.Dir = nil, t.TempDir()
	s := mustOpen(t, o, nil)
	data := make([]byte, 3*removeStep)
	var l *Log
	fill := func() string {
		commit(t, s, func(tx *Tx) {
			l = tx.CreateLog(LogOptions{})
			tx.Append(l, &Entry{Data: data, Format: 2})
		})
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		return s.segments.name(l.mu.runs[0].file)
	}
	drop := func() {
		commit(t, s, func(tx *Tx) { tx.DropLog(l) })
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	name := fill()
	spans, err := l.Raw(0, 2, Limit{})
	if err != nil || len(spans.Spans) != 1 || spans.Spans[0].File == nil {
		t.Fatalf("%v, %v", spans, err)
	}
	drop()
	next := fill()
	drop()
	awaitGone(t, next)
	x := spans.Spans[0]
	if b, err := io.ReadAll(io.NewSectionReader(x.File, x.Pos, x.Len)); err != nil || int64(len(b)) != x.Len {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if _, err := os.Stat(name); err != nil {
		t.Fatal(err)
	}
	spans.Close()
	awaitGone(t, name)

	// Half removed when the power went.
	left := s.segments.name(1 << 20)
	if err := os.WriteFile(left, make([]byte, 2*removeStep), 0o666); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = mustOpen(t, o, nil)
	awaitGone(t, left)
	mustClose(t, s)
}

// TestReadWhileRemoved reads on the real file system while segments and kept files are replaced, shrink and go, and journal
// files are used again: what is read is always what was written, and nothing is reported as damaged.
func TestReadWhileRemoved(t *testing.T) {
	for _, kept := range []bool{false, true} {
		t.Run(fmt.Sprintf("kept %v", kept), func(t *testing.T) { testReadWhileRemoved(t, kept) })
	}
}

func testReadWhileRemoved(t *testing.T, kept bool) {
	o := testOptions(nil)
	o.FS, o.Dir = nil, t.TempDir()
	o.JournalFileBytes, o.JournalBytes, o.segmentBytes, o.mergeRuns, o.CacheBytes = 4<<20, 8<<20, 4<<20, 2, 1<<20
	if kept {
		o.copyRate = 1
	}
	var reports reportHandler
	o.Log = slog.New(&reports)
	s := mustOpen(t, o, nil)
	var l *Log
	commit(t, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
	var inFiles atomic.Int64
	raw := func(rng *rand.Rand) *Spans {
		start := l.Start()
		spans, err := l.Raw(start+Offset(rng.IntN(int(l.End()-start)+1)), 1, Limit{Bytes: 1 << 20})
		if err != nil {
			t.Errorf("raw: %v", err)
		}
		return spans
	}
	check := func(spans *Spans) {
		defer spans.Close()
		last := Offset(0)
		for _, x := range spans.Spans {
			b := x.Mem
			if x.File != nil {
				inFiles.Add(1)
				b = make([]byte, x.Len)
				if _, err := x.File.ReadAt(b, x.Pos); err != nil {
					t.Errorf("raw before %d: %v", spans.Next, err)
				}
			}
			for ; len(b) > 0; b = b[8:] {
				o, err := strconv.Atoi(string(b[:7]))
				if err != nil || Offset(o) < last || Offset(o) >= spans.Next {
					t.Errorf("raw before %d: %q after %d", spans.Next, b[:8], last)
					break
				}
				last = Offset(o)
			}
		}
	}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		var lease Lease
		for rng := rand.New(rand.NewPCG(1, 5)); ; {
			select {
			case <-stop:
				return
			default:
			}
			check(raw(rng))
			start := l.Start()
			from := start + Offset(rng.IntN(int(l.End()-start)+1))
			es, _, err := l.Borrow(from, Limit{Entries: 5}, nil, &lease)
			if err != nil {
				t.Errorf("borrow from %d on: %v", from, err)
			}
			for i := range es {
				if !isPattern(&es[i]) {
					t.Errorf("offset %d is %.20q", es[i].Offset, es[i].Data)
				}
			}
			lease.End()
		}
	})
	var held []*Spans // for long, as by a client that is slow
	rng := rand.New(rand.NewPCG(9, 9))
	rounds := 200
	if race.Enabled {
		rounds /= 4
	}
	for range rounds {
		commit(t, s, func(tx *Tx) {
			for range 1 + rng.IntN(3) {
				tx.Append(l, &Entry{Data: pattern(l.Next(), 1+rng.IntN(40<<10)), Format: 1})
			}
			at := l.Start() + Offset(rng.IntN(int(l.Next()-l.Start())))
			tx.Delete(l, at, at+Offset(rng.IntN(4)))
			if l.Bytes() > 16<<20 {
				tx.Delete(l, 0, l.Start()+Offset(rng.IntN(40)))
			}
		})
		if rng.IntN(20) == 0 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
		if held = append(held, raw(rng)); len(held) > 60 {
			check(held[0])
			held = held[1:]
		}
	}
	for _, x := range held {
		check(x)
	}
	close(stop)
	reader.Wait()
	mustClose(t, s)
	if n := reports.n.Load(); n > 0 {
		t.Errorf("%d reports, the last: %v", n, reports.last.Load())
	}
	if inFiles.Load() == 0 {
		t.Error("nothing was read from files")
	}
}

// reportHandler counts what is logged as a warning or worse.
type reportHandler struct {
	slog.Handler
	n    atomic.Int64
	last atomic.Value
}

func (h *reportHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (h *reportHandler) Handle(_ context.Context, r slog.Record) error {
	h.n.Add(1)
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	h.last.Store(text)
	return nil
}

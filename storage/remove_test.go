package storage

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
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

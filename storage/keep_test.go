package storage

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// TestKeptFiles reads from kept journal files, also when they are given up meanwhile,
// on the real file system.
func TestKeptFiles(t *testing.T) {
	o := testOptions(nil)
	o.FS, o.Dir = nil, t.TempDir()
	o.JournalFileBytes, o.JournalBytes, o.copyRate = 64<<10, 256<<10, 1
	s := mustOpen(t, o, nil)
	kept := func() int {
		s.settler.work.Lock()
		defer s.settler.work.Unlock()
		return len(s.kept)
	}
	fill := func() (l *Log, want []byte) {
		commit(t, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
		for i := range 200 {
			data := bytes.Repeat(fmt.Appendf(nil, "%d/%d,", l.ID(), i), 1000)
			commit(t, s, func(tx *Tx) { tx.Append(l, &Entry{Data: data, Format: 2}) })
			want = append(want, data...)
		}
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if kept() == 0 || s.Metrics().KeptBytes == 0 {
			t.Fatal("no file is kept")
		}
		return l, want
	}
	drop := func(l *Log) {
		commit(t, s, func(tx *Tx) { tx.DropLog(l) })
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if n := kept(); n != 0 || s.Metrics().KeptBytes != 0 {
			t.Fatalf("%d files are kept for nothing, of %d bytes", n, s.Metrics().KeptBytes)
		}
	}
	raw := func(l *Log) *Spans {
		spans, err := l.Raw(0, 2, Limit{})
		if err != nil {
			t.Fatal(err)
		}
		return spans
	}
	// read returns the bytes of spans, and how many of them are in files.
	read := func(spans *Spans) (got []byte, inFiles int64) {
		defer spans.Close()
		for _, x := range spans.Spans {
			if x.Mem != nil {
				got = append(got, x.Mem...)
				continue
			}
			b, err := io.ReadAll(io.NewSectionReader(x.File, x.Pos, x.Len))
			if err != nil {
				t.Fatal(err)
			}
			got, inFiles = append(got, b...), inFiles+x.Len
		}
		return got, inFiles
	}

	l, want := fill()
	got, inFiles := read(raw(l))
	if !bytes.Equal(got, want) || inFiles < int64(len(want))/2 {
		t.Fatalf("%d bytes of %d, %d in files", len(got), len(want), inFiles)
	}
	mustClose(t, s)
	s = mustOpen(t, o, nil)
	l = s.Log(l.ID())
	if got, _ := read(raw(l)); !bytes.Equal(got, want) {
		t.Fatal("read differently after opening again")
	}

	// Who holds a file goes on reading what was there.
	held := raw(l)
	drop(l)
	l2, _ := fill()
	if got, _ := read(held); !bytes.Equal(got, want) {
		t.Fatal("a file that is being read was used again")
	}
	// One that nobody reads is used again.
	free := func() int {
		j := s.journal.(*diskJournal)
		j.mu.Lock()
		defer j.mu.Unlock()
		return len(j.mu.free)
	}
	before := free()
	drop(l2)
	if free() <= before && before < s.journal.(*diskJournal).keep {
		t.Fatalf("%d files to use again, before it were %d", free(), before)
	}
	mustClose(t, s)
}

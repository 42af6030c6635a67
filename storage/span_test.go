package storage

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// TestRawFiles sends settled entries as ranges of real files.
func TestRawFiles(t *testing.T) {
	o := testOptions(nil)
	o.FS, o.Dir = nil, t.TempDir()
	s := mustOpen(t, o, nil)
	var l *Log
	var want []byte
	commit(t, s, func(tx *Tx) {
		l = tx.CreateLog(LogOptions{})
		for i := range 1000 {
			data := bytes.Repeat(fmt.Appendf(nil, "%d,", i), 50)
			tx.Append(l, &Entry{Data: data, Format: 2})
			want = append(want, data...)
		}
	})
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	commit(t, s, func(tx *Tx) {
		tx.Append(l, &Entry{Data: []byte("tail"), Format: 2})
		tx.Append(l, &Entry{Data: []byte("other"), Format: 1})
	})
	want = append(want, "tail"...)
	spans, err := l.Raw(0, 2, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	if spans.Next != 1001 || len(spans.Spans) != 2 || spans.Spans[0].File == nil {
		t.Fatalf("%+v", spans)
	}
	// What is held open survives that the Log is dropped and its file removed.
	commit(t, s, func(tx *Tx) { tx.DropLog(l) })
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if m := s.Metrics(); m.Segments != 0 || m.Logs != 0 {
		t.Fatalf("%+v", m)
	}
	var got []byte
	for _, x := range spans.Spans {
		if x.Mem != nil {
			got = append(got, x.Mem...)
			continue
		}
		b, err := io.ReadAll(io.NewSectionReader(x.File, x.Pos, x.Len))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b...)
	}
	spans.Close()
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, want %d", len(got), len(want))
	}
	mustClose(t, s)
}

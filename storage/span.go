package storage

import "os"

// Span is a run of stored bytes: the Data of consecutive entries, back to back,
// either in memory or in a file.
type Span struct {
	// Mem holds the bytes, or is nil and the bytes are File[Pos:Pos+Len].
	Mem      []byte
	File     *os.File
	Pos, Len int64
}

// Spans is the result of Log.Raw. Close releases the files it holds open.
type Spans struct {
	Spans []Span
	// Next is the offset to read on from.
	Next Offset
}

func (s *Spans) Close() {}

// Raw is Read for a Log whose entries' Data can be sent as they are, one after
// the other: it returns file ranges for what has settled, so that a caller can
// use sendfile, and memory for what has not. Entries of which every message is
// deleted are left out. It stops before an entry whose Format is not f.
func (l *Log) Raw(from Offset, f Format, max Limit) (*Spans, error) {
	entries, next, err := l.Read(from, max, nil)
	s := &Spans{Next: next}
	for i := range entries {
		e := &entries[i]
		if e.Format != f {
			s.Next = e.Offset
			err = nil
			break
		}
		s.Spans = append(s.Spans, Span{Mem: e.Data, Len: int64(len(e.Data))})
	}
	if len(s.Spans) > 0 && err != nil {
		// What precedes the damage can be sent; the next call meets it again.
		s.Next, err = entries[len(entries)-1].Next(), nil
	}
	return s, err
}

package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// settlingJournal settles everything when a frame is read for the first time, and loses that frame: as if the
// journal had used its place again between when the reader looked up where an entry is and when it read it.
type settlingJournal struct {
	journal
	settle func() error
}

func (j *settlingJournal) read(pos Position, p place, b []byte) error {
	if f := j.settle; f != nil {
		j.settle = nil
		if err := f(); err != nil {
			return err
		}
		return &CorruptError{Where: "test", Why: "used again"}
	}
	return j.journal.read(pos, p, b)
}

// TestReadWhatMoves: a read whose entries move to a segment meanwhile finds them there, within its limit.
func TestReadWhatMoves(t *testing.T) {
	for name, read := range map[string]func(l *Log, from Offset) (int, Offset, error){
		"read": func(l *Log, from Offset) (int, Offset, error) {
			es, next, err := l.Read(from, Limit{Entries: 2}, nil)
			return len(es), next, err
		},
		"raw": func(l *Log, from Offset) (int, Offset, error) {
			s, err := l.Raw(from, 0, Limit{Entries: 2})
			if err != nil {
				return 0, from, err
			}
			defer s.Close()
			return len(s.Spans), s.Next, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(vfs.NewMem())
			o.CacheBytes = 1
			s, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			j := &settlingJournal{journal: s.journal}
			s.journal = j
			if err := s.Recover(nil); err != nil {
				t.Fatal(err)
			}
			var l *Log
			commit(t, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
			for range 5 {
				commit(t, s, func(tx *Tx) { tx.Append(l, &Entry{Data: make([]byte, 100), Count: 2}) })
			}
			j.settle = s.Checkpoint
			n, next, err := read(l, 3) // in the middle of the second entry
			if n != 2 || next != 6 || err != nil {
				t.Errorf("%d entries up to %d, %v; want 2 up to 6", n, next, err)
			}
			mustClose(t, s)
		})
	}
}

package storage

import (
	"bytes"
	"testing"
	"time"

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

// openBehind opens a store whose journal is what wrap makes of it.
func openBehind(t *testing.T, o Options, wrap func(journal) journal) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	s.journal = wrap(s.journal)
	if err := s.Recover(nil); err != nil {
		t.Fatal(err)
	}
	return s
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
			j := &settlingJournal{}
			s := openBehind(t, o, func(inner journal) journal { j.journal = inner; return j })
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

// syncedJournal calls a function once before a sync.
type syncedJournal struct {
	journal
	before func()
}

func (j *syncedJournal) sync() error {
	if f := j.before; f != nil {
		j.before = nil
		f()
	}
	return j.journal.sync()
}

// TestReadWhatIsReplaced: while a segment in the index gives way to another one, which takes its key before readers
// are shown it, whoever reads finds what was there.
func TestReadWhatIsReplaced(t *testing.T) {
	for name, read := range map[string]func(l *Log) (int, error){
		"read": func(l *Log) (int, error) {
			es, _, err := l.Read(0, Limit{}, nil)
			return len(es), err
		},
		"raw": func(l *Log) (int, error) {
			s, err := l.Raw(0, 0, Limit{})
			if err != nil {
				return 0, err
			}
			defer s.Close()
			return len(s.Spans), nil
		},
		"time": func(l *Log) (int, error) {
			o, err := l.OffsetAt(0)
			return int(o) + 3, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(vfs.NewMem())
			o.mergeRuns = 1
			j := &syncedJournal{}
			s := openBehind(t, o, func(inner journal) journal { j.journal = inner; return j })
			defer mustClose(t, s)
			var first, l *Log
			commit(t, s, func(tx *Tx) { first, l = tx.CreateLog(LogOptions{}), tx.CreateLog(LogOptions{}) })
			add := func(l *Log) {
				commit(t, s, func(tx *Tx) { tx.Append(l, &Entry{Data: make([]byte, 10), Count: 1}) })
			}
			add(l)
			add(l)
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			add(first)
			add(l)
			key := logKey2(keyChunk, l.id, 0)
			was, err := s.index.get(key)
			if err != nil || was == nil {
				t.Fatalf("segment in the index: %x, %v", was, err)
			}
			// The new segments are written, and readers are shown none of them before the first Log is let go.
			held := make(chan struct{})
			j.before = func() { first.mu.Lock(); close(held) }
			checkpoint := make(chan error)
			go func() { checkpoint <- s.Checkpoint() }()
			<-held
			for is := was; bytes.Equal(is, was); {
				if is, err = s.index.get(key); err != nil {
					t.Fatal(err)
				}
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				if n, err := read(l); n != 3 || err != nil {
					t.Errorf("%d entries, %v; want 3", n, err)
				}
			}()
			select {
			case <-done:
			case <-time.After(10 * time.Millisecond): // it waits
			}
			first.mu.Unlock()
			<-done
			if err := <-checkpoint; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDropWhatIsReplaced: a Log that is dropped while its segments give way to others has nothing.
func TestDropWhatIsReplaced(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.mergeRuns = 1
	j := &syncedJournal{}
	s := openBehind(t, o, func(inner journal) journal { j.journal = inner; return j })
	defer mustClose(t, s)
	var l *Log
	commit(t, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
	for range 2 {
		commit(t, s, func(tx *Tx) { tx.Append(l, &Entry{Data: make([]byte, 10)}) })
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		// The next one replaces the segment, and when it is written the Log goes.
		j.before = func() { commit(t, s, func(tx *Tx) { tx.DropLog(l) }) }
	}
	if es, _, err := l.Read(0, Limit{}, nil); len(es) != 0 || err != nil || l.Bytes() != 0 || l.Messages() != 0 {
		t.Errorf("%d entries, %v, %d messages, %d bytes", len(es), err, l.Messages(), l.Bytes())
	}
}

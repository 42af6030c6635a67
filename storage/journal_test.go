package storage

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// atOp calls a function once before an operation of that kind on a file of the journal.
type atOp struct {
	kind errorfs.OpKind
	f    atomic.Pointer[func() error]
}

func (a *atOp) String() string { return "at" }

func (a *atOp) MaybeError(op errorfs.Op) error {
	if op.Kind != a.kind || !strings.HasSuffix(op.Path, journalSuffix) {
		return nil
	}
	if f := a.f.Swap(nil); f != nil {
		return (*f)()
	}
	return nil
}

// TestSyncDuringWrite: a sync that ends before a frame is written does not count for it.
func TestSyncDuringWrite(t *testing.T) {
	fs, at := vfs.NewCrashableMem(), &atOp{kind: errorfs.OpFileWriteAt}
	o := testOptions(errorfs.Wrap(fs, at))
	o.Durability = OS
	s := mustOpen(t, o, nil)
	set := func(key string) { commit(t, s, func(tx *Tx) { tx.Set([]byte(key), []byte("x")) }) }
	set("first")
	sync := s.journal.sync
	at.f.Store(&sync)
	set("second")
	if at.f.Load() != nil {
		t.Fatal("nothing was written")
	}
	if err := s.journal.sync(); err != nil {
		t.Fatal(err)
	}
	o.FS = fs.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, s)
	s = mustOpen(t, o, nil)
	defer mustClose(t, s)
	if v, err := s.Get([]byte("second")); err != nil || v == nil {
		t.Errorf("what was synced is lost: %q, %v", v, err)
	}
}

// TestKeptFileGivenBack: a kept file is not opened any more for a segment that was forgotten meanwhile.
func TestKeptFileGivenBack(t *testing.T) {
	at := &atOp{kind: errorfs.OpOpen}
	o := testOptions(errorfs.Wrap(vfs.NewMem(), at))
	o.JournalFileBytes, o.JournalBytes, o.copyRate = 64<<10, 256<<10, 1
	s := mustOpen(t, o, nil)
	defer mustClose(t, s)
	var l *Log
	commit(t, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
	for range 30 {
		commit(t, s, func(tx *Tx) { tx.Append(l, &Entry{Data: make([]byte, 8<<10)}) })
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	r := l.mu.runs[0]
	if len(r.refs) == 0 {
		t.Fatal("no file is kept")
	}
	drop := func() error {
		commit(t, s, func(tx *Tx) { tx.DropLog(l) })
		return s.Checkpoint()
	}
	at.f.Store(&drop)
	if o, err := s.segments.acquire(l.id, r); !errors.Is(err, errReplaced) {
		t.Errorf("%v, want %v", err, errReplaced)
		if err == nil {
			o.release()
		}
	}
}

// TestReadAfterClose: what is read after Close tells so, and is not taken for damaged.
func TestReadAfterClose(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()), nil)
	var l *Log
	commit(t, s, func(tx *Tx) {
		l = tx.CreateLog(LogOptions{})
		tx.Append(l, &Entry{Data: []byte("x")})
	})
	mustClose(t, s)
	_, _, err := l.Read(0, Limit{}, nil)
	_, rawErr := l.Raw(0, 0, Limit{})
	_, timeErr := l.OffsetAt(0)
	_, getErr := s.Get([]byte("x"))
	scanErr := s.Scan(nil, func(key, value []byte) bool { return true })
	for _, err := range []error{err, rawErr, timeErr, getErr, scanErr} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want %v", err, ErrClosed)
		}
	}
}

package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"
)

// failing fails the n-th operation that changes the file system, and the later
// ones too if it is to last.
type failing struct {
	n    int64
	last bool
	seen atomic.Int64
	hit  atomic.Pointer[errorfs.Op]
}

func (f *failing) String() string { return "failing" }

func (f *failing) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpRename, errorfs.OpReuseForWrite, errorfs.OpLink, errorfs.OpRemove, errorfs.OpMkdirAll,
		errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo,
		errorfs.OpOpenDir, errorfs.OpLock:
	default:
		return nil
	}
	n := f.seen.Add(1)
	if n == f.n || f.last && n > f.n {
		f.hit.CompareAndSwap(nil, &op)
		return syscall.ENOSPC
	}
	return nil
}

// runFailing runs random transactions of which the n-th write fails, and reports
// whether it came so far.
func runFailing(t testing.TB, seed uint64, n int64, last bool) bool {
	rng := rand.New(rand.NewPCG(seed, 1))
	fs := newCrashFS()
	m := &model{t: t, rng: rng, fs: fs, base: newOracle()}
	m.options()
	m.o.Durability = Sync
	inject := &failing{n: n, last: last}
	m.o.FS = errorfs.Wrap(fs, inject)
	issued := uint64(0)
	if s, err := Open(m.o); err == nil {
		if err := m.recover(s); err == nil {
			for i := range 80 {
				m.step()
				if i%20 == 19 {
					// Whatever happens, it is answered.
					d := make(done, 1)
					tx := s.Begin()
					tx.Then(d)
					tx.Commit()
					<-d
				}
				if i%30 == 29 {
					s.Checkpoint()
				}
			}
			issued = m.sent
			// Reads go on.
			if s.Err() != nil {
				if !errors.Is(s.Err(), ErrReadOnly) || !errors.Is(s.Err(), syscall.ENOSPC) {
					t.Fatalf("read-only without its reason: %v", s.Err())
				}
				for _, l := range m.logs {
					if _, _, err := l.Read(0, Limit{}, nil); err != nil && s.Log(l.ID()) == l {
						t.Fatalf("read of log %d on a read-only store: %v", l.ID(), err)
					}
				}
			}
		}
		if err := s.Close(); err == nil && inject.hit.Load() != nil && s.Err() != nil {
			t.Fatal("closing a store that failed reports nothing")
		}
	}
	acked := m.acked.Load()
	m.fs = fs.crash(rng)
	m.o.FS = m.fs
	m.open()
	m.recovered(acked, issued)
	for range 20 {
		m.step()
	}
	m.wait()
	m.settleUp(m.sent)
	m.check()
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	return inject.hit.Load() != nil
}

// TestFailNth fails every single write operation once.
func TestFailNth(t *testing.T) {
	stride := int64(1)
	if testing.Short() {
		stride = 7
	}
	t.Cleanup(func() { leftBehind = append(leftBehind, goleak.IgnoreCurrent()) })
	for _, last := range []bool{false, true} {
		t.Run(fmt.Sprintf("lasting=%v", last), func(t *testing.T) {
			t.Parallel()
			var seed uint64
			var n int64
			defer func() {
				if t.Failed() {
					t.Logf("operation %d of seed %d", n, seed)
				}
			}()
			for seed = 1; seed <= 3; seed++ {
				for n = 1; runFailing(t, seed, n, last); n += stride {
				}
				if n < 50 {
					t.Fatalf("only %d operations", n)
				}
			}
		})
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dir: dir, Log: testOptions(nil).Log}
	s := mustOpen(t, o, nil)
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "another process") {
		t.Fatalf("opened twice: %v", err)
	}
	mustClose(t, s)
	mustClose(t, mustOpen(t, o, nil))
}

// TestCloseFails fails what is written while the store closes.
func TestCloseFails(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	var closing atomic.Pointer[Store]
	writing := make(chan struct{})
	o.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		s := closing.Load()
		if s == nil || op.Kind != errorfs.OpFileWriteAt || !strings.HasSuffix(op.Path, journalSuffix) {
			return nil
		}
		close(writing)
		<-s.stop // the last checkpoint is done
		return syscall.EIO
	}))
	s := mustOpen(t, o, nil)
	var l *Log
	commit(t, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
	if err := s.Checkpoint(); err != nil { // so there is nothing to settle but what is written meanwhile
		t.Fatal(err)
	}
	closing.Store(s)
	d := make(done, 1)
	tx := s.Begin()
	tx.Append(l, &Entry{Data: []byte("lost")})
	tx.Then(d)
	tx.Commit()
	<-writing
	if err := s.Close(); !errors.Is(err, ErrReadOnly) || !errors.Is(err, syscall.EIO) {
		t.Errorf("close: %v", err)
	}
	if err := <-d; !errors.Is(err, syscall.EIO) {
		t.Errorf("commit: %v", err)
	}
}

// TestReadOnly fails one sync and looks at what callers see.
func TestReadOnly(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	var broken atomic.Bool
	o.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, journalSuffix) {
			return syscall.EIO
		}
		return nil
	}))
	s := mustOpen(t, o, nil)
	var l *Log
	commit(t, s, func(tx *Tx) {
		l = tx.CreateLog(LogOptions{})
		tx.Append(l, &Entry{Data: []byte("kept")})
	})
	broken.Store(true)
	d := make(done, 3)
	tx := s.Begin()
	tx.Append(l, &Entry{Data: []byte("lost")})
	tx.Set([]byte("k"), []byte("v"))
	tx.Then(d)
	tx.Commit()
	if err := <-d; !errors.Is(err, ErrReadOnly) || !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	// The disk works again, but what it has is not known: no retry.
	broken.Store(false)
	tx = s.Begin()
	tx.Append(l, &Entry{Data: []byte("refused"), Volatile: true})
	tx.Append(l, &Entry{Data: []byte("refused")})
	tx.Append(tx.CreateLog(LogOptions{}), &Entry{})
	tx.Delete(l, 0, 1)
	tx.DropLog(l)
	tx.Then(d)
	tx.Commit()
	if err := <-d; !errors.Is(err, ErrReadOnly) {
		t.Fatal(err)
	}
	if got := texts(all(t, l)); got != "0:kept " || s.Log(l.ID()) != l {
		t.Fatal(got)
	}
	if v, _ := s.Get([]byte("k")); v != nil {
		t.Fatal("an index write that failed is visible")
	}
	if err := s.Checkpoint(); !errors.Is(err, ErrReadOnly) {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, ErrReadOnly) {
		t.Fatal(err)
	}
	tx = s.Begin()
	tx.Then(d)
	tx.Commit()
	if err := <-d; !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	s = mustOpen(t, testOptions(fs), nil)
	if l = s.Log(l.ID()); !strings.HasPrefix(texts(all(t, l)), "0:kept ") {
		t.Fatal(texts(all(t, l)))
	}
	mustClose(t, s)
}

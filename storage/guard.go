package storage

import (
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS is the file system that Pebble gets.
//
// It keeps the index behind the journal when the journal is not synced for every
// frame: before Pebble makes a file durable, the journal is.
//
// Pebble does not survive a write that fails: it ends the process, panics on its own
// goroutines, or goes on with a state that is not what is on disk. So it does not
// hear of failures. The store turns read-only, and whatever Pebble would write from then on
// waits for ever. What it holds can still be read, and the journal keeps all that
// it may lack on disk. Such a Pebble cannot be closed; it ends with the process.
type guardFS struct {
	vfs.FS
	s *Store
	// armed is set when Pebble is open: before that its errors prevent opening.
	armed *atomic.Bool
	// broken is set, and over closed, when a write of Pebble's failed.
	broken *atomic.Bool
	over   chan struct{}
}

func newGuardFS(fs vfs.FS, s *Store) guardFS {
	return guardFS{fs, s, new(atomic.Bool), new(atomic.Bool), make(chan struct{})}
}

// enter must precede every change.
func (g guardFS) enter() {
	if g.broken.Load() {
		select {}
	}
}

// leave must follow it.
func (g guardFS) leave(err error) error {
	if err == nil || !g.armed.Load() {
		return err
	}
	g.s.fail(err)
	if g.broken.CompareAndSwap(false, true) {
		close(g.over)
	}
	select {}
}

func (g guardFS) file(name string, f vfs.File, err error) (vfs.File, error) {
	if err := g.leave(err); err != nil {
		return nil, err
	}
	return guardFile{f, g, strings.HasSuffix(name, ".log")}, nil
}

func (g guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	g.enter()
	if strings.HasPrefix(g.PathBase(name), "marker.") {
		// A marker must not survive a crash that what it names does not
		// (cockroachdb/pebble#5825).
		if err := g.leave(syncDir(g.FS, g.PathDir(name))); err != nil {
			return nil, err
		}
	}
	f, err := g.FS.Create(name, c)
	return g.file(name, f, err)
}

func (g guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	g.enter()
	f, err := g.FS.OpenReadWrite(name, c, opts...)
	return g.file(name, f, err)
}

func (g guardFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	g.enter()
	f, err := g.FS.ReuseForWrite(old, name, c)
	return g.file(name, f, err)
}

func (g guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	return g.file(name, f, err)
}

func (g guardFS) Link(old, name string) error {
	g.enter()
	return g.leave(g.FS.Link(old, name))
}

func (g guardFS) Rename(old, name string) error {
	g.enter()
	return g.leave(g.FS.Rename(old, name))
}

func (g guardFS) MkdirAll(dir string, perm os.FileMode) error {
	g.enter()
	return g.leave(g.FS.MkdirAll(dir, perm))
}

// Remove may fail: Pebble tries again later.
func (g guardFS) Remove(name string) error {
	g.enter()
	return g.FS.Remove(name)
}

// Lock does nothing: the store's own lock covers the index.
func (g guardFS) Lock(name string) (io.Closer, error) { return noLock{}, nil }

type noLock struct{}

func (noLock) Close() error { return nil }

func (g guardFS) Unwrap() vfs.FS { return g.FS }

type guardFile struct {
	vfs.File
	g guardFS
	// wal marks Pebble's own log, which has nothing in it and is only written by Close:
	// that may fail.
	wal bool
}

func (f guardFile) enter() {
	if !f.wal {
		f.g.enter()
	}
}

func (f guardFile) leave(err error) error {
	if f.wal {
		return err
	}
	return f.g.leave(err)
}

func (f guardFile) Write(b []byte) (int, error) {
	f.enter()
	n, err := f.File.Write(b)
	return n, f.leave(err)
}

func (f guardFile) WriteAt(b []byte, at int64) (int, error) {
	f.enter()
	n, err := f.File.WriteAt(b, at)
	return n, f.leave(err)
}

func (f guardFile) Preallocate(at, n int64) error {
	f.enter()
	return f.leave(f.File.Preallocate(at, n))
}

func (f guardFile) Sync() error {
	f.enter()
	if err := f.leave(f.g.s.syncJournal()); err != nil {
		return err
	}
	return f.leave(f.File.Sync())
}

func (f guardFile) SyncData() error {
	f.enter()
	if err := f.leave(f.g.s.syncJournal()); err != nil {
		return err
	}
	return f.leave(f.File.SyncData())
}

func (f guardFile) SyncTo(n int64) (bool, error) {
	f.enter()
	full, err := f.File.SyncTo(n)
	return full, f.leave(err)
}

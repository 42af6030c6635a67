package storage

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS is the file system that Pebble gets.
//
// It keeps the index behind the journal when the journal is not synced for every
// frame: before Pebble makes a file durable, the journal is.
//
// Pebble panics on its own goroutines when the sync of a directory fails. The store
// turns read-only instead, and Pebble does not hear of the failure; but from then on all
// its writes fail, and it may remove nothing, because what it takes for durable may not
// be. The journal keeps all that the index may lack then. Pebble also tries
// a flush that failed again and again without a pause: it gets one.
type guardFS struct {
	vfs.FS
	s *Store
}

type guardFile struct {
	vfs.File
	s *Store
}

type guardDir struct {
	vfs.File
	fail func(error)
}

func (g guardFS) guard(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return guardFile{f, g.s}, nil
}

// retryPause is how long Pebble waits before it makes a file on a store that failed.
const retryPause = time.Second

func (g guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if g.s.Err() != nil && g.s.opened.Load() {
		t := time.NewTimer(retryPause)
		defer t.Stop()
		select {
		case <-t.C:
		case <-g.s.stop:
		}
	}
	return g.guard(g.FS.Create(name, c))
}

func (g guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.guard(g.FS.OpenReadWrite(name, c, opts...))
}

func (g guardFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.guard(g.FS.ReuseForWrite(old, name, c))
}

func (g guardFS) OpenDir(name string) (vfs.File, error) {
	d, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return guardDir{d, g.s.fail}, nil
}

func (g guardFS) Remove(name string) error {
	if g.s.Err() != nil {
		return nil
	}
	return g.FS.Remove(name)
}

func (g guardFS) Unwrap() vfs.FS { return g.FS }

func (f guardFile) Write(b []byte) (int, error) {
	if err := f.s.Err(); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

func (f guardFile) Sync() error {
	if err := f.before(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f guardFile) SyncData() error {
	if err := f.before(); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f guardFile) before() error {
	if err := f.s.Err(); err != nil {
		return err
	}
	return f.s.syncJournal()
}

func (d guardDir) Sync() error {
	if err := d.File.Sync(); err != nil {
		d.fail(err)
	}
	return nil
}

package storage

import "github.com/cockroachdb/pebble/v2/vfs"

// guardFS keeps the index behind the journal when the journal is not synced for
// every frame: before the index makes a file durable, the journal is.
type guardFS struct {
	vfs.FS
	before func() error
}

type guardFile struct {
	vfs.File
	before func() error
}

func (g guardFS) guard(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return guardFile{f, g.before}, nil
}

func (g guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.guard(g.FS.Create(name, c))
}

func (g guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.guard(g.FS.OpenReadWrite(name, c, opts...))
}

func (g guardFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.guard(g.FS.ReuseForWrite(old, name, c))
}

func (g guardFS) Unwrap() vfs.FS { return g.FS }

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

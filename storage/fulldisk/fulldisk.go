// Package fulldisk is a file system for tests that has as much free space as a
// test says.
package fulldisk

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is another file system with its own opinion of how much is free.
type FS struct {
	vfs.FS
	free atomic.Uint64
}

// New wraps fs; free is in bytes.
func New(fs vfs.FS, free uint64) *FS {
	f := &FS{FS: fs}
	f.Set(free)
	return f
}

// Set changes how many bytes are free.
func (f *FS) Set(free uint64) { f.free.Store(free) }

// GetDiskUsage is of vfs.FS.
func (f *FS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free.Load()}, nil
}

// Unwrap gives the file system beneath.
func (f *FS) Unwrap() vfs.FS { return f.FS }

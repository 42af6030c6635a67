package storage

import (
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashFS is a file system in memory that can lose what was not synced. Beyond
// what vfs.MemFS does with blocks of 4 KiB, it can tear a write to a journal file
// anywhere, so that part of a block is new and part is what was there before: zeros, or
// stale frames of the file's earlier life.
type crashFS struct {
	*vfs.MemFS
	mu      sync.Mutex
	pending map[string][]pendingWrite
}

type pendingWrite struct {
	off  int64
	data []byte
}

func newCrashFS() *crashFS { return wrapCrashFS(vfs.NewCrashableMem()) }

func wrapCrashFS(m *vfs.MemFS) *crashFS {
	return &crashFS{MemFS: m, pending: map[string][]pendingWrite{}}
}

type crashFile struct {
	vfs.File
	fs   *crashFS
	name string
}

func (c *crashFS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, journalSuffix) {
		return f, err
	}
	return &crashFile{f, c, name}, nil
}

func (c *crashFS) Create(name string, cat vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.MemFS.Create(name, cat)
	return c.wrap(name, f, err)
}

func (c *crashFS) OpenReadWrite(name string, cat vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := c.MemFS.OpenReadWrite(name, cat, o...)
	return c.wrap(name, f, err)
}

func (f *crashFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.pending[f.name] = append(f.fs.pending[f.name], pendingWrite{off, append([]byte(nil), b...)})
	return f.File.WriteAt(b, off)
}

func (f *crashFile) SyncData() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	delete(f.fs.pending, f.name)
	return f.File.SyncData()
}

func (f *crashFile) Sync() error { return f.SyncData() }

// crash returns what may be there after a power failure now.
func (c *crashFS) crash(rng *rand.Rand) *crashFS {
	c.mu.Lock()
	defer c.mu.Unlock()
	percent := []int{0, 0, 30, 50, 90, 100}[rng.IntN(6)]
	fs := c.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(rng.Uint64(), 0)),
	})
	if percent > 0 {
		return wrapCrashFS(fs)
	}
	// Of each write that was not synced, some bytes: a prefix, or some sectors.
	sector := []int{512, 64, 8}[rng.IntN(3)]
	for name, writes := range c.pending {
		if _, err := fs.Stat(name); err != nil {
			continue
		}
		f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			panic(err)
		}
		for _, w := range writes {
			if rng.IntN(2) == 0 {
				f.WriteAt(w.data[:rng.IntN(len(w.data)+1)], w.off)
				continue
			}
			for i := 0; i < len(w.data); i += sector {
				if rng.IntN(4) > 0 {
					f.WriteAt(w.data[i:min(i+sector, len(w.data))], w.off+int64(i))
				}
			}
		}
		f.Sync()
		f.Close()
	}
	return wrapCrashFS(fs)
}

package storage

import (
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashFS is a file system in memory that can lose what was not synced.
type crashFS struct {
	*vfs.MemFS
}

func newCrashFS() *crashFS { return &crashFS{vfs.NewCrashableMem()} }

func (c *crashFS) crash(rng *rand.Rand) *crashFS {
	percent := []int{0, 30, 50, 90, 100}[rng.IntN(5)]
	return &crashFS{c.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(rng.Uint64(), 0)),
	})}
}

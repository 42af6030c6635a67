package storage

import (
	"errors"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// While a file system gives up the blocks of a large file, nobody's sync ends: ext4 takes
// 17 ms for 64 MB. Bit by bit a sync waits for half a millisecond.
const (
	removeStep  = 1 << 20
	removePause = time.Millisecond
)

// atOnce is the hurry of who must not see a file shrink: others have it open.
func atOnce() bool { return true }

// removeFile removes a file, if it is there. While hurry says no, it takes its time. A crash may
// leave a file that is too short.
func removeFile(fs vfs.FS, name string, hurry func() bool) error {
	if fs == vfs.Default { // others cannot shrink a file
		shrink(name, hurry)
	}
	if err := fs.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// shrink does what it can: Remove tells what is wrong.
func shrink(name string, hurry func() bool) {
	st, err := os.Stat(name)
	if err != nil {
		return
	}
	for n := st.Size() - removeStep; n > 0 && !hurry(); n -= removeStep {
		if os.Truncate(name, n) != nil {
			return
		}
		time.Sleep(removePause)
	}
}

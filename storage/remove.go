package storage

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// remover removes files that nothing needs any more, one after the other. While a file system gives
// up the blocks of a large file, nobody's sync ends: ext4 takes 17 ms for 64 MB. Bit by bit a sync
// waits for half a millisecond.
//
// Whoever adds a file has seen to it that the index, as it is on disk, does not know it, and that
// nobody has it open. A crash, or the end of the process, may leave a file that is too short, or all
// of it: the next Open finds that nothing refers to it.
type remover struct {
	fs   vfs.FS
	stop <-chan struct{}
	kick chan struct{}
	gave int64 // bytes since the last pause

	mu struct {
		sync.Mutex
		names []string
	}
}

// With each removeHurry files that wait, the bits grow by removeStep, up to removeMost: so that files go
// as fast as they come.
const (
	removeStep  = 1 << 20
	removeMost  = 8 << 20
	removeHurry = 16
	removePause = time.Millisecond
)

func newRemover(fs vfs.FS, stop <-chan struct{}) *remover {
	return &remover{fs: fs, stop: stop, kick: make(chan struct{}, 1)}
}

func (r *remover) add(name string) {
	r.mu.Lock()
	r.mu.names = append(r.mu.names, name)
	r.mu.Unlock()
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// next takes a name, "" if there is none.
func (r *remover) next() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.mu.names) == 0 {
		r.mu.names = nil
		return ""
	}
	name := r.mu.names[0]
	r.mu.names = r.mu.names[1:]
	return name
}

// run removes what is added until stop is closed, and returns the first error.
func (r *remover) run() error {
	for {
		select {
		case <-r.stop:
			return nil
		case <-r.kick:
		}
		for name := r.next(); name != ""; name = r.next() {
			if err := r.remove(name); err != nil {
				return err
			}
			if r.stopped() {
				return nil
			}
		}
	}
}

// remove removes a file, if it is there.
func (r *remover) remove(name string) error {
	if r.fs == vfs.Default { // others cannot shrink a file
		r.shrink(name)
	}
	if r.stopped() {
		return nil
	}
	if err := r.fs.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// shrink does what it can: Remove tells what is wrong.
func (r *remover) shrink(name string) {
	st, err := os.Stat(name)
	if err != nil {
		return
	}
	n := st.Size()
	for step := r.step(); n > step && !r.stopped(); step = r.step() {
		if n -= step; os.Truncate(name, n) != nil {
			return
		}
		r.give(step)
	}
	r.give(n)
}

func (r *remover) step() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return min(removeMost, removeStep*(1+int64(len(r.mu.names)/removeHurry)))
}

// give accounts for n bytes, with a pause when they add up.
func (r *remover) give(n int64) {
	if r.gave += n; r.gave < removeStep {
		return
	}
	r.gave = 0
	t := time.NewTimer(removePause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.stop:
	}
}

func (r *remover) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// removeFiles is the remover's goroutine.
func (s *Store) removeFiles() {
	defer s.work.Done()
	if err := s.remover.run(); err != nil {
		s.fail(err)
	}
}

package storage

import (
	"errors"
	"time"
)

// prepare has the next file written in the background, unless there is one, while the second half
// of the current one fills.
func (j *diskJournal) prepare() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.advance(fillAhead * (j.off - j.fileSize/2))
	if j.mu.preparing || j.mu.closed || len(j.mu.free) > 0 || len(j.mu.files) > j.keep || j.fast() {
		return
	}
	j.mu.preparing = true
	j.work.Go(func() {
		f, err := j.create()
		if err == nil {
			err = j.fill(f)
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		if err == nil {
			j.mu.preparing = false
			j.mu.free = append(j.mu.free, f)
			return
		}
		j.mu.noSpare = true
		if !errors.Is(err, errStopped) {
			// Only speed is lost: the proposer makes its own file, or fails by itself.
			j.log.Warn("storage: cannot prepare a journal file", "err", err)
		}
		if f != nil {
			f.f.Close()
			j.fs.Remove(f.name)
		}
	})
}

// fast reports whether the current file is filled so fast that it is going to be kept.
func (j *diskJournal) fast() bool {
	return float64(j.off) > float64(j.copyRate)*time.Since(j.cur.began).Seconds()
}

const (
	// fillAhead is how many bytes of the next file are written for each of the current one: so it is
	// there before it is needed.
	fillAhead = 3
	// fillLeast and fillMost bound what is written between two syncs. All at once would take a
	// tenth of a second, in which the journal's own syncs take ten times as long.
	fillLeast = 256 << 10
	fillMost  = 4 << 20
)

// advance lets fill go on. Requires: j.mu is held.
func (j *diskJournal) advance(due int64) {
	j.mu.due = due
	j.mu.more.Signal()
}

// fill writes a file once, so that the journal overwrites blocks that exist: that
// is several times faster than extending a file. It goes as fast as the current file fills.
func (j *diskJournal) fill(f *journalFile) error {
	b := make([]byte, min(j.fileSize, fillLeast))
	for f.size < j.fileSize {
		due, err := j.awaitDue(f.size)
		if err != nil {
			return err
		}
		for f.size < due {
			n, err := f.f.WriteAt(b[:min(due-f.size, int64(len(b)))], f.size)
			if err != nil {
				return err
			}
			f.size += int64(n)
		}
		if err := f.f.SyncData(); err != nil {
			return err
		}
	}
	return nil
}

// awaitDue waits until more than size should be written, and returns how much.
func (j *diskJournal) awaitDue(size int64) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.mu.due < min(size+fillLeast, j.fileSize) && !j.mu.closed {
		j.mu.more.Wait()
	}
	if j.mu.closed {
		return 0, errStopped
	}
	return min(j.mu.due, size+fillMost, j.fileSize), nil
}

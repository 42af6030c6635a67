package storage

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// DefaultMinFreeBytes is the free space below which the alarm is raised: as much as the
// journal may still grow by, so that what is read and settled meanwhile does not fill the disk.
const DefaultMinFreeBytes = defaultJournalBytes

// The free space is looked at as often as a disk that is written at fastRate might
// need it; while there is too little, so that it is found soon when there is enough again.
const (
	fastRate      = 250 << 20 // bytes a second
	diskCheckMin  = 100 * time.Millisecond
	diskCheckLow  = 250 * time.Millisecond
	diskCheckMost = 10 * time.Second
)

// LowDiskError says that less is free than there should be.
type LowDiskError struct {
	Free, Limit int64 // bytes
}

func (e *LowDiskError) Error() string {
	return fmt.Sprintf("storage: low on disk: %d bytes are free, fewer than %d", e.Free, e.Limit)
}

// alarm says that nobody should publish. Only the store's owners act on it: what they write all
// the same is written.
type alarm struct {
	low  atomic.Pointer[LowDiskError]
	free atomic.Int64 // -1: not known
	mu   struct {
		sync.Mutex
		watchers map[*func()]struct{}
	}
}

// Alarm is why nobody should publish, or nil: what Err says, or a *LowDiskError. It
// does not block.
func (s *Store) Alarm() error {
	if err := s.Err(); err != nil {
		return err
	}
	if low := s.alarm.low.Load(); low != nil {
		return low
	}
	return nil
}

// OnAlarm has f called after Alarm began or ended, until stop is called. f must not block.
func (s *Store) OnAlarm(f func()) (stop func()) {
	a := &s.alarm
	a.mu.Lock()
	if a.mu.watchers == nil {
		a.mu.watchers = map[*func()]struct{}{}
	}
	a.mu.watchers[&f] = struct{}{}
	a.mu.Unlock()
	return func() {
		a.mu.Lock()
		delete(a.mu.watchers, &f)
		a.mu.Unlock()
	}
}

func (a *alarm) tell() {
	a.mu.Lock()
	all := make([]func(), 0, len(a.mu.watchers))
	for f := range a.mu.watchers {
		all = append(all, *f)
	}
	a.mu.Unlock()
	for _, f := range all {
		f()
	}
}

// watchDisk looks at the disk's free space, first after d, until the store is closed.
func (s *Store) watchDisk(d time.Duration) {
	defer s.work.Done()
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
			t.Reset(s.checkDisk())
		}
	}
}

// checkDisk raises or ends the alarm, and says when to look again.
func (s *Store) checkDisk() time.Duration {
	a, limit := &s.alarm, s.o.MinFreeBytes
	usage, err := s.o.FS.GetDiskUsage(s.o.Dir)
	if err != nil {
		if was := a.free.Swap(-1); was != -1 && !errors.Is(err, vfs.ErrUnsupported) {
			s.o.Log.Warn("storage: the disk's free space is not known", "err", err)
		}
		return diskCheckMost
	}
	free := int64(usage.AvailBytes)
	a.free.Store(free)
	if free < limit {
		if a.low.Swap(&LowDiskError{free, limit}) == nil {
			s.o.Log.Warn("storage: low on disk: publishers are to wait", "free", free, "limit", limit)
			a.tell()
		}
		return diskCheckLow
	}
	if a.low.Swap(nil) != nil {
		s.o.Log.Info("storage: enough of the disk is free again", "free", free, "limit", limit)
		a.tell()
	}
	enough := time.Duration(float64(free-limit) / fastRate * float64(time.Second))
	return min(max(enough, diskCheckMin), diskCheckMost)
}

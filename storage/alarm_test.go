package storage

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"trivium/storage/fulldisk"
)

// The alarm begins when less is free than should be, is told, and ends.
func TestAlarm(t *testing.T) {
	const limit = 1 << 30
	disk := fulldisk.New(vfs.NewMem(), limit)
	s, err := Open(Options{FS: disk, Dir: "data", MinFreeBytes: limit})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	stop := s.OnAlarm(func() { told++ })
	check := func(free uint64, next time.Duration, low bool, times int) {
		t.Helper()
		disk.Set(free)
		if d := s.checkDisk(); d != next {
			t.Errorf("%d free: looks again in %v, not %v", free, d, next)
		}
		var e *LowDiskError
		if is := errors.As(s.Alarm(), &e); is != low || is && (e.Free != int64(free) || e.Limit != limit) {
			t.Errorf("%d free: alarm %v", free, s.Alarm())
		}
		if told != times {
			t.Errorf("%d free: told %d times, not %d", free, told, times)
		}
		if m := s.Metrics(); m.FreeBytes != int64(free) || m.MinFreeBytes != limit {
			t.Errorf("metrics: %d of %d", m.FreeBytes, m.MinFreeBytes)
		}
	}
	check(limit, diskCheckMin, false, 0)
	check(limit+fastRate, time.Second, false, 0)
	check(1<<40, diskCheckMost, false, 0)
	check(limit-1, diskCheckLow, true, 1)
	check(limit-2, diskCheckLow, true, 1)
	check(limit, diskCheckMin, false, 2)
	stop()
	check(0, diskCheckLow, true, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// The store looks by itself, from the start on.
func TestAlarmByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := fulldisk.New(vfs.NewMem(), 0)
		s, err := Open(Options{FS: disk, Dir: "data"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Recover(counting{new(int)}); err != nil {
			t.Fatal(err)
		}
		if s.Alarm() == nil {
			t.Error("no alarm at start")
		}
		disk.Set(DefaultMinFreeBytes)
		time.Sleep(diskCheckLow)
		synctest.Wait()
		if err := s.Alarm(); err != nil {
			t.Error(err)
		}
		disk.Set(DefaultMinFreeBytes - 1)
		time.Sleep(diskCheckMin)
		synctest.Wait()
		if s.Alarm() == nil {
			t.Error("no alarm")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A failed write is an alarm too.
func TestAlarmReadOnly(t *testing.T) {
	s, err := Open(Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	s.OnAlarm(func() { told++ })
	broken := errors.New("broken")
	s.fail(broken)
	if err := s.Alarm(); !errors.Is(err, broken) || told != 1 {
		t.Errorf("%v, told %d times", err, told)
	}
	if err := s.Close(); !errors.Is(err, broken) {
		t.Error(err)
	}
}

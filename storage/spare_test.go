package storage

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestSpare looks at when the next journal file is made.
func TestSpare(t *testing.T) {
	const size = 4 << 20
	open := func(t *testing.T, copyRate int64) (j *diskJournal, fillTo func(int64)) {
		o := testOptions(vfs.NewMem())
		o.JournalFileBytes, o.copyRate = size, copyRate
		j, err := openJournal(&o, "j", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := j.close(); err != nil {
				t.Error(err)
			}
		})
		pos, written := Position(0), int64(0)
		return j, func(end int64) {
			for ; written < end; written += 64 << 10 {
				pos++
				j.propose(pos, make([]byte, 64<<10), func(_ place, err error) {
					if err != nil {
						t.Fatal(err)
					}
				})
			}
		}
	}
	spares := func(j *diskJournal) (n int, preparing bool) {
		j.mu.Lock()
		defer j.mu.Unlock()
		return len(j.mu.free), j.mu.preparing
	}
	await := func(t *testing.T, j *diskJournal) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if n, preparing := spares(j); n == 1 && !preparing {
				return
			}
			if time.Now().After(end) {
				t.Fatal("no file is ready")
			}
		}
	}
	t.Run("with the second half", func(t *testing.T) {
		j, fillTo := open(t, 1<<50)
		fillTo(size/2 - 128<<10)
		if _, preparing := spares(j); preparing {
			t.Fatal("the next file is made too soon")
		}
		fillTo(size/2 + 64<<10)
		if n, preparing := spares(j); n != 0 || !preparing {
			t.Fatalf("%d files, preparing %t, with little of the second half filled", n, preparing)
		}
		fillTo(size - size/8)
		await(t, j)
	})
	t.Run("late", func(t *testing.T) {
		j, fillTo := open(t, 1<<50)
		fillTo(size/2 + 64<<10)
		fillTo(size + 64<<10) // has rolled
		await(t, j)
	})
	t.Run("closed", func(t *testing.T) {
		_, fillTo := open(t, 1<<50)
		fillTo(size/2 + 64<<10)
	})
	t.Run("to be kept", func(t *testing.T) {
		j, fillTo := open(t, 1)
		fillTo(size - size/8)
		if n, preparing := spares(j); n != 0 || preparing {
			t.Fatalf("%d files, preparing %t: all would be written twice", n, preparing)
		}
	})
}

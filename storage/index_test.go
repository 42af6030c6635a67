package storage

import (
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestCompactions: what the index should have compacted when it was closed waits for the end of
// recovery, and no longer.
func TestCompactions(t *testing.T) {
	o := testOptions(vfs.NewMem())
	s := mustOpen(t, o, nil)
	s.index.compactions.begun.Store(false)
	for i := range 20 {
		commit(t, s, func(tx *Tx) {
			tx.Set([]byte("a"), []byte{byte(i)})
			tx.Set([]byte("z"), []byte{byte(i)})
		})
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, s)
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, s)
	if m := s.index.db.Metrics(); m.Compact.Count != 0 || m.Compact.NumInProgress != 0 || m.Levels[0].TablesCount < 20 {
		t.Fatalf("%d compactions, %d tables in level 0", m.Compact.Count, m.Levels[0].TablesCount)
	}
	if err := s.Recover(nil); err != nil {
		t.Fatal(err)
	}
	for s.index.db.Metrics().Compact.Count == 0 {
		runtime.Gosched()
	}
	if v, err := s.Get([]byte("a")); err != nil || len(v) != 1 || v[0] != 19 {
		t.Fatalf("%v, %v", v, err)
	}
}

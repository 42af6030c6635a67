package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A long tail settles in many parts, out of frames that are in memory or not, between entries that are gone
// and volatile ones, which stay.
func TestSettleLongTail(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.CacheBytes = 64 << 10
	s := mustOpen(t, o, nil)
	defer mustClose(t, s)
	var logs [2]*Log
	commit(t, s, func(tx *Tx) { logs[0], logs[1] = tx.CreateLog(LogOptions{}), tx.CreateLog(LogOptions{}) })
	const rounds, each = 40, 100 // of four offsets
	want := map[Offset]bool{}
	for r := range rounds {
		commit(t, s, func(tx *Tx) {
			for _, l := range logs {
				for i := range each {
					for range 3 {
						o := l.Next()
						tx.Append(l, &Entry{Data: pattern(o, 1+i%7), Format: 1})
						want[o] = true
					}
					o := l.Next()
					tx.Append(l, &Entry{Data: pattern(o, 1), Format: 1, Volatile: true})
					want[o] = true
				}
			}
		})
		commit(t, s, func(tx *Tx) {
			for _, l := range logs {
				o := Offset(4 * each * r)
				tx.Delete(l, o+10, o+90)
				for i := o + 10; i < o+90; i++ {
					delete(want, i)
				}
			}
		})
	}
	if rounds*each*3 < 2*itemsAtOnce {
		t.Fatal("that is not long")
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	for _, l := range logs {
		l.mu.Lock()
		settled, left := l.mu.settled, l.mu.tail.len()
		l.mu.Unlock()
		if settled != l.End() || left > rounds*each {
			t.Fatalf("settled up to %d of %d, %d left", settled, l.End(), left)
		}
		es, next, err := l.Read(0, Limit{}, nil)
		if err != nil || next != l.End() || len(es) != len(want) {
			t.Fatalf("%v: %d entries of %d, up to %d of %d", err, len(es), len(want), next, l.End())
		}
		for i := range es {
			if e := &es[i]; !want[e.Offset] || !isPattern(e) {
				t.Fatalf("offset %d is wrong", e.Offset)
			}
		}
	}
}

// What a run holds is not less for a volatile entry between its own that goes later.
func TestVolatileBetween(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()), nil)
	defer mustClose(t, s)
	var before, after *Log // the volatile entry goes before, or after, the others settle
	commit(t, s, func(tx *Tx) {
		before, after = tx.CreateLog(LogOptions{}), tx.CreateLog(LogOptions{})
		for _, l := range []*Log{before, after} {
			for i := range 3 {
				tx.Append(l, &Entry{Data: pattern(1, 16), Format: 1, Volatile: i == 1})
			}
		}
	})
	gone := func(l *Log) { commit(t, s, func(tx *Tx) { tx.Delete(l, 1, 2) }) }
	gone(before)
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	gone(after)
	if err := s.settleRound(); err != nil { // what was estimated is looked up
		t.Fatal(err)
	}
	if a, b := after.Bytes(), before.Bytes(); a != b {
		t.Fatalf("%d bytes, want %d", a, b)
	}
}

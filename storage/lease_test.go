package storage

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// pattern is Data that says which offset it belongs to.
func pattern(o Offset, n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%07d,", o), n) }

func isPattern(e *Entry) bool { return bytes.Equal(e.Data, pattern(e.Offset, len(e.Data)/8)) }

// What is borrowed stays as it is until its lease ends, and what is kept for good, while the memory of others is
// used again and again: the cache holds little, and all is deleted right after it was read.
func TestLease(t *testing.T) {
	for _, volatile := range []bool{false, true} {
		t.Run(fmt.Sprintf("volatile %v", volatile), func(t *testing.T) { testLease(t, volatile) })
	}
}

func testLease(t *testing.T, volatile bool) {
	o := testOptions(vfs.NewMem())
	o.CacheBytes = 64 << 10
	s := mustOpen(t, o, nil)
	defer mustClose(t, s)
	const rounds, logs = 300, 3
	var wg sync.WaitGroup
	for k := range logs {
		wg.Go(func() {
			var l *Log
			commit(t, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{Volatile: volatile && k == 0}) })
			var kept []Entry
			var lease, other Lease
			for i := range rounds {
				commit(t, s, func(tx *Tx) {
					for range 1 + i%5 {
						tx.Append(l, &Entry{Data: pattern(l.Next(), 1+i*7%2000), Format: 1, Volatile: volatile})
					}
				})
				borrowed, next, err := l.Borrow(l.Start(), Limit{}, nil, &lease)
				again, _, err2 := l.Borrow(l.Start(), Limit{}, nil, &other)
				if i%10 == 0 {
					kept, _, _ = l.Read(l.Start(), Limit{}, kept)
				}
				spans, err3 := l.Raw(l.Start(), 1, Limit{})
				if err != nil || err2 != nil || err3 != nil || next != l.End() || len(borrowed) == 0 || len(again) != len(borrowed) {
					t.Errorf("%v, %v, %v: read %d up to %d, end %d", err, err2, err3, len(borrowed), next, l.End())
					return
				}
				other.End()
				commit(t, s, func(tx *Tx) { tx.Delete(l, l.Start(), next) })
				for j := range borrowed {
					if e := &borrowed[j]; !isPattern(e) || !volatile && !bytes.Equal(spans.Spans[j].Mem, e.Data) {
						t.Errorf("offset %d changed while it was borrowed", e.Offset)
					}
				}
				spans.Close()
				lease.End()
			}
			for j := range kept {
				if !isPattern(&kept[j]) {
					t.Errorf("offset %d changed although it was kept", kept[j].Offset)
				}
			}
		})
	}
	wg.Wait()
}

// The memory of a frame is used again when the last of those who borrowed it gives it back, unless somebody
// keeps it.
func TestLeaseEnds(t *testing.T) {
	for _, kept := range []bool{false, true} {
		s := mustOpen(t, testOptions(vfs.NewMem()), nil)
		var l *Log
		commit(t, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
		commit(t, s, func(tx *Tx) { tx.Append(l, &Entry{Data: pattern(0, 1000)}) })
		var one, two Lease
		for _, lease := range []*Lease{&one, &two} {
			if es, _, err := l.Borrow(0, Limit{}, nil, lease); err != nil || len(es) != 1 {
				t.Fatalf("%d entries, %v", len(es), err)
			}
		}
		h := one.all[0]
		if kept {
			two.Keep()
		}
		if n := h.users.Load(); n != 3 {
			t.Errorf("%d users", n)
		}
		commit(t, s, func(tx *Tx) { tx.Delete(l, 0, 1) })
		one.End()
		two.End()
		if n := h.users.Load(); n != 0 || h.kept.Load() != kept {
			t.Errorf("%d users, kept %v", n, h.kept.Load())
		}
		if two.kept || len(two.all) != 0 {
			t.Error("a lease that has ended is not new")
		}
		mustClose(t, s)
	}
}

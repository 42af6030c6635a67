package core

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"weak"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// keyed makes a stream with a key index that holds n messages of as many keys, all of them in the index store.
func keyed(t *testing.T, h *harness, n int, opts ...string) *partition {
	t.Helper()
	if err := h.cmdStream("k", parseArgs(opts)); err != nil {
		t.Fatal(err)
	}
	s := h.ns.Stream(defaultRealm, "k")
	err := h.tx(func(tx *Tx) error {
		for i := range n {
			if _, err := s.Append(tx, 0, &Entry{Key: fmt.Appendf(nil, "a.%d", i)}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.checkpoint(t)
	s.partition(0).keys.written()
	return s.partition(0)
}

func (h *harness) checkpoint(t *testing.T) {
	t.Helper()
	if err := h.store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
}

// A crash between the pages that hold one entry's messages leaves some of them to be replayed.
func TestReplayRestOfEntry(t *testing.T) {
	h := newHarness(t)
	p := keyed(t, h, 0)
	e := Entry{Key: []byte("a"), Count: pageLen + 44}
	if err := h.tx(func(tx *Tx) error { _, err := p.s.Append(tx, 0, &e, nil); return err }); err != nil {
		t.Fatal(err)
	}
	page := p.keys.page(0)
	torn := p.newKeys()
	torn.restoreName(1, e.Key)
	torn.restorePage(0, page)
	torn.restored()
	p.keys = torn
	p.replayAppend(&e)
	if torn.total != int64(e.Count) {
		t.Errorf("%d of %d messages are in the index", torn.total, e.Count)
	}
	h.checkIndex(p.s)
}

// What a checkpoint writes of a stream that is deleted meanwhile is gone after the next start, after a crash too.
func TestCheckpointOverlapsDeletion(t *testing.T) {
	for _, crash := range []bool{false, true} {
		h := newHarness(t)
		h.close()
		h.fs = vfs.NewCrashableMem()
		h.open()
		gone := keyed(t, h, 0)
		rows := func() (n int) {
			prefix := key(keyState, gone.s.id)
			if err := h.b.scan(prefix, func(_, _ []byte) error { n++; return nil }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := h.tx(func(tx *Tx) error {
			for i := range 3 * pageLen {
				if _, err := gone.s.Append(tx, 0, &Entry{Key: fmt.Appendf(nil, "a.%d", i)}, nil); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		written := map[string][]byte{}
		err := recovery{h.b}.Checkpoint(h.store.Applied(), func(k, v []byte) {
			if len(written) == 0 {
				if err := h.tx(func(tx *Tx) error { gone.s.Delete(tx); return nil }); err != nil {
					t.Fatal(err)
				}
			}
			written[string(k)] = append([]byte(nil), v...)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.tx(func(tx *Tx) error {
			for k, v := range written {
				tx.Set([]byte(k), v)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if rows() == 0 {
			t.Fatal("nothing is left: this tests nothing")
		}
		fs := h.fs
		if crash {
			fs = h.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
		}
		h.close()
		h.fs = fs
		h.open()
		if n := rows(); n != 0 {
			t.Errorf("crash %v: %d rows are left", crash, n)
		}
	}
}

// Pages may be read while their stream is deleted.
func TestReadPagesOfDeleted(t *testing.T) {
	h := newHarness(t)
	p := keyed(t, h, 4*pageLen)
	var reader sync.WaitGroup
	reading := make(chan struct{})
	reader.Go(func() {
		for i := 0; p.log.Retains(0) || i < 100; i++ {
			p.keys.page(Offset(i % 3))
			h.b.pages.clear()
			if i == 10 {
				close(reading)
			}
		}
	})
	<-reading
	if err := h.tx(func(tx *Tx) error { p.s.Delete(tx); return nil }); err != nil {
		t.Fatal(err)
	}
	reader.Wait()
}

// clear forgets everything.
func (c *pageCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old, c.n = nil, nil, 0
}

// The cache of pages does not keep the index of a deleted stream in memory.
func TestDeletedIndexIsFreed(t *testing.T) {
	h := newHarness(t)
	x := func() weak.Pointer[keyIndex] {
		p := keyed(t, h, 4*pageLen)
		for no := range Offset(3) {
			p.keys.page(no)
		}
		x := weak.Make(p.keys)
		if err := h.tx(func(tx *Tx) error { p.s.Delete(tx); return nil }); err != nil {
			t.Fatal(err)
		}
		return x
	}()
	for range 10 {
		h.rest()
		h.checkpoint(t)
		if err := h.tx(func(tx *Tx) error { tx.Note(0, nil); return nil }); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		if x.Value() == nil {
			return
		}
	}
	t.Error("the index is still in memory")
}

// A message that the key index does not know, because it could not be read, does not keep the limits from being held.
func TestLimitsPassUnknown(t *testing.T) {
	for _, limit := range []string{"max=100", "maxbytes=400"} {
		h := newHarness(t)
		p := keyed(t, h, 20, limit)
		known := p.newKeys()
		for o := Offset(1); o < 20; o++ {
			k, _ := p.keys.key(o)
			known.add(o, raw(k))
		}
		p.keys = known
		err := h.tx(func(tx *Tx) error {
			for i := range 200 {
				if _, err := p.s.Append(tx, 0, &Entry{Key: fmt.Appendf(nil, "b.%d", i)}, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, b := p.log.Messages(), p.log.Bytes(); n > 100 || limit != "max=100" && b > 400 {
			t.Errorf("%s: %d messages, %d bytes", limit, n, b)
		}
		h.checkIndex(p.s)
	}
}

// What cannot be read does not keep the broker from starting, and has the key index built anew once only.
func TestIndexWithoutUnreadable(t *testing.T) {
	h := newHarness(t)
	p := keyed(t, h, 3)
	if err := h.tx(func(tx *Tx) error {
		tx.Append(p.log, &Entry{Count: 2, Format: 9})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, false} {
		h.close()
		h.warnings.Store(0)
		h.open()
		s := h.ns.Stream(defaultRealm, "k")
		if n := h.warnings.Load(); n > 0 != want {
			t.Errorf("start %d: %d warnings", i, n)
		}
		if n := s.KeyCount(); n != 3 {
			t.Errorf("start %d: %d keys", i, n)
		}
		h.checkpoint(t)
	}
	s := h.ns.Stream(defaultRealm, "k")
	if err := h.tx(func(tx *Tx) error { s.Remove(tx, 0, 3); return nil }); err != nil {
		t.Fatal(err)
	}
	h.close()
	h.open()
	if n := h.ns.Stream(defaultRealm, "k").state.unknown; n != 1 {
		t.Errorf("%d messages are unknown, not 1", n)
	}
}

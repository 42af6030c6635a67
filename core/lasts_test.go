package core

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A cursor that starts at the last message of each key delivers these, in order, then what came after it was
// made, over restarts and crashes too: whether they are few enough to be listed or not.
func TestLastPerKey(t *testing.T) {
	for _, keys := range []int{100, lastsFew + 1000} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) { testLastPerKey(t, keys) })
	}
}

func testLastPerKey(t *testing.T, keys int) {
	h := &harness{t: t, fs: vfs.NewCrashableMem(), subs: map[string]*recorder{}}
	h.now.Store(1000 * second)
	h.open()
	if err := h.cmdStream("s", parseArgs([]string{"perkey=3"})); err != nil {
		t.Fatal(err)
	}
	want := map[Offset]bool{}
	put := func(key int) Offset {
		tx := h.b.Begin()
		defer tx.Commit()
		o, err := h.ns.Stream(defaultRealm, "s").Append(tx, 0, &Entry{Key: fmt.Appendf(nil, "a.%d", key)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for range 3 {
		for k := range keys {
			put(k)
		}
	}
	put(3)
	s := h.ns.Stream(defaultRealm, "s")
	err := h.b.Committed(func(tx *Tx) error {
		_, err := s.CreateCursor(tx, CursorConfig{Name: "c", Durable: true, Start: StartLastPerKey, Filters: []string{"a.>"}}, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := s.Cursor("c")
	if n := c.State().Pending; n != int64(keys) {
		t.Fatalf("%d are pending, want %d", n, keys)
	}
	for k := range keys {
		want[s.LastByKey(fmt.Sprintf("a.%d", k))] = true
	}
	remove := func(o Offset) {
		if err := h.tx(func(tx *Tx) error { s.Remove(tx, 0, o); return nil }); err != nil {
			t.Fatal(err)
		}
		delete(want, o)
	}
	// After that: 5 changes once, so its last message is there still; 7 three times, so it is not. 9 goes. The last ones of
	// 11 and 12 are deleted, and then the one before of 12: none before takes their place.
	delete(want, s.LastByKey("a.7"))
	delete(want, s.LastByKey("a.9"))
	want[put(5)], want[put(7)], want[put(7)], want[put(7)] = true, true, true, true
	if err := h.b.Committed(func(tx *Tx) error { _, err := s.Purge(tx, "a.9", NoOffset, 0); return err }); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"a.11", "a.12", "a.12"} {
		remove(s.LastByKey(k))
	}
	for k := 13; k < 16; k++ { // likewise, with one that came later
		last := s.LastByKey(fmt.Sprintf("a.%d", k))
		want[put(k)] = true
		remove(last)
	}
	got, want0 := 0, keys
	take := func(c *Cursor, most int) {
		last := NoOffset
		for range most {
			d := h.fetch(c)
			if d == nil {
				break
			}
			if !want[d.Offset] || d.Offset <= last {
				t.Fatalf("%d is delivered after %d", d.Offset, last)
			}
			delete(want, d.Offset)
			last = d.Offset
			got++
			if left := c.State().Pending; left != int64(len(want)) {
				t.Fatalf("%d are pending after %d, want %d", left, got, len(want))
			}
			tx := h.b.Begin()
			c.Settle(tx, d.Offset)
			tx.Commit()
		}
	}
	if n := c.State().Pending; n != int64(len(want)) {
		t.Fatalf("%d are pending after changes, want %d", n, len(want))
	}
	for _, crash := range []bool{true, false} {
		take(c, keys/3)
		remove(s.LastByKey(fmt.Sprintf("a.%d", keys-5))) // has been listed by now
		keys--
		h.rest()
		fs := h.fs
		if crash { // before any checkpoint
			fs = fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
		}
		h.close()
		h.fs = fs
		h.open()
		s = h.ns.Stream(defaultRealm, "s")
		c = s.Cursor("c")
		if n := c.State().Pending; n != int64(len(want)) {
			t.Fatalf("%d are pending after a restart, want %d", n, len(want))
		}
	}
	take(c, want0*3)
	if len(want) > 0 {
		t.Fatalf("%d are not delivered", len(want))
	}
	h.close()
}

package core

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// A key that always has a message is always found, however fast others take its place, and never an older one than
// before; what was held meanwhile goes.
func TestLastWhileReplaced(t *testing.T) {
	h := newHarness(t)
	p := keyed(t, h, 0, "perkey=1")
	put := func(k int) {
		tx := h.b.Begin()
		defer tx.Commit()
		if _, err := p.s.Append(tx, 0, &Entry{Key: fmt.Appendf(nil, "a.%d", k)}, nil); err != nil {
			t.Error(err)
		}
	}
	put(0)
	if err := h.tx(func(tx *Tx) error { tx.Note(0, nil); return nil }); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	done := make(chan struct{})
	for _, pattern := range []string{"a.0", "a.*", "a.0"} {
		readers.Go(func() {
			for last, n := Offset(0), 0; n < 50; n++ {
				e, o, err := p.s.Last(pattern)
				if err != nil || o < last || !strings.HasPrefix(string(e.Key), "a.") || e.Offset != o {
					t.Errorf("%s: %d after %d, %v", pattern, o, last, err)
					return
				}
				last = o
			}
		})
	}
	go func() { readers.Wait(); close(done) }()
	for n := 0; ; n++ {
		select {
		case <-done:
			if err := h.tx(func(tx *Tx) error {
				put := &Entry{Key: []byte("a.0")}
				_, err := p.s.Append(tx, 0, put, nil)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if n := p.log.Messages(); n != 1 || len(p.held) != 0 {
				t.Errorf("%d messages, %d are held", n, len(p.held))
			}
			if _, _, err := p.s.Last("b"); err == nil {
				t.Error("there is no such key")
			}
			h.checkIndex(p.s)
			return
		default:
			put(0)
		}
	}
}

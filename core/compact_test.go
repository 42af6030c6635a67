package core

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCompactWorth: a large log is left alone while little of it is new, but not for longer than
// MaxAge.
func TestCompactWorth(t *testing.T) {
	for _, tc := range []struct {
		name    string
		c       Compaction
		removed int64
	}{
		{"dirty enough", Compaction{On: true, Dirty: 0.001}, 100},
		{"clean", Compaction{On: true, Dirty: 0.5}, 0},
		{"too long", Compaction{On: true, Dirty: 0.5, MaxAge: time.Minute}, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t)
			var s *Stream
			appendKeys := func(n int) {
				t.Helper()
				if err := h.tx(func(tx *Tx) (err error) {
					if s == nil {
						s, err = h.ns.CreateStream(tx, StreamConfig{Realm: defaultRealm, Name: "s", Partitions: 1, Compact: tc.c})
					}
					for i := 0; i < n && err == nil; i++ {
						_, err = s.Append(tx, 0, &Entry{Count: 1, Time: tx.Now(), Key: fmt.Append(nil, i), Data: []byte("x")}, nil)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			pass := func() {
				var out strings.Builder
				h.command(&out, []string{"advance", "61000"})
				h.command(&out, []string{"advance", "61000"})
			}
			appendKeys(compactSmall + 1)
			pass()
			appendKeys(100)
			before := s.partition(0).log.Messages()
			pass()
			if got := before - s.partition(0).log.Messages(); got != tc.removed {
				t.Fatalf("%d messages were removed, not %d", got, tc.removed)
			}
		})
	}
}

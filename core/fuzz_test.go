package core

import "testing"

// FuzzCursorState feeds damaged Notes and checkpoints to a cursor: it may refuse
// them, it must not crash or run away.
func FuzzCursorState(f *testing.F) {
	c := &Cursor{s: new(Stream)}
	f.Add(appendOffsets([]byte{noteSettled, 1, 2}, []Offset{1, 2, 3, 7}), true)
	f.Add(appendOffsets([]byte{noteSeek, 1, 2}, []Offset{4}), true)
	f.Add(appendOffsets([]byte{noteSettled, 1, 2}, []Offset{4, 5, 9}), true)
	f.Add(appendOffsets([]byte{noteSpent, 1, 2}, []Offset{0, 1}), true)
	f.Add([]byte{noteLow, 1, 2, 3, 4}, true)
	f.Add(appendRetries([]byte{noteAttempts, 1, 2}, []retry{{3, 4}, {5, 6}}), true)
	c.lock()
	c.mu.next, c.mu.delivered, c.mu.cfg = 3, 5, queueCursor
	c.mu.flights.add(flight{offset: 1, attempts: 2, number: 3})
	c.ackPast(9)
	c.remember(7, 2)
	c.unlock()
	c.snapshot(func(_, v []byte) { f.Add(v, false) })
	h := newHarness(f)
	if err := h.cmdStream("s", parseArgs(nil)); err != nil {
		f.Fatal(err)
	}
	s := h.ns.Stream(defaultRealm, "s")
	f.Fuzz(func(t *testing.T, data []byte, note bool) {
		c := newCursor(s, 1, new(CursorConfig), 0, nil)
		if note {
			c.replay(data)
		} else if err := c.restore(nil, data); err != nil {
			return
		}
		if c.timer != nil {
			h.b.timers.clear(c.timer)
		}
		c.snapshot(func(_, v []byte) {
			if err := newCursor(s, 2, new(CursorConfig), 0, nil).restore(nil, v); err != nil {
				t.Errorf("what was written cannot be read: %v", err)
			}
		})
	})
}

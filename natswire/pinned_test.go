package natswire

import (
	"fmt"
	"strings"
	"testing"
)

// What waits for a client that reads nothing keeps no more read buffers from being used again than its bound says, although only
// a small part of each is for it; when it has read everything, none.
func TestPinned(t *testing.T) {
	const maxPending = 4 << 20
	b := newBench(t, func(o *Options) { o.MaxPending = maxPending })
	_, r := raw(t, b.w, quiet, "SUB a 1", "PING")
	expect(t, r, "PONG")
	var c *conn
	for _, x := range b.w.conns() {
		if x.raw != nil {
			c = x
		}
	}
	pinned := func() (pinned, pending int, shared *chunk) {
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		return c.out.mu.pinned, c.out.mu.pending, c.out.mu.shared
	}
	most, sent := 0, 0
	for i := 0; ; i++ {
		payload := strings.Repeat(fmt.Sprintf("%07d,", i), shareFrom/8)
		in := fmt.Appendf(nil, "PUB a %d\r\n%s\r\n", shareFrom, payload)
		for len(in) < bulkChunk*9/10 {
			in = append(in, "PUB nobody 0\r\n\r\n"...)
		}
		b.feed(in)
		sent++
		now, pending, _ := pinned()
		if most = max(most, now); now > sharePinned*maxPending+bulkChunk {
			t.Fatalf("%d bytes are pinned by %d", now, pending)
		}
		if pending > maxPending/2 {
			break
		}
	}
	if most < sharePinned*maxPending/2 {
		t.Errorf("no more than %d bytes were pinned", most)
	}
	for i := range sent {
		expect(t, r, fmt.Sprintf("MSG a 1 %d", shareFrom), strings.Repeat(fmt.Sprintf("%07d,", i), shareFrom/8))
	}
	eventually(t, "nothing is pinned", func() bool {
		n, pending, shared := pinned()
		return n == 0 && pending == 0 && shared == nil
	})
}

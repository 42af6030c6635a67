package natswire

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"trivium/internal/race"
)

// bench is a connection that is fed read buffers by hand, and subscribers on real sockets
// whose other ends drop what they get.
type bench struct {
	w *world
	c *conn
}

// discard opens a subscriber; lines subscribe it.
func (b *bench) discard(t testing.TB, lines ...string) *conn {
	t.Helper()
	before := map[*conn]bool{}
	for _, c := range b.w.conns() {
		before[c] = true
	}
	nc, r := raw(t, b.w, append([]string{quiet}, append(lines, "PING")...)...)
	expect(t, r, "PONG")
	done := make(chan struct{})
	go func() { io.CopyBuffer(struct{ io.Writer }{io.Discard}, nc, make([]byte, 256<<10)); close(done) }()
	t.Cleanup(func() { nc.Close(); <-done })
	for _, c := range b.w.conns() {
		if !before[c] {
			return c
		}
	}
	t.Fatal("no connection")
	return nil
}

func newBench(t testing.TB, edit ...func(*Options)) *bench {
	b := &bench{w: start(t, edit...)}
	ours, theirs := net.Pipe()
	b.c = newConn(b.w.Server, ours)
	go io.Copy(io.Discard, theirs)
	b.c.startTimers()
	b.feed([]byte(quiet + "\r\n"))
	b.c.stopTimers()
	t.Cleanup(func() { b.c.dropSubs(); theirs.Close(); ours.Close() })
	return b
}

// feed parses one read buffer.
func (b *bench) feed(in []byte) {
	k := newChunk(len(in))
	k.b = append(k.b, in...)
	b.c.in.k, b.c.in.from = k, 0
	b.c.handle()
	b.c.prod.finish()
	b.c.in.keep()
}

// shapes are the ways in which messages travel. Each read buffer holds msgs of them.
var shapes = []struct {
	name string
	msgs int
	// deliveries per message
	deliveries int
	setup      func(t testing.TB, b *bench) []byte
}{
	{"nobody", 100, 0, func(t testing.TB, b *bench) []byte {
		return []byte(strings.Repeat("PUB nobody.here 16\r\n0123456789abcdef\r\n", 100))
	}},
	{"one", 100, 1, func(t testing.TB, b *bench) []byte {
		b.discard(t, "SUB foo.bar 1")
		return []byte(strings.Repeat("PUB foo.bar 16\r\n0123456789abcdef\r\n", 100))
	}},
	{"fanout", 20, 50, func(t testing.TB, b *bench) []byte {
		for i := range 10 {
			b.discard(t, fmt.Sprintf("SUB foo.bar 1\r\nSUB foo.* 2\r\nSUB foo.> 3\r\nSUB > 4\r\nSUB *.bar %d", i+5))
		}
		return []byte(strings.Repeat("PUB foo.bar 16\r\n0123456789abcdef\r\n", 20))
	}},
	{"queue", 100, 1, func(t testing.TB, b *bench) []byte {
		for range 4 {
			b.discard(t, "SUB foo.bar g 1")
		}
		return []byte(strings.Repeat("PUB foo.bar 16\r\n0123456789abcdef\r\n", 100))
	}},
	{"headers", 100, 1, func(t testing.TB, b *bench) []byte {
		b.discard(t, "SUB foo.bar 1")
		return []byte(strings.Repeat("HPUB foo.bar r 18 34\r\nNATS/1.0\r\nA: b\r\n\r\n0123456789abcdef\r\n", 100))
	}},
	{"replies", 100, 1, func(t testing.TB, b *bench) []byte {
		b.discard(t, "SUB _INBOX.abcdefghijklmnopqrstuv.* 1")
		var in bytes.Buffer
		for i := range 100 {
			fmt.Fprintf(&in, "PUB _INBOX.abcdefghijklmnopqrstuv.%08d 16\r\n0123456789abcdef\r\n", i)
		}
		return in.Bytes()
	}},
	{"subjects", 100, 2, func(t testing.TB, b *bench) []byte {
		b.discard(t, "SUB dev.> 1")
		b.discard(t, "SUB dev.*.temp 1")
		var in bytes.Buffer
		for i := range 100 {
			fmt.Fprintf(&in, "PUB dev.%d.temp 16\r\n0123456789abcdef\r\n", i)
		}
		return in.Bytes()
	}},
	{"large", 3, 2, func(t testing.TB, b *bench) []byte {
		b.discard(t, "SUB foo.bar 1")
		b.discard(t, "SUB foo.bar 1")
		return []byte(strings.Repeat("PUB foo.bar 20000\r\n"+strings.Repeat("x", 20000)+"\r\n", 3))
	}},
}

// A message costs no allocation, whatever way it goes.
func TestAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("pools forget at random under the race detector")
	}
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			b := newBench(t)
			in := s.setup(t, b)
			for range 20 {
				b.feed(in)
			}
			n := testing.AllocsPerRun(50, func() { b.feed(in) })
			// A goroutine for a socket that is full, a buffer more, what a write of many pieces needs: not per message.
			if s.msgs >= 20 && n/float64(s.msgs) > 0.1 || n > 12 {
				t.Errorf("%.1f allocations for %d messages", n, s.msgs)
			}
		})
	}
}

func BenchmarkPublish(t *testing.B) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.B) {
			b := newBench(t)
			in := s.setup(t, b)
			t.ReportAllocs()
			for t.Loop() {
				b.feed(in)
			}
			t.ReportMetric(float64(t.Elapsed().Nanoseconds())/float64(t.N)/float64(s.msgs), "ns/msg")
			t.ReportMetric(float64(t.N)*float64(s.msgs*max(s.deliveries, 1))/t.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

package jetstream_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"trivium/internal/race"
)

// lean is a client that allocates nothing per message, so that what is measured is the server.
type lean struct {
	t    testing.TB
	nc   net.Conn
	r    *bufio.Reader
	line []byte // of the last message
	out  []byte // to be sent
}

func newLean(t testing.TB, w *world) *lean {
	nc, err := net.Dial("tcp", strings.TrimPrefix(w.url, "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &lean{t: t, nc: nc, r: bufio.NewReaderSize(nc, 64<<10)}
	c.say("CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\nSUB _INBOX.lean.> 1\r\nPING\r\n")
	c.await("PONG")
	return c
}

func (c *lean) say(format string, args ...any) {
	c.out = fmt.Appendf(c.out, format, args...)
	c.send()
}

func (c *lean) send() {
	if _, err := c.nc.Write(c.out); err != nil {
		c.t.Fatal(err)
	}
	c.out = c.out[:0]
}

// read is the next line; the server's own talk is skipped.
func (c *lean) read() []byte {
	for {
		c.nc.SetReadDeadline(time.Now().Add(patience))
		b, err := c.r.ReadSlice('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		switch b = bytes.TrimSuffix(b, []byte("\r\n")); {
		case bytes.HasPrefix(b, []byte("INFO ")):
		case string(b) == "PING":
			c.out = append(c.out, "PONG\r\n"...)
		default:
			return b
		}
	}
}

func (c *lean) await(line string) {
	if got := c.read(); string(got) != line {
		c.t.Fatalf("got %q, want %q", got, line)
	}
}

// message reads a delivery: its body is dropped, its reply subject returned.
func (c *lean) message() (reply []byte) {
	c.line = append(c.line[:0], c.read()...)
	if !bytes.HasPrefix(c.line, []byte("MSG ")) {
		c.t.Fatalf("got %q", c.line)
	}
	size, err := strconv.Atoi(string(c.line[bytes.LastIndexByte(c.line, ' ')+1:]))
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.r.Discard(size + 2); err != nil {
		c.t.Fatal(err)
	}
	rest := c.line[len("MSG "):]
	for range 2 {
		rest = rest[bytes.IndexByte(rest, ' ')+1:]
	}
	if i := bytes.IndexByte(rest, ' '); i >= 0 {
		return rest[:i]
	}
	return nil
}

// publish publishes and waits for the PubAck.
func (c *lean) publish(n int) {
	c.out = append(c.out, "PUB hot _INBOX.lean."...)
	c.out = strconv.AppendInt(c.out, int64(n), 10)
	c.out = append(c.out, " 16\r\n0123456789abcdef\r\n"...)
	c.send()
	c.message()
}

// pullBatch is how many messages are asked for at once.
const pullBatch = 250

// pull asks for pullBatch messages, and acknowledges each of them.
func (c *lean) pull() {
	c.out = append(c.out, "PUB $JS.API.CONSUMER.MSG.NEXT.HOT.c _INBOX.lean.p "...)
	c.out = append(strconv.AppendInt(c.out, 3, 10), "\r\n250\r\n"...)
	c.send()
	for range pullBatch {
		ack := c.message()
		c.out = append(append(append(c.out, "PUB "...), ack...), " 4\r\n+ACK\r\n"...)
	}
	c.send()
}

// hot is a lean client of a stream with a consumer.
func hot(t testing.TB) *lean {
	w := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	js, err := jetstream.New(w.connect(), jetstream.WithDefaultTimeout(patience))
	if err == nil {
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "HOT", Subjects: []string{"hot"}})
	}
	if err == nil {
		_, err = js.CreateConsumer(ctx, "HOT", jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy})
	}
	if err != nil {
		t.Fatal(err)
	}
	return newLean(t, w)
}

// fill publishes n messages.
func (c *lean) fill(n int) {
	go io.Copy(c.nc, bytes.NewReader(bytes.Repeat([]byte("PUB hot _INBOX.lean.f 16\r\n0123456789abcdef\r\n"), n)))
	for range n {
		c.message()
	}
}

// Of a publish, what it takes to write one frame; of a consumed message, its share of what a batch takes.
const (
	maxPublishAllocs = 7
	maxConsumeAllocs = 0.1
)

// mallocs counts f's allocations, and those of all that goes on besides.
func mallocs(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs)
}

// TestAllocations holds the ceilings of the hot paths, the whole server counted.
func TestAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("pools forget at random under the race detector")
	}
	c := hot(t)
	const publishes, pulls = 2000, 40
	for i := range publishes {
		c.publish(i)
	}
	n := mallocs(func() {
		for i := range publishes {
			c.publish(i)
		}
	})
	if per := n / publishes; per > maxPublishAllocs {
		t.Errorf("%.2f allocations for a synchronous publish", per)
	}
	c.fill(2*pulls*pullBatch - 2*publishes)
	for range pulls {
		c.pull()
	}
	n = mallocs(func() {
		for range pulls {
			c.pull()
		}
	})
	if per := n / (pulls * pullBatch); per > maxConsumeAllocs {
		t.Errorf("%.2f allocations for a message that is delivered and acknowledged", per)
	}
}

// BenchmarkPublishSync is a client that waits for each PubAck.
func BenchmarkPublishSync(b *testing.B) {
	c := hot(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.publish(i)
	}
}

// BenchmarkConsume is a client that pulls messages and acknowledges each.
func BenchmarkConsume(b *testing.B) {
	c := hot(b)
	c.fill(b.N * pullBatch)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		c.pull()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pullBatch, "ns/msg")
}

package amqp

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"trivium/amqp/wire"
	"trivium/internal/race"
)

// load is a lean publisher and a lean consumer on raw sockets: they allocate nothing, so what a
// message costs is the server's.
type load struct {
	pub, sub net.Conn
	chunk    []byte // publishes of one write
	perChunk int
	confirm  bool
	acked    uint64 // the last confirm
}

// pipe opens a connection with channel 1.
func pipe(tb testing.TB, b *broker, ms ...wire.Method) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	var out []byte
	out = append(out, wire.ProtocolHeader[:]...)
	out = wire.AppendMethod(out, 0, login("guest", "guest"))
	out = wire.AppendMethod(out, 0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072})
	out = wire.AppendMethod(out, 0, &wire.ConnectionOpen{VHost: "/"})
	out = wire.AppendMethod(out, 1, &wire.ChannelOpen{})
	for _, m := range ms {
		out = wire.AppendMethod(out, 1, m)
	}
	out = wire.AppendMethod(out, 1, &wire.ChannelFlow{Active: true})
	if _, err := c.Write(out); err != nil {
		tb.Fatal(err)
	}
	// Read one octet at a time, so that nothing behind the last answer is taken.
	_ = c.SetReadDeadline(time.Now().Add(patience))
	for {
		var head [wire.FrameHead]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			tb.Fatal(err)
		}
		rest := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(c, rest); err != nil {
			tb.Fatal(err)
		}
		if wire.MethodID(rest) == (*wire.ChannelFlowOk)(nil).ID() {
			_ = c.SetReadDeadline(time.Time{})
			return c
		}
	}
}

func newLoad(tb testing.TB, b *broker, persistent, confirm bool, size int) *load {
	l := &load{perChunk: 64, confirm: confirm}
	var ms []wire.Method
	if confirm {
		ms = append(ms, &wire.ConfirmSelect{NoWait: true})
	}
	l.pub = pipe(tb, b, append(ms, &wire.QueueDeclare{Queue: "load", Durable: true, NoWait: true})...)
	l.sub = pipe(tb, b, &wire.BasicConsume{Queue: "load", NoAck: true, NoWait: true})
	p := wire.Properties{Flags: wire.HasDeliveryMode, DeliveryMode: 1}
	if persistent {
		p.DeliveryMode = wire.Persistent
	}
	for range l.perChunk {
		l.chunk = wire.AppendMethod(l.chunk, 1, &wire.BasicPublish{RoutingKey: "load"})
		l.chunk = wire.AppendHeader(l.chunk, 1, size, p.Append(nil))
		l.chunk = wire.AppendBody(l.chunk, 1, bytes.Repeat([]byte("x"), size), 131072)
	}
	return l
}

// counter reads a stream's frames without keeping any.
type counter struct {
	buf  []byte
	have int
}

func (c *counter) read(conn net.Conn, f func(f wire.Frame)) error {
	if c.buf == nil {
		c.buf = make([]byte, 1<<18)
	}
	n, err := conn.Read(c.buf[c.have:])
	c.have += n
	at := 0
	for {
		fr, n, _, err := wire.ParseFrame(c.buf[at:c.have], 0)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		f(fr)
		at += n
	}
	c.have = copy(c.buf, c.buf[at:c.have])
	return err
}

// loadWindow is how many chunks may be on their way, so that the queue stays short.
const loadWindow = 16

// run moves n chunks through the server.
func (l *load) run(tb testing.TB, n int) {
	arrived := make(chan int, n+1)
	failed := make(chan error, 2)
	go func() {
		var c counter
		got, chunks := 0, 0
		for chunks < n {
			err := c.read(l.sub, func(f wire.Frame) {
				if f.Type == wire.FrameBody {
					got++
				}
			})
			for ; chunks < got/l.perChunk; chunks++ {
				arrived <- chunks
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	acked := make(chan struct{})
	go func() {
		defer close(acked)
		var c counter
		for want := l.acked + uint64(n*l.perChunk); l.confirm && l.acked < want; {
			err := c.read(l.pub, func(f wire.Frame) {
				if tag, _, err := wire.ParseAck(f.Payload); err == nil {
					l.acked = tag // they come in order
				}
			})
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	for sent := range n {
		if sent >= loadWindow {
			select {
			case <-arrived:
			case err := <-failed:
				tb.Fatal(err)
			case <-time.After(patience):
				tb.Fatal("no messages")
			}
		}
		if _, err := l.pub.Write(l.chunk); err != nil {
			tb.Fatal(err)
		}
	}
	for range min(n, loadWindow) {
		<-arrived
	}
	<-acked
}

// A message costs next to no allocations between its publisher's socket and its consumer's; a large one no memory:
// what keeps it at hand is used again.
func TestAllocationsPerMessage(t *testing.T) {
	for _, c := range []struct {
		name       string
		persistent bool
		size       int
		ceiling    float64
		octets     float64 // allocated for each of the message's; the disk of persistent ones is memory too
	}{
		{"transient", false, 100, 0.4, 5}, {"persistent", true, 100, 0.4, 20},
		{"transient, large", false, 64 << 10, 12, 2}, {"persistent, large", true, 64 << 10, 12, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := serve(t, Options{})
			l := newLoad(t, b, c.persistent, c.persistent, c.size)
			chunks := 500
			if c.size > 1<<10 {
				chunks = 20
			}
			l.run(t, chunks/2) // warm up
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			l.run(t, chunks)
			runtime.ReadMemStats(&after)
			n := float64(chunks * l.perChunk)
			per, octets := float64(after.Mallocs-before.Mallocs)/n, float64(after.TotalAlloc-before.TotalAlloc)/n/float64(c.size)
			t.Logf("%.2f allocations per message, %.2f octets for each of it", per, octets)
			if !race.Enabled && (per > c.ceiling || octets > c.octets) {
				t.Errorf("%.2f allocations per message, %.2f octets for each of it", per, octets)
			}
		})
	}
}

func BenchmarkTransient(b *testing.B)    { benchmarkLoad(b, false, false, 100) }
func BenchmarkPersistent(b *testing.B)   { benchmarkLoad(b, true, false, 100) }
func BenchmarkConfirmed(b *testing.B)    { benchmarkLoad(b, true, true, 100) }
func BenchmarkConfirmed1K(b *testing.B)  { benchmarkLoad(b, true, true, 1024) }
func BenchmarkConfirmed64K(b *testing.B) { benchmarkLoad(b, true, true, 64<<10) }

func benchmarkLoad(b *testing.B, persistent, confirm bool, size int) {
	s := serve(b, Options{})
	l := newLoad(b, s, persistent, confirm, size)
	l.run(b, 50)
	b.ReportAllocs()
	b.ResetTimer()
	chunks := b.N/l.perChunk + 1
	l.run(b, chunks)
	b.ReportMetric(float64(chunks*l.perChunk)/b.Elapsed().Seconds(), "msg/s")
}

// An idle connection with a channel costs little memory.
func TestIdleConnections(t *testing.T) {
	b := serve(t, Options{})
	measure := func() int64 {
		runtime.GC() // twice, for what pools hold
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	pipe(t, b) // what only the first one needs
	before := measure()
	const n = 300
	for range n {
		pipe(t, b)
	}
	per := (measure() - before) / n
	t.Logf("%d octets each", per)
	most := int64(idleBytes)
	if race.Enabled {
		most *= 4
	}
	if per > most {
		t.Errorf("%d octets each", per)
	}
}

// idleBytes is the most that an idle connection may cost, the test's end of it included.
const idleBytes = 15 << 10

package natswire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"trivium/auth"
	"trivium/core"
)

// raw opens a socket, reads the INFO and sends lines.
func raw(t testing.TB, w *world, lines ...string) (net.Conn, *bufio.Reader) {
	t.Helper()
	nc, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(nc)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	send(t, nc, lines...)
	return nc, r
}

func send(t testing.TB, nc net.Conn, lines ...string) {
	t.Helper()
	if len(lines) == 0 {
		return
	}
	if _, err := io.WriteString(nc, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
		t.Fatal(err)
	}
}

// line reads a line that is not the server's PING, which is due two seconds after CONNECT.
func line(r *bufio.Reader) (l string, err error) {
	for l, err = r.ReadString('\n'); l == "PING\r\n"; {
		l, err = r.ReadString('\n')
	}
	return l, err
}

func expect(t testing.TB, r *bufio.Reader, lines ...string) {
	t.Helper()
	for _, want := range lines {
		got, err := line(r)
		if err != nil || strings.TrimRight(got, "\r\n") != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

// lenient gives those who read nothing for a while the time that a busy machine takes.
func lenient(o *Options) { o.WriteDeadline = patience }

const quiet = `CONNECT {"verbose":false,"pedantic":false,"headers":true}`

func TestQueueGroup(t *testing.T) {
	w := start(t)
	const members, n = 3, 3000
	var got [members]atomic.Int64
	var all, other atomic.Int64
	for i := range members {
		nc := connect(t, w)
		nc.QueueSubscribe("work.>", "g", func(*nats.Msg) { got[i].Add(1) })
		nc.QueueSubscribe("work.*", "h", func(*nats.Msg) { other.Add(1) })
		nc.Flush()
	}
	plain := connect(t, w)
	plain.Subscribe("work.a", func(*nats.Msg) { all.Add(1) })
	plain.Flush()
	p := connect(t, w)
	for range n {
		p.Publish("work.a", nil)
	}
	p.Flush()
	sum := func() (s int64) {
		for i := range got {
			s += got[i].Load()
		}
		return s
	}
	eventually(t, "all copies", func() bool { return sum() == n && all.Load() == n && other.Load() == n })
	for i := range got {
		if got[i].Load() < n/members/2 {
			t.Errorf("member %d got %d of %d", i, got[i].Load(), n)
		}
	}
}

func TestDrain(t *testing.T) {
	w := start(t)
	nc := connect(t, w)
	var got atomic.Int64
	nc.Subscribe("a", func(*nats.Msg) { got.Add(1) })
	p := connect(t, w)
	nc.Flush()
	for range 1000 {
		p.Publish("a", []byte("x"))
	}
	p.Flush()
	if err := nc.Drain(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "drained", func() bool { return nc.IsClosed() })
	if got.Load() != 1000 {
		t.Errorf("got %d", got.Load())
	}
	eventually(t, "forgotten", func() bool { m := w.Metrics(); return m.Connections == 1 && m.Subscriptions == 0 })
}

func TestAutoUnsubscribe(t *testing.T) {
	w := start(t)
	a, p := connect(t, w), connect(t, w)
	s, _ := a.SubscribeSync("a")
	s.AutoUnsubscribe(5)
	a.Flush()
	for range 10 {
		p.Publish("a", nil)
	}
	p.Flush()
	for range 5 {
		if _, err := s.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.NextMsg(time.Second); !errors.Is(err, nats.ErrMaxMessages) {
		t.Error(err)
	}
	if m := w.Metrics(); m.Subscriptions != 0 || m.OutMsgs != 5 {
		t.Errorf("%+v", m)
	}
}

// Two producers at once must not deliver more than the maximum.
func TestAutoUnsubscribeRace(t *testing.T) {
	w := start(t)
	nc, r := raw(t, w, quiet, "SUB a 1", "UNSUB 1 100", "PING")
	expect(t, r, "PONG")
	var wg sync.WaitGroup
	for range 4 {
		p := connect(t, w)
		wg.Go(func() {
			for range 100 {
				p.Publish("a", nil)
			}
			p.Flush()
		})
	}
	wg.Wait()
	send(t, nc, "PING")
	for range 100 {
		expect(t, r, "MSG a 1 0", "")
	}
	expect(t, r, "PONG")
}

func TestPayloads(t *testing.T) {
	w := start(t, func(o *Options) { o.MaxPayload = 8 << 20 })
	a, p := connect(t, w), connect(t, w)
	s, _ := a.SubscribeSync("a")
	s.SetPendingLimits(-1, -1)
	a.Flush()
	sizes := []int{0, 1, 4095, 4096, 65535, 65536, 65537, 1 << 20, 8 << 20}
	for range 30 {
		sizes = append(sizes, rand.IntN(200_000))
	}
	var sent [][]byte
	for _, n := range sizes {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		sent = append(sent, b)
		m := nats.NewMsg("a")
		m.Data = b
		if n%2 == 1 {
			m.Header.Set("N", fmt.Sprint(n))
		}
		if err := p.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	p.Flush()
	for i, b := range sent {
		m, err := s.NextMsg(patience)
		if err != nil || !bytes.Equal(m.Data, b) {
			t.Fatalf("message %d of %d bytes: %v", i, len(b), err)
		}
		if want := len(b)%2 == 1; want != (m.Header.Get("N") == fmt.Sprint(len(b))) {
			t.Fatalf("headers of %d: %v", len(b), m.Header)
		}
	}
	if a.MaxPayload() != 8<<20 {
		t.Error(a.MaxPayload())
	}
}

// A claim of a large payload takes no memory, and bytes that come one by one are put together.
// Large payloads are sent out of the buffer that they were read into: they stay what they were while other
// messages are read, for those who take them at once and for one who takes them late.
func TestLargePayloads(t *testing.T) {
	w := start(t, lenient)
	const n = 500
	rng := rand.New(rand.NewPCG(1, 2))
	var sizes [n]int
	payload := func(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8), 'x'}, sizes[i]/3+1)[:sizes[i]] }
	for i := range sizes {
		sizes[i] = rng.IntN(1 << (8 + rng.IntN(11)))
	}
	var subs []*bufio.Reader
	for range 3 {
		_, r := raw(t, w, quiet, "SUB large 1", "PING")
		expect(t, r, "PONG")
		subs = append(subs, r)
	}
	check := func(r *bufio.Reader) error {
		for i := range n {
			l, err := line(r)
			if want := fmt.Sprintf("MSG large 1 %d\r\n", sizes[i]); err != nil || l != want {
				return fmt.Errorf("message %d: got %q, %v, want %q", i, l, err, want)
			}
			got := make([]byte, sizes[i]+2)
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got[:sizes[i]], payload(i)) {
				return fmt.Errorf("message %d is not what was sent (%v)", i, err)
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for _, r := range subs[1:] {
		wg.Go(func() {
			if err := check(r); err != nil {
				t.Error(err)
			}
		})
	}
	pub, r := raw(t, w, quiet)
	for i := range n {
		var b []byte
		b = append(append(fmt.Appendf(b, "PUB large %d\r\n", sizes[i]), payload(i)...), "\r\n"...)
		if _, err := pub.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(t, pub, "PING")
	expect(t, r, "PONG")
	wg.Wait()
	if err := check(subs[0]); err != nil {
		t.Error(err)
	}
}

func TestSlowSender(t *testing.T) {
	w := start(t)
	nc, r := raw(t, w, quiet, "SUB a 1")
	for _, b := range []byte("PUB a 11\r\nhello world\r\nPING\r\n") {
		nc.Write([]byte{b})
	}
	expect(t, r, "MSG a 1 11", "hello world", "PONG")
}

func TestSlowConsumerPending(t *testing.T) {
	w := start(t, func(o *Options) { o.MaxPending = 1 << 20 })
	_, r := raw(t, w, quiet, "SUB a 1", "PING")
	expect(t, r, "PONG")
	p := connect(t, w)
	body := make([]byte, 64<<10)
	eventually(t, "slow consumer", func() bool {
		p.Publish("a", body)
		p.Flush()
		return w.Metrics().SlowConsumers == 1
	})
	eventually(t, "closed", func() bool { return w.Metrics().Connections == 1 })
	if n, _ := io.Copy(io.Discard, r); n == 0 {
		t.Error("nothing was sent")
	}
	if w.Metrics().StalledProducers == 0 {
		t.Error("the producer was never slowed")
	}
	// What it held is released.
	eventually(t, "released", func() bool { m := w.Metrics(); return m.PendingBytes == 0 && m.Subscriptions == 0 })
}

func TestSlowConsumerDeadline(t *testing.T) {
	w := start(t, func(o *Options) { o.WriteDeadline = 50 * time.Millisecond })
	_, r := raw(t, w, quiet, "SUB a 1", "PING")
	expect(t, r, "PONG")
	p := connect(t, w)
	for range 32 { // more than sockets buffer
		p.Publish("a", make([]byte, 1<<20))
	}
	p.Flush()
	eventually(t, "slow consumer", func() bool { m := w.Metrics(); return m.SlowConsumers == 1 && m.Connections == 1 })
}

// A consumer that is behind, but not too far, gets everything once it reads.
func TestBehind(t *testing.T) {
	w := start(t, lenient)
	_, r := raw(t, w, quiet, "SUB a 1", "PING")
	expect(t, r, "PONG")
	p := connect(t, w)
	const n = 24
	for i := range n {
		p.Publish("a", bytes.Repeat([]byte{byte('a' + i)}, 1<<20))
	}
	p.Flush()
	for i := range n {
		expect(t, r, fmt.Sprintf("MSG a 1 %d", 1<<20), strings.Repeat(string(rune('a'+i)), 1<<20))
	}
}

// Producers are slowed long before a consumer has to be closed.
func TestBehindSlowsProducers(t *testing.T) {
	w := start(t)
	_, r := raw(t, w, quiet, "SUB a 1", "PING")
	expect(t, r, "PONG")
	p := connect(t, w)
	for w.Metrics().StalledProducers == 0 {
		p.Publish("a", make([]byte, 64<<10))
		p.Flush()
		if n := w.Metrics().PendingBytes; n > 2*behind {
			t.Fatalf("the producer is not slowed with %d bytes pending", n)
		}
	}
}

// What a consumer that is behind has taken counts at once, though much more is on its way to it: so
// producers who wait for it go on in time, and it is not closed for what it has.
func TestBehindIsAccounted(t *testing.T) {
	w := start(t, lenient)
	_, r := raw(t, w, quiet, "SUB a 1", "PING")
	expect(t, r, "PONG")
	p := connect(t, w)
	const size, n = 1 << 10, 32 << 10
	for range n {
		p.Publish("a", make([]byte, size))
	}
	if err := p.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	behind := w.Metrics().PendingBytes
	if behind < size*n/2 {
		t.Fatalf("the sockets hold too much: %d bytes are pending", behind)
	}
	if _, err := io.CopyN(io.Discard, r, behind/2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "half of it is accounted for", func() bool {
		m := w.Metrics()
		return m.SlowConsumers == 0 && m.PendingBytes < behind-behind/4
	})
}

func TestLameDuck(t *testing.T) {
	w := start(t, func(o *Options) { o.LameDuckGrace, o.LameDuckDuration = 10*time.Millisecond, 20*time.Millisecond })
	told := make(chan struct{}, 1)
	nc := connect(t, w, nats.LameDuckModeHandler(func(*nats.Conn) { told <- struct{}{} }), nats.NoReconnect())
	old, r := raw(t, w, `CONNECT {"verbose":false}`, "PING")
	expect(t, r, "PONG")
	w.LameDuck(context.Background())
	<-told
	eventually(t, "closed", func() bool { return nc.IsClosed() })
	if l, err := line(r); err != io.EOF || l != "" {
		t.Errorf("a client without INFO got %q, %v", l, err)
	}
	old.Close()
	if _, err := nats.Connect("nats://" + w.addr); err == nil {
		t.Error("still accepting")
	}
}

// Shutdown sends what was accepted.
func TestShutdownFlushes(t *testing.T) {
	w := start(t)
	_, r := raw(t, w, quiet, "SUB a 1", "PING")
	expect(t, r, "PONG")
	p := connect(t, w, nats.NoReconnect())
	for range 500 {
		p.Publish("a", []byte("x"))
	}
	p.Flush()
	if err := w.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		expect(t, r, "MSG a 1 1", "x")
	}
	if l, err := line(r); err != io.EOF || l != "" {
		t.Errorf("%q, %v", l, err)
	}
}

func TestAccounts(t *testing.T) {
	users := new(auth.Store)
	users.Add("ann", "secret", "shop")
	users.Add("bob", "secret", "")
	users.Add("cid", "secret", "nowhere")
	w := start(t, func(o *Options) { o.Auth, o.RequireAuth, o.AuthTimeout = users, true, patience })
	if err := w.broker.Committed(func(tx *core.Tx) error { w.broker.CreateNamespace(tx, "shop"); return nil }); err != nil {
		t.Fatal(err)
	}
	ann, bob := connect(t, w, nats.UserInfo("ann", "secret")), connect(t, w, nats.UserInfo("bob", "secret"))
	sa, _ := ann.SubscribeSync(">")
	sb, _ := bob.SubscribeSync(">")
	ann.Flush()
	bob.Flush()
	bob.Publish("b", nil)
	ann.Publish("a", nil)
	ann.Flush()
	bob.Flush()
	if m, err := sa.NextMsg(patience); err != nil || m.Subject != "a" {
		t.Error(m, err)
	}
	if m, err := sb.NextMsg(patience); err != nil || m.Subject != "b" {
		t.Error(m, err)
	}
	if n, _, _ := sa.Pending(); n != 0 {
		t.Error("accounts leak")
	}
	for _, o := range []nats.Option{nats.UserInfo("ann", "x"), nats.UserInfo("cid", "secret"), nats.Name("x"), nats.Token("secret")} {
		if _, err := nats.Connect("nats://"+w.addr, o, nats.NoReconnect(), nats.Timeout(patience)); !errors.Is(err, nats.ErrAuthorization) {
			t.Error(err)
		}
	}
}

// Interest comes and goes while messages flow; run it with -race.
func TestChurn(t *testing.T) {
	w := start(t)
	var publishers, churn sync.WaitGroup
	stop := make(chan struct{})
	for i := range 3 {
		nc := connect(t, w)
		publishers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for range 100 {
					nc.Publish(fmt.Sprintf("churn.%d", i), []byte("x"))
					if i == 0 {
						nc.PublishRequest("churn.x", "r", nil)
					}
				}
				nc.Flush() // one processor is enough for the others to have their turn
			}
		})
	}
	for i := range 3 {
		churn.Go(func() {
			for range 10 {
				nc, err := nats.Connect("nats://"+w.addr, nats.Timeout(patience))
				if err != nil {
					t.Error(err)
					return
				}
				subs := []*nats.Subscription{}
				for k := range 5 {
					s, _ := nc.QueueSubscribeSync("churn.*", []string{"", "g", "h"}[(i+k)%3])
					if k == 1 {
						s.AutoUnsubscribe(10)
					}
					subs = append(subs, s)
				}
				subs[0].NextMsg(patience)
				subs[3].Unsubscribe()
				nc.Close()
			}
		})
	}
	churn.Wait()
	close(stop)
	publishers.Wait()
	eventually(t, "forgotten", func() bool { m := w.Metrics(); return m.Connections == 3 && m.Subscriptions == 0 })
	if w.broker.Namespace(core.DefaultNamespace).Subjects().HasInterest(">") {
		t.Error("interest is left")
	}
}

func TestStaleConnection(t *testing.T) {
	// On a busy machine an answer takes its time: it must be in time if there is enough.
	for interval := 20 * time.Millisecond; ; interval *= 4 {
		w := start(t, func(o *Options) { o.PingInterval = interval })
		connect(t, w, nats.NoReconnect()) // answers
		_, r := raw(t, w, quiet)          // does not
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		eventually(t, "forgotten", func() bool { return w.Metrics().Connections <= 1 })
		if m := w.Metrics(); m.StaleConnections == 1 && m.Connections == 1 {
			return
		}
		if interval > patience/4 {
			t.Fatal("closed who answers")
		}
	}
}

// TestGoneBeforeItsAnswer has clients that break off before they are answered: it is the reader that finds out, while it
// handles what they sent.
func TestGoneBeforeItsAnswer(t *testing.T) {
	w := start(t)
	for range 50 {
		nc, _ := raw(t, w, quiet)
		nc.(*net.TCPConn).SetLinger(0)
		io.WriteString(nc, strings.Repeat("PING\r\n", 1000))
		nc.Close()
	}
	eventually(t, "all forgotten", func() bool { return w.Metrics().Connections == 0 })
}

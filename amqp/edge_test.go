package amqp

import (
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"trivium/amqp/wire"
)

// Recovering gives a stream's reader credit, as settling does: it has read what it has read.
func TestRecoverOfStream(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("log", amqp091.Table{"x-queue-type": "stream"})
	ds := c.reader("log", 2, "first")
	c.send("", "log", "1", "2", "3", "4")
	got := take(t, ds, 2)
	//lint:ignore SA1019 clients still do
	c.must(c.Recover(true))
	equal(t, "read", texts(append(got, take(t, ds, 2)...)), "[1 2 3 4]")
	quiet(t, c, ds)
}

// A queue that is deleted while somebody begins to consume from it ends that consumer like any other.
func TestCancelBeforeConsumeOk(t *testing.T) {
	writer, reader := tcpPair(t)
	defer writer.Close()
	r := &raw{t: t, conn: reader}
	c := &conn{caps: capabilities{cancelNotify: true}}
	c.out = newOut(writer, c.resume)
	ch := &channel{c: c, id: 1}
	ch.mu.consumers = map[string]*consumer{}
	k := &consumer{ch: ch, tag: "tag"}
	k.Ended(nil, nil)
	equal(t, "goes on", ch.begin(k, false), false)
	c.out.flush()
	if m, ok := r.method().(*wire.BasicConsumeOk); !ok || m.ConsumerTag != "tag" {
		t.Errorf("got %+v first", m)
	}
	if m, ok := r.method().(*wire.BasicCancel); !ok || m.ConsumerTag != "tag" {
		t.Errorf("got %+v next", m)
	}
	equal(t, "consumers", len(ch.mu.consumers), 0)
}

// What a transaction that is rolled back had settled is held again, and not for ever.
func TestRolledBackIsOverdue(t *testing.T) {
	slower(t, 100*time.Millisecond, func(timeout time.Duration) time.Duration {
		b := serve(t, Options{ConsumerTimeout: timeout})
		c := b.client()
		c.queue("q", nil)
		c.must(c.Tx())
		ds := c.subscribe("q")
		closed := c.NotifyClose(make(chan *amqp091.Error, 1))
		began := time.Now()
		c.send("", "q", "task")
		c.must(c.TxCommit())
		if err := next(t, ds).Ack(false); err != nil || time.Since(began) >= timeout {
			return time.Since(began)
		}
		wait(t, "nothing is held", func() bool { return !b.conn(c).holding.Load() })
		c.must(c.TxRollback())
		select {
		case e := <-closed:
			equal(t, "code", e.Code, codePreconditionFailed)
		case <-time.After(patience):
			t.Fatal("the channel stays open")
		}
		return 0
	})
}

// conn is the server's side of a client's connection.
func (b *broker) conn(c *client) *conn { return b.connFrom(c.conn.LocalAddr().String()) }

func (b *broker) connFrom(address string) *conn {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	for c := range b.server.mu.conns {
		if c.nc.RemoteAddr().String() == address {
			return c
		}
	}
	return nil
}

// beating is a connection with a heartbeat of a second, whose client sends its own in time.
func (b *broker) beating(t *testing.T) *raw {
	t.Helper()
	r := b.raw(t).tuned()
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: DefaultFrameMax, Heartbeat: 1}, &wire.ConnectionOpen{VHost: "/"})
	r.send(1, &wire.ChannelOpen{})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.write(wire.AppendHeartbeat(nil)...)
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return r
}

// A client that does not read for long, but sends heartbeats, is slow and not dead.
func TestSlowReaderIsNotDead(t *testing.T) {
	const n, size = 64, 1 << 20
	b := serve(t, Options{})
	p := b.client()
	p.queue("q", nil)
	for range n {
		p.publish("", "q", amqp091.Publishing{Body: make([]byte, size)})
	}
	slow, clock := b.beating(t), b.beating(t)
	slow.send(1, &wire.BasicConsume{Queue: "q", NoAck: true})
	wait(t, "it is behind", func() bool { c := b.connFrom(slow.conn.LocalAddr().String()); return c != nil && c.deaf.Load() })
	for beats := 0; beats < heartMisses+3; {
		f, ok := clock.frame()
		if !ok {
			t.Fatal("the connection that measures time is closed")
		}
		if f.Type == wire.FrameHeartbeat {
			beats++
		}
	}
	slow.bodies(n * size)
}

// A message that is larger than all that a consumer may be handed at once is handed over alone.
func TestLargerThanTheWindow(t *testing.T) {
	b := serve(t, Options{MaxMessageSize: 64 << 20})
	c := b.client()
	c.queue("q", nil)
	c.publish("", "q", amqp091.Publishing{Body: make([]byte, deliverBytes+1)})
	c.publish("", "q", amqp091.Publishing{Body: []byte("small")})
	ds := c.subscribe("q")
	equal(t, "octets", len(next(t, ds).Body), deliverBytes+1)
	equal(t, "then", string(next(t, ds).Body), "small")
}

// One read that asks for many messages does not have all of them wait in memory for a client that does not listen.
func TestGetsOfOneRead(t *testing.T) {
	const n, size = 100, 256 << 10
	b := serve(t, Options{})
	p := b.client()
	p.queue("q", nil)
	p.must(p.Confirm(false))
	for range n {
		p.confirmed("", "q", amqp091.Publishing{Body: make([]byte, size)})
	}
	r := b.raw(t).open()
	var all []byte
	for range n {
		all = wire.AppendMethod(all, 1, &wire.BasicGet{Queue: "q", NoAck: true})
	}
	r.write(all...)
	c := b.connFrom(r.conn.LocalAddr().String())
	wait(t, "it waits for the client", c.deaf.Load)
	c.out.lock()
	waiting := c.out.waitingLocked()
	c.out.unlock()
	if waiting > maxOut+2*size {
		t.Errorf("%d octets wait", waiting)
	}
	r.bodies(n * size)
}

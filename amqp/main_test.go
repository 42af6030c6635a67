package amqp

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	amqp091 "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"trivium/auth"
	"trivium/core"
	"trivium/storage"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(leftBehind...); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leftBehind are goroutines of Pebble's that a failed disk makes unstoppable.
var leftBehind []goleak.Option

// patience bounds every wait for something that must come.
const patience = time.Minute

// users are everybody's: under the race detector a password takes a second, the first time.
var users = new(auth.Store)

// broker is a server of the whole stack below the door, on a file system in memory.
type broker struct {
	t      testing.TB
	fs     vfs.FS
	opts   Options
	addr   string
	store  *storage.Store
	core   *core.Broker
	server *Server
	served chan error
	down   bool
}

// serve runs a broker until the test ends.
func serve(t testing.TB, opts Options) *broker {
	t.Helper()
	b := &broker{t: t, fs: vfs.NewMem(), opts: opts}
	b.up()
	t.Cleanup(b.stop)
	return b
}

func (b *broker) up() {
	b.t.Helper()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("TRIVIUM_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	var err error
	if b.store, err = storage.Open(storage.Options{FS: b.fs, Dir: "data", Log: log}); err != nil {
		b.t.Fatal(err)
	}
	if b.core, err = core.Open(b.store, core.Options{Log: log, Codecs: []core.Codec{Codec(), records{}}}); err != nil {
		b.t.Fatal(err)
	}
	o := b.opts
	o.Broker, o.Auth, o.Log = b.core, users, log
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, patience)
	b.server = New(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.addr = l.Addr().String()
	b.served = make(chan error, 1)
	go func() { b.served <- b.server.Serve(l) }()
	b.down = false
}

func (b *broker) stop() {
	if b.down {
		return
	}
	b.down = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.server.Shutdown(ctx); err != nil {
		b.t.Errorf("shutdown: %v", err)
	}
	if err := <-b.served; err != nil {
		b.t.Errorf("serve: %v", err)
	}
	if err := b.core.Close(); err != nil {
		b.t.Errorf("core: %v", err)
	}
	if err := b.store.Close(); err != nil {
		b.t.Errorf("store: %v", err)
	}
}

// kill stops a broker whose store can no longer be closed properly.
func (b *broker) kill() {
	b.down = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = b.server.Shutdown(ctx)
	<-b.served
	_ = b.core.Close()
	_ = b.store.Close()
}

// restart stops the broker and starts it on what it stored.
func (b *broker) restart() {
	b.t.Helper()
	b.stop()
	b.up()
}

func (b *broker) url() string { return "amqp://guest:guest@" + b.addr + "/" }

// rabbitMQ is the address of a real RabbitMQ to compare with; a test that needs it is skipped without.
func rabbitMQ(t testing.TB) string {
	t.Helper()
	url := os.Getenv("TRIVIUM_RABBITMQ_URL")
	if url == "" {
		t.Skip("TRIVIUM_RABBITMQ_URL names no RabbitMQ to compare with")
	}
	return url
}

// dial connects; the connection is closed at the test's end.
func dial(t testing.TB, url string) *amqp091.Connection {
	t.Helper()
	c, err := amqp091.DialConfig(url, amqp091.Config{Heartbeat: patience, Locale: "en_US", Dial: amqp091.DefaultDial(patience)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func channelOf(t testing.TB, c *amqp091.Connection) *amqp091.Channel {
	t.Helper()
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// client is a test's view of one channel.
type client struct {
	t testing.TB
	*amqp091.Channel
	conn *amqp091.Connection
}

func (b *broker) client() *client {
	b.t.Helper()
	c := dial(b.t, b.url())
	return &client{b.t, channelOf(b.t, c), c}
}

func (c *client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// queue declares a durable queue.
func (c *client) queue(name string, args amqp091.Table) string {
	c.t.Helper()
	q, err := c.QueueDeclare(name, true, false, false, false, args)
	c.must(err)
	return q.Name
}

func (c *client) send(exchange, key string, bodies ...string) {
	c.t.Helper()
	for _, b := range bodies {
		c.publish(exchange, key, amqp091.Publishing{Body: []byte(b)})
	}
}

func (c *client) publish(exchange, key string, p amqp091.Publishing) {
	c.t.Helper()
	c.must(c.PublishWithContext(context.Background(), exchange, key, false, false, p))
}

// subscribe consumes with explicit acks.
func (c *client) subscribe(queue string) <-chan amqp091.Delivery {
	c.t.Helper()
	ds, err := c.Consume(queue, "", false, false, false, false, nil)
	c.must(err)
	return ds
}

// next waits for a delivery.
func next(t testing.TB, ds <-chan amqp091.Delivery) amqp091.Delivery {
	t.Helper()
	select {
	case d, ok := <-ds:
		if !ok {
			t.Fatal("the consumer ended")
		}
		return d
	case <-time.After(patience):
		t.Fatal("no delivery")
		return amqp091.Delivery{}
	}
}

// bodies takes n deliveries and acknowledges them.
func bodies(t testing.TB, ds <-chan amqp091.Delivery, n int) (got []string) {
	t.Helper()
	for range n {
		d := next(t, ds)
		got = append(got, string(d.Body))
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

// get takes one message, or nil.
func (c *client) get(queue string) *amqp091.Delivery {
	c.t.Helper()
	d, ok, err := c.Get(queue, true)
	c.must(err)
	if !ok {
		return nil
	}
	return &d
}

// drain takes all there is.
func (c *client) drain(queue string) (got []string) {
	c.t.Helper()
	for d := c.get(queue); d != nil; d = c.get(queue) {
		got = append(got, string(d.Body))
	}
	return got
}

// wait polls until f holds.
func wait(t testing.TB, what string, f func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !f() {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// slower runs a test that must do something while a timer of the server runs: f says how long it took. Where that was
// too long, the machine was too slow to tell anything, and the test runs again with a longer timer.
func slower(t *testing.T, timer time.Duration, f func(timer time.Duration) (took time.Duration)) {
	t.Helper()
	for ; timer < patience; timer *= 2 {
		if f(timer) < timer {
			return
		}
		if t.Failed() {
			break
		}
	}
	t.Fatal("the machine is too slow for this test")
}

// equal compares what is printed.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%v", got), fmt.Sprintf("%v", want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

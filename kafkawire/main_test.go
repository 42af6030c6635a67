package kafkawire_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"trivium/core"
	"trivium/kafkawire"
	"trivium/kafkawire/group"
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

// leftBehind are goroutines that may stay: storage abandons the index of a
// store whose disk failed.
var leftBehind []goleak.Option

// patience bounds every wait of a test.
const patience = 60 * time.Second

// server is a door over a store of its own.
type server struct {
	testing.TB
	dir    string
	opts   kafkawire.Options
	store  *storage.Store
	broker *core.Broker
	door   *kafkawire.Server
	addr   string
	served chan error
	fs     vfs.FS // nil is the real one
}

// start serves from a new directory until the test ends.
func start(t testing.TB, change func(o *kafkawire.Options)) *server {
	t.Helper()
	s := &server{TB: t, dir: t.TempDir(), addr: "127.0.0.1:0"}
	s.opts.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s.opts.Groups = group.DefaultLimits()
	s.opts.Groups.InitialDelay = 0
	if change != nil {
		change(&s.opts)
	}
	s.up()
	t.Cleanup(func() {
		if s.door != nil {
			s.down()
		}
	})
	return s
}

func (s *server) up() {
	s.Helper()
	var err error
	if s.store, err = storage.Open(storage.Options{Dir: s.dir, FS: s.fs, Log: s.opts.Log}); err != nil {
		s.Fatal(err)
	}
	if s.broker, err = core.Open(s.store, core.Options{Log: s.opts.Log, Codecs: []core.Codec{kafkawire.Codec(), textCodec{}}}); err != nil {
		s.Fatal(err)
	}
	s.opts.Broker = s.broker
	s.door = kafkawire.New(s.opts)
	var l net.Listener
	// A client that looks for the server while it is down may be given its port, and meet itself there.
	s.eventually("the address is free", func() bool {
		l, err = net.Listen("tcp", s.addr)
		return err == nil
	})
	s.addr = l.Addr().String()
	s.served = make(chan error, 1)
	go func() { s.served <- s.door.Serve(l) }()
}

func (s *server) down() {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.door.Shutdown(ctx); err != nil {
		s.Errorf("shutdown: %v", err)
	}
	if err := <-s.served; err != nil {
		s.Errorf("serve: %v", err)
	}
	if err := s.broker.Close(); err != nil {
		s.Errorf("close broker: %v", err)
	}
	if err := s.store.Close(); err != nil {
		s.Errorf("close store: %v", err)
	}
	s.door = nil
}

// stopBroken is down for a store whose disk fails.
func (s *server) stopBroken() {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.door.Shutdown(ctx); err != nil {
		s.Errorf("shutdown: %v", err)
	}
	if err := <-s.served; err != nil {
		s.Errorf("serve: %v", err)
	}
	_, _ = s.broker.Close(), s.store.Close() // they say that the disk is broken
	s.door = nil
	leftBehind = append(leftBehind, goleak.IgnoreCurrent())
}

// restart is a clean stop and a start from the same directory, at the same address.
func (s *server) restart() {
	s.Helper()
	s.down()
	s.up()
}

func (s *server) client(opts ...kgo.Opt) *kgo.Client {
	s.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.addr), kgo.ClientID("test")}, opts...)...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.Close)
	return c
}

func (s *server) admin() *kadm.Client { s.Helper(); return kadm.NewClient(s.client()) }

func (s *server) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	s.Cleanup(cancel)
	return ctx
}

func (s *server) topic(name string, partitions int32, configs map[string]*string) {
	s.Helper()
	if _, err := s.admin().CreateTopic(s.ctx(), partitions, 1, configs, name); err != nil {
		s.Fatal(err)
	}
}

// produce writes n records "0".."n-1" with keys "k0"...
func (s *server) produce(c *kgo.Client, topic string, n int) {
	s.Helper()
	rs := make([]*kgo.Record, n)
	for i := range rs {
		rs[i] = &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Append(nil, i)}
	}
	if err := c.ProduceSync(s.ctx(), rs...).FirstErr(); err != nil {
		s.Fatal(err)
	}
}

// consume reads n records.
func (s *server) consume(c *kgo.Client, n int) []*kgo.Record {
	s.Helper()
	ctx := s.ctx()
	var rs []*kgo.Record
	for len(rs) < n {
		fs := c.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			s.Fatalf("%d of %d records: %v", len(rs), n, err)
		}
		fs.EachError(func(t string, p int32, err error) { s.Fatalf("fetch %s %d: %v", t, p, err) })
		rs = append(rs, fs.Records()...)
	}
	return rs
}

// request sends one request as it is.
func request[R kmsg.Response](s *server, c *kgo.Client, q kmsg.Request) R {
	s.Helper()
	r, err := c.Broker(1).Request(s.ctx(), q)
	if err != nil {
		s.Fatalf("%T: %v", q, err)
	}
	return r.(R)
}

var (
	unsupportedCompression = kerr.UnsupportedCompressionType
	unknownTopicID         = kerr.UnknownTopicID
)

func wantCode(t testing.TB, what string, got int16, want *kerr.Error) {
	t.Helper()
	var code int16
	if want != nil {
		code = want.Code
	}
	if got != code {
		t.Errorf("%s: %v, want %v", what, kerr.ErrorForCode(got), kerr.ErrorForCode(code))
	}
}

// textCodec stands for another door: an entry is one message, its key the
// entry's, its data the value; empty data is a deletion.
type textCodec struct{}

const textFormat core.Format = 99

func (textCodec) Format() core.Format { return textFormat }

func (textCodec) Messages(e *core.Entry, dst []core.Message) ([]core.Message, error) {
	m := core.Message{Key: e.Key, Value: e.Data, Time: e.Time, Headers: []core.Header{{Name: "h", Value: []byte("v")}}, Reply: "inbox"}
	if len(e.Data) == 0 {
		m.Value = nil
	}
	return append(dst, m), nil
}

package jetstream_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"trivium/core"
	"trivium/natswire"
	"trivium/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for what must come: machines are busy.
const patience = time.Minute

// world is a running NATS door with its JetStream, over a store on disk.
type world struct {
	t      testing.TB
	dir    string
	fs     vfs.FS // nil is the real one
	url    string
	broker *core.Broker
	stop   func()
}

// start runs a door on a free port.
func start(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.open()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) open() {
	t := w.t
	t.Helper()
	st, err := storage.Open(storage.Options{Dir: w.dir, FS: w.fs, Durability: storage.OS})
	if err != nil {
		t.Fatal(err)
	}
	w.broker, err = core.Open(st, core.Options{Codecs: []core.Codec{natswire.Codec()}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := natswire.New(natswire.Options{Broker: w.broker, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.url = "nats://" + l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	w.stop = func() {
		w.stop = func() {}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := w.broker.Close(); err != nil {
			t.Errorf("broker: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Errorf("store: %v", err)
		}
	}
}

// restart takes everything down and opens it again from the same directory.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.open()
}

// connect is a client of w until the test ends.
func (w *world) connect() *nats.Conn { return connect(w.t, w.url) }

func connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// original runs nats-server itself, to compare with.
func original(t testing.TB) *nats.Conn {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true, ServerName: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("nats-server is not ready")
	}
	return connect(t, s.ClientURL())
}

// eventually polls until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

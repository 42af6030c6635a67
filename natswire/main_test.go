package natswire

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"trivium/core"
	"trivium/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a running door with its broker.
type world struct {
	*Server
	addr   string
	broker *core.Broker
}

// start runs a door on a free port over a store in memory.
func start(t testing.TB, edit ...func(*Options)) *world {
	t.Helper()
	st, err := storage.Open(storage.Options{Dir: t.TempDir(), Durability: storage.OS})
	if err != nil {
		t.Fatal(err)
	}
	b, err := core.Open(st, core.Options{Codecs: []core.Codec{Codec()}})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Broker: b, NoJetStream: true}
	for _, e := range edit {
		e(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("broker: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Errorf("store: %v", err)
		}
	})
	return &world{Server: s, addr: l.Addr().String(), broker: b}
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

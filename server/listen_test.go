package server

import (
	"log/slog"
	"testing"
)

// Who stops a server as soon as it has started may close a listener before its door comes to serve: that is no failure.
func TestServeAfterShutdown(t *testing.T) {
	s, err := Start(Options{
		Dir:  t.TempDir(),
		AMQP: "127.0.0.1:0", Kafka: "127.0.0.1:0", NATS: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range append(s.doors, s.admin) {
		for name, l := range s.listeners {
			if err := d.Serve(l); err != nil {
				t.Errorf("%T: %s: %v", d, name, err)
			}
		}
	}
	select {
	case err := <-s.Failed():
		t.Error(err)
	default:
	}
}

// Package servertest starts a whole server inside a Go test.
package servertest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"trivium/server"
)

// patience bounds how long a test waits for connections to end at its own end.
const patience = 20 * time.Second

// Start serves all doors on free loopback ports, from a directory that goes away
// with the test. Its log goes to the test's. A nil change takes the options as
// they are. The server is taken down when the test ends, and must end well.
func Start(t testing.TB, change func(*server.Options)) *server.Server {
	t.Helper()
	o := server.Options{
		Dir:  t.TempDir(),
		AMQP: "127.0.0.1:0", Kafka: "127.0.0.1:0", NATS: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&o)
	}
	s, err := server.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		select {
		case err := <-s.Failed():
			t.Error(err)
		default:
		}
	})
	return s
}

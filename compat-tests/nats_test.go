package compat

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// nats opens a NATS connection that ends with the test.
func (s *server) nats() *nats.Conn {
	s.t.Helper()
	return s.natsFor(s.t)
}

func (s *server) natsFor(t *testing.T, o ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+s.addrs["nats"], append([]nats.Option{
		nats.Timeout(patience), nats.ReconnectWait(20 * time.Millisecond), nats.MaxReconnects(-1),
	}, o...)...)
	must(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// jetstream is the client's JetStream view of a new connection.
func (s *server) jetstream(t *testing.T) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(s.natsFor(t), jetstream.WithDefaultTimeout(patience))
	must(t, err)
	return js
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within is a context for one request.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// heard is the text of the next message of a subscription.
func heard(t *testing.T, sub *nats.Subscription) string {
	t.Helper()
	m, err := sub.NextMsg(patience)
	must(t, err)
	return string(m.Data)
}

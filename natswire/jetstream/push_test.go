package jetstream_test

import (
	"testing"

	"github.com/nats-io/nats.go"
)

// A push consumer starts when somebody subscribes to its subject, and goes on with what
// is published then.
func TestPushStartsWithInterest(t *testing.T) {
	nc := start(t).connect()
	for _, s := range []step{stream("S", `"subjects":["s.>"]`), pub("s.a", "1"),
		consumer("S", "p", `"durable_name":"p","ack_policy":"explicit","deliver_subject":"d"`)} {
		if m, err := ask(nc, s); err != nil {
			t.Fatal(err, m)
		}
	}
	got := make(chan *nats.Msg, 10)
	sub, err := nc.ChanSubscribe("d", got)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if m := <-got; string(m.Data) != "1" {
		t.Fatalf("%s", m.Data)
	}
	if m, err := ask(nc, pub("s.b", "2")); err != nil {
		t.Fatal(err, m)
	}
	if m := <-got; string(m.Data) != "2" {
		t.Fatalf("%s", m.Data)
	}
}

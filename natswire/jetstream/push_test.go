package jetstream_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
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

// A push consumer that held back because its subscriber read nothing goes on when it reads, though nothing else
// is sent to it.
func TestPushGoesOnAfterAStall(t *testing.T) {
	const n, size = 640, 64 << 10
	w := start(t)
	nc := w.connect()
	for _, s := range []step{stream("S", `"subjects":["s"]`), consumer("S", "p", `"durable_name":"p","ack_policy":"none","deliver_subject":"d"`)} {
		if m, err := ask(nc, s); err != nil {
			t.Fatal(err, m)
		}
	}
	body := strings.Repeat("x", size)
	for range n {
		if m, err := ask(nc, pub("s", body)); err != nil {
			t.Fatal(err, m)
		}
	}
	c := newLean(t, w)
	c.say("SUB d 2\r\n")
	eventually(t, "much is on its way", func() bool {
		m, err := ask(nc, api("CONSUMER.INFO.S.p", ""))
		var info server.ConsumerInfo
		if err != nil || json.Unmarshal(m.Data, &info) != nil {
			t.Fatal(err, m)
		}
		return info.Delivered.Consumer*size > 9<<20
	})
	for range n {
		c.message()
	}
}

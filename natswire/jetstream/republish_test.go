package jetstream_test

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"
)

// Subject transforms, republishing and ack sampling do what nats-server does.
func TestRepublishCompared(t *testing.T) {
	script := []step{
		stream("S", `"subjects":["s.>"],"republish":{"src":"s.>","dest":"again.>"}`),
		stream("H", `"subjects":["h.*"],"republish":{"src":"h.*","dest":"again.h.{{wildcard(1)}}","headers_only":true}`),
		stream("T", `"subjects":["t.*"],"subject_transform":{"src":"t.*","dest":"u.{{wildcard(1)}}"}`),
		stream("C", `"subjects":["c.>"],"republish":{"src":"c.>","dest":"c.x.>"}`),
		stream("X", `"subjects":["x"],"subject_transform":{"src":"x..","dest":"u"}`),
		stream("X", `"subjects":["x"],"subject_transform":{"src":"x","dest":"u.{{nope(1)}}"}`),
		pub("s.a", "1"), pub("s.a", "2", "X", "y"), pub("s.b", "3"), pub("h.a", "4"), pub("h.a", "5", "X", "y"),
		pub("t.a", "6"), api("STREAM.MSG.GET.T", `{"seq":1}`), api("STREAM.INFO.T", `{"subjects_filter":">"}`),
	}
	const again = 5
	run := func(nc *nats.Conn) (heard []string) {
		in := make(chan *nats.Msg, 100)
		sub, err := nc.ChanSubscribe("again.>", in)
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Unsubscribe()
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, s := range script {
			heard = append(heard, s.subject+" "+normal(ask(nc, s)))
		}
		for range again {
			m := <-in
			heard = append(heard, m.Subject+" "+normal(m, nil))
		}
		return heard
	}
	want, got := run(original(t)), run(start(t).connect())
	for i := range want {
		if want[i] != got[i] {
			t.Errorf("%d:\n%s", i, diff(want[i], got[i]))
		}
	}
}

func TestAcksAreSampled(t *testing.T) {
	nc := start(t).connect()
	metric, err := nc.SubscribeSync("$JS.EVENT.METRIC.CONSUMER.ACK.>")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []step{stream("S", `"subjects":["s"]`), consumer("S", "c", `"durable_name":"c","ack_policy":"explicit","sample_freq":"100%"`), pub("s", "1")} {
		if m, err := ask(nc, s); err != nil {
			t.Fatal(m, err)
		}
	}
	m, err := ask(nc, api("CONSUMER.MSG.NEXT.S.c", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish(m.Reply, nil); err != nil {
		t.Fatal(err)
	}
	got, err := metric.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		StreamSeq  int `json:"stream_seq"`
		Deliveries int
		AckTime    int64 `json:"ack_time"`
	}
	if err := json.Unmarshal(got.Data, &a); err != nil || a.StreamSeq != 1 || a.Deliveries != 1 || a.AckTime <= 0 {
		t.Errorf("%s %v", got.Data, err)
	}
}

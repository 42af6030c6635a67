package jetstream_test

import (
	"testing"

	"github.com/nats-io/nats.go"
)

func TestCompareTTL(t *testing.T) {
	compare(t,
		stream("S", `"subjects":["s.>"],"allow_msg_ttl":true`),
		pub("s.a", "x", "Nats-TTL", "1h"), pub("s.a", "x", "Nats-TTL", "never"), pub("s.a", "x", "Nats-TTL", "3600"),
		pub("s.a", "x", "Nats-TTL", "1ms"), pub("s.a", "x", "Nats-TTL", "soon"), pub("s.a", "x", "Nats-TTL", "0"),
		api("STREAM.INFO.S", ""), api("STREAM.MSG.GET.S", `{"seq":1}`),
		update("S", `"subjects":["s.>"]`),
		stream("M", `"subjects":["m.>"],"allow_msg_ttl":true,"storage":"memory"`),
		pub("m.a", "x", "Nats-TTL", "1h"), api("STREAM.INFO.M", ""),
	)
}

// A message goes when its time has come, over a restart too; others stay, and what has a time of
// its own outlives the stream's age.
func TestMessageTTL(t *testing.T) {
	for _, storage := range []string{"file", "memory"} {
		t.Run(storage, func(t *testing.T) {
			w := start(t)
			nc := w.connect()
			must := func(s step) *nats.Msg {
				t.Helper()
				m, err := ask(nc, s)
				if err != nil {
					t.Fatal(s, err)
				}
				return m
			}
			must(stream("S", `"subjects":["s.>"],"allow_msg_ttl":true,"storage":"`+storage+`"`))
			must(stream("A", `"subjects":["a.>"],"allow_msg_ttl":true,"max_age":100000000,"storage":"`+storage+`"`))
			must(pub("s.long", "x", "Nats-TTL", "1h"))
			must(pub("s.short", "x", "Nats-TTL", "1s"))
			must(pub("s.plain", "x"))
			must(pub("a.long", "x", "Nats-TTL", "1h"))
			must(pub("a.plain", "x"))
			must(pub("a.never", "x", "Nats-TTL", "never"))
			if storage == "file" {
				nc.Close()
				w.restart()
				nc = w.connect()
			}
			js, err := nc.JetStream(nats.MaxWait(patience))
			if err != nil {
				t.Fatal(err)
			}
			left := func(s string) uint64 {
				i, err := js.StreamInfo(s)
				if err != nil {
					t.Fatal(err)
				}
				return i.State.Msgs
			}
			eventually(t, "expired", func() bool { return left("S") == 2 && left("A") == 2 })
			if _, err := js.GetLastMsg("S", "s.short"); err != nats.ErrMsgNotFound {
				t.Error(err)
			}
			for _, x := range [][2]string{{"S", "s.long"}, {"S", "s.plain"}, {"A", "a.long"}, {"A", "a.never"}} {
				if _, err := js.GetLastMsg(x[0], x[1]); err != nil {
					t.Error(x, err)
				}
			}
		})
	}
}

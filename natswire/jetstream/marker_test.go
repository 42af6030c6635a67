package jetstream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestCompareMarkers(t *testing.T) {
	compare(t,
		stream("S", `"subjects":["s.>"],"subject_delete_marker_ttl":1800000000000`), stream("X", `"subject_delete_marker_ttl":5`),
		stream("X", `"pedantic":true,"subject_delete_marker_ttl":1800000000000`),
		pub("s.a", "x", "A", "b", "Nats-TTL", "900"), pub("s.a", "x", "Nats-TTL", "1h"), pub("s.a", "x", "Nats-TTL", "never"),
		api("STREAM.MSG.GET.S", `{"seq":1}`), api("STREAM.MSG.GET.S", `{"seq":2}`), api("STREAM.INFO.S", ""),
		stream("O", `"subjects":["o.>"],"subject_delete_marker_ttl":1800000000000,"max_msgs_per_subject":1`), pub("o.a", "x", "Nats-TTL", "900"),
		api("STREAM.MSG.GET.O", `{"seq":1}`), update("O", `"subjects":["o.>"],"max_msgs_per_subject":1,"allow_msg_ttl":true,"allow_rollup_hdrs":true`),
	)
}

// What expires as the last message of its subject leaves a marker, which expires in turn and
// leaves none.
func TestMarkers(t *testing.T) {
	for _, storage := range []string{"file", "memory"} {
		t.Run(storage, func(t *testing.T) {
			t.Parallel()
			alike(t, func(p *player) {
				p.must("STREAM.CREATE.S", fmt.Sprintf(`{"name":"S","subjects":["s.>"],"max_age":%d,"subject_delete_marker_ttl":%d,"storage":%q}`, p.unit, 2*p.unit, storage))
				sub, err := p.js.SubscribeSync("s.>", nats.BindStream("S"))
				if err != nil {
					t.Fatal(err)
				}
				p.hurry()
				for _, m := range []*nats.Msg{
					{Subject: "s.a"}, {Subject: "s.b"}, {Subject: "s.b"},
					{Subject: "s.purged", Header: nats.Header{"KV-Operation": {"PURGE"}}},
				} {
					if _, err := p.js.PublishMsg(m); err != nil {
						t.Fatal(err)
					}
					p.inTime()
				}
				for i := range 6 {
					if i == 4 {
						p.rest() // the markers come
					}
					m, err := sub.NextMsg(patience)
					if err != nil {
						t.Fatal(err)
					}
					p.say("%s: %v %q", m.Subject, m.Header, m.Data)
				}
				eventually(t, "all expired", func() bool {
					si, err := p.js.StreamInfo("S")
					return err == nil && si.State.Msgs == 0
				})
				p.stored("S")
			})
		})
	}
}

// A key's limit marker, as nats.go shows it to a watcher.
func TestKeyValueLimitMarker(t *testing.T) {
	t.Parallel()
	alike(t, func(p *player) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		js, err := jetstream.New(p.nc, jetstream.WithDefaultTimeout(patience))
		if err != nil {
			t.Fatal(err)
		}
		kv, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "B", LimitMarkerTTL: p.unit})
		if err != nil {
			t.Fatal(err)
		}
		w, err := kv.WatchAll(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		p.hurry()
		if _, err := kv.Create(ctx, "k", []byte("v"), jetstream.KeyTTL(p.unit)); err != nil {
			t.Fatal(err)
		}
		for seen := 0; seen < 2; {
			select {
			case e := <-w.Updates():
				if e != nil {
					p.say("%s %s %q revision %d", e.Key(), e.Operation(), e.Value(), e.Revision())
					seen++
					p.rest() // the marker comes
				}
			case <-ctx.Done():
				t.Fatal(ctx.Err())
			}
		}
		_, err = kv.Get(ctx, "k")
		p.say("%v", err)
	})
}

// A marker is left by what expired while the server was down.
func TestMarkerAfterRestart(t *testing.T) {
	t.Parallel()
	w := start(t)
	nc := w.connect()
	for _, s := range []step{
		stream("S", `"subjects":["s.>"],"subject_delete_marker_ttl":3600000000000,"max_age":100000000,"allow_msg_ttl":true`),
		pub("s.a", "x"),
	} {
		if m, err := ask(nc, s); err != nil || strings.Contains(string(m.Data), `"error"`) {
			t.Fatal(s, err, string(m.Data))
		}
	}
	nc.Close()
	w.restart()
	js, err := w.connect().JetStream(nats.MaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "marker", func() bool {
		m, err := js.GetLastMsg("S", "s.a")
		return err == nil && m.Header.Get("Nats-Marker-Reason") == "MaxAge"
	})
}

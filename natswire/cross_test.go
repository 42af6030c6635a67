package natswire

import (
	"bytes"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"trivium/core"
	"trivium/natswire/jetstream"
	"trivium/natswire/wire"
)

// bound makes a queue, and binds it to an exchange.
func bound(t testing.TB, w *world, exchange, name, key string) *core.Queue {
	t.Helper()
	ns := w.broker.Namespace(core.DefaultNamespace)
	var q *core.Queue
	err := w.broker.Committed(func(tx *core.Tx) (err error) {
		if q, err = ns.CreateQueue(tx, core.QueueConfig{Realm: "amqp", Name: name}); err != nil {
			return err
		}
		return ns.Bind(tx, core.Binding{Source: exchange, Queue: q, Key: key})
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// fetch takes one message out of a queue, in its neutral form.
func fetch(t testing.TB, w *world, q *core.Queue) core.Message {
	t.Helper()
	var d *core.Delivery
	eventually(t, "a message in the queue", func() (ok bool) {
		d, _ = q.Cursor().Fetch(true)
		return d != nil
	})
	ms, err := w.broker.Codec(d.Entry.Format).Messages(d.Entry, nil)
	if err != nil || len(ms) != 1 {
		t.Fatal(ms, err)
	}
	return ms[0]
}

func TestPublishReachesBindings(t *testing.T) {
	w := start(t)
	direct := bound(t, w, core.SubjectExchange, "direct", "orders.#")
	ns := w.broker.Namespace(core.DefaultNamespace)
	if err := w.broker.Committed(func(tx *core.Tx) error {
		if _, err := ns.CreateExchange(tx, core.ExchangeConfig{Name: "x", Kind: core.Fanout}); err != nil {
			return err
		}
		return ns.Bind(tx, core.Binding{Source: core.SubjectExchange, Exchange: "x", Key: "*.new"})
	}); err != nil {
		t.Fatal(err)
	}
	through := bound(t, w, "x", "through", "")
	nc := connect(t, w)
	m := nats.NewMsg("orders.new")
	m.Data, m.Reply = []byte("hello"), "_INBOX.me.1"
	m.Header = nats.Header{"A": {"1", "2"}, "Nats-Msg-Id": {"id"}}
	if err := nc.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	nc.Flush()
	for _, q := range []*core.Queue{direct, through} {
		got := fetch(t, w, q)
		h := map[string]int{}
		for _, x := range got.Headers {
			h[x.Name+"="+string(x.Value)]++
		}
		if string(got.Key) != "orders.new" || string(got.Value) != "hello" || got.Reply != "_INBOX.me.1" ||
			len(h) != 3 || h["A=1"]+h["A=2"]+h["Nats-Msg-Id=id"] != 3 {
			t.Errorf("%+v", got)
		}
	}
	// A binding is a responder; subjects that stay inside never reach one.
	if _, err := nc.Request("orders.new", nil, 50*time.Millisecond); err != nats.ErrTimeout {
		t.Error(err)
	}
	fetch(t, w, direct)
	all := bound(t, w, core.SubjectExchange, "all", "#")
	nc.Publish("$inside.x", nil)
	nc.Publish("_inside.x", nil)
	nc.Publish("outside", nil)
	nc.Flush()
	if got := fetch(t, w, all); string(got.Key) != "outside" || all.Ready() != 0 {
		t.Errorf("%+v and %d more", got, all.Ready())
	}
}

func TestPublishToExchange(t *testing.T) {
	w := start(t)
	q := bound(t, w, "amq.topic", "q", "a.*")
	nc := connect(t, w)
	m := nats.NewMsg("$AMQP.exchange.amq.topic.a.b")
	m.Data = []byte("x")
	m.Header.Set("K", "v")
	nc.PublishMsg(m)
	nc.Flush()
	if got := fetch(t, w, q); string(got.Key) != "a.b" || string(got.Value) != "x" || len(got.Headers) != 1 {
		t.Errorf("%+v", got)
	}
	for _, s := range []string{"$AMQP.exchange.amq.topic.b", "$AMQP.exchange.nosuch.a.b"} {
		if _, err := nc.Request(s, nil, patience); err != nats.ErrNoResponders {
			t.Errorf("%s: %v", s, err)
		}
	}
	// Through the exchange that is the subject space, to a NATS subscriber.
	s, _ := nc.SubscribeSync("live.*")
	nc.Publish("$AMQP.exchange.amq.nats.live.x", []byte("y"))
	if got, err := s.NextMsg(patience); err != nil || got.Subject != "live.x" || string(got.Data) != "y" {
		t.Error(got, err)
	}
}

// What another door publishes is encoded for NATS, and counts like any delivery.
func TestReceive(t *testing.T) {
	w := start(t)
	with, r1 := raw(t, w, quiet, "SUB a.* 1", "UNSUB 1 2", "PING")
	expect(t, r1, "PONG")
	without, r2 := raw(t, w, `CONNECT {"verbose":false}`, "SUB a.> 1", "SUB a.> g 2", "PING")
	expect(t, r2, "PONG")
	_, _ = with, without
	space := w.broker.Namespace(core.DefaultNamespace).Subjects()
	m := &core.Message{Value: []byte("hi"), Reply: "r", Headers: []core.Header{
		{Name: "A", Value: []byte("b")}, {Name: "bad name", Value: []byte("x")}, {Name: "L", Value: []byte("1\r\n2")},
	}}
	for i, want := range []int{3, 3, 2} {
		if n := space.Publish([]byte("a.b"), m); n != want {
			t.Errorf("publish %d: %d took it", i, n)
		}
	}
	h := []string{"NATS/1.0", "A: b", "L;base64: MQ0KMg==", "", "hi"}
	for range 2 {
		expect(t, r1, append([]string{"HMSG a.b 1 r 38 40"}, h...)...)
	}
	for range 6 {
		l, _ := line(r2)
		if l != "MSG a.b 1 r 2\r\n" && l != "MSG a.b 2 r 2\r\n" {
			t.Errorf("%q", l)
		}
		expect(t, r2, "hi")
	}
	if n := w.Metrics().HeadersDropped; n != 8 {
		t.Errorf("%d headers dropped", n)
	}
}

// Another door's receivers in the subject space get what NATS clients publish, as members
// of groups too, and may refuse.
func TestForeignReceivers(t *testing.T) {
	w := start(t)
	space := w.broker.Namespace(core.DefaultNamespace).Subjects()
	got := make(chan core.Message, 10)
	take := true
	r := receiver(func(s []byte, m *core.Message) bool {
		if take {
			got <- core.Message{Key: bytes.Clone(s), Value: bytes.Clone(m.Value), Reply: m.Reply}
		}
		return take
	})
	i := space.Subscribe("f.*", "", r)
	j := space.Subscribe("g.*", "group", r)
	nc := connect(t, w)
	nc.PublishRequest("f.x", "_INBOX.r", []byte("1"))
	nc.Publish("g.x", []byte("2"))
	nc.Flush()
	if m := <-got; string(m.Key) != "f.x" || string(m.Value) != "1" || m.Reply != "_INBOX.r" {
		t.Errorf("%+v", m)
	}
	if m := <-got; string(m.Key) != "g.x" || string(m.Value) != "2" {
		t.Errorf("%+v", m)
	}
	take = false
	if _, err := nc.Request("f.x", nil, patience); err != nats.ErrNoResponders {
		t.Error(err)
	}
	s, _ := nc.QueueSubscribeSync("g.*", "group")
	for range 20 {
		nc.Publish("g.x", nil)
	}
	for range 20 {
		if _, err := s.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	i.Close()
	j.Close()
}

type receiver func(s []byte, m *core.Message) bool

func (r receiver) Receive(s []byte, m *core.Message) bool { return r(s, m) }

// Headers survive the way through their neutral form and back.
func TestHeadersRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var hs []core.Header
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			hs = append(hs, core.Header{
				Name:  rapid.StringMatching(`[A-Za-z][A-Za-z0-9-]{0,8}`).Draw(t, "name"),
				Value: bytes.Trim([]byte(rapid.String().Draw(t, "value")), " \t"),
			})
		}
		h, dropped := jetstream.HeaderOf(hs)
		back := neutralHeaders(h, nil)
		if dropped != 0 || len(back) != len(hs) {
			t.Fatalf("%q became %q", hs, back)
		}
		for i := range hs {
			if back[i].Name != hs[i].Name || !bytes.Equal(back[i].Value, hs[i].Value) {
				t.Fatalf("%q became %q", hs[i], back[i])
			}
		}
	})
}

func TestCodec(t *testing.T) {
	entry := func(key, header, payload string) *core.Entry {
		return &core.Entry{Count: 1, Format: Format, Key: []byte(key), Data: wire.AppendEntry(nil, nil, wire.Header(header), []byte(payload))}
	}
	for _, c := range []struct {
		e         *core.Entry
		tombstone bool
	}{
		{entry("$KV.b.k", "NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", ""), true},
		{entry("$KV.b.k", "NATS/1.0\r\nKV-Operation: PURGE\r\nNats-Rollup: sub\r\n\r\n", ""), true},
		{entry("$KV.b.k", "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n", ""), true},
		{entry("$KV.b.k", "", ""), false},
		{entry("foo", "NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", ""), false},
		{entry("$KV.b.k", "NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", "x"), false},
	} {
		ms, err := Codec().Messages(c.e, nil)
		if err != nil || len(ms) != 1 || (ms[0].Value == nil) != c.tombstone {
			t.Errorf("%q: %+v, %v", c.e.Data, ms, err)
		}
	}
	if _, err := Codec().Messages(&core.Entry{Format: Format, Data: []byte{200}}, nil); err == nil {
		t.Error("damaged data was read")
	}
}

package compat

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Live messages between doors: docs/mapping.md, "Live messages".

// subscribe waits until the server knows the subscription.
func subscribe(t *testing.T, nc *nats.Conn, subject, queue string) *nats.Subscription {
	t.Helper()
	sub, err := nc.QueueSubscribeSync(subject, queue)
	must(t, err)
	must(t, nc.Flush())
	return sub
}

// quiet fails if a subscription has a message that should not be there. Something that came later
// must have arrived before.
func quiet(t *testing.T, what string, sub *nats.Subscription) {
	t.Helper()
	if m, err := sub.NextMsg(time.Millisecond); err == nil {
		t.Errorf("%s: %s %q", what, m.Subject, m.Data)
	}
}

// The exchange amq.nats is the subject space: what NATS publishes reaches the queues bound to it.
func TestCrossdoorNATSToQueues(t *testing.T) {
	s := startCrossdoor(t)
	r, nc := s.rabbit(), s.nats()
	for queue, key := range map[string]string{
		"exact": "orders.eu.new", "star": "orders.*.new", "hash": "orders.#", "tail": "orders.>", "all": "#",
		"inside": "$SYS.#", "middle": "#.new",
	} {
		r.queue(queue, nil)
		r.bind(queue, key, "amq.nats")
	}
	r.exchange("next", "topic")
	must(t, r.ch.ExchangeBind("next", "orders.#", "amq.nats", false, nil))
	r.queue("through", nil)
	r.bind("through", "*.eu.*", "next")
	r.streamQueue("log")
	r.bind("log", "orders.#", "amq.nats")

	for _, subject := range []string{"orders", "orders.eu.new", "orders.us.new", "$SYS.x", "_INBOX.x.new", "other.new"} {
		m := nats.NewMsg(subject)
		m.Data = []byte(subject)
		m.Header.Set("Content", "yes")
		must(t, nc.PublishMsg(m))
	}
	must(t, nc.Publish("done", nil))
	must(t, nc.Flush())
	eventually(t, "the last message is in a queue", func() bool { return r.ready("all") == 5 })
	for queue, want := range map[string]string{
		"exact": "orders.eu.new", "star": "orders.eu.new orders.us.new", "hash": "orders orders.eu.new orders.us.new",
		"tail": "orders.eu.new orders.us.new", "all": "orders orders.eu.new orders.us.new other.new ",
		"inside": "", "middle": "orders.eu.new orders.us.new other.new", "through": "orders.eu.new",
	} {
		var got []string
		for {
			d, ok, err := r.ch.Get(queue, true)
			must(t, err)
			if !ok {
				break
			}
			got = append(got, string(d.Body))
			if len(d.Body) > 0 && (d.RoutingKey != string(d.Body) || d.Exchange != "amq.nats" || d.Headers["Content"] != "yes") {
				t.Errorf("%s: exchange %q, key %q, headers %v", queue, d.Exchange, d.RoutingKey, d.Headers)
			}
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: %q, want %q", queue, got, want)
		}
	}
	for i, d := range s.read(t, "log", 3) {
		wantEqual(t, "stream queue", string(d.Body), []string{"orders", "orders.eu.new", "orders.us.new"}[i])
	}
}

// What is published to amq.nats reaches every subscription, one of each queue group, the streams
// that capture it and the queues bound to it.
func TestCrossdoorAMQPToSubjects(t *testing.T) {
	s := startCrossdoor(t)
	r, nc, js := s.rabbit(), s.nats(), s.jetstream(t)
	plain, wild := subscribe(t, nc, "a.b", ""), subscribe(t, nc, "a.>", "")
	one, two := subscribe(t, nc, "a.b", "workers"), subscribe(t, nc, "a.*", "workers")
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "A", Subjects: []string{"a.*"}})
	must(t, err)
	all, inside := subscribe(t, nc, ">", ""), subscribe(t, nc, "$X.>", "")
	r.queue("q", nil)
	r.bind("q", "a.#", "amq.nats")

	r.send("amq.nats", "a.b", amqp.Publishing{Body: []byte("hello"), Headers: amqp.Table{"h": "v", "n": int32(7)}, CorrelationId: "c"})
	for _, sub := range []*nats.Subscription{plain, wild} {
		m, err := sub.NextMsg(patience)
		must(t, err)
		if m.Subject != "a.b" || string(m.Data) != "hello" || m.Header.Get("h") != "v" || m.Header.Get("n") != "7" || m.Header.Get("correlation-id") != "c" {
			t.Errorf("got %s %q %v", m.Subject, m.Data, m.Header)
		}
	}
	eventually(t, "one member of the group has it", func() bool {
		a, _, err := one.Pending()
		must(t, err)
		b, _, err := two.Pending()
		must(t, err)
		if a+b > 1 {
			t.Fatal("two members have it")
		}
		return a+b == 1
	})
	wantEqual(t, "the stream's", string(s.messages(t, "A", 1)[0].Data()), "hello")
	wantEqual(t, "messages in the queue", r.ready("q"), 1)

	t.Run("a key that is no subject is refused", func(t *testing.T) {
		for _, key := range []string{"", "a..b", "a.*", ">", "a b", ".a"} {
			wantClosed(t, s, amqp.PreconditionFailed, func(ch *amqp.Channel) error {
				return ch.PublishWithContext(within(t), "amq.nats", key, false, false, amqp.Publishing{})
			})
		}
	})
	t.Run("subjects that begin with $ or _ stay inside", func(t *testing.T) {
		returned := r.ch.NotifyReturn(make(chan amqp.Return, 1))
		for _, key := range []string{"$X.y", "$JS.API.STREAM.DELETE.A", "_X.y"} {
			must(t, r.ch.PublishWithContext(within(t), "amq.nats", key, true, false, amqp.Publishing{}))
			select {
			case <-returned:
			case <-time.After(patience):
				t.Errorf("%s was not returned", key)
			}
		}
		r.publish("amq.nats", "a.last", "last")
		// Of what is not JetStream's own, it is the next after the first message.
		var heard []string
		for len(heard) < 2 {
			m, err := all.NextMsg(patience)
			must(t, err)
			if !strings.HasPrefix(m.Subject+m.Reply, "$JS.") && !strings.HasPrefix(m.Subject, "_INBOX.") && !strings.HasPrefix(m.Reply, "$JS.ACK.") {
				heard = append(heard, m.Subject)
			}
		}
		wantEqual(t, "heard", strings.Join(heard, " "), "a.b a.last")
		quiet(t, "inside", inside)
		_, err = js.Stream(within(t), "A")
		must(t, err)
	})
	t.Run("an exchange bound to an exchange that leads there", func(t *testing.T) {
		r.exchange("front", "topic")
		must(t, r.ch.ExchangeBind("amq.nats", "front.#", "front", false, nil))
		front := subscribe(t, nc, "front.*", "")
		r.publish("front", "front.door", "knock")
		wantEqual(t, "heard", heard(t, front), "knock")
	})
}

// A NATS request is answered by an AMQP consumer, which knows only reply_to and the default
// exchange.
func TestCrossdoorRequestToAMQP(t *testing.T) {
	s := startCrossdoor(t)
	r, nc := s.rabbit(), s.nats()
	if _, err := nc.Request("rpc.add", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Fatalf("nobody is there: %v", err)
	}
	r.queue("rpc", nil)
	r.bind("rpc", "rpc.*", "amq.nats")
	ds := r.consume("rpc", 10)
	go func() {
		for d := range ds {
			_ = r.ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{
				CorrelationId: d.CorrelationId, Body: append([]byte("re: "), d.Body...), Headers: amqp.Table{"server": "amqp"},
			})
			_ = d.Ack(false)
		}
	}()
	for i := range 20 {
		m, err := nc.Request("rpc.add", fmt.Append(nil, i), patience)
		must(t, err)
		if string(m.Data) != fmt.Sprint("re: ", i) || m.Header.Get("server") != "amqp" {
			t.Fatalf("answer %q %v", m.Data, m.Header)
		}
	}
	// An inbox of another form than the usual.
	own := s.natsFor(t, nats.CustomInboxPrefix("my.inbox"))
	m, err := own.Request("rpc.add", []byte("own"), patience)
	must(t, err)
	wantEqual(t, "answer", string(m.Data), "re: own")
}

// AMQP's direct reply-to reaches NATS responders.
func TestCrossdoorRequestToNATS(t *testing.T) {
	s := startCrossdoor(t)
	r, nc := s.rabbit(), s.nats()
	curious := subscribe(t, nc, ">", "")
	_, err := nc.QueueSubscribe("rpc.*", "workers", func(m *nats.Msg) {
		answer := nats.NewMsg(m.Reply)
		answer.Data = append([]byte("re: "), m.Data...)
		answer.Header.Set("server", "nats")
		answer.Header.Set("correlation-id", m.Header.Get("correlation-id"))
		_ = m.RespondMsg(answer)
	})
	must(t, err)
	must(t, nc.Flush())
	ds, err := r.ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	must(t, err)
	for i := range 20 {
		r.send("amq.nats", "rpc.add", amqp.Publishing{
			ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: fmt.Sprint(i), Body: fmt.Append(nil, i),
		})
		d := next(t, ds)
		if string(d.Body) != fmt.Sprint("re: ", i) || d.CorrelationId != fmt.Sprint(i) || d.Headers["server"] != "nats" {
			t.Fatalf("answer %q, %q, %v", d.Body, d.CorrelationId, d.Headers)
		}
	}
	_ = curious
}

// Answers between AMQP clients are nobody else's business.
func TestCrossdoorRepliesWithinAMQP(t *testing.T) {
	s := startCrossdoor(t)
	r, nc := s.rabbit(), s.nats()
	curious := subscribe(t, nc, ">", "")
	answers, err := r.ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	must(t, err)
	r.queue("rpc", nil)
	ds := r.consume("rpc", 1)
	r.send("", "rpc", amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to", Body: []byte("ping")})
	d := next(t, ds)
	r.send("", d.ReplyTo, amqp.Publishing{Body: []byte("pong")})
	wantEqual(t, "answer", string(next(t, answers).Body), "pong")
	must(t, nc.Publish("last", nil))
	m, err := curious.NextMsg(patience)
	must(t, err)
	wantEqual(t, "the first that NATS hears", m.Subject, "last")
}

// amq.kafka takes a message to the topic named by its routing key.
func TestCrossdoorTopicExchange(t *testing.T) {
	s := startCrossdoor(t)
	r := s.rabbit()
	s.topic(t, "invoices", 1, nil)
	r.send("amq.kafka", "invoices", amqp.Publishing{Body: []byte("with"), Headers: amqp.Table{"kafka-key": "k"}})
	r.send("amq.kafka", "invoices", amqp.Publishing{Body: []byte("without")})
	recs := s.records(t, "invoices", 2)
	wantEqual(t, "value", string(recs[0].Value), "with")
	wantEqual(t, "key", string(recs[0].Key), "k")
	wantEqual(t, "value", string(recs[1].Value), "without")
	if recs[1].Key != nil {
		t.Errorf("a key from nowhere: %q", recs[1].Key)
	}
	returned := r.ch.NotifyReturn(make(chan amqp.Return, 1))
	must(t, r.ch.PublishWithContext(within(t), "amq.kafka", "no-such-topic", true, false, amqp.Publishing{}))
	select {
	case <-returned:
	case <-time.After(patience):
		t.Error("a message to no topic was not returned")
	}
}

// A publish to $AMQP.exchange.X.<key> is one to exchange X with that key.
func TestCrossdoorExchangeSubject(t *testing.T) {
	s := startCrossdoor(t)
	r, nc := s.rabbit(), s.nats()
	r.exchange("jobs", "topic")
	r.exchange("dotted.name", "direct")
	r.exchange("by-header", "headers")
	for queue, b := range map[string][2]string{"pdf": {"jobs", "pdf.#"}, "mail": {"dotted.name", "mail.now"}} {
		r.queue(queue, nil)
		r.bind(queue, b[1], b[0])
	}
	r.queue("heads", nil)
	must(t, r.ch.QueueBind("heads", "", "by-header", false, amqp.Table{"x-match": "all", "kind": "x"}))

	for subject, want := range map[string]string{
		"$AMQP.exchange.jobs.pdf.large":       "pdf pdf.large",
		"$AMQP.exchange.dotted.name.mail.now": "mail mail.now",
		"$AMQP.exchange.by-header.k":          "heads k",
	} {
		m := nats.NewMsg(subject)
		m.Header.Set("kind", "x")
		m.Data = []byte("job")
		must(t, nc.PublishMsg(m))
		must(t, nc.Flush())
		queue, key, _ := strings.Cut(want, " ")
		eventually(t, subject+" arrives", func() bool { return r.ready(queue) == 1 })
		d, _, err := r.ch.Get(queue, true)
		must(t, err)
		if d.RoutingKey != key || string(d.Body) != "job" || d.Headers["kind"] != "x" {
			t.Errorf("%s: key %q, body %q, headers %v", subject, d.RoutingKey, d.Body, d.Headers)
		}
	}
	if _, err := nc.Request("$AMQP.exchange.jobs.nobody", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a key that nobody wants: %v", err)
	}
	if _, err := nc.Request("$AMQP.exchange.none.x", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("an exchange that is not there: %v", err)
	}
}

// Messages: docs/mapping.md, "Messages".

func TestCrossdoorHeadersFromAMQP(t *testing.T) {
	s := startCrossdoor(t)
	r := s.rabbit()
	r.streamQueue("h")
	at := time.Unix(1700000000, 0)
	r.send("", "h", amqp.Publishing{
		ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 3, CorrelationId: "corr", ReplyTo: "back",
		Expiration: "60000", MessageId: "mid", Timestamp: at, Type: "t", UserId: "guest", AppId: "app", Body: []byte{0, 1, 0xff},
		Headers: amqp.Table{
			"text": "äö", "int": int32(-5), "long": int64(1) << 40, "bool": true, "float": 1.5, "time": at,
			"bytes": []byte{0xff, '\n', 0}, "table": amqp.Table{"a": int32(1), "b": "x"}, "array": []any{"x", int32(2)}, "void": nil,
		},
	})
	want := map[string]string{
		"content-type": "text/plain", "content-encoding": "gzip", "delivery-mode": "2", "priority": "3", "correlation-id": "corr",
		"reply-to": "back", "expiration": "60000", "message-id": "mid", "timestamp": "1700000000", "type": "t", "user-id": "guest",
		"app-id": "app", "text": "äö", "int": "-5", "long": "1099511627776", "bool": "true", "float": "1.5", "time": "1700000000",
		"table": `{"a":1,"b":"x"}`, "array": `["x",2]`,
	}
	rec := s.records(t, "amqp.h", 1)[0]
	wantEqual(t, "value", string(rec.Value), "\x00\x01\xff")
	got := map[string]string{}
	for _, h := range rec.Headers {
		got[h.Key] = string(h.Value)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("Kafka: %s is %q, want %q", k, got[k], v)
		}
	}
	wantEqual(t, "Kafka: bytes", got["bytes"], "\xff\n\x00") // a record header takes any bytes

	m := s.messages(t, "AMQP_h", 1)[0]
	wantEqual(t, "data", string(m.Data()), "\x00\x01\xff")
	for k, v := range want {
		if got := m.Headers().Get(k); got != v {
			t.Errorf("NATS: %s is %q, want %q", k, got, v)
		}
	}
	wantEqual(t, "NATS: bytes", m.Headers().Get("bytes;base64"), "/woA")
	if meta, err := m.Metadata(); err != nil || time.Since(meta.Timestamp) > time.Hour {
		t.Errorf("the time is the store's: %v %v", meta, err)
	}
}

func TestCrossdoorHeadersFromKafka(t *testing.T) {
	s := startCrossdoor(t)
	s.topic(t, "h", 1, nil)
	at := time.UnixMilli(1700000000123)
	produce(t, s.kafka(),
		&kgo.Record{Topic: "h", Key: []byte("k"), Value: []byte("v"), Timestamp: at, Headers: []kgo.RecordHeader{
			{Key: "content-type", Value: []byte("application/json")}, {Key: "priority", Value: []byte("4")},
			{Key: "timestamp", Value: []byte("not a time")}, {Key: "x", Value: []byte("1")}, {Key: "x", Value: []byte("2")},
			{Key: "bin", Value: []byte{0xff, '\r', '\n'}}, {Key: "empty", Value: []byte{}}, {Key: "null", Value: nil},
		}},
		&kgo.Record{Topic: "h", Value: nil, Timestamp: at},
		&kgo.Record{Topic: "h", Key: []byte("bad key"), Value: []byte("v")},
	)
	ds := s.read(t, "amq.kafka.h", 3)
	d := ds[0]
	if d.ContentType != "application/json" || d.Priority != 4 || d.RoutingKey != "k" || !d.Timestamp.IsZero() {
		t.Errorf("properties %q, %d, %q, %v", d.ContentType, d.Priority, d.RoutingKey, d.Timestamp)
	}
	for k, v := range map[string]any{"x": "2", "timestamp": "not a time", "empty": ""} { // of repeated ones, the client shows the last
		if d.Headers[k] != v {
			t.Errorf("AMQP: %s is %#v, want %q", k, d.Headers[k], v)
		}
	}
	if got := fmt.Sprint(d.Headers["bin"]); got != "\xff\r\n" && got != fmt.Sprint([]byte{0xff, '\r', '\n'}) {
		t.Errorf("AMQP: bin is %q", got)
	}
	wantEqual(t, "a null value", len(ds[1].Body), 0)
	wantEqual(t, "no key", ds[1].RoutingKey, "")
	wantEqual(t, "a key with a space", ds[2].RoutingKey, "bad key")

	ms := s.messages(t, "KAFKA_h", 3)
	if h := ms[0].Headers(); h.Get("content-type") != "application/json" || !slices.Equal(h["x"], []string{"1", "2"}) || h.Get("bin;base64") != "/w0K" {
		t.Errorf("NATS: headers %v", h)
	}
	meta, err := ms[0].Metadata()
	must(t, err)
	if !meta.Timestamp.Equal(at) {
		t.Errorf("NATS: time %v, want the record's %v", meta.Timestamp, at)
	}
	wantEqual(t, "no key", ms[1].Subject(), "$KAFKA.h._")
	wantEqual(t, "a key that is no subject", ms[2].Subject(), "$KAFKA.h._")
}

func TestCrossdoorHeadersFromNATS(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "H", Subjects: []string{"h.>"}})
	must(t, err)
	m := nats.NewMsg("h.x")
	m.Data = []byte("v")
	m.Header = nats.Header{"X": {"1", "2"}, "content-type": {"text/html"}, "message-id": {"m1"}, "expiration": {"soon"}, "delivery-mode": {"2"}}
	_, err = js.PublishMsg(within(t), m)
	must(t, err)

	rec := s.records(t, "nats.H", 1)[0]
	got := headersOf(rec)
	slices.Sort(got)
	if want := []string{"X=1", "X=2", "content-type=text/html", "delivery-mode=2", "expiration=soon", "message-id=m1"}; !slices.Equal(got, want) {
		t.Errorf("Kafka: headers %q", got)
	}
	d := s.read(t, "amq.nats.H", 1)[0]
	if d.ContentType != "text/html" || d.MessageId != "m1" || d.Expiration != "" || d.DeliveryMode != 2 || d.Headers["expiration"] != "soon" || d.Headers["X"] != "2" {
		t.Errorf("AMQP: %q %q %q %d %v", d.ContentType, d.MessageId, d.Expiration, d.DeliveryMode, d.Headers)
	}
}

// The translation of an entry is a pure function of it: every reader sees the same, every time, also
// after a restart.
func TestCrossdoorTranslationIsStable(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "P", Subjects: []string{"p.*"}})
	must(t, err)
	for i := range 50 {
		m := nats.NewMsg(fmt.Sprint("p.", i))
		m.Data = bytes.Repeat([]byte{byte(i)}, i)
		m.Header.Set("i", fmt.Sprint(i))
		_, err := js.PublishMsg(within(t), m)
		must(t, err)
	}
	read := func() string {
		var b strings.Builder
		for _, r := range s.records(t, "nats.P", 50) {
			fmt.Fprintln(&b, r.Offset, r.Timestamp.UnixMilli(), string(r.Key), r.Value, headersOf(r))
		}
		return b.String()
	}
	first := read()
	wantEqual(t, "a second reader's records", read(), first)
	s.crash(t)
	wantEqual(t, "the records after a crash", read(), first)
}

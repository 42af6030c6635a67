package compat

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A character that is illegal in the other protocol is shown as _; dots in a name stay words.
func TestCrossdoorIllegalNames(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	for _, c := range []struct{ queue, topic, stream, subjects string }{
		{"my queue/1", "amqp.my_queue_1", "AMQP_my_queue_1", "$AMQP.queue.my_queue_1."},
		{"dotted.name", "amqp.dotted.name", "AMQP_dotted_name", "$AMQP.queue.dotted.name."},
	} {
		r.streamQueue(c.queue)
		r.publish("", c.queue, "one")
		produce(t, s.kafka(), record(c.topic, "k", "two"))
		_, err := js.Publish(within(t), c.subjects+"k", []byte("three"))
		must(t, err)
		for i, want := range []string{"one", "two", "three"} {
			wantEqual(t, c.topic, string(s.records(t, c.topic, 3)[i].Value), want)
			wantEqual(t, c.stream, string(s.messages(t, c.stream, 3)[i].Data()), want)
			wantEqual(t, c.queue, string(s.read(t, c.queue, 3)[i].Body), want)
		}
		wantEqual(t, "subject", s.messages(t, c.stream, 2)[1].Subject(), c.subjects+"k")
	}
}

// A binding that matches counts as a responder, even while nobody consumes.
func TestCrossdoorBindingIsAResponder(t *testing.T) {
	s := startCrossdoor(t)
	r, nc := s.rabbit(), s.nats()
	r.queue("later", nil)
	r.bind("later", "later.#", "amq.nats")
	if _, err := nc.Request("later.on", nil, 100*time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("a request that waits in a queue: %v", err)
	}
	wantEqual(t, "messages in the queue", r.ready("later"), 1)
	must(t, r.ch.QueueUnbind("later", "later.#", "amq.nats", nil))
	if _, err := nc.Request("later.on", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a request that nobody gets: %v", err)
	}
}

// A message from NATS dies in a queue as any other: its deaths are counted, and a loop without a
// rejection ends.
func TestCrossdoorDeadLetters(t *testing.T) {
	s := startCrossdoor(t)
	r, nc := s.rabbit(), s.nats()
	r.queue("work", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "wait"})
	r.queue("wait", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work", "x-message-ttl": int32(1)})
	r.bind("work", "jobs.*", "amq.nats")
	m := nats.NewMsg("jobs.pdf")
	m.Header.Set("content-type", "text/plain")
	m.Data = []byte("job")
	must(t, nc.PublishMsg(m))
	must(t, nc.Flush())
	ds := r.consume("work", 1)
	for attempt := range int64(4) {
		d := next(t, ds)
		if string(d.Body) != "job" || d.ContentType != "text/plain" {
			t.Fatalf("attempt %d: %q, %q", attempt, d.Body, d.ContentType)
		}
		deaths, _ := d.Headers["x-death"].([]any)
		count := int64(0)
		for _, x := range deaths {
			if x := x.(amqp.Table); x["queue"] == "work" && x["reason"] == "rejected" {
				count = x["count"].(int64)
			}
		}
		wantEqual(t, "deaths so far", count, attempt)
		must(t, d.Nack(false, false))
	}

	r.queue("loop", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "loop", "x-message-ttl": int32(1)})
	r.bind("loop", "loop", "amq.nats")
	must(t, nc.Publish("loop", nil))
	must(t, nc.Flush())
	eventually(t, "the message that goes round is dropped", func() bool { return r.ready("loop") == 0 })
}

// A batch of which one record has no place in the stream is refused whole.
func TestCrossdoorBatchIsAtomic(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	stream, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "B", Subjects: []string{"b.*"}})
	must(t, err)
	if err := s.batch(record("nats.B", "b.1", ""), record("nats.B", "c.1", ""), record("nats.B", "b.2", "")); !errors.Is(err, kerr.InvalidRecord) {
		t.Errorf("produce: %v", err)
	}
	info, err := stream.Info(within(t))
	must(t, err)
	wantEqual(t, "messages", info.State.Msgs, 0)
	var rs []*kgo.Record
	for i := range 100 {
		rs = append(rs, record("nats.B", fmt.Sprint("b.", i), fmt.Sprint(i)))
	}
	must(t, s.batch(rs...))
	for i, m := range s.messages(t, "B", 100) {
		wantEqual(t, "data", string(m.Data()), fmt.Sprint(i))
		wantEqual(t, "subject", m.Subject(), fmt.Sprint("b.", i))
	}
}

// A Kafka group keeps positions in what others made, over a crash; regular expressions over all topics
// leave it alone.
func TestCrossdoorGroups(t *testing.T) {
	s := startCrossdoor(t)
	r := s.rabbit()
	r.streamQueue("audit")
	s.topic(t, "own", 1, nil)
	for i := range 10 {
		r.publish("", "audit", fmt.Sprint(i))
	}
	group := func() *kgo.Client {
		return s.kafka(kgo.ConsumeTopics("amqp.audit"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit())
	}
	g := group()
	var last *kgo.Record
	poll(t, g, 4, func(r *kgo.Record) { last = r })
	must(t, g.CommitRecords(within(t), last))
	g.CloseAllowingRebalance()
	s.crash(t)
	g = group()
	got := ""
	poll(t, g, 1, func(r *kgo.Record) { got = string(r.Value) })
	wantEqual(t, "after the crash", got, "4")
	g.CloseAllowingRebalance()

	admin := kadm.NewClient(s.kafka())
	lag, err := admin.Lag(within(t), "g")
	must(t, err)
	wantEqual(t, "lag", lag["g"].Lag.Total(), 6)

	produce(t, s.kafka(), record("own", "", "mine"))
	all := s.kafka(kgo.ConsumeRegex(), kgo.ConsumeTopics(".*"))
	for range 3 {
		poll(t, all, 1, func(r *kgo.Record) { wantEqual(t, "topic", r.Topic, "own") })
		produce(t, s.kafka(), record("own", "", "more"))
	}
}

// Offsets by time, in what another door made.
func TestCrossdoorOffsetsByTime(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "T", Subjects: []string{"t"}})
	must(t, err)
	for range 3 {
		_, err = js.Publish(within(t), "t", nil)
		must(t, err)
	}
	ms := s.messages(t, "T", 3)
	meta, err := ms[2].Metadata()
	must(t, err)
	admin := kadm.NewClient(s.kafka())
	os, err := admin.ListOffsetsAfterMilli(within(t), meta.Timestamp.UnixMilli()+1, "nats.T")
	must(t, err)
	o, _ := os.Lookup("nats.T", 0)
	wantEqual(t, "offset after the last", o.Offset, 3)
	os, err = admin.ListOffsetsAfterMilli(within(t), meta.Timestamp.Add(-time.Hour).UnixMilli(), "nats.T")
	must(t, err)
	o, _ = os.Lookup("nats.T", 0)
	wantEqual(t, "offset an hour before", o.Offset, 0)
}

// Work that a JetStream work queue holds is gone once an AMQP consumer acknowledged it, however it is
// looked at; a Kafka group holds nothing back.
func TestCrossdoorWorkQueueRetention(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	stream, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "W", Subjects: []string{"w.*"}, Retention: jetstream.WorkQueuePolicy})
	must(t, err)
	for i := range 6 {
		_, err = js.Publish(within(t), "w.x", fmt.Append(nil, i))
		must(t, err)
	}
	g := s.kafka(kgo.ConsumeTopics("nats.W"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit())
	var last *kgo.Record
	poll(t, g, 6, func(r *kgo.Record) { last = r })
	must(t, g.CommitRecords(within(t), last))
	info, err := stream.Info(within(t))
	must(t, err)
	wantEqual(t, "messages after Kafka read them", info.State.Msgs, 6)
	s.read(t, "amq.nats.W", 6)
	eventually(t, "the work is gone", func() bool {
		info, err := stream.Info(within(t))
		must(t, err)
		return info.State.Msgs == 0
	})
}

// What a door keeps for itself is not shown in the others.
func TestCrossdoorInternalTopics(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	s.topic(t, "seen", 1, nil)
	produce(t, s.kafka(), record("seen", "", "x"))
	g := s.kafka(kgo.ConsumeTopics("seen"), kgo.ConsumerGroup("g")) // makes __consumer_offsets
	poll(t, g, 1, func(*kgo.Record) {})
	must(t, g.CommitUncommittedOffsets(within(t)))
	var names []string
	list := js.StreamNames(within(t))
	for n := range list.Name() {
		names = append(names, n)
	}
	must(t, list.Err())
	if len(names) != 1 || names[0] != "KAFKA_seen" {
		t.Errorf("NATS shows %q", names)
	}
	if _, err := js.Stream(within(t), "KAFKA___consumer_offsets-0"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("NATS shows the group's offsets: %v", err)
	}
	wantClosed(t, s, amqp.NotFound, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive("amq.kafka.__consumer_offsets-0", true, false, false, false, nil)
		return err
	})
}

// A NATS stream under another door's reserved name is its owner's own.
func TestCrossdoorNATSHidesAView(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	s.topic(t, "x", 1, nil)
	produce(t, s.kafka(), record("x", "", "kafka"))
	wantEqual(t, "the topic", string(s.messages(t, "KAFKA_x", 1)[0].Data()), "kafka")
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "KAFKA_x", Subjects: []string{"mine"}})
	must(t, err)
	_, err = js.Publish(within(t), "mine", []byte("nats"))
	must(t, err)
	wantEqual(t, "the stream", string(s.messages(t, "KAFKA_x", 1)[0].Data()), "nats")
	wantEqual(t, "the record", string(s.records(t, "x", 1)[0].Value), "kafka")
	must(t, js.DeleteStream(within(t), "KAFKA_x"))
	wantEqual(t, "the topic again", string(s.messages(t, "KAFKA_x", 1)[0].Data()), "kafka")
}

// A request through an exchange is answered like one through the subject space.
func TestCrossdoorRequestThroughExchange(t *testing.T) {
	s := startCrossdoor(t)
	r, nc := s.rabbit(), s.nats()
	r.exchange("rpc", "direct")
	r.queue("adder", nil)
	r.bind("adder", "add", "rpc")
	ds := r.consume("adder", 1)
	go func() {
		for d := range ds {
			_ = r.ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{Body: append(d.Body, '!')})
			_ = d.Ack(false)
		}
	}()
	m, err := nc.Request("$AMQP.exchange.rpc.add", []byte("hi"), patience)
	must(t, err)
	wantEqual(t, "answer", string(m.Data), "hi!")
}

// A key-value watcher sees what Kafka and AMQP write into the bucket.
func TestCrossdoorBucketWatch(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	kv, err := js.CreateKeyValue(within(t), jetstream.KeyValueConfig{Bucket: "b", History: 5})
	must(t, err)
	w, err := kv.WatchAll(within(t))
	must(t, err)
	t.Cleanup(func() { _ = w.Stop() })
	entry := func() jetstream.KeyValueEntry {
		t.Helper()
		select {
		case e := <-w.Updates():
			return e
		case <-time.After(patience):
			t.Fatal("no update")
			return nil
		}
	}
	if e := entry(); e != nil { // nil: there was nothing before
		t.Fatalf("got %v", e)
	}
	produce(t, s.kafka(), record("nats.KV_b", "$KV.b.k", "from kafka"))
	if e := entry(); e.Key() != "k" || string(e.Value()) != "from kafka" || e.Revision() != 1 {
		t.Errorf("got %s=%q at %d", e.Key(), e.Value(), e.Revision())
	}
	// The exchange keeps $KV to NATS, but the stream queue of the bucket is the bucket's own address.
	must(t, r.ch.Publish("amq.nats", "$KV.b.k", false, false, amqp.Publishing{Body: []byte("lost")}))
	_, err = kv.PutString(within(t), "k", "last")
	must(t, err)
	if e := entry(); string(e.Value()) != "last" {
		t.Errorf("got %q", e.Value())
	}
}

// Consumers of a topic through NATS: durable, with redelivery, on each partition by the same name.
func TestCrossdoorConsumersOfPartitions(t *testing.T) {
	s := startCrossdoor(t)
	s.topic(t, "p", 2, nil)
	k := s.kafka(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for p := range int32(2) {
		for i := range 3 {
			rec := record("p", "", fmt.Sprint(p, i))
			rec.Partition = p
			produce(t, k, rec)
		}
	}
	js := s.jetstream(t)
	for p := range 2 {
		c, err := js.CreateConsumer(within(t), fmt.Sprint("KAFKA_p-", p), jetstream.ConsumerConfig{Durable: "same", AckPolicy: jetstream.AckExplicitPolicy})
		must(t, err)
		fetch(t, c, 1, func(m jetstream.Msg) {
			wantEqual(t, "first", string(m.Data()), fmt.Sprint(p, 0))
			must(t, m.DoubleAck(within(t)))
		})
		fetch(t, c, 1, func(m jetstream.Msg) { must(t, m.Nak()) })
	}
	s.crash(t)
	js = s.jetstream(t)
	for p := range 2 {
		c, err := js.Consumer(within(t), fmt.Sprint("KAFKA_p-", p), "same")
		must(t, err)
		i := 0
		fetch(t, c, 2, func(m jetstream.Msg) {
			i++
			wantEqual(t, "after the crash", string(m.Data()), fmt.Sprint(p, i))
			must(t, m.DoubleAck(within(t)))
		})
		info, err := c.Info(within(t))
		must(t, err)
		wantEqual(t, "ack floor", info.AckFloor.Stream, uint64(3))
	}
}

// Headers beyond what an AMQP frame holds, or with names too long, are left out and counted; the
// message arrives.
func TestCrossdoorHeadersTooLarge(t *testing.T) {
	s := startCrossdoor(t)
	s.topic(t, "big", 1, nil)
	produce(t, s.kafka(), &kgo.Record{Topic: "big", Value: []byte("v"), Headers: []kgo.RecordHeader{
		{Key: "small", Value: []byte("1")},
		{Key: "large", Value: bytes.Repeat([]byte{'x'}, 200<<10)},
		{Key: strings.Repeat("n", 300), Value: []byte("2")},
		{Key: "name with spaces", Value: []byte("3")},
	}})
	d := s.read(t, "amq.kafka.big", 1)[0]
	if string(d.Body) != "v" || d.Headers["small"] != "1" || d.Headers["name with spaces"] != "3" || d.Headers["large"] != nil {
		t.Errorf("body %q, %d headers", d.Body, len(d.Headers))
	}
	m := s.messages(t, "KAFKA_big", 1)[0]
	if string(m.Data()) != "v" || m.Headers().Get("small") != "1" || len(m.Headers().Get("large")) != 200<<10 || m.Headers().Get("name with spaces") != "" {
		t.Errorf("data %q, %d headers", m.Data(), len(m.Headers()))
	}
	_, metrics := s.get("/metrics")
	for _, want := range []string{`trivium_dropped_headers_total{door="amqp"} 2`, `trivium_dropped_headers_total{door="nats"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// A sealed stream takes nothing, through whichever door.
func TestCrossdoorSealedStream(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	cfg := jetstream.StreamConfig{Name: "L", Subjects: []string{"l"}}
	_, err := js.CreateStream(within(t), cfg)
	must(t, err)
	_, err = js.Publish(within(t), "l", []byte("kept"))
	must(t, err)
	cfg.Sealed = true
	stream, err := js.UpdateStream(within(t), cfg)
	must(t, err)
	if _, err := js.Publish(within(t), "l", nil); err == nil {
		t.Error("NATS wrote")
	}
	if err := s.kafka().ProduceSync(within(t), record("nats.L", "l", "")).FirstErr(); !errors.Is(err, kerr.InvalidRecord) {
		t.Errorf("Kafka wrote: %v", err)
	}
	c, err := r.ch.PublishWithDeferredConfirm("amq.nats", "l", false, false, amqp.Publishing{})
	must(t, err)
	if acked, err := c.WaitContext(within(t)); acked || err != nil {
		t.Errorf("AMQP wrote: %v %v", acked, err)
	}
	info, err := stream.Info(within(t))
	must(t, err)
	wantEqual(t, "messages", info.State.Msgs, 1)
}

// A JetStream consumer filters by subject what others made, inside record batches too.
func TestCrossdoorFilteredConsumer(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	s.topic(t, "f", 1, nil)
	var rs []*kgo.Record
	for i := range 30 {
		rs = append(rs, record("f", []string{"eu.new", "us.new", "eu.old"}[i%3], fmt.Sprint(i)))
	}
	must(t, s.batch(append(rs, record("f", "", "no key"))...))
	for filter, want := range map[string]string{
		"$KAFKA.f.eu.*": "0 2 3 5", "$KAFKA.f.*.new": "0 1 3 4", "$KAFKA.f.us.new": "1 4 7 10", "$KAFKA.f.>": "0 1 2 3",
	} {
		c, err := js.CreateConsumer(within(t), "KAFKA_f", jetstream.ConsumerConfig{FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy})
		must(t, err)
		var got []string
		fetch(t, c, 4, func(m jetstream.Msg) {
			got = append(got, string(m.Data()))
			must(t, m.Ack())
		})
		wantEqual(t, filter, strings.Join(got, " "), want)
	}
	for _, cfg := range []jetstream.ConsumerConfig{
		{FilterSubject: "other.>"},
		{FilterSubject: "$KAFKA.f.eu.*", DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy},
	} {
		if _, err := js.CreateConsumer(within(t), "KAFKA_f", cfg); err == nil {
			t.Errorf("%s %v was accepted", cfg.FilterSubject, cfg.DeliverPolicy)
		}
	}
}

// A stream that keeps messages while somebody is interested counts AMQP's consumers.
func TestCrossdoorInterestRetention(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	stream, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "I", Subjects: []string{"i"}, Retention: jetstream.InterestPolicy})
	must(t, err)
	c, err := js.CreateConsumer(within(t), "I", jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy})
	must(t, err)
	must(t, r.ch.Qos(10, 0, false))
	ds, err := r.ch.Consume("amq.nats.I", "", false, false, false, false, nil)
	must(t, err)
	stored := func() uint64 {
		info, err := stream.Info(within(t))
		must(t, err)
		return info.State.Msgs
	}
	_, err = js.Publish(within(t), "i", []byte("x"))
	must(t, err)
	d := next(t, ds)
	fetch(t, c, 1, func(m jetstream.Msg) { must(t, m.DoubleAck(within(t))) })
	wantEqual(t, "messages while AMQP has not acknowledged", stored(), 1)
	must(t, d.Ack(false))
	eventually(t, "all have acknowledged", func() bool { return stored() == 0 })
}

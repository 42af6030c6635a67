package compat

import (
	"errors"
	"fmt"
	"slices"
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

// What a client of one protocol sees of another's: docs/mapping.md, line by line,
// with the three original clients on one server. The originals have no such
// thing, so these tests run against Trivium only.

func startCrossdoor(t *testing.T) *server {
	t.Helper()
	if original() {
		t.Skip("the originals do not know each other")
	}
	return start(t)
}

// streamQueue declares an AMQP stream queue.
func (r *rabbit) streamQueue(name string) {
	r.t.Helper()
	r.queue(name, amqp.Table{"x-queue-type": "stream"})
}

// read returns the first n messages of a stream queue.
func (s *server) read(t *testing.T, queue string, n int) []amqp.Delivery {
	t.Helper()
	r := s.rabbitFor(t)
	defer r.conn.Close()
	must(t, r.ch.Qos(100, 0, false))
	ds, err := r.ch.Consume(queue, "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
	must(t, err)
	var got []amqp.Delivery
	for range n {
		d := next(t, ds)
		must(t, d.Ack(false))
		got = append(got, d)
	}
	return got
}

// records returns the first n records of a topic, of all its partitions.
func (s *server) records(t *testing.T, topic string, n int) []*kgo.Record {
	t.Helper()
	c := s.kafkaFor(t, kgo.ConsumeTopics(topic))
	defer c.Close()
	var got []*kgo.Record
	poll(t, c, n, func(r *kgo.Record) { got = append(got, r) })
	return got
}

// messages returns the first n messages of a JetStream stream.
func (s *server) messages(t *testing.T, stream string, n int) []jetstream.Msg {
	t.Helper()
	js := s.jetstream(t)
	c, err := js.CreateConsumer(within(t), stream, jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	must(t, err)
	var got []jetstream.Msg
	fetch(t, c, n, func(m jetstream.Msg) {
		must(t, m.DoubleAck(within(t)))
		got = append(got, m)
	})
	must(t, js.DeleteConsumer(within(t), stream, c.CachedInfo().Name))
	return got
}

func sequence(t *testing.T, m jetstream.Msg) uint64 {
	t.Helper()
	meta, err := m.Metadata()
	must(t, err)
	return meta.Sequence.Stream
}

// headersOf are a record's headers as "name=value", in order.
func headersOf(r *kgo.Record) []string {
	var all []string
	for _, h := range r.Headers {
		all = append(all, h.Key+"="+string(h.Value))
	}
	return all
}

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A topic of one partition is a stream queue and a stream; what each door writes into it, all
// read at the same positions.
func TestCrossdoorTopic(t *testing.T) {
	s := startCrossdoor(t)
	s.topic(t, "clicks", 1, nil)
	r, js := s.rabbit(), s.jetstream(t)

	produce(t, s.kafka(), &kgo.Record{Topic: "clicks", Key: []byte("k.1"), Value: []byte("from kafka"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}})
	r.send("", "amq.kafka.clicks", amqp.Publishing{Body: []byte("from amqp"), Headers: amqp.Table{"h": "v", "kafka-key": "k.2"}, ContentType: "text/plain"})
	m := nats.NewMsg("$KAFKA.clicks.k.3")
	m.Header.Set("h", "v")
	m.Data = []byte("from nats")
	ack, err := js.PublishMsg(within(t), m)
	must(t, err)
	if ack.Stream != "KAFKA_clicks" || ack.Sequence != 3 {
		t.Errorf("ack %+v", ack)
	}

	from := []string{"from kafka", "from amqp", "from nats"}
	t.Run("by Kafka", func(t *testing.T) {
		for i, rec := range s.records(t, "clicks", 3) {
			wantEqual(t, "offset", rec.Offset, int64(i))
			wantEqual(t, "value", string(rec.Value), from[i])
			wantEqual(t, "key", string(rec.Key), fmt.Sprint("k.", i+1))
			if !slices.Contains(headersOf(rec), "h=v") {
				t.Errorf("headers %q", headersOf(rec))
			}
		}
	})
	t.Run("by AMQP", func(t *testing.T) {
		for i, d := range s.read(t, "amq.kafka.clicks", 3) {
			wantEqual(t, "offset", d.Headers["x-stream-offset"], any(int64(i)))
			wantEqual(t, "body", string(d.Body), from[i])
			wantEqual(t, "header", d.Headers["h"], any("v"))
		}
	})
	t.Run("by NATS", func(t *testing.T) {
		for i, m := range s.messages(t, "KAFKA_clicks", 3) {
			wantEqual(t, "sequence", sequence(t, m), uint64(i)+1)
			wantEqual(t, "data", string(m.Data()), from[i])
			wantEqual(t, "subject", m.Subject(), fmt.Sprint("$KAFKA.clicks.k.", i+1))
			wantEqual(t, "header", m.Headers().Get("h"), "v")
		}
		stream, err := js.Stream(within(t), "KAFKA_clicks")
		must(t, err)
		if c := stream.CachedInfo().Config; !slices.Equal(c.Subjects, []string{"$KAFKA.clicks.>"}) {
			t.Errorf("subjects %q", c.Subjects)
		}
	})
}

// A topic of several partitions is an exchange with a stream queue for each, and a stream each. A
// key goes to the same partition through every door.
func TestCrossdoorPartitions(t *testing.T) {
	s := startCrossdoor(t)
	const parts, keys = 3, 12
	s.topic(t, "orders", parts, nil)
	r, js := s.rabbit(), s.jetstream(t)
	k := s.kafka()
	for i := range keys {
		key := fmt.Sprint("customer-", i)
		produce(t, k, record("orders", key, "kafka"))
		r.publish("amq.kafka.orders", key, "amqp")
		_, err := js.Publish(within(t), "$KAFKA.orders."+key, []byte("nats"))
		must(t, err)
	}
	partition := map[string]int32{}
	count := make([]int, parts)
	for _, rec := range s.records(t, "orders", 3*keys) {
		if p, ok := partition[string(rec.Key)]; ok && p != rec.Partition {
			t.Errorf("%s: %s went to partition %d, others to %d", rec.Key, rec.Value, rec.Partition, p)
		}
		partition[string(rec.Key)] = rec.Partition
		count[rec.Partition]++
	}
	wantEqual(t, "keys", len(partition), keys)
	for p := range parts {
		for i, d := range s.read(t, fmt.Sprint("amq.kafka.orders-", p), count[p]) {
			wantEqual(t, "offset", d.Headers["x-stream-offset"], any(int64(i)))
			wantEqual(t, "partition of "+d.RoutingKey, partition[d.RoutingKey], int32(p))
		}
		for _, m := range s.messages(t, fmt.Sprint("KAFKA_orders-", p), count[p]) {
			wantEqual(t, "partition of "+m.Subject(), partition[strings.TrimPrefix(m.Subject(), "$KAFKA.orders.")], int32(p))
		}
	}
}

// A stream queue is a topic and a stream.
func TestCrossdoorStreamQueue(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	r.streamQueue("audit")
	r.exchange("events", "topic")
	r.bind("audit", "user.#", "events")

	r.publish("events", "user.created", "one")
	r.publish("", "audit", "two")
	produce(t, s.kafka(), record("amqp.audit", "user.renamed", "three"))
	ack, err := js.Publish(within(t), "$AMQP.queue.audit.user.deleted", []byte("four"))
	must(t, err)
	if ack.Stream != "AMQP_audit" || ack.Sequence != 4 {
		t.Errorf("ack %+v", ack)
	}

	bodies := []string{"one", "two", "three", "four"}
	keys := []string{"user.created", "audit", "user.renamed", "user.deleted"}
	for i, d := range s.read(t, "audit", 4) {
		wantEqual(t, "body", string(d.Body), bodies[i])
		wantEqual(t, "routing key", d.RoutingKey, keys[i])
		wantEqual(t, "offset", d.Headers["x-stream-offset"], any(int64(i)))
	}
	for i, rec := range s.records(t, "amqp.audit", 4) {
		wantEqual(t, "value", string(rec.Value), bodies[i])
		wantEqual(t, "key", string(rec.Key), keys[i])
		wantEqual(t, "offset", rec.Offset, int64(i))
	}
	for i, m := range s.messages(t, "AMQP_audit", 4) {
		wantEqual(t, "data", string(m.Data()), bodies[i])
		wantEqual(t, "subject", m.Subject(), "$AMQP.queue.audit."+keys[i])
		wantEqual(t, "sequence", sequence(t, m), uint64(i)+1)
	}
}

// A JetStream stream is a stream queue and a topic; a key that it does not capture is refused.
func TestCrossdoorJetStream(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.*"}})
	must(t, err)
	_, err = js.Publish(within(t), "orders.new", []byte("one"))
	must(t, err)
	r.publish("amq.nats", "orders.paid", "two")
	k := s.kafka()
	produce(t, k, record("nats.ORDERS", "orders.sent", "three"))

	bodies := []string{"one", "two", "three"}
	keys := []string{"orders.new", "orders.paid", "orders.sent"}
	for i, m := range s.messages(t, "ORDERS", 3) {
		wantEqual(t, "data", string(m.Data()), bodies[i])
		wantEqual(t, "subject", m.Subject(), keys[i])
		wantEqual(t, "sequence", sequence(t, m), uint64(i)+1)
	}
	for i, d := range s.read(t, "amq.nats.ORDERS", 3) {
		wantEqual(t, "body", string(d.Body), bodies[i])
		wantEqual(t, "routing key", d.RoutingKey, keys[i])
		wantEqual(t, "offset", d.Headers["x-stream-offset"], any(int64(i)))
	}
	for i, rec := range s.records(t, "nats.ORDERS", 3) {
		wantEqual(t, "value", string(rec.Value), bodies[i])
		wantEqual(t, "key", string(rec.Key), keys[i])
		wantEqual(t, "offset", rec.Offset, int64(i))
	}

	for _, key := range []string{"", "other", "orders", "orders.a.b", "orders.*", "orders..x"} {
		err := k.ProduceSync(within(t), record("nats.ORDERS", key, "lost")).FirstErr()
		if !errors.Is(err, kerr.InvalidRecord) {
			t.Errorf("a record with key %q: %v", key, err)
		}
	}
	wantClosed(t, s, amqp.PreconditionFailed, func(ch *amqp.Channel) error {
		return ch.PublishWithContext(within(t), "", "amq.nats.ORDERS", false, false, amqp.Publishing{})
	})
	stream, err := js.Stream(within(t), "ORDERS")
	must(t, err)
	wantEqual(t, "messages", stream.CachedInfo().State.Msgs, 3)
}

// wantClosed runs f on a channel of its own, which must be closed with that code.
func wantClosed(t *testing.T, s *server, code int, f func(ch *amqp.Channel) error) {
	t.Helper()
	r := s.rabbitFor(t)
	defer r.conn.Close()
	closed := r.ch.NotifyClose(make(chan *amqp.Error, 1))
	err := f(r.ch)
	var e *amqp.Error
	if err == nil {
		select {
		case e = <-closed:
		case <-time.After(patience):
		}
	} else {
		errors.As(err, &e)
	}
	if e == nil || e.Code != code {
		t.Errorf("closed with %v, %v; want %d", err, e, code)
	}
}

// A bucket is a compacted topic, in which a delete is a tombstone, and a stream queue.
func TestCrossdoorBucket(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	kv, err := js.CreateKeyValue(within(t), jetstream.KeyValueConfig{Bucket: "settings"})
	must(t, err)
	_, err = kv.PutString(within(t), "color", "blue")
	must(t, err)
	_, err = kv.PutString(within(t), "size", "7")
	must(t, err)
	must(t, kv.Delete(within(t), "color"))

	recs := s.records(t, "nats.KV_settings", 2) // the first value of color is gone: history is 1
	wantEqual(t, "key", string(recs[0].Key), "$KV.settings.size")
	wantEqual(t, "value", string(recs[0].Value), "7")
	wantEqual(t, "offset", recs[0].Offset, int64(1))
	wantEqual(t, "key", string(recs[1].Key), "$KV.settings.color")
	if recs[1].Value != nil {
		t.Errorf("a delete has value %q, want none", recs[1].Value)
	}
	configs, err := kadm.NewClient(s.kafka()).DescribeTopicConfigs(within(t), "nats.KV_settings")
	must(t, err)
	for _, c := range configs[0].Configs {
		if c.Key == "cleanup.policy" {
			wantEqual(t, "cleanup.policy", *c.Value, "compact")
		}
	}
	ds := s.read(t, "amq.nats.KV_settings", 2)
	wantEqual(t, "routing key", ds[1].RoutingKey, "$KV.settings.color")
	wantEqual(t, "body", string(ds[1].Body), "")

	produce(t, s.kafka(), record("nats.KV_settings", "$KV.settings.color", "red"))
	e, err := kv.Get(within(t), "color")
	must(t, err)
	wantEqual(t, "value", string(e.Value()), "red")
}

// What another door made cannot be created, changed or deleted, and is marked as not one's own.
func TestCrossdoorOwnership(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	r := s.rabbit()
	s.topic(t, "theirs", 1, nil)
	r.streamQueue("ours")
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	must(t, err)
	admin := kadm.NewClient(s.kafka())

	t.Run("Kafka", func(t *testing.T) {
		deleted, err := admin.DeleteTopics(within(t), "amqp.ours", "nats.S")
		must(t, err)
		for _, d := range deleted {
			if !errors.Is(d.Err, kerr.TopicAuthorizationFailed) {
				t.Errorf("delete %s: %v", d.Topic, d.Err)
			}
		}
		parts, err := admin.CreatePartitions(within(t), 1, "nats.S")
		must(t, err)
		if err := parts["nats.S"].Err; !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("create partitions: %v", err)
		}
		all, err := admin.ListTopicsWithInternal(within(t))
		must(t, err)
		for name, internal := range map[string]bool{"theirs": false, "amqp.ours": true, "nats.S": true} {
			if d, ok := all[name]; !ok || d.IsInternal != internal {
				t.Errorf("topic %s: listed %v, internal %v", name, ok, d.IsInternal)
			}
		}
	})
	t.Run("AMQP", func(t *testing.T) {
		for _, q := range []string{"amq.kafka.theirs", "amq.nats.S"} {
			wantClosed(t, s, amqp.AccessRefused, func(ch *amqp.Channel) error {
				_, err := ch.QueueDelete(q, false, false, false)
				return err
			})
			_, err := r.ch.QueueDeclarePassive(q, true, false, false, false, nil)
			must(t, err)
		}
		wantClosed(t, s, amqp.AccessRefused, func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("amq.kafka.mine", true, false, false, false, amqp.Table{"x-queue-type": "stream"})
			return err
		})
	})
	t.Run("NATS", func(t *testing.T) {
		for _, name := range []string{"KAFKA_theirs", "AMQP_ours"} {
			if err := js.DeleteStream(within(t), name); err == nil {
				t.Errorf("%s was deleted", name)
			}
			if _, err := js.UpdateStream(within(t), jetstream.StreamConfig{Name: name, Subjects: []string{"x"}}); err == nil {
				t.Errorf("%s was changed", name)
			}
			stream, err := js.Stream(within(t), name)
			must(t, err)
			if err := stream.Purge(within(t)); err == nil {
				t.Errorf("%s was purged", name)
			}
		}
		for i, subject := range []string{"$KAFKA.>", "$KAFKA.theirs.>", "$AMQP.queue.ours.x"} {
			_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: fmt.Sprint("THIEF", i), Subjects: []string{subject}})
			if err == nil {
				t.Errorf("a stream captures %s", subject)
			}
		}
	})
}

// Equal names made by different doors never meet; and who makes something of his own under
// another door's reserved name, has it.
func TestCrossdoorEqualNames(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	s.topic(t, "same", 1, nil)
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "same", Subjects: []string{"same"}})
	must(t, err)
	r.queue("same", nil)
	r.exchange("same", "fanout")

	produce(t, s.kafka(), record("same", "", "kafka"))
	_, err = js.Publish(within(t), "same", []byte("nats"))
	must(t, err)
	r.publish("", "same", "amqp")

	wantEqual(t, "record", string(s.records(t, "same", 1)[0].Value), "kafka")
	wantEqual(t, "message", string(s.messages(t, "same", 1)[0].Data()), "nats")
	d, ok, err := r.ch.Get("same", true)
	must(t, err)
	if !ok || string(d.Body) != "amqp" {
		t.Errorf("got %v %s", ok, d.Body)
	}
	wantEqual(t, "messages left in the queue", r.ready("same"), 0)

	s.topic(t, "nats.same", 1, nil)
	produce(t, s.kafka(), record("nats.same", "", "really kafka"))
	wantEqual(t, "record", string(s.records(t, "nats.same", 1)[0].Value), "really kafka")
	wantEqual(t, "message", string(s.messages(t, "same", 1)[0].Data()), "nats")
}

// One dedup window, whichever door each copy comes through.
func TestCrossdoorDeduplication(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	stream, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "D", Subjects: []string{"d.*"}, Duplicates: time.Minute})
	must(t, err)
	k := s.kafka()
	send := map[string]func(id string) (offset int64){
		"nats": func(id string) int64 {
			ack, err := js.Publish(within(t), "d.x", nil, jetstream.WithMsgID(id))
			must(t, err)
			return int64(ack.Sequence) - 1
		},
		"amqp": func(id string) int64 {
			r.send("amq.nats", "d.x", amqp.Publishing{Headers: amqp.Table{"Nats-Msg-Id": id}})
			return -1
		},
		"kafka": func(id string) int64 {
			rec := record("nats.D", "d.x", "")
			rec.Headers = []kgo.RecordHeader{{Key: "Nats-Msg-Id", Value: []byte(id)}}
			produce(t, k, rec)
			return rec.Offset
		},
	}
	doors := []string{"nats", "amqp", "kafka"}
	for i, first := range doors {
		id := "id-of-" + first
		send[first](id)
		for _, again := range doors {
			if o := send[again](id); o >= 0 && o != int64(i) {
				t.Errorf("first through %s, again through %s: offset %d, want %d", first, again, o, i)
			}
		}
		info, err := stream.Info(within(t))
		must(t, err)
		wantEqual(t, "messages", info.State.Msgs, uint64(i)+1)
	}
	ack, err := js.Publish(within(t), "d.x", nil, jetstream.WithMsgID("id-of-kafka"))
	must(t, err)
	wantEqual(t, "duplicate", ack.Duplicate, true)
}

// A stream queue names the header that holds its ids for AMQP; the window is the same for all doors, and survives
// a crash. So does an exchange for a stream of another door.
func TestCrossdoorDeduplicationHeader(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	r.queue("orders", amqp.Table{"x-queue-type": "stream", "x-message-deduplication": true, "x-deduplication-header": "order-id", "x-cache-ttl": 3_600_000})
	must(t, r.ch.ExchangeDeclare("by-order", "topic", true, false, false, false, amqp.Table{"x-deduplication-header": "order-id"}))
	must(t, r.ch.ExchangeBind("amq.nats", "d.*", "by-order", false, nil))
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "D", Subjects: []string{"d.*"}, Duplicates: time.Hour})
	must(t, err)
	places := []struct {
		exchange, key, topic, recordKey, subject, stream string
	}{
		{"", "orders", "amqp.orders", "orders", "$AMQP.queue.orders.orders", "AMQP_orders"},
		{"by-order", "d.x", "nats.D", "d.x", "d.x", "D"},
	}
	for _, p := range places {
		t.Run(p.stream, func(t *testing.T) {
			r, js := s.rabbit(), s.jetstream(t)
			send := map[string]func(id string){
				"amqp": func(id string) {
					r.send(p.exchange, p.key, amqp.Publishing{Body: []byte("amqp"), Headers: amqp.Table{"order-id": id}})
				},
				"kafka": func(id string) {
					rec := record(p.topic, p.recordKey, "kafka")
					rec.Headers = []kgo.RecordHeader{{Key: "Nats-Msg-Id", Value: []byte(id)}}
					produce(t, s.kafka(), rec)
				},
				"nats": func(id string) {
					m := nats.NewMsg(p.subject)
					m.Data = []byte("nats")
					m.Header.Set("Nats-Msg-Id", id)
					_, err := js.PublishMsg(within(t), m)
					must(t, err)
				},
			}
			doors := []string{"amqp", "kafka", "nats"}
			all := func() {
				for _, first := range doors {
					send[first]("order of " + first)
					for _, again := range doors {
						send[again]("order of " + first)
					}
				}
			}
			all()
			s.crash(t)
			r, js = s.rabbit(), s.jetstream(t)
			all()
			info, err := js.Stream(within(t), p.stream)
			must(t, err)
			wantEqual(t, "messages", info.CachedInfo().State.Msgs, 3)
			for i, m := range s.messages(t, p.stream, 3) {
				wantEqual(t, "message", string(m.Data()), doors[i])
			}
		})
	}
}

// A classic queue drops what it has, whichever door each copy came through.
func TestCrossdoorDeduplicationQueue(t *testing.T) {
	s := startCrossdoor(t)
	r, nc := s.rabbit(), s.nats()
	r.queue("jobs", amqp.Table{"x-message-deduplication": true})
	r.bind("jobs", "job.*", "amq.nats")
	must(t, r.ch.ExchangeDeclare("once", "x-message-deduplication", true, false, false, false, amqp.Table{"x-cache-size": 10}))
	r.queue("fan", nil)
	r.bind("fan", "", "once")
	publish := func(subject, body, id string) {
		m := nats.NewMsg(subject)
		m.Data = []byte(body)
		m.Header.Set("Nats-Msg-Id", id)
		must(t, nc.PublishMsg(m))
		must(t, nc.Flush())
	}
	r.send("", "jobs", amqp.Publishing{Body: []byte("1"), Headers: amqp.Table{"x-deduplication-header": "a"}})
	publish("job.x", "2", "a")
	publish("job.x", "3", "b")
	r.send("", "jobs", amqp.Publishing{Body: []byte("4"), Headers: amqp.Table{"x-deduplication-header": "b"}})
	r.send("once", "", amqp.Publishing{Body: []byte("1"), Headers: amqp.Table{"x-deduplication-header": "a"}})
	publish("$AMQP.exchange.once.k", "2", "a")
	publish("$AMQP.exchange.once.k", "3", "b")
	publish("job.last", "last", "")
	eventually(t, "the last one is there", func() bool { return r.ready("jobs") == 3 })
	for queue, want := range map[string]string{"jobs": "[1 3 last]", "fan": "[1 3]"} {
		var got []string
		for {
			d, ok, err := r.ch.Get(queue, true)
			must(t, err)
			if !ok {
				break
			}
			got = append(got, string(d.Body))
		}
		wantEqual(t, queue, fmt.Sprint(got), want)
	}
}

// The idempotent producer's sequence check and the ids work together: records that are known are left out, and
// neither a retry of the whole batch nor the next one is taken for anything else.
func TestCrossdoorDeduplicationIdempotent(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "D", Subjects: []string{"d.*"}, Duplicates: time.Hour})
	must(t, err)
	k := s.kafka() // idempotent, as kgo is unless told otherwise
	batch := func(ids ...string) (offsets []int64) {
		var recs []*kgo.Record
		for _, id := range ids {
			rec := record("nats.D", "d.x", id)
			if id != "" {
				rec.Headers = []kgo.RecordHeader{{Key: "Nats-Msg-Id", Value: []byte(id)}}
			}
			recs = append(recs, rec)
		}
		produce(t, k, recs...)
		for _, r := range recs {
			offsets = append(offsets, r.Offset)
		}
		return offsets
	}
	batch("a", "b", "")
	batch("a", "b")     // all known
	batch("b", "c", "") // the first one known
	batch("a")          // all known
	s.crash(t)
	batch("d")
	batch("d")
	batch("")
	info, err := s.jetstream(t).Stream(within(t), "D")
	must(t, err)
	wantEqual(t, "messages", info.CachedInfo().State.Msgs, 7)
}

// Readers of three protocols keep three positions.
func TestCrossdoorPositionsAreSeparate(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	s.topic(t, "events", 1, nil)
	k := s.kafka()
	for i := range 10 {
		produce(t, k, record("events", "", fmt.Sprint(i)))
	}
	c, err := js.CreateConsumer(within(t), "KAFKA_events", jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy})
	must(t, err)
	fetch(t, c, 4, func(m jetstream.Msg) { must(t, m.DoubleAck(within(t))) })

	group := s.kafka(kgo.ConsumeTopics("events"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit())
	var last *kgo.Record
	poll(t, group, 7, func(r *kgo.Record) { last = r })
	must(t, group.CommitRecords(within(t), last))
	group.CloseAllowingRebalance()

	s.crash(t)
	js = s.jetstream(t)
	c, err = js.Consumer(within(t), "KAFKA_events", "d")
	must(t, err)
	fetch(t, c, 1, func(m jetstream.Msg) { wantEqual(t, "NATS resumes at", string(m.Data()), "4") })
	group = s.kafka(kgo.ConsumeTopics("events"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit())
	first := ""
	poll(t, group, 1, func(r *kgo.Record) { first = string(r.Value) })
	wantEqual(t, "Kafka resumes at", first, "7")
	wantEqual(t, "AMQP begins at", string(s.read(t, "amq.kafka.events", 1)[0].Body), "0")
}

package amqp

import (
	"bytes"
	"context"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// everything is a message with all properties and every type of header that the client knows.
func everything(body []byte) amqp091.Publishing {
	return amqp091.Publishing{
		Headers: amqp091.Table{
			"bool": true, "byte": byte(7), "int8": int8(-7), "int16": int16(-300), "int32": int32(-70000), "int64": int64(math.MinInt64),
			"float": float32(1.5), "double": 2.5, "decimal": amqp091.Decimal{Scale: 2, Value: 314}, "string": "text", "bytes": []byte{0, 1, 255},
			"time": time.Unix(1<<33, 0).UTC(), "void": nil, "table": amqp091.Table{"inner": "x"}, "array": []any{"a", int32(1), nil},
		},
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp091.Persistent, Priority: 5, CorrelationId: "corr",
		ReplyTo: "back", Expiration: "600000", MessageId: "id-1", Timestamp: time.Unix(1700000000, 0).UTC(), Type: "kind", UserId: "guest",
		AppId: "app", Body: body,
	}
}

func sameMessage(t *testing.T, d amqp091.Delivery, p amqp091.Publishing) {
	t.Helper()
	got := amqp091.Publishing{
		Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority,
		CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp.UTC(),
		Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body,
	}
	if v, ok := got.Headers["time"].(time.Time); ok {
		got.Headers["time"] = v.UTC()
	}
	if !reflect.DeepEqual(got.Headers, p.Headers) {
		t.Errorf("headers %v, want %v", got.Headers, p.Headers)
	}
	got.Headers, p.Headers = nil, nil
	if !bytes.Equal(got.Body, p.Body) {
		t.Errorf("body of %d octets, want %d", len(got.Body), len(p.Body))
	}
	got.Body, p.Body = nil, nil
	if !reflect.DeepEqual(got, p) {
		t.Errorf("got  %+v\nwant %+v", got, p)
	}
}

// What one client publishes is what the other gets, property by property, whatever the
// size: in part of a frame, in one, in many.
func TestMessageIsKept(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	c.must(c.QueueBind("q", "key", "amq.direct", false, nil))
	ds := c.subscribe("q")
	for _, size := range []int{0, 1, 100, 4096, 131063, 131064, 131065, 1 << 20, 5_000_001} {
		p := everything(bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size])
		c.publish("amq.direct", "key", p)
		d := next(t, ds)
		sameMessage(t, d, p)
		if d.Exchange != "amq.direct" || d.RoutingKey != "key" || d.Redelivered {
			t.Errorf("exchange %q, key %q, redelivered %v", d.Exchange, d.RoutingKey, d.Redelivered)
		}
		c.must(d.Ack(false))
	}
}

func TestMessageTooLarge(t *testing.T) {
	b := serve(t, Options{MaxMessageSize: 1000})
	got := outcome(t, b.url(), func(c *client) error {
		return c.Publish("", "q", false, false, amqp091.Publishing{Body: make([]byte, 200_001)})
	})
	equal(t, "refusal", got, "406 channel PRECONDITION_FAILED - message size 200001 is larger than configured max size 1000")
}

// Interleaved channels with bodies in many frames do not mix.
func TestManyChannelsAtOnce(t *testing.T) {
	b := serve(t, Options{})
	conn, err := amqp091.DialConfig(b.url(), amqp091.Config{FrameSize: frameMinSize})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var wg sync.WaitGroup
	for n := range 8 {
		c := &client{t, channelOf(t, conn), conn}
		name := "q" + string(rune('0'+n))
		c.queue(name, nil)
		c.must(c.Confirm(false))
		wg.Go(func() {
			want := bytes.Repeat([]byte{byte(n)}, 50_000)
			for i := range 20 {
				conf, err := c.PublishWithDeferredConfirm("", name, false, false, amqp091.Publishing{Body: want[:len(want)-i], DeliveryMode: uint8(1 + i%2)})
				if err != nil {
					t.Error(err)
					return
				}
				if ok, err := conf.WaitContext(context.Background()); !ok || err != nil {
					t.Error("not confirmed", err)
				}
			}
			ds, err := c.Consume(name, "", true, false, false, false, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 20 {
				if d := <-ds; !bytes.Equal(d.Body, want[:len(want)-i]) {
					t.Errorf("%s: message %d has %d octets of %v", name, i, len(d.Body), d.Body[:1])
				}
			}
		})
	}
	wg.Wait()
}

// Confirms come in order, each number once; many at a time cost few frames.
func TestConfirmsReachTheClient(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	c.must(c.Confirm(false))
	const n = 5000
	acks := c.NotifyPublish(make(chan amqp091.Confirmation, n))
	for i := range n {
		key := "q"
		if i%7 == 0 {
			key = "nowhere" // unroutable is confirmed too
		}
		c.publish("", key, amqp091.Publishing{Body: []byte("x"), DeliveryMode: uint8(1 + i%3/2)})
	}
	for i := range n {
		select {
		case a := <-acks:
			if a.DeliveryTag != uint64(i+1) || !a.Ack {
				t.Fatalf("confirm %d is %+v", i+1, a)
			}
		case <-time.After(patience):
			t.Fatalf("%d of %d confirms", i, n)
		}
	}
	q, err := c.QueueDeclarePassive("q", true, false, false, false, nil)
	c.must(err)
	equal(t, "messages", q.Messages, n-(n+6)/7)
}

// A mandatory message without a destination comes back before it is confirmed.
func TestMandatory(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	// The client hands both on in the order in which they came, if nothing is buffered.
	returns := c.NotifyReturn(make(chan amqp091.Return))
	acks := c.NotifyPublish(make(chan amqp091.Confirmation))
	p := everything([]byte("body"))
	c.must(c.Publish("amq.topic", "no.where", true, false, p))
	var r amqp091.Return
	select {
	case r = <-returns:
	case <-acks:
		t.Fatal("confirmed before it is returned")
	}
	equal(t, "confirm", (<-acks).Ack, true)
	sameMessage(t, amqp091.Delivery{
		Headers: r.Headers, ContentType: r.ContentType, ContentEncoding: r.ContentEncoding, DeliveryMode: r.DeliveryMode, Priority: r.Priority,
		CorrelationId: r.CorrelationId, ReplyTo: r.ReplyTo, Expiration: r.Expiration, MessageId: r.MessageId, Timestamp: r.Timestamp,
		Type: r.Type, UserId: r.UserId, AppId: r.AppId, Body: r.Body,
	}, p)
	if r.ReplyCode != 312 || r.ReplyText != "NO_ROUTE" || r.Exchange != "amq.topic" || r.RoutingKey != "no.where" {
		t.Errorf("%+v", r)
	}
}

// One queue of several that refuses makes the publish fail; the others keep it.
func TestRejectPublish(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("full", amqp091.Table{"x-max-length": 2, "x-overflow": "reject-publish"})
	c.queue("open", nil)
	for _, q := range []string{"full", "open"} {
		c.must(c.QueueBind(q, "", "amq.fanout", false, nil))
	}
	c.must(c.Confirm(false))
	acks := c.NotifyPublish(make(chan amqp091.Confirmation, 10))
	c.send("amq.fanout", "", "1", "2", "3", "4")
	var got []bool
	for range 4 {
		got = append(got, (<-acks).Ack)
	}
	equal(t, "acks", got, "[true true false false]")
	equal(t, "full", c.drain("full"), "[1 2]")
	equal(t, "open", c.drain("open"), "[1 2 3 4]")
}

func TestCarbonCopies(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	for _, q := range []string{"q1", "q2", "q3", "q4"} {
		c.queue(q, nil)
	}
	c.publish("", "q1", amqp091.Publishing{
		Body: []byte("m"), Headers: amqp091.Table{"CC": []any{"q2", "q1"}, "BCC": []any{"q3", "q2"}, "other": "x"},
	})
	for _, q := range []string{"q1", "q2", "q3"} {
		d := c.get(q)
		if d == nil {
			t.Errorf("%s got nothing", q)
			continue
		}
		equal(t, q, d.Headers, amqp091.Table{"CC": []any{"q2", "q1"}, "other": "x"})
		equal(t, "key", d.RoutingKey, "q1")
		equal(t, "more", c.drain(q), "[]")
	}
	equal(t, "q4", c.drain("q4"), "[]")
}

// What a read holds is stored in order, publishes and acks alike, over all sizes of reads.
func TestOrder(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	var want []string
	for i := range 3000 {
		body := strings.Repeat(string(rune('a'+i%26)), i%300)
		want = append(want, body)
		c.send("", "q", body)
	}
	equal(t, "messages", reflect.DeepEqual(bodies(t, c.subscribe("q"), len(want)), want), true)
}

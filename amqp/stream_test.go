package amqp

import (
	"fmt"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"trivium/core"
)

// reader consumes a stream from an offset.
func (c *client) reader(queue string, prefetch int, offset any) <-chan amqp091.Delivery {
	c.t.Helper()
	c.must(c.Qos(prefetch, 0, false))
	args := amqp091.Table{}
	if offset != nil {
		args["x-stream-offset"] = offset
	}
	ds, err := c.Consume(queue, "", false, false, false, false, args)
	c.must(err)
	return ds
}

// log reads n messages of a stream as offset:body.
func logOf(t *testing.T, ds <-chan amqp091.Delivery, n int) (got []string) {
	t.Helper()
	for range n {
		d := next(t, ds)
		got = append(got, fmt.Sprintf("%v:%s", d.Headers["x-stream-offset"], d.Body))
		if d.Redelivered {
			t.Error("redelivered")
		}
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func TestStreamQueue(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	c.queue("log", amqp091.Table{"x-queue-type": "stream", "x-max-age": "1D", "x-max-length-bytes": 1 << 30})
	c.must(c.QueueBind("log", "a.#", "amq.topic", false, nil))
	c.confirmed("", "log", everything([]byte("m0")))
	c.confirmed("amq.topic", "a.b", amqp091.Publishing{Body: []byte("m1"), DeliveryMode: amqp091.Transient})
	for i := 2; i < 5; i++ {
		c.confirmed("", "log", amqp091.Publishing{Body: []byte(fmt.Sprint("m", i))})
	}
	q, err := c.QueueDeclarePassive("log", true, false, false, false, nil)
	c.must(err)
	equal(t, "messages", q.Messages, 5)
	later := time.Now().Add(time.Hour)
	for _, r := range []struct {
		offset any
		want   string
	}{
		{"first", "[0:m0 1:m1 2:m2 3:m3 4:m4]"},
		{int64(2), "[2:m2 3:m3 4:m4]"},
		{int32(-1), "[0:m0 1:m1 2:m2 3:m3 4:m4]"},
		{"last", "[4:m4]"},
		{"1h", "[0:m0 1:m1 2:m2 3:m3 4:m4]"},
		{time.Unix(0, 0), "[0:m0 1:m1 2:m2 3:m3 4:m4]"},
		{"next", "[]"}, {nil, "[]"}, {int64(1000), "[]"}, {later, "[]"},
	} {
		c := b.client()
		ds := c.reader("log", 10, r.offset)
		n := (len(r.want)) / 5
		equal(t, fmt.Sprint(r.offset), logOf(t, ds, n), r.want)
		quiet(t, c, ds)
	}
	// A message is what was published, with its offset among the headers.
	d := next(t, b.client().reader("log", 1, "first"))
	equal(t, "offset", d.Headers["x-stream-offset"], 0)
	delete(d.Headers, "x-stream-offset")
	sameMessage(t, d, everything([]byte("m0")))
}

// Acks are credit; reading removes nothing; each reader has its own place.
func TestStreamCredit(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("log", amqp091.Table{"x-queue-type": "stream"})
	ds := c.reader("log", 2, "first")
	c.send("", "log", "1", "2", "3", "4", "5")
	got := take(t, ds, 2)
	quiet(t, c, ds)
	c.must(got[0].Nack(false, true)) // gives credit only
	c.must(got[1].Reject(false))
	got = append(got, take(t, ds, 2)...)
	quiet(t, c, ds)
	c.must(got[3].Ack(true))
	equal(t, "messages", texts(append(got, next(t, ds))), "[1 2 3 4 5]")
	other := b.client()
	equal(t, "again", logOf(t, other.reader("log", 100, "first"), 5), "[0:1 1:2 2:3 3:4 4:5]")
	c.must(c.Close())
	equal(t, "after the first is gone", logOf(t, b.client().reader("log", 1, int64(3)), 2), "[3:4 4:5]")
}

// A reader's place ends with it: with its cancel, its channel, its connection.
func TestStreamReaderLeavesNothing(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("log", amqp091.Table{"x-queue-type": "stream"})
	c.send("", "log", "1", "2", "3")
	cursors := func() (n int) {
		b.core.Namespace(core.DefaultNamespace).Stream(Realm, "log").Cursors(func(*core.Cursor) bool { n++; return true })
		return n
	}
	c.must(c.Qos(2, 0, false))
	ds, err := c.Consume("log", "reader", false, false, false, false, amqp091.Table{"x-stream-offset": "first"})
	c.must(err)
	got := take(t, ds, 2)
	equal(t, "cursors", cursors(), 1)
	c.must(c.Cancel("reader", false))
	equal(t, "cursors after the cancel", cursors(), 0)
	c.must(got[0].Ack(false)) // still the channel's to settle
	c.reader("log", 1, "first")
	c.must(c.Channel.Close())
	equal(t, "cursors after the channel", cursors(), 0)
	c2 := b.client()
	c2.reader("log", 1, "first")
	c2.must(c2.conn.Close())
	equal(t, "cursors after the connection", cursors(), 0)
}

func TestStreamRestart(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	args := amqp091.Table{"x-queue-type": "stream", "x-max-length-bytes": 1 << 20}
	c.queue("log", args)
	c.must(c.QueueBind("log", "k", "amq.direct", false, nil))
	for i := range 3 {
		c.confirmed("amq.direct", "k", amqp091.Publishing{Body: []byte(fmt.Sprint(i)), DeliveryMode: amqp091.Transient})
	}
	b.restart()
	c = b.client()
	c.must(c.Confirm(false))
	c.queue("log", args)
	c.confirmed("amq.direct", "k", amqp091.Publishing{Body: []byte("3")})
	equal(t, "messages", logOf(t, c.reader("log", 10, "first"), 4), "[0:0 1:1 2:2 3:3]")
	_, err := c.QueueDelete("log", false, false, false)
	c.must(err)
	equal(t, "deleted", outcome(t, b.url(), func(c *client) error {
		_, err := c.QueueDeclarePassive("log", true, false, false, false, nil)
		return err
	}), "404 channel NOT_FOUND - no queue 'log' in vhost '/'")
}

// records is a format of another door's, for tests: Count messages, "key=value" each, between line ends.
type records struct{}

const recordFormat core.Format = 2

func (records) Format() core.Format { return recordFormat }

func (records) Messages(e *core.Entry, dst []core.Message) ([]core.Message, error) {
	rest := string(e.Data)
	for range e.Count {
		var line, key, value string
		line, rest = cut(rest, "\n")
		key, value = cut(line, "=")
		m := core.Message{Value: []byte(value), Time: e.Time, Headers: []core.Header{{Name: "priority", Value: []byte("7")}, {Name: "h", Value: []byte("x")}}}
		if key != "" {
			m.Key = []byte(key)
		}
		m.Hidden = value == "hidden"
		dst = append(dst, m)
	}
	return dst, nil
}

func cut(s, sep string) (before, after string) {
	for i := range len(s) {
		if s[i:i+1] == sep {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// Streams that another door made are read and written under reserved names, and nothing else.
func TestOtherDoorsStreams(t *testing.T) {
	b := serve(t, Options{})
	ns := b.core.Namespace(core.DefaultNamespace)
	var one, many *core.Stream
	err := b.core.Committed(func(tx *core.Tx) (err error) {
		if one, err = ns.CreateStream(tx, core.StreamConfig{Realm: "kafka", Name: "orders", Partitions: 1}); err != nil {
			return err
		}
		many, err = ns.CreateStream(tx, core.StreamConfig{Realm: "kafka", Name: "many", Partitions: 3})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.core.Committed(func(tx *core.Tx) error {
		_, err := one.Append(tx, 0, &core.Entry{Count: 4, Format: recordFormat, Data: []byte("k1=v1\nk2=hidden\n=v3\nk4=v4")}, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := b.client()
	c.must(c.Confirm(false))
	c.confirmed("", "amq.kafka.orders", amqp091.Publishing{Body: []byte("named")})
	c.confirmed("amq.kafka", "orders", amqp091.Publishing{Body: []byte("keyed"), Headers: amqp091.Table{"kafka-key": "k6"}})
	ds := c.reader("amq.kafka.orders", 10, "first")
	var got []string
	for range 5 {
		d := next(t, ds)
		got = append(got, fmt.Sprintf("%v:%s %s>%s %d", d.Headers["x-stream-offset"], d.Body, d.Exchange, d.RoutingKey, d.Priority))
		c.must(d.Ack(false))
	}
	equal(t, "messages", got, "[0:v1 amq.kafka>k1 7 2:v3 amq.kafka> 7 3:v4 amq.kafka>k4 7 4:named >amq.kafka.orders 0 5:keyed amq.kafka>orders 0]")
	// What is stored has the record's key.
	for o, want := range map[core.Offset]string{4: "", 5: "k6"} {
		e, err := one.Get(0, o)
		c.must(err)
		equal(t, "key", string(e.Key), want)
	}
	// Several partitions: an exchange that chooses by the key as Kafka's clients do, and a queue for each.
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		c.confirmed("amq.kafka.many", key, amqp091.Publishing{Body: []byte(key)})
	}
	for p := range 3 {
		n := int(many.Log(p).Messages())
		d := logOf(t, b.client().reader(fmt.Sprintf("amq.kafka.many-%d", p), 10, "first"), n)
		for i, m := range d {
			key := m[len(m)-1:]
			if want := many.PartitionOf([]byte(key)); want != p || m != fmt.Sprintf("%d:%s", i, key) {
				t.Errorf("partition %d holds %s", p, m)
			}
		}
	}
	for name, do := range map[string]func(c *client) error{
		"delete": func(c *client) error { _, err := c.QueueDelete("amq.kafka.orders", false, false, false); return err },
		"declare": func(c *client) error {
			_, err := c.QueueDeclare("amq.kafka.orders", true, false, false, false, nil)
			return err
		},
		"delete exchange": func(c *client) error {
			return c.ExchangeDelete("amq.kafka.many", false, false)
		},
	} {
		if got := outcome(t, b.url(), do); got[:11] != "403 channel" {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, do := range map[string]func(c *client) error{
		"passive": func(c *client) error {
			_, err := c.QueueDeclarePassive("amq.kafka.orders", true, false, false, false, nil)
			return err
		},
		"passive exchange": func(c *client) error {
			return c.ExchangeDeclarePassive("amq.kafka.many", "direct", true, false, false, false, nil)
		},
		"topic exchange": func(c *client) error {
			return c.ExchangeDeclarePassive("amq.kafka", "direct", true, false, false, false, nil)
		},
	} {
		equal(t, name, outcome(t, b.url(), do), "ok")
	}
	equal(t, "no such partition", outcome(t, b.url(), func(c *client) error {
		_, err := c.QueueDeclarePassive("amq.kafka.many-3", true, false, false, false, nil)
		return err
	}), "404 channel NOT_FOUND - no queue 'amq.kafka.many-3' in vhost '/'")
}

// Consumers of a stream get what their filter asks for, and credit for what it passes over.
func TestStreamFilter(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	c.queue("log", amqp091.Table{"x-queue-type": "stream", "x-stream-filter-size-bytes": 32})
	var last *amqp091.DeferredConfirmation
	publish := func(body string, headers amqp091.Table) {
		var err error
		last, err = c.PublishWithDeferredConfirm("", "log", false, false, amqp091.Publishing{Body: []byte(body), Headers: headers})
		c.must(err)
	}
	const rounds = 200
	for i := range rounds {
		for _, v := range []string{"de", "fr", "uk"} {
			publish(fmt.Sprint(v, i), amqp091.Table{"x-stream-filter-value": v, "other": "x"})
		}
		publish(fmt.Sprint("none", i), nil)
		publish(fmt.Sprint("number", i), amqp091.Table{"x-stream-filter-value": int32(7)})
	}
	publish("end-de", amqp091.Table{"x-stream-filter-value": "de"})
	if !last.Wait() {
		t.Fatal("not confirmed")
	}
	for _, f := range []struct {
		name   string
		args   amqp091.Table
		values []string
	}{
		{"one", amqp091.Table{"x-stream-filter": "de"}, []string{"de"}},
		{"two", amqp091.Table{"x-stream-filter": []any{"uk", "de"}}, []string{"de", "uk"}},
		{"unfiltered too", amqp091.Table{"x-stream-filter": "de", "x-stream-match-unfiltered": true}, []string{"de", "none", "number"}},
		{"not unfiltered", amqp091.Table{"x-stream-filter": "de", "x-stream-match-unfiltered": false}, []string{"de"}},
		{"none", nil, []string{"de", "fr", "uk", "none", "number"}},
		{"no filter, unfiltered", amqp091.Table{"x-stream-match-unfiltered": true}, []string{"de", "fr", "uk", "none", "number"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			c := b.client()
			c.must(c.Qos(3, 0, false)) // less than is passed over in a row
			args := amqp091.Table{"x-stream-offset": "first"}
			for k, v := range f.args {
				args[k] = v
			}
			ds, err := c.Consume("log", "", false, false, false, false, args)
			c.must(err)
			var want []string
			for i := range rounds {
				for _, v := range f.values {
					want = append(want, fmt.Sprint(v, i))
				}
			}
			want = append(want, "end-de")
			equal(t, "messages", bodies(t, ds, len(want)), want)
			quiet(t, c, ds)
		})
	}
}

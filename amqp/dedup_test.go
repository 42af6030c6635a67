package amqp

import (
	"context"
	"fmt"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// Deduplication as users of the plugin rabbitmq-message-deduplication know it, and as LavinMQ extends it.

// identified is a message with an id.
func identified(id any, body string) amqp091.Publishing {
	return amqp091.Publishing{Body: []byte(body), DeliveryMode: amqp091.Persistent, Headers: amqp091.Table{"x-deduplication-header": id}}
}

func (c *client) exchange(name, typ string, args amqp091.Table) {
	c.t.Helper()
	c.must(c.ExchangeDeclare(name, typ, true, false, false, false, args))
}

func (c *client) bind(queue, key, exchange string) {
	c.t.Helper()
	c.must(c.QueueBind(queue, key, exchange, false, nil))
}

// confirm publishes and waits for the confirmation.
func (c *client) confirm(exchange, key string, mandatory bool, p amqp091.Publishing) bool {
	c.t.Helper()
	d, err := c.PublishWithDeferredConfirmWithContext(context.Background(), exchange, key, mandatory, false, p)
	c.must(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ok, err := d.WaitContext(ctx)
	c.must(err)
	return ok
}

// A queue with deduplication does not take what is in it already, delivered or not; what has left it
// is forgotten.
func TestDedupQueue(t *testing.T) {
	for _, typ := range []string{"classic", "quorum"} {
		t.Run(typ, func(t *testing.T) {
			b := serve(t, Options{})
			c := b.client()
			c.must(c.Confirm(false))
			c.queue("q", amqp091.Table{"x-message-deduplication": true, "x-queue-type": typ})
			c.queue("plain", nil)
			for _, p := range []amqp091.Publishing{identified("a", "1"), identified("b", "2"), identified("a", "3"), {Body: []byte("4"), DeliveryMode: 2}, {Body: []byte("5"), DeliveryMode: 2}} {
				equal(t, "confirmed", c.confirm("", "q", true, p), true)
			}
			ds := c.subscribe("q")
			got := take(t, ds, 4)
			equal(t, "delivered", fmt.Sprintf("%s %s %s %s", got[0].Body, got[1].Body, got[2].Body, got[3].Body), "1 2 4 5")
			equal(t, "confirmed", c.confirm("", "q", true, identified("a", "6")), true)
			c.must(got[0].Nack(false, true)) // back into the queue: still known
			again := next(t, ds)
			equal(t, "again", string(again.Body), "1")
			c.confirm("", "q", true, identified("a", "7"))
			c.must(again.Ack(false))
			c.must(got[1].Ack(false))
			c.must(got[2].Ack(false))
			c.must(got[3].Ack(false))
			c.must(c.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil)) // the acks are done
			c.confirm("", "q", true, identified("a", "8"))
			equal(t, "after the ack", string(next(t, ds).Body), "8")
			c.must(c.Close())

			b.restart() // 8 is unsettled
			c = b.client()
			c.must(c.Confirm(false))
			c.confirm("", "q", true, identified("a", "9"))
			c.confirm("", "q", true, identified("c", "10"))
			n, err := c.QueuePurge("q", false)
			c.must(err)
			equal(t, "in the queue after the restart", n, 2)
			c.confirm("", "q", true, identified("a", "11"))
			equal(t, "after the purge", c.drain("q"), "[11]")
		})
	}
}

// What expires and what is dead-lettered leaves the queue too; a queue that dead letters go to knows them
// by the same header.
func TestDedupDeadLetters(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	c.queue("dead", amqp091.Table{"x-message-deduplication": true})
	c.queue("q", amqp091.Table{"x-message-deduplication": true, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
	ds := c.subscribe("q")
	for range 2 {
		c.confirm("", "q", true, identified("a", "x"))
		d := next(t, ds)
		c.must(d.Reject(false))
	}
	c.confirm("", "q", true, identified("b", "y"))
	d := next(t, ds)
	c.must(d.Reject(false))
	wait(t, "b is dead", func() bool {
		q, err := c.QueueDeclarePassive("dead", true, false, false, false, nil)
		c.must(err)
		return q.Messages == 2
	})
	equal(t, "dead", c.drain("dead"), "[x y]")
}

// The exchange type x-message-deduplication is a fanout that routes what it did not have yet. A duplicate is
// confirmed; it has no destination.
func TestDedupExchange(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	returns := c.NotifyReturn(make(chan amqp091.Return, 10))
	args := amqp091.Table{"x-cache-size": 3, "x-cache-ttl": 60_000, "x-cache-persistence": "memory"}
	c.exchange("x", "x-message-deduplication", args)
	c.exchange("x", "x-message-deduplication", args) // again
	c.queue("q", nil)
	c.bind("q", "whatever", "x")
	send := func(p amqp091.Publishing) (returned bool) {
		equal(t, "confirmed", c.confirm("x", "", true, p), true)
		select {
		case <-returns:
			return true
		default:
			return false
		}
	}
	equal(t, "first", send(identified("a", "1")), false)
	equal(t, "again", send(identified("a", "2")), true)
	equal(t, "the number is another id than the text", send(identified("5", "3")), false)
	equal(t, "number", send(identified(int32(5), "4")), false)
	equal(t, "without", send(amqp091.Publishing{Body: []byte("5")}), false)
	equal(t, "without", send(amqp091.Publishing{Body: []byte("6")}), false)
	equal(t, "a table is no id", send(identified(amqp091.Table{"k": "v"}, "7")), false)
	equal(t, "a table is no id", send(identified(amqp091.Table{"k": "v"}, "8")), false)
	equal(t, "the fourth pushes the first out", send(identified("b", "9")), false)
	equal(t, "forgotten", send(identified("a", "10")), false)
	equal(t, "known", send(identified("b", "11")), true)
	short := identified("short", "12")
	short.Headers["x-cache-ttl"] = int32(1)
	equal(t, "short", send(short), false)
	wait(t, "the message's own time is over", func() bool { return !send(short) })
	equal(t, "in the queue", c.drain("q"), "[1 3 4 5 6 7 8 9 10 12 12]")
	c.must(c.Close())

	b.restart()
	c = b.client()
	c.must(c.Confirm(false))
	c.confirm("x", "", false, identified("b", "late"))
	c.confirm("x", "", false, identified("c", "new"))
	equal(t, "after a restart", c.drain("q"), "[new]")
}

// An exchange of any type deduplicates if it is told to; others that are bound to it, and an alternate exchange,
// get what it refuses only if they are asked themselves.
func TestDedupAnyExchange(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	c.exchange("rest", "fanout", nil)
	c.exchange("first", "topic", amqp091.Table{"x-message-deduplication": true, "x-deduplication-header": "order-id", "alternate-exchange": "rest"})
	c.exchange("second", "direct", amqp091.Table{"x-message-deduplication": true, "x-deduplication-header": "message-id", "x-cache-ttl": 60_000})
	c.must(c.ExchangeBind("second", "k.#", "first", false, nil))
	for queue, exchange := range map[string]string{"q1": "first", "q2": "second", "q3": "rest"} {
		c.queue(queue, nil)
		c.bind(queue, "k.1", exchange)
	}
	msg := func(order, id, body string) amqp091.Publishing {
		return amqp091.Publishing{Body: []byte(body), MessageId: id, Headers: amqp091.Table{"order-id": order}}
	}
	c.confirm("first", "k.1", false, msg("o1", "m1", "1"))
	c.confirm("first", "k.1", false, msg("o1", "m1", "2")) // known to first: to the alternate
	c.confirm("first", "k.1", false, msg("o2", "m1", "3")) // known to second
	c.confirm("second", "k.1", false, msg("o1", "m2", "4"))
	c.confirm("second", "k.1", false, msg("o3", "m2", "5"))
	equal(t, "q1", c.drain("q1"), "[1 3]")
	equal(t, "q2", c.drain("q2"), "[1 4]")
	equal(t, "q3", c.drain("q3"), "[2]")

	// In an AMQP transaction it is the commit that decides.
	tx := b.client()
	tx.must(tx.Tx())
	tx.publish("first", "k.1", msg("o9", "m9", "rolled back"))
	tx.must(tx.TxRollback())
	tx.publish("first", "k.1", msg("o9", "m9", "6"))
	tx.publish("first", "k.1", msg("o9", "m9", "7"))
	tx.must(tx.TxCommit())
	equal(t, "of the transaction", c.drain("q1"), "[6]")
}

// A message that a full queue refuses is not known afterwards: the publisher was told, and tries again.
func TestDedupRefused(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	c.exchange("x", "x-message-deduplication", amqp091.Table{"x-cache-size": 10})
	c.queue("q", amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish", "x-message-deduplication": true})
	c.bind("q", "", "x")
	equal(t, "first", c.confirm("x", "", false, identified("a", "1")), true)
	equal(t, "full", c.confirm("x", "", false, identified("b", "2")), false)
	equal(t, "drained", c.drain("q"), "[1]")
	equal(t, "again", c.confirm("x", "", false, identified("b", "3")), true)
	equal(t, "drained", c.drain("q"), "[3]")
}

// A queue with a window remembers what has left it, for a time or up to a number.
func TestDedupWindow(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	c.queue("timed", amqp091.Table{"x-deduplication-header": "id", "x-cache-ttl": 60_000})
	c.queue("counted", amqp091.Table{"x-message-deduplication": true, "x-cache-size": 2})
	c.queue("off", amqp091.Table{"x-message-deduplication": false, "x-deduplication-header": "id"})
	msg := func(id, body string) amqp091.Publishing {
		return amqp091.Publishing{Body: []byte(body), DeliveryMode: 2, Headers: amqp091.Table{"id": id, "x-deduplication-header": id}}
	}
	for _, queue := range []string{"timed", "counted", "off"} {
		got := ""
		for i, id := range []string{"a", "b", "a", "c", "a"} {
			c.confirm("", queue, false, msg(id, fmt.Sprint(i)))
			got += fmt.Sprint(c.drain(queue))
		}
		equal(t, queue, got, map[string]string{"timed": "[0][1][][3][]", "counted": "[0][1][][3][4]", "off": "[0][1][2][3][4]"}[queue])
	}
	c.must(c.Close())
	b.restart()
	c = b.client()
	c.must(c.Confirm(false))
	c.confirm("", "timed", false, msg("a", "late"))
	equal(t, "after a restart", c.drain("timed"), "[]")
}

// What the arguments must be; texts after RabbitMQ's form.
func TestDedupArguments(t *testing.T) {
	b := serve(t, Options{})
	for _, args := range []amqp091.Table{{}, {"x-cache-size": 0}, {"x-cache-size": "many"}, {"x-cache-size": 1, "x-cache-ttl": -1}, {"x-cache-size": 1, "x-cache-persistence": "tape"}, {"x-cache-size": 1, "x-deduplication-header": 7}} {
		c := b.client()
		err := c.ExchangeDeclare("x", "x-message-deduplication", true, false, false, false, args)
		if e, ok := err.(*amqp091.Error); !ok || e.Code != amqp091.PreconditionFailed {
			t.Errorf("exchange with %v: %v", args, err)
		}
	}
	for _, args := range []amqp091.Table{{"x-message-deduplication": "yes"}, {"x-deduplication-header": ""}, {"x-cache-size": 1, "x-queue-type": "stream"}} {
		c := b.client()
		_, err := c.QueueDeclare("q", true, false, false, false, args)
		if e, ok := err.(*amqp091.Error); !ok || e.Code != amqp091.PreconditionFailed {
			t.Errorf("queue with %v: %v", args, err)
		}
	}
	c := b.client()
	c.exchange("x", "x-message-deduplication", amqp091.Table{"x-cache-size": "3"}) // a number as text, as the plugin takes it
	err := c.ExchangeDeclare("x", "fanout", true, false, false, false, amqp091.Table{"x-cache-size": "3"})
	if e, ok := err.(*amqp091.Error); !ok || e.Code != amqp091.PreconditionFailed {
		t.Errorf("another type: %v", err)
	}
}

// Ids of stream queues: the named header, or the property; confirms for duplicates.
func TestDedupStream(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	c.queue("by-header", amqp091.Table{"x-queue-type": "stream", "x-deduplication-header": "order-id"})
	c.queue("by-property", amqp091.Table{"x-queue-type": "stream", "x-deduplication-header": "message-id", "x-cache-ttl": 60_000})
	c.exchange("naming", "fanout", amqp091.Table{"x-deduplication-header": "its-own"})
	for i, p := range []amqp091.Publishing{
		{MessageId: "m1", Headers: amqp091.Table{"order-id": "o1"}},
		{MessageId: "m1", Headers: amqp091.Table{"order-id": "o2"}},
		{MessageId: "m2", Headers: amqp091.Table{"order-id": "o1"}},
		{MessageId: "m3", Headers: amqp091.Table{"order-id": int64(7)}},
		{MessageId: "m4", Headers: amqp091.Table{"order-id": "7"}},
		{Headers: amqp091.Table{"Nats-Msg-Id": "o1"}},
		{},
	} {
		p.Body = fmt.Append(nil, i)
		equal(t, "confirmed", c.confirm("", "by-header", true, p), true)
		equal(t, "confirmed", c.confirm("", "by-property", true, p), true)
	}
	for queue, want := range map[string]string{"by-header": "[0 1 3 6]", "by-property": "[0 2 3 4 5 6]"} {
		r := b.client()
		r.must(r.Qos(10, 0, false))
		ds, err := r.Consume(queue, "", false, false, false, false, amqp091.Table{"x-stream-offset": "first"})
		r.must(err)
		n := 4
		if queue == "by-property" {
			n = 6
		}
		equal(t, queue, bodies(t, ds, n), want)
	}
}

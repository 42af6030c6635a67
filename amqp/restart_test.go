package amqp

import (
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// confirmed publishes and waits for the disk.
func (c *client) confirmed(exchange, key string, p amqp091.Publishing) {
	c.t.Helper()
	d, err := c.PublishWithDeferredConfirm(exchange, key, true, false, p)
	c.must(err)
	if !d.Wait() {
		c.t.Fatal("not confirmed")
	}
}

func TestRestart(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	c.must(c.ExchangeDeclare("x", "topic", true, false, false, false, amqp091.Table{"alternate-exchange": "alt"}))
	c.must(c.ExchangeDeclare("alt", "fanout", true, false, false, false, nil))
	c.must(c.ExchangeDeclare("gone", "fanout", false, false, false, false, nil))
	c.must(c.ExchangeBind("alt", "to.alt", "x", false, nil))
	c.queue("q", amqp091.Table{"x-max-priority": 3, "unknown": "kept"})
	c.queue("other", nil)
	_, err := c.QueueDeclare("transient", false, false, false, false, nil)
	c.must(err)
	c.must(c.QueueBind("q", "a.#", "x", false, amqp091.Table{"some": "argument"}))
	c.must(c.QueueBind("other", "", "alt", false, nil))
	c.must(c.QueueBind("transient", "a.#", "x", false, nil))
	p := everything([]byte("persistent"))
	c.confirmed("x", "a.b", p)
	c.confirmed("x", "a.b", amqp091.Publishing{Body: []byte("transient"), DeliveryMode: amqp091.Transient})
	for _, body := range []string{"1", "2", "3", "4"} {
		c.confirmed("x", "to.alt", amqp091.Publishing{Body: []byte(body), DeliveryMode: amqp091.Persistent})
	}
	// Of four, one is settled, two are held, one was never out.
	ds := c.subscribe("other")
	c.must(c.Qos(3, 0, false))
	got := take(t, ds, 3)
	c.must(got[1].Ack(false))
	c.must(c.ExchangeDeclarePassive("x", "topic", true, false, false, false, nil))

	b.restart()
	c = b.client()
	d := c.get("q")
	if d == nil {
		t.Fatal("the persistent message is lost")
	}
	sameMessage(t, *d, p)
	equal(t, "redelivered", d.Redelivered, false)
	equal(t, "transient message", c.drain("q"), "[]")
	var left []string
	for m := c.get("other"); m != nil; m = c.get("other") {
		left = append(left, string(m.Body))
		if m.Redelivered != (string(m.Body) != "4") && string(m.Body) != "4" {
			t.Errorf("%s: redelivered is %v", m.Body, m.Redelivered)
		}
	}
	equal(t, "unsettled messages", left, "[1 3 4]")
	// Topology: equal declarations pass, bindings work, what was transient is gone.
	c.must(c.ExchangeDeclare("x", "topic", true, false, false, false, amqp091.Table{"alternate-exchange": "alt"}))
	c.queue("q", amqp091.Table{"x-max-priority": 3})
	equal(t, "binding", c.reached("x", "a.c", nil, "q", "other"), "q")
	equal(t, "exchange binding", c.reached("x", "to.alt", nil, "q", "other"), "other")
	equal(t, "alternate", c.reached("x", "elsewhere", nil, "q", "other"), "other")
	c.must(c.QueueUnbind("q", "a.#", "x", amqp091.Table{"some": "argument"}))
	equal(t, "unbound", c.reached("x", "a.c", nil, "q"), "")
	for _, do := range []func(c *client) error{
		func(c *client) error {
			_, err := c.QueueDeclarePassive("transient", false, false, false, false, nil)
			return err
		},
		func(c *client) error {
			return c.ExchangeDeclarePassive("gone", "fanout", false, false, false, false, nil)
		},
	} {
		if do(b.client()) == nil {
			t.Error("something transient survived")
		}
	}
}

// A quorum queue keeps everything, and counts over a restart.
func TestRestartOfQuorumQueue(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	args := amqp091.Table{"x-queue-type": "quorum", "x-delivery-limit": 3, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
	c.queue("q", args)
	c.queue("dead", nil)
	c.confirmed("", "q", amqp091.Publishing{Body: []byte("m"), DeliveryMode: amqp091.Transient})
	ds := c.subscribe("q")
	for range 2 {
		d := next(t, ds)
		c.must(d.Nack(false, true))
	}
	d := next(t, ds)
	equal(t, "count", d.Headers["x-delivery-count"], 2)
	c.must(c.Close()) // the third failure

	b.restart()
	c = b.client()
	c.queue("q", args)
	ds = c.subscribe("q")
	d = next(t, ds)
	equal(t, "count", d.Headers["x-delivery-count"], 3)
	equal(t, "redelivered", d.Redelivered, true)
	c.must(d.Nack(false, true))
	wait(t, "it is dead", func() bool {
		s, err := c.QueueDeclarePassive("dead", true, false, false, false, nil)
		c.must(err)
		return s.Messages == 1
	})
	b.restart()
	c = b.client()
	text := deathText(c.get("dead"))
	equal(t, "history", text[:70], "[1*delivery_limit of q from '' by [q]] exchange '' key 'dead' expiration '"[:70])
}

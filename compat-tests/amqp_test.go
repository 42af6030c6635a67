package compat

import (
	"net"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbit is one AMQP connection with one channel, in confirm mode.
type rabbit struct {
	t    *testing.T
	conn *amqp.Connection
	ch   *amqp.Channel
	raw  net.Conn
}

func (s *server) rabbit() *rabbit {
	s.t.Helper()
	return s.rabbitFor(s.t)
}

// rabbitFor opens a connection whose failures are t's.
func (s *server) rabbitFor(t *testing.T) *rabbit {
	t.Helper()
	r := &rabbit{t: t}
	conn, err := amqp.DialConfig("amqp://guest:guest@"+s.addrs["amqp"]+"/", amqp.Config{
		Dial: func(network, addr string) (net.Conn, error) {
			c, err := net.DialTimeout(network, addr, patience)
			if err == nil {
				// As amqp.DefaultDial does; the client lifts it after the handshake.
				err = c.SetDeadline(time.Now().Add(patience))
			}
			r.raw = c
			return c, err
		},
	})
	r.must(err)
	r.conn = conn
	t.Cleanup(func() { conn.Close() })
	r.ch, err = conn.Channel()
	r.must(err)
	r.must(r.ch.Confirm(false))
	return r
}

func (r *rabbit) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// die drops the connection as a crashed process does: without a word.
func (r *rabbit) die() { r.raw.Close() }

// queue declares a durable queue.
func (r *rabbit) queue(name string, args amqp.Table) {
	r.t.Helper()
	_, err := r.ch.QueueDeclare(name, true, false, false, false, args)
	r.must(err)
}

// exchange declares a durable exchange.
func (r *rabbit) exchange(name, kind string) {
	r.t.Helper()
	r.must(r.ch.ExchangeDeclare(name, kind, true, false, false, false, nil))
}

func (r *rabbit) bind(queue, key, exchange string) {
	r.t.Helper()
	r.must(r.ch.QueueBind(queue, key, exchange, false, nil))
}

// publish sends one persistent message and waits for its confirm.
func (r *rabbit) publish(exchange, key, body string) {
	r.t.Helper()
	r.send(exchange, key, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
}

func (r *rabbit) send(exchange, key string, m amqp.Publishing) {
	r.t.Helper()
	c, err := r.ch.PublishWithDeferredConfirm(exchange, key, false, false, m)
	r.must(err)
	select {
	case <-c.Done():
		if !c.Acked() {
			r.t.Fatalf("the publish to %q %q was nacked", exchange, key)
		}
	case <-time.After(patience):
		r.t.Fatal("no confirm")
	}
}

// consume is pushed the messages of a queue, and acks them itself.
func (r *rabbit) consume(queue string, prefetch int) <-chan amqp.Delivery {
	r.t.Helper()
	r.must(r.ch.Qos(prefetch, 0, false))
	ds, err := r.ch.Consume(queue, "", false, false, false, false, nil)
	r.must(err)
	return ds
}

// ready is how many messages wait in a queue, those in flight not counted.
func (r *rabbit) ready(queue string) int {
	r.t.Helper()
	q, err := r.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	r.must(err)
	return q.Messages
}

// next is the next delivery.
func next(t *testing.T, ds <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case d, ok := <-ds:
		if !ok {
			t.Fatal("the consumer was ended")
		}
		return d
	case <-time.After(patience):
		t.Fatal("no delivery")
	}
	return amqp.Delivery{}
}

// bodies are those of the next n deliveries, each acked, joined by spaces.
func bodies(t *testing.T, ds <-chan amqp.Delivery, n int) string {
	t.Helper()
	var got []string
	for range n {
		d := next(t, ds)
		got = append(got, string(d.Body))
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(got, " ")
}

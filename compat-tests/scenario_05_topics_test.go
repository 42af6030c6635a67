package compat

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Scenario 5. Producers publish to a topic exchange under keys like
// "eu.order.created"; queues say by patterns what they want.
func TestScenario05TopicRouting(t *testing.T) {
	s := start(t)
	producer := s.rabbit()
	producer.exchange("events", "topic")

	patterns := map[string]string{
		"all":         "#",
		"orders":      "*.order.*",
		"europe":      "eu.#",
		"created":     "#.created",
		"exact":       "eu.order.created",
		"three-words": "*.*.*",
		"inner":       "eu.#.created",
	}
	consumer := s.rabbit()
	for queue, pattern := range patterns {
		consumer.queue(queue, nil)
		consumer.bind(queue, pattern, "events")
	}
	// A second binding that matches as well brings no second copy.
	consumer.bind("all", "eu.*.*", "events")

	t.Run("exactly the matching queues get it", func(t *testing.T) {
		want := make(map[string][]string)
		for key, queues := range map[string]string{
			"eu.order.created":      "all orders europe created exact three-words inner",
			"us.order.created":      "all orders created three-words",
			"us.order.paid":         "all orders three-words",
			"eu":                    "all europe",
			"created":               "all created",
			"eu.created":            "all europe created inner",
			"eu.a.b.created":        "all europe created inner",
			"":                      "all",
			"eu.order.created.late": "all europe",
			"EU.order.created":      "all orders created three-words",
		} {
			producer.publish("events", key, "key:"+key)
			for _, q := range strings.Fields(queues) {
				want[q] = append(want[q], "key:"+key)
			}
		}
		for queue := range patterns {
			if got := consumer.ready(queue); got != len(want[queue]) {
				t.Errorf("%s holds %d messages, want %d", queue, got, len(want[queue]))
				continue
			}
			r := s.rabbitFor(t)
			got := bodies(t, r.consume(queue, 20), len(want[queue]))
			if got != strings.Join(want[queue], " ") {
				t.Errorf("%s got  %s\nwant %s", queue, got, strings.Join(want[queue], " "))
			}
			r.must(r.conn.Close())
		}
	})

	t.Run("producers know no consumers", func(t *testing.T) {
		// A new service binds its own queue; the producer does what it always did.
		consumer.queue("audit", nil)
		consumer.bind("audit", "*.order.paid", "events")
		producer.publish("events", "eu.order.paid", "paid")
		if got := bodies(t, consumer.consume("audit", 1), 1); got != "paid" {
			t.Errorf("audit got %s", got)
		}
	})

	t.Run("what nobody wants comes back to who asked to know", func(t *testing.T) {
		producer.exchange("quiet", "topic")
		returned := producer.ch.NotifyReturn(make(chan amqp.Return, 1))
		c, err := producer.ch.PublishWithDeferredConfirm("quiet", "a.b", true, false, amqp.Publishing{Body: []byte("x")})
		must(t, err)
		if !c.Wait() {
			t.Error("nacked")
		}
		select {
		case r := <-returned:
			if r.ReplyCode != amqp.NoRoute || r.RoutingKey != "a.b" || string(r.Body) != "x" {
				t.Errorf("returned %+v", r)
			}
		default:
			t.Error("the confirm came before the return")
		}
	})
}

package compat

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// purchase is the domain event of scenario 15.
type purchase struct {
	User, Product string
	Cents         int
}

// Scenario 15. A gateway asks the auth, user and product services over NATS,
// writes what happened as domain events to Kafka, and leaves slow work to
// RabbitMQ workers: three clients, one server.
func TestScenario15Hybrid(t *testing.T) {
	s := start(t)
	s.topic(t, "purchases", 3, nil)
	s.topic(t, "revenue", 1, nil)

	// The services: two instances of each share the requests.
	prices := map[string]int{"lamp": 4900, "desk": 19900, "chair": 9900}
	serve := func(subject string, answer func(string) string) {
		for range 2 {
			nc := s.nats()
			_, err := nc.QueueSubscribe(subject, "instances", func(m *nats.Msg) {
				m.Respond([]byte(answer(string(m.Data))))
			})
			must(t, err)
			must(t, nc.Flush())
		}
	}
	serve("auth.check", func(token string) string { return strings.TrimPrefix(token, "token-") })
	serve("user.get", func(name string) string { return name + "@example.org" })
	serve("product.price", func(name string) string { return fmt.Sprint(prices[name]) })

	// The jobs: PDFs matter more than newsletters, and what fails goes aside.
	jobs := s.rabbit()
	jobs.exchange("broken", "fanout")
	jobs.queue("broken-jobs", nil)
	jobs.bind("broken-jobs", "", "broken")
	jobs.queue("jobs", amqp.Table{"x-max-priority": int32(9), "x-dead-letter-exchange": "broken"})

	gateway := s.nats()
	ask := func(subject, what string) string {
		t.Helper()
		m, err := gateway.Request(subject, []byte(what), patience)
		must(t, err)
		return string(m.Data)
	}
	events := s.kafka()

	const n = 60
	want := make(map[string]int)
	products := slices.Sorted(maps.Keys(prices))
	for i := range n {
		user := ask("auth.check", fmt.Sprint("token-u", i%7))
		mail := ask("user.get", user)
		product := products[i%len(products)]
		var cents int
		fmt.Sscan(ask("product.price", product), &cents)
		event, err := json.Marshal(purchase{user, product, cents})
		must(t, err)
		produce(t, events, record("purchases", user, string(event)))
		want[product] += cents
		jobs.send("", "jobs", amqp.Publishing{Priority: 1, DeliveryMode: amqp.Persistent, Type: "email", Body: []byte(mail)})
		if i%10 == 0 {
			jobs.send("", "jobs", amqp.Publishing{Priority: 8, DeliveryMode: amqp.Persistent, Type: "pdf", Body: []byte(product)})
		}
	}

	t.Run("RPC", func(t *testing.T) {
		quickest(t, func() { ask("auth.check", "token-x") })
	})
	t.Run("a service that is not there is known at once", func(t *testing.T) {
		if _, err := gateway.Request("billing.charge", nil, patience); err != nats.ErrNoResponders {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("domain events feed the event store, a projector and a stream processor", func(t *testing.T) {
		store := s.kafkaFor(t, kgo.ConsumerGroup("event-store"), kgo.ConsumeTopics("purchases"))
		kept := 0
		poll(t, store, n, func(*kgo.Record) { kept++ })

		// The processor reads purchases and writes running totals, which the
		// projector turns into a view.
		processor := s.kafkaFor(t, kgo.ConsumerGroup("processor"), kgo.ConsumeTopics("purchases"))
		sums := make(map[string]int)
		var totals []*kgo.Record
		poll(t, processor, n, func(r *kgo.Record) {
			var p purchase
			must(t, json.Unmarshal(r.Value, &p))
			sums[p.Product] += p.Cents
			totals = append(totals, record("revenue", p.Product, fmt.Sprint(sums[p.Product])))
		})
		produce(t, processor, totals...)

		projector := s.kafkaFor(t, kgo.ConsumerGroup("projector"), kgo.ConsumeTopics("revenue"))
		view := make(map[string]int)
		poll(t, projector, n, func(r *kgo.Record) {
			var cents int
			fmt.Sscan(string(r.Value), &cents)
			view[string(r.Key)] = cents
		})
		if !maps.Equal(view, want) {
			t.Errorf("the view shows %v, sold was %v", view, want)
		}
	})
	t.Run("background jobs: the important first, the broken aside", func(t *testing.T) {
		worker := s.rabbitFor(t)
		ds := worker.consume("jobs", 1)
		var order []string
		for range n + n/10 {
			d := next(t, ds)
			order = append(order, d.Type)
			if strings.HasPrefix(string(d.Body), "u3@") {
				must(t, d.Reject(false)) // this mailbox is full
			} else {
				must(t, d.Ack(false))
			}
		}
		// The worker may hold an email when it starts; there is none before a PDF after that.
		if !slices.IsSortedFunc(order, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Errorf("jobs were done in the order %v", order)
		}
		broken := 0
		for i := range n {
			if i%7 == 3 {
				broken++
			}
		}
		eventually(t, "the broken jobs are aside", func() bool { return worker.ready("broken-jobs") == broken })
		if got := worker.ready("jobs"); got != 0 {
			t.Errorf("%d jobs are left", got)
		}
	})
	t.Run("all of it on one server, and there after a crash", func(t *testing.T) {
		s.crash(t)
		again := s.kafkaFor(t, kgo.ConsumeTopics("purchases"))
		sold := make(map[string]int)
		poll(t, again, n, func(r *kgo.Record) {
			var p purchase
			must(t, json.Unmarshal(r.Value, &p))
			sold[p.Product] += p.Cents
		})
		if !maps.Equal(sold, want) {
			t.Errorf("the log replays to %v, sold was %v", sold, want)
		}
		eventually(t, "the services are back", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			m, err := gateway.RequestWithContext(ctx, "auth.check", []byte("token-back"))
			return err == nil && string(m.Data) == "back"
		})
	})
}

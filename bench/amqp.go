package main

import (
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The load on AMQP comes from the lean driver in lean.go, on topology that the
// original's Go client declares, from PerfTest (perftest.go), and, for latency, from
// the Go client.

func amqpWorkloads() []workload {
	persistent := func(size, first, queues int) workload {
		what := map[int]string{1: "1 queue", 100: "100 queues"}[queues]
		return workload{name: fmt.Sprintf("amqp persistent, confirms, %s, %d B", what, size), door: "amqp", first: first,
			run: amqpQueues(load{size: size, queues: queues, persistent: true})}
	}
	transient := func(size int) workload {
		return workload{name: fmt.Sprintf("amqp transient, auto-ack, 1 queue, %d B", size), door: "amqp", columns: []column{defaults}, first: 50_000,
			run: amqpQueues(load{size: size, queues: 1})}
	}
	return append([]workload{
		persistent(16, 10_000, 1),
		persistent(1024, 10_000, 1),
		persistent(65536, 1_000, 1),
		persistent(1024, 10_000, 100),
		transient(16),
		transient(1024),
		{name: "amqp fan-out to 100 queues, persistent, 128 B", door: "amqp", first: 20_000,
			run: amqpQueues(load{size: 128, queues: 100, persistent: true, fanout: true})},
		{name: fmt.Sprintf("amqp latency, persistent, %d/s, %d B", flowRate, flowSize), door: "amqp", paced: true, run: flowing(amqpFlow, flowRate, flowSize)},
	}, perfTestWorkloads()...)
}

// load is one publisher and one consuming connection.
type load struct {
	n, size, queues int
	// persistent messages are confirmed and acked one by one; others are not.
	persistent bool
	// fanout sends each message to all queues, otherwise to one after the other.
	fanout bool
}

// publishWindow is how many confirms may be outstanding, prefetch how many deliveries.
const (
	publishWindow = 1000
	prefetch      = 500
)

func amqpQueues(l load) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		l := l
		l.n = t.n
		if l.fanout {
			l.n = max(1, t.n/l.queues)
		}
		queues, exchange, remove, err := declare(t, l)
		if err != nil {
			return sample{}, err
		}
		defer remove()

		consumer, err := dialLean(t.server.addrs["amqp"])
		if err != nil {
			return sample{}, err
		}
		defer consumer.close()
		if err := consumer.consume(queues, l.persistent); err != nil {
			return sample{}, err
		}
		publisher, err := dialLean(t.server.addrs["amqp"])
		if err != nil {
			return sample{}, err
		}
		defer publisher.close()
		if err := t.begin(); err != nil {
			return sample{}, err
		}

		copies := l.n
		keys := queues
		if l.fanout {
			copies *= l.queues
			keys = queues[:1]
		}
		var wg sync.WaitGroup
		var consumeErr error
		start := time.Now()
		wg.Go(func() { consumeErr = consumer.drain(copies, l.persistent) })
		latencies, err := publisher.publish(l, exchange, keys)
		if err != nil {
			consumer.close()
			wg.Wait()
			return sample{}, err
		}
		wg.Wait()
		if consumeErr != nil {
			return sample{}, consumeErr
		}
		s := sample{Messages: copies, Size: l.size, Seconds: time.Since(start).Seconds()}
		s.P50, s.P99, s.P999 = percentiles(latencies)
		return s, nil
	}
}

func amqpURL(t *target) string { return "amqp://guest:guest@" + t.server.addrs["amqp"] + "/" }

// queueArgs choose RabbitMQ's durable setting.
func queueArgs(t *target) amqp.Table {
	if t.column == onDisk && t.name != "trivium" {
		return amqp.Table{"x-queue-type": "quorum"}
	}
	return nil
}

// declare makes the queues, and says to which exchange to publish.
func declare(t *target, l load) (queues []string, exchange string, remove func(), err error) {
	conn, err := amqp.Dial(amqpURL(t))
	if err != nil {
		return nil, "", nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, "", nil, err
	}
	if l.fanout {
		exchange = "bench.fanout"
		if err := ch.ExchangeDeclare(exchange, "fanout", true, false, false, false, nil); err != nil {
			return nil, "", nil, err
		}
	}
	var args amqp.Table
	if l.persistent {
		args = queueArgs(t)
	}
	for i := range l.queues {
		q := fmt.Sprintf("bench.%d", i)
		if _, err := ch.QueueDeclare(q, l.persistent, false, false, false, args); err != nil {
			return nil, "", nil, err
		}
		if l.fanout {
			if err := ch.QueueBind(q, "", exchange, false, nil); err != nil {
				return nil, "", nil, err
			}
		}
		queues = append(queues, q)
	}
	return queues, exchange, func() {
		for _, q := range queues {
			ch.QueueDelete(q, false, false, false)
		}
		if l.fanout {
			ch.ExchangeDelete(exchange, false, false)
		}
		conn.Close()
	}, nil
}

// amqpFlow is one durable queue; messages are persistent, confirmed and acked.
func amqpFlow(t *target, received func([]byte)) (*flow, error) {
	queues, _, remove, err := declare(t, load{queues: 1, persistent: true})
	if err != nil {
		return nil, err
	}
	publisher, err := amqp.Dial(amqpURL(t))
	if err != nil {
		return nil, err
	}
	consumer, err := amqp.Dial(amqpURL(t))
	if err != nil {
		return nil, err
	}
	var errs firstError
	var wg sync.WaitGroup
	f := &flow{failed: errs.get, close: func() {
		publisher.Close()
		consumer.Close()
		wg.Wait()
		remove()
	}}
	fail := func(err error) (*flow, error) { f.close(); return nil, err }
	out, err := publisher.Channel()
	if err == nil {
		err = out.Confirm(false)
	}
	if err != nil {
		return fail(err)
	}
	confirmed := out.NotifyPublish(make(chan amqp.Confirmation, flowWindow))
	wg.Go(func() {
		for c := range confirmed {
			if !c.Ack {
				errs.note(fmt.Errorf("message %d was not confirmed", c.DeliveryTag))
			}
		}
	})
	in, err := consumer.Channel()
	if err == nil {
		err = in.Qos(prefetch, 0, false)
	}
	if err != nil {
		return fail(err)
	}
	deliveries, err := in.Consume(queues[0], "", false, false, false, false, nil)
	if err != nil {
		return fail(err)
	}
	wg.Go(func() {
		for d := range deliveries {
			received(d.Body)
			if err := d.Ack(false); err != nil {
				errs.note(err)
			}
		}
	})
	f.send = func(body []byte) error {
		return out.Publish("", queues[0], false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
	}
	return f, nil
}

package main

import (
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The load on AMQP comes from the lean driver in lean.go, on topology that the
// original's Go client declares.

func amqpWorkloads() []workload {
	var all []workload
	for _, size := range []int{16, 1024, 65536} {
		n := map[int]int{16: 300_000, 1024: 200_000, 65536: 8_000}[size]
		all = append(all, workload{fmt.Sprintf("amqp persistent, confirms, 1 queue, %d B", size), "amqp", nil, amqpQueues(load{n: n, size: size, queues: 1, persistent: true})})
	}
	return append(all,
		workload{"amqp persistent, confirms, 100 queues, 1024 B", "amqp", nil, amqpQueues(load{n: 200_000, size: 1024, queues: 100, persistent: true})},
		workload{"amqp transient, auto-ack, 1 queue, 16 B", "amqp", []column{defaults}, amqpQueues(load{n: 1_000_000, size: 16, queues: 1})},
		workload{"amqp transient, auto-ack, 1 queue, 1024 B", "amqp", []column{defaults}, amqpQueues(load{n: 500_000, size: 1024, queues: 1})},
		workload{"amqp fan-out to 100 queues, persistent, 128 B", "amqp", nil, amqpQueues(load{n: 5_000, size: 128, queues: 100, persistent: true, fanout: true})})
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
		l.n = t.count(l.n) / l.queues * l.queues
		if l.n == 0 {
			l.n = l.queues
		}
		queues, exchange, remove, err := declare(t, l)
		if err != nil {
			return sample{}, err
		}
		defer remove()

		consumer, err := dialLean(t.addr)
		if err != nil {
			return sample{}, err
		}
		defer consumer.close()
		if err := consumer.consume(queues, l.persistent); err != nil {
			return sample{}, err
		}
		publisher, err := dialLean(t.addr)
		if err != nil {
			return sample{}, err
		}
		defer publisher.close()

		copies := l.n
		if l.fanout {
			copies *= l.queues
		}
		var wg sync.WaitGroup
		var consumeErr error
		start := time.Now()
		wg.Go(func() { consumeErr = consumer.drain(copies, l.persistent) })
		keys := queues
		if l.fanout {
			keys = queues[:1]
		}
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
		s := sample{Messages: copies, Bytes: int64(copies) * int64(l.size), Seconds: time.Since(start).Seconds()}
		s.P50, s.P99, s.P999 = percentiles(latencies)
		return s, nil
	}
}

// declare makes the queues, and says to which exchange to publish.
func declare(t *target, l load) (queues []string, exchange string, remove func(), err error) {
	conn, err := amqp.Dial("amqp://guest:guest@" + t.addr + "/")
	if err != nil {
		return nil, "", nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, "", nil, err
	}
	var args amqp.Table
	if t.column == onDisk && t.name == "rabbitmq" {
		args = amqp.Table{"x-queue-type": "quorum"}
	}
	if l.fanout {
		exchange = "bench.fanout"
		if err := ch.ExchangeDeclare(exchange, "fanout", true, false, false, false, nil); err != nil {
			return nil, "", nil, err
		}
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

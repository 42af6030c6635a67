package main

import (
	"fmt"
	"sync"

	"trivium/amqp/wire"
)

// queuesTrial: durable queues, each bound to a topic exchange by a key of its own, with a message.
var queuesTrial = trial{
	name:  "amqp queues",
	aim:   "100,000 durable queues declared, bound, used and restarted, in less than 200 MB",
	sizes: []int{1000, 10_000, 100_000},
	run:   queues,
}

// fleet are connections that work side by side, so that what they ask for shares the disk.
type fleet chan *amqpClient

func dialFleet(addr string) (fleet, error) {
	f := make(fleet, dialers)
	for i := range dialers {
		a, err := dialAMQP(addr, i)
		if err != nil {
			f.close()
			return nil, err
		}
		f <- a
	}
	return f, nil
}

func (f fleet) close() {
	for range len(f) {
		(<-f).close()
	}
}

// each calls do for 0..n-1 with a connection that nobody else uses meanwhile.
func (f fleet) each(n int, do func(a *amqpClient, i int) error) error {
	return each(n, func(i int) error {
		a := <-f
		defer func() { f <- a }()
		return do(a, i)
	})
}

func queueName(i int) string { return fmt.Sprintf("queue.%d.of.many", i) }

const queueExchange = "amq.topic"

func queues(b *bout) error {
	empty, err := b.memory("memory before")
	if err != nil {
		return err
	}
	f, err := dialFleet(b.addr["amqp"])
	if err != nil {
		return err
	}
	err = b.timed("declare", b.N, func() error {
		return f.each(b.N, func(a *amqpClient, i int) error {
			return a.call(wire.AppendMethod(nil, 1, &wire.QueueDeclare{Queue: queueName(i), Durable: true}), (&wire.QueueDeclareOk{}).ID())
		})
	})
	if err != nil {
		return err
	}
	err = b.timed("bind", b.N, func() error {
		return f.each(b.N, func(a *amqpClient, i int) error {
			bind := &wire.QueueBind{Queue: queueName(i), Exchange: queueExchange, RoutingKey: queueName(i)}
			return a.call(wire.AppendMethod(nil, 1, bind), (&wire.QueueBindOk{}).ID())
		})
	})
	f.close()
	if err != nil {
		return err
	}
	bound, err := b.memory("memory, bound")
	if err != nil {
		return err
	}
	b.note("memory of a queue", (bound-empty)/float64(b.N), "B")
	if err := b.timed("publish and confirm", b.N, func() error { return publishToAll(b) }); err != nil {
		return err
	}
	if _, err := b.memory("memory, a message in each"); err != nil {
		return err
	}
	if err := b.idle("CPU at rest"); err != nil {
		return err
	}
	if err := b.goroutines("goroutines"); err != nil {
		return err
	}
	if err := b.restart(); err != nil {
		return err
	}
	if f, err = dialFleet(b.addr["amqp"]); err != nil {
		return err
	}
	defer f.close()
	err = b.timed("get", b.N, func() error { return f.each(b.N, func(a *amqpClient, i int) error { return a.take(queueName(i)) }) })
	if err != nil {
		return err
	}
	if _, err := b.memory("memory, empty"); err != nil {
		return err
	}
	err = b.timed("delete", b.N, func() error {
		return f.each(b.N, func(a *amqpClient, i int) error {
			return a.call(wire.AppendMethod(nil, 1, &wire.QueueDelete{Queue: queueName(i)}), (&wire.QueueDeleteOk{}).ID())
		})
	})
	if err != nil {
		return err
	}
	_, err = b.memory("memory, all deleted")
	return err
}

// take gets a message that must be there.
func (a *amqpClient) take(queue string) error {
	if err := a.call(wire.AppendMethod(nil, 1, &wire.BasicGet{Queue: queue, NoAck: true}), (&wire.BasicGetOk{}).ID()); err != nil {
		return err
	}
	for range 2 { // header and body
		if _, err := a.frame(); err != nil {
			return err
		}
	}
	return nil
}

// publishToAll sends a message to each queue, through the exchange.
func publishToAll(b *bout) error {
	l, err := dialLean(b.addr["amqp"])
	if err != nil {
		return err
	}
	defer l.close()
	keys := make([]string, b.N)
	for i := range keys {
		keys[i] = queueName(i)
	}
	_, err = l.publish(load{n: b.N, size: backlogSize, persistent: true}, queueExchange, keys)
	return err
}

// amqpBacklog: messages that nobody takes yet.
var amqpBacklog = trial{
	name:  "amqp backlog",
	aim:   backlogAim,
	sizes: backlogSizes,
	run: func(b *bout) error {
		const queue = "backlog"
		a, err := dialAMQP(b.addr["amqp"], 0)
		if err != nil {
			return err
		}
		err = a.call(wire.AppendMethod(nil, 1, &wire.QueueDeclare{Queue: queue, Durable: true}), (&wire.QueueDeclareOk{}).ID())
		a.close()
		if err != nil {
			return err
		}
		return backlog(b,
			func() error { return publishBacklog(b, queue) },
			func() error { return consumeBacklog(b, queue) })
	},
}

// publishers is how many connections fill a backlog, publishChunk how many messages are
// published between two looks at what was confirmed.
const (
	publishers   = 4
	publishChunk = 500_000
)

func publishBacklog(b *bout, queue string) error {
	chunks := make(chan int)
	go func() {
		for left := b.N; left > 0; left -= publishChunk {
			chunks <- min(left, publishChunk)
		}
		close(chunks)
	}()
	var wg sync.WaitGroup
	errs := make([]error, publishers)
	for i := range publishers {
		wg.Go(func() {
			for n := range chunks {
				if errs[i] == nil {
					errs[i] = publishSome(b, load{n: n, size: backlogSize, persistent: true}, []string{queue})
				}
			}
		})
	}
	wg.Wait()
	return firstOf(errs)
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// publishSome sends o's messages to the queues in turn, over a connection of its own.
func publishSome(b *bout, o load, queues []string) error {
	l, err := dialLean(b.addr["amqp"])
	if err != nil {
		return err
	}
	defer l.close()
	_, err = l.publish(o, "", queues)
	return err
}

func consumeBacklog(b *bout, queue string) error {
	l, err := dialLean(b.addr["amqp"])
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.consume([]string{queue}, true); err != nil {
		return err
	}
	return l.drain(b.N, true)
}

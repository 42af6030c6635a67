package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/nats-io/nats.go/jetstream"

	"trivium/amqp/wire"
)

// recoveryTrial: messages come in through all doors as fast as they can, and the server is killed
// when so many MB are stored.
var recoveryTrial = trial{
	name:  "recovery",
	aim:   "10,000 MB stored, killed while more come, ready within 2 s",
	sizes: []int{100, 1000, 10_000},
	run:   recovery,
}

// recoverySize is what each message or record carries.
const recoverySize = 1 << 10

func recovery(b *bout) error {
	in := []*inflow{
		{door: "kafka", writers: recoveryTopics, write: recoveryProduce, count: recoveryRecords, open: recoveryTopics * recoveryBatch},
		{door: "amqp", writers: 2, write: recoveryPublish, count: recoveryMessages, open: 2 * recoveryChunk},
		{door: "nats", writers: 1, write: recoveryStream, count: recoveryEntries, open: recoveryChunk},
	}
	if err := recoveryMake(b); err != nil {
		return err
	}
	began := time.Now()
	err := b.killFlooded(in)
	if err != nil {
		return err
	}
	b.note("stored and killed after", time.Since(began).Seconds(), "s")
	for _, f := range in {
		b.note(f.door+", messages acknowledged", float64(f.acked.Load()), "n")
	}
	if err := b.recovered("ready after kill -9", in); err != nil {
		return err
	}
	for _, m := range []string{"trivium_logs", "trivium_segments", "trivium_journal_kept_bytes", "trivium_journal_pending_bytes"} {
		v, err := b.metric(m)
		if err != nil {
			return err
		}
		unit := "n"
		if m[len(m)-5:] == "bytes" {
			unit = "B"
		}
		b.note("`"+m+"` then", v, unit)
	}
	if err := b.kill(); err != nil {
		return err
	}
	if err := evict(b.dir); err != nil {
		return err
	}
	return b.recovered("ready after another, nothing cached", in)
}

// inflow is what comes in through a door.
type inflow struct {
	door    string
	writers int
	// write sends messages until the server is gone, and says of how many it knows that they are stored.
	write func(b *bout, writer int, acked func(n int)) error
	// count is how many the server has, of which open may not have been acknowledged.
	count func(b *bout) (int64, error)
	open  int64
	acked atomic.Int64
}

// killFlooded kills the server when b.N MB have come in, while more come.
func (b *bout) killFlooded(in []*inflow) error {
	var stored atomic.Int64
	full := make(chan struct{})
	failed := make(chan error, 100)
	var wg sync.WaitGroup
	for _, f := range in {
		for w := range f.writers {
			wg.Go(func() {
				err := f.write(b, w, func(n int) {
					f.acked.Add(int64(n))
					size := int64(n) * recoverySize
					if now, want := stored.Add(size), int64(b.N)*1e6; now >= want && now-size < want {
						close(full)
					}
				})
				failed <- fmt.Errorf("%s: %w", f.door, err)
			})
		}
	}
	defer wg.Wait()
	select {
	case err := <-failed:
		b.stop() // ends the others
		return err
	case <-full:
		return b.kill()
	}
}

// recovered starts the server again, notes what that took, and counts what it has.
func (b *bout) recovered(name string, in []*inflow) error {
	if err := b.startTimed(name); err != nil {
		return err
	}
	cpu, err := b.p.exactCPU()
	if err != nil {
		return err
	}
	b.note(name+", server CPU", cpu.Seconds(), "s")
	if err := b.peak(name + ", memory"); err != nil {
		return err
	}
	for _, f := range in {
		n, err := f.count(b)
		if err != nil {
			return fmt.Errorf("%s: %w", f.door, err)
		}
		if acked := f.acked.Load(); n < acked || n > acked+f.open {
			return fmt.Errorf("%s: there are %d messages; %d were acknowledged, and at most %d more sent", f.door, n, acked, f.open)
		}
	}
	return nil
}

const (
	// recoveryTopics have a partition and a producer each, which sends recoveryBatch records at a time.
	recoveryTopics = 4
	recoveryBatch  = 256
	// recoveryQueues get their messages in turn.
	recoveryQueues  = 100
	recoveryStreams = "RECOVERY"
	// recoveryChunk is how many messages are sent between two looks at what is stored.
	recoveryChunk = 2_000
)

func recoveryQueue(i int) string { return fmt.Sprintf("recovery.%d", i) }

// recoveryMake makes topics, queues and a stream.
func recoveryMake(b *bout) error {
	k, err := dialKafka(b.addr["kafka"], 0)
	if err != nil {
		return err
	}
	defer k.close()
	for i := range recoveryTopics {
		if err := k.createTopics(1, topicName(i)); err != nil {
			return err
		}
	}
	a, err := dialAMQP(b.addr["amqp"], 0)
	if err != nil {
		return err
	}
	defer a.close()
	for i := range recoveryQueues {
		if err := a.call(wire.AppendMethod(nil, 1, &wire.QueueDeclare{Queue: recoveryQueue(i), Durable: true}), (&wire.QueueDeclareOk{}).ID()); err != nil {
			return err
		}
	}
	nc, js, err := dialJetStream(b)
	if err != nil {
		return err
	}
	defer nc.Close()
	_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: recoveryStreams, Subjects: []string{"recovery.*"}})
	return err
}

func recoveryProduce(b *bout, writer int, acked func(int)) error {
	k, err := dialKafka(b.addr["kafka"], writer)
	if err != nil {
		return err
	}
	defer k.close()
	// Two in turn, so that nothing is like what was before.
	var requests [2][]byte
	for i := range requests {
		requests[i] = produceRequest(topicName(writer), 0, recordBatch(recoveryBatch, recoverySize-i))
	}
	for i := 0; ; i++ {
		if _, err := k.produced(requests[i%len(requests)]); err != nil {
			return err
		}
		acked(recoveryBatch)
	}
}

func recoveryRecords(b *bout) (int64, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr["kafka"]))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var names []string
	for i := range recoveryTopics {
		names = append(names, topicName(i))
	}
	ends, err := kadm.NewClient(cl).ListEndOffsets(context.Background(), names...)
	if err != nil {
		return 0, err
	}
	n := int64(0)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n, ends.Error()
}

func recoveryPublish(b *bout, _ int, acked func(int)) error {
	var keys []string
	for i := range recoveryQueues {
		keys = append(keys, recoveryQueue(i))
	}
	for {
		if err := publishSome(b, load{n: recoveryChunk, size: recoverySize, persistent: true}, keys); err != nil {
			return err
		}
		acked(recoveryChunk)
	}
}

func recoveryMessages(b *bout) (int64, error) {
	c, err := amqp.Dial("amqp://guest:guest@" + b.addr["amqp"] + "/")
	if err != nil {
		return 0, err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return 0, err
	}
	n := int64(0)
	for i := range recoveryQueues {
		q, err := ch.QueueDeclarePassive(recoveryQueue(i), true, false, false, false, nil)
		if err != nil {
			return 0, err
		}
		n += int64(q.Messages)
	}
	return n, nil
}

func recoveryStream(b *bout, _ int, acked func(int)) error {
	nc, js, err := dialJetStream(b)
	if err != nil {
		return err
	}
	defer nc.Close()
	for {
		if err := publishAsync(js, recoveryChunk, recoverySize, func(i int) string { return fmt.Sprintf("recovery.%d", i%1000) }); err != nil {
			return err
		}
		acked(recoveryChunk)
	}
}

func recoveryEntries(b *bout) (int64, error) {
	nc, js, err := dialJetStream(b)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	s, err := js.Stream(context.Background(), recoveryStreams)
	if err != nil {
		return 0, err
	}
	info, err := s.Info(context.Background())
	if err != nil {
		return 0, err
	}
	return int64(info.State.Msgs), nil
}

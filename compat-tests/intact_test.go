package compat

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// cloth is what bodies are pieces of.
var cloth = sync.OnceValue(func() []byte {
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
})

// body makes the body of message id, whose bytes say which one it is and follow from that.
func body(id uint32) []byte {
	sizes := []int{16, 100, 1000, 4 << 10, 16 << 10, 64 << 10, 100 << 10, 200 << 10}
	r := rand.New(rand.NewPCG(uint64(id), 0))
	size := sizes[r.IntN(len(sizes))]
	at := r.IntN(len(cloth()) - size)
	b := bytes.Clone(cloth()[at : at+size])
	binary.BigEndian.PutUint32(b, id)
	return b
}

// readers count what each of them has got, and say once all have everything.
type readers struct {
	mu   sync.Mutex
	got  map[string]map[uint32]bool
	want map[string]int
	bad  []string
	left int
	done chan struct{}
}

// expect adds a reader that is to get n messages.
func (r *readers) expect(name string, n int) {
	r.got[name], r.want[name] = make(map[uint32]bool), n
	r.left++
}

// see checks a message; it is seen once however often it comes.
func (r *readers) see(name string, b []byte) {
	var id uint32
	if len(b) >= 4 {
		id = binary.BigEndian.Uint32(b)
	}
	same := bytes.Equal(b, body(id))
	r.mu.Lock()
	defer r.mu.Unlock()
	if !same && len(r.bad) < 10 {
		r.bad = append(r.bad, fmt.Sprintf("%s: what says that it is %d, of %d bytes", name, id, len(b)))
	}
	if r.got[name][id] {
		return
	}
	if r.got[name][id] = true; len(r.got[name]) == r.want[name] {
		if r.left--; r.left == 0 {
			close(r.done)
		}
	}
}

// Bodies of all sizes come out of every door as they went in, while all are busy and the memory that
// they lay in is used again and again.
func TestBodiesStayIntact(t *testing.T) {
	s := startCrossdoor(t)
	const each = 400 // from each of the publishers
	all := &readers{got: map[string]map[uint32]bool{}, want: map[string]int{}, done: make(chan struct{})}

	r := s.rabbit()
	r.queue("classic", nil)
	r.queue("quorum", amqp.Table{"x-queue-type": "quorum"})
	r.queue("given", nil)
	r.streamQueue("log")
	for _, q := range []string{"classic", "quorum", "given", "log"} {
		r.bind(q, "load.#", "amq.nats")
	}
	_, err := s.jetstream(t).CreateStream(within(t), jetstream.StreamConfig{Name: "L", Subjects: []string{"load.>"}})
	must(t, err)

	// AMQP: what is acknowledged, some of it only the second time; what is given without; a stream.
	for _, q := range []string{"classic", "quorum"} {
		all.expect(q, 3*each)
		ds := s.rabbit().consume(q, 20)
		go func() {
			for d := range ds {
				all.see(q, d.Body)
				if d.DeliveryTag%7 == 0 && !d.Redelivered {
					d.Nack(false, true)
				} else {
					d.Ack(false)
				}
			}
		}()
	}
	all.expect("given", 3*each)
	given, err := s.rabbit().ch.Consume("given", "", true, false, false, false, nil)
	must(t, err)
	go func() {
		for d := range given {
			all.see("given", d.Body)
		}
	}()
	stream := s.rabbit()
	must(t, stream.ch.Qos(20, 0, false))
	all.expect("stream", 4*each)
	ds, err := stream.ch.Consume("log", "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
	must(t, err)
	go func() {
		for d := range ds {
			all.see("stream", d.Body)
			d.Ack(false)
		}
	}()

	// Kafka: that stream queue, and the JetStream stream.
	for topic, n := range map[string]int{"amqp.log": 4 * each, "nats.L": 3 * each} {
		all.expect(topic, n)
		c := s.kafka(kgo.ConsumeTopics(topic))
		ctx := t.Context()
		var reading sync.WaitGroup
		reading.Go(func() {
			for ctx.Err() == nil {
				c.PollFetches(ctx).EachRecord(func(r *kgo.Record) { all.see(topic, r.Value) })
			}
		})
		t.Cleanup(reading.Wait)
	}

	// NATS: two subscriptions, and both streams.
	for i := range 2 {
		name := fmt.Sprint("subscription ", i)
		all.expect(name, 3*each)
		nc := s.nats()
		sub, err := nc.Subscribe("load.>", func(m *nats.Msg) { all.see(name, m.Data) })
		must(t, err)
		must(t, sub.SetPendingLimits(-1, -1))
		must(t, nc.Flush())
	}
	for name, n := range map[string]int{"L": 3 * each, "AMQP_log": 4 * each} {
		all.expect(name, n)
		c, err := s.jetstream(t).CreateConsumer(within(t), name, jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 50})
		must(t, err)
		cc, err := c.Consume(func(m jetstream.Msg) {
			all.see(name, m.Data())
			m.Ack()
		})
		must(t, err)
		t.Cleanup(cc.Stop)
	}

	var publishing sync.WaitGroup
	publish := func(first uint32, send func(body []byte) error) {
		publishing.Go(func() {
			for id := first; id < first+each; id++ {
				if err := send(body(id)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	lasting, passing, nc, js, k := s.rabbit(), s.rabbit(), s.nats(), s.jetstream(t), s.kafka()
	rabbit := func(r *rabbit, mode uint8) func(b []byte) error {
		return func(b []byte) error {
			d, err := r.ch.PublishWithDeferredConfirm("amq.nats", "load.amqp", false, false, amqp.Publishing{Body: b, DeliveryMode: mode})
			if err == nil && len(b) > 50<<10 {
				_, err = d.WaitContext(t.Context()) // so that not all lies in sockets
			}
			return err
		}
	}
	publish(0, rabbit(lasting, amqp.Persistent))
	publish(each, rabbit(passing, amqp.Transient))
	publish(2*each, func(b []byte) error {
		if b[3]%2 == 0 {
			_, err := js.Publish(t.Context(), "load.nats", b)
			return err
		}
		return nc.Publish("load.nats", b)
	})
	publish(3*each, func(b []byte) error {
		return k.ProduceSync(t.Context(), &kgo.Record{Topic: "amqp.log", Value: b}).FirstErr()
	})
	publishing.Wait()
	select {
	case <-all.done:
	case <-time.After(3 * patience):
		t.Error("not everything came")
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, bad := range all.bad {
		t.Error(bad)
	}
	for name, n := range all.want {
		wantEqual(t, name, len(all.got[name]), n)
	}
}

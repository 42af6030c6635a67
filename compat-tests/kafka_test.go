package compat

import (
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafka opens a Kafka client that ends with the test.
func (s *server) kafka(o ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	return s.kafkaFor(s.t, o...)
}

func (s *server) kafkaFor(t *testing.T, o ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.addrs["kafka"]),
		kgo.RetryTimeout(patience),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100 * time.Millisecond),
	}, o...)...)
	must(t, err)
	t.Cleanup(c.CloseAllowingRebalance)
	return c
}

// topic makes a topic and waits until the client may use it.
func (s *server) topic(t *testing.T, name string, partitions int32, configs map[string]*string) {
	t.Helper()
	admin := kadm.NewClient(s.kafkaFor(t))
	r, err := admin.CreateTopic(within(t), partitions, 1, configs, name)
	must(t, err)
	must(t, r.Err)
	eventually(t, "topic "+name+" has its leaders", func() bool {
		d, err := admin.ListTopics(within(t), name)
		return err == nil && d[name].Err == nil && len(d[name].Partitions) == int(partitions)
	})
}

// produce writes records and waits until all are acknowledged.
func produce(t *testing.T, c *kgo.Client, rs ...*kgo.Record) {
	t.Helper()
	must(t, c.ProduceSync(within(t), rs...).FirstErr())
}

// batch writes records of one partition in one batch, compressed, and waits until it is acknowledged. It says what
// befell the first record that was not.
func (s *server) batch(rs ...*kgo.Record) (err error) {
	s.t.Helper()
	c := s.kafka(kgo.ManualFlushing(), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	for _, r := range rs {
		c.Produce(within(s.t), r, func(_ *kgo.Record, e error) {
			if err == nil {
				err = e
			}
		})
	}
	must(s.t, c.Flush(within(s.t)))
	return err
}

// record is a record with a key, or without one if key is "".
func record(topic, key, value string) *kgo.Record {
	r := &kgo.Record{Topic: topic, Value: []byte(value)}
	if key != "" {
		r.Key = []byte(key)
	}
	return r
}

// poll hands the next n records to f, in the order in which they came.
func poll(t *testing.T, c *kgo.Client, n int, f func(r *kgo.Record)) {
	t.Helper()
	ctx := within(t)
	for n > 0 {
		fs := c.PollRecords(ctx, n)
		if ctx.Err() != nil {
			t.Fatalf("%d records did not come", n)
		}
		fs.EachError(func(topic string, p int32, err error) { t.Fatalf("%s/%d: %v", topic, p, err) })
		fs.EachRecord(func(r *kgo.Record) { f(r); n-- })
		c.AllowRebalance()
	}
}

// state is a view that folds events: what a projector would keep. Its digest
// depends on every event and, per key, on their order.
type state map[string]uint32

func (s state) apply(r *kgo.Record) {
	k := string(r.Key)
	s[k] = crc32.Update(s[k], crc32.IEEETable, r.Value)
}

func (s state) String() string { return fmt.Sprint(map[string]uint32(s)) } // sorted by key

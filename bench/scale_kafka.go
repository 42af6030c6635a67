package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicsTrial: topics of ten partitions.
var topicsTrial = trial{
	name:  "kafka topics",
	aim:   "1,000 topics of 10 partitions",
	sizes: []int{10, 100, 1000},
	run:   topics,
}

const topicPartitions = 10

func topicName(i int) string { return fmt.Sprintf("topic.%d", i) }

func topics(b *bout) error {
	empty, err := b.memory("memory before")
	if err != nil {
		return err
	}
	k, err := dialKafka(b.addr["kafka"], 0)
	if err != nil {
		return err
	}
	defer func() { k.close() }()
	err = b.timed("create", b.N, func() error {
		const atOnce = 100
		for i := 0; i < b.N; i += atOnce {
			var names []string
			for j := i; j < min(i+atOnce, b.N); j++ {
				names = append(names, topicName(j))
			}
			if err := k.createTopics(topicPartitions, names...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	made, err := b.memory("memory, created")
	if err != nil {
		return err
	}
	b.note("memory of a partition", (made-empty)/float64(b.N)/topicPartitions, "B")
	all := make([]string, b.N)
	for i := range all {
		all[i] = topicName(i)
	}
	if err := b.timed("metadata of all", b.N, func() error { return k.metadata(b.N) }); err != nil {
		return err
	}
	records := b.N * topicPartitions
	if err := b.timed("produce to each partition", records, func() error { return produceEach(b, all) }); err != nil {
		return err
	}
	if err := b.timed("consume all", records, func() error { return consumeTopics(b, records, all...) }); err != nil {
		return err
	}
	if _, err := b.memory("memory, used"); err != nil {
		return err
	}
	if err := b.idle("CPU at rest"); err != nil {
		return err
	}
	if err := b.goroutines("goroutines"); err != nil {
		return err
	}
	k.close()
	if err := b.restart(); err != nil {
		return err
	}
	return b.timed("consume all after restart", records, func() error { return consumeTopics(b, records, all...) })
}

// metadata asks for all topics and expects n.
func (k *kafkaClient) metadata(n int) error {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 9
	req.Topics = nil
	resp, err := k.call(req, kmsg.NewPtrMetadataResponse())
	if err != nil {
		return err
	}
	if got := len(resp.(*kmsg.MetadataResponse).Topics); got != n {
		return fmt.Errorf("metadata has %d topics, want %d", got, n)
	}
	return nil
}

// produceEach sends a record to each partition.
func produceEach(b *bout, topics []string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr["kafka"]), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	return produceAll(cl, func(yield func(*kgo.Record) bool) {
		for _, t := range topics {
			for p := range topicPartitions {
				if !yield(&kgo.Record{Topic: t, Partition: int32(p), Value: make([]byte, backlogSize)}) {
					return
				}
			}
		}
	})
}

// produceAll returns once all records are acknowledged, with the first error.
func produceAll(cl *kgo.Client, records iter.Seq[*kgo.Record]) error {
	var first atomic.Pointer[error]
	for r := range records {
		cl.Produce(context.Background(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				first.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := cl.Flush(context.Background()); err != nil {
		return err
	}
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}

// consumeTopics reads n records from the beginning.
func consumeTopics(b *bout, n int, topics ...string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr["kafka"]), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for n > 0 {
		f := cl.PollFetches(context.Background())
		if err := f.Err(); err != nil {
			return err
		}
		n -= f.NumRecords()
	}
	return nil
}

// kafkaBacklog: records that nobody fetches yet.
var kafkaBacklog = trial{
	name:  "kafka backlog",
	aim:   backlogAim,
	sizes: backlogSizes,
	run: func(b *bout) error {
		const topic = "backlog"
		k, err := dialKafka(b.addr["kafka"], 0)
		if err != nil {
			return err
		}
		err = k.createTopics(1, topic)
		k.close()
		if err != nil {
			return err
		}
		return backlog(b,
			func() error { return produceBacklog(b, topic) },
			func() error { return consumeTopics(b, b.N, topic) })
	},
}

func produceBacklog(b *bout, topic string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr["kafka"]), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer cl.Close()
	value := make([]byte, backlogSize)
	return produceAll(cl, func(yield func(*kgo.Record) bool) {
		for range b.N {
			if !yield(&kgo.Record{Value: value}) {
				return
			}
		}
	})
}

// recordBatch is a batch of n records of size bytes each.
func recordBatch(n, size int) []byte {
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(n - 1), ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n),
	}
	for i := range n {
		r := kmsg.Record{OffsetDelta: int32(i), Value: make([]byte, size)}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		batch.Records = r.AppendTo(batch.Records)
	}
	b := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

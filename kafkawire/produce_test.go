package kafkawire_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/wire"
)

func TestProduceConsume(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 3, nil)
	c := s.client(kgo.ConsumeTopics("t"))
	s.produce(c, "t", 1000)
	seen := map[string]string{}
	last := map[int32]int64{}
	for _, r := range s.consume(c, 1000) {
		seen[string(r.Key)] = string(r.Value)
		if next, ok := last[r.Partition]; ok && r.Offset != next+1 {
			t.Fatalf("partition %d: offset %d after %d", r.Partition, r.Offset, next)
		}
		last[r.Partition] = r.Offset
	}
	for i := range 1000 {
		if seen[fmt.Sprint("k", i)] != fmt.Sprint(i) {
			t.Fatalf("record %d is missing", i)
		}
	}
}

// A connection at rest keeps nothing of what it stored.
func TestProduceRetainsNothing(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 3, nil)
	r := s.raw(t)
	for range 3 {
		r.send(r.frame(idempotent(s.topicID("t"), -1, -1, &kgo.Record{Value: make([]byte, 500_000)})))
		r.answer()
	}
	r.send(r.frame(kmsg.NewPtrMetadataRequest())) // after what follows an answer
	r.answer()
	if n := s.door.Retained(); n != 0 {
		t.Errorf("%d bytes", n)
	}
}

func TestCodecs(t *testing.T) {
	s := start(t, nil)
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			s.topic(name, 1, nil)
			c := s.client(kgo.ProducerBatchCompression(codec), kgo.ConsumeTopics(name))
			value := bytes.Repeat([]byte("Trivium "), 1000)
			for range 3 {
				rs := make([]*kgo.Record, 20)
				for i := range rs {
					rs[i] = &kgo.Record{Topic: name, Value: value, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{0, 1}}, {Key: "h"}}}
				}
				if err := c.ProduceSync(s.ctx(), rs...).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range s.consume(c, 60) {
				if !bytes.Equal(r.Value, value) || r.Key != nil || len(r.Headers) != 2 || r.Headers[1].Value != nil {
					t.Fatalf("%+v", r)
				}
			}
		})
	}
}

// A topic's compression.type decides how its batches are stored.
func TestRecompress(t *testing.T) {
	s := start(t, nil)
	for want, name := range []string{"uncompressed", "gzip", "snappy", "lz4", "zstd"} {
		s.topic(name, 1, map[string]*string{"compression.type": &name})
		c := s.client(kgo.ConsumeTopics(name))
		s.produce(c, name, 50)
		for i, r := range s.consume(c, 50) {
			if string(r.Value) != fmt.Sprint(i) || int(r.Attrs.CompressionType()) != want {
				t.Fatalf("%s: record %d is %q, codec %d", name, i, r.Value, r.Attrs.CompressionType())
			}
		}
	}
}

// idempotent is a produce request with one batch of n records of producer id.
func idempotent(topic [16]byte, id int64, first int32, records ...*kgo.Record) *kmsg.ProduceRequest {
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks = 13, -1
	b := batch(len(records), func(b *kmsg.RecordBatch) {
		b.ProducerID, b.ProducerEpoch, b.FirstSequence, b.Records = id, 0, first, nil
		for i, rec := range records {
			r := kmsg.NewRecord()
			r.OffsetDelta, r.Key, r.Value = int32(i), rec.Key, rec.Value
			b.Records = append(b.Records, sized(r)...)
		}
	})
	q.Topics = []kmsg.ProduceRequestTopic{{TopicID: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: b}}}}
	return q
}

// A retry that comes while the first copy is still on its way to disk is
// answered with the offset of that one.
func TestRetryInFlight(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	id := s.topicID("t")
	r := s.raw(t)
	var all []byte
	const n = 30
	for i := range int32(n) {
		q := idempotent(id, 7, i*2, &kgo.Record{Value: []byte("a")}, &kgo.Record{Value: []byte("b")})
		all = append(all, r.frame(q)...)
		all = append(all, r.frame(q)...)
	}
	r.send(all)
	for i := range int64(2 * n) {
		_, b := r.answer()
		a := kmsg.NewPtrProduceResponse()
		a.Version = 13
		if err := a.ReadFrom(b[1:]); err != nil {
			t.Fatal(err)
		}
		if p := a.Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != i/2*2 {
			t.Fatalf("answer %d: offset %d, error %d", i, p.BaseOffset, p.ErrorCode)
		}
	}
	if rs := s.consume(s.client(kgo.ConsumeTopics("t")), 2*n); rs[2*n-1].Offset != 2*n-1 {
		t.Fatalf("%d", rs[2*n-1].Offset)
	}
}

// LogAppendTime: readers see the server's time, and the checksum is right.
func TestLogAppendTime(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, map[string]*string{"message.timestamp.type": ptr("LogAppendTime")})
	before := time.Now().Add(-time.Millisecond)
	c := s.client(kgo.ConsumeTopics("t"))
	for range 3 {
		rec := &kgo.Record{Topic: "t", Value: []byte("v"), Timestamp: time.UnixMilli(5)}
		if err := c.ProduceSync(s.ctx(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range s.consume(c, 3) {
		if r.Timestamp.Before(before) || r.Timestamp.After(time.Now()) || r.Attrs.TimestampType() != 1 {
			t.Fatalf("%v %d", r.Timestamp, r.Attrs.TimestampType())
		}
	}
}

// A max timestamp that is not that of any record is corrected.
func TestMaxTimestamp(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	c := s.client()
	q := kmsg.NewPtrProduceRequest()
	q.Acks = -1
	at := time.Now().UnixMilli()
	b := batch(3, func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = at, 5 })
	q.Topics = []kmsg.ProduceRequestTopic{{TopicID: s.topicID("t"), Partitions: []kmsg.ProduceRequestTopicPartition{{Records: b}}}}
	if p := request[*kmsg.ProduceResponse](s, c, q).Topics[0].Partitions[0]; p.ErrorCode != 0 {
		t.Fatal(p.ErrorCode)
	}
	got := wire.Batch(request[*kmsg.FetchResponse](s, c, fetchID(s, "t", 0)).Topics[0].Partitions[0].RecordBatches)
	if got.MaxTimestamp() != at {
		t.Fatalf("max timestamp %d, want %d", got.MaxTimestamp(), at)
	}
	got.SetPlace(0, 0)
	if _, err := wire.ParseProduced(got); err != nil {
		t.Fatal(err)
	}
}

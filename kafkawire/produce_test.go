package kafkawire_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
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

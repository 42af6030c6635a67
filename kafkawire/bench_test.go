package kafkawire_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// pump sends one frame again and again, a window of them unanswered, and reads
// answers into one buffer: what it measures is the server.
type pump struct {
	*raw
	frame []byte
	in    []byte
}

func (p *pump) read() {
	if _, err := io.ReadFull(p, p.in[:4]); err != nil {
		p.Fatal(err)
	}
	n := int(binary.BigEndian.Uint32(p.in))
	if n > len(p.in) {
		p.in = make([]byte, n)
	}
	if _, err := io.ReadFull(p, p.in[:n]); err != nil {
		p.Fatal(err)
	}
}

func (p *pump) run(n, window int) {
	sent := 0
	for got := range n {
		for sent < n && sent-got < window {
			p.send(p.frame)
			sent++
		}
		p.read()
	}
}

func (s *server) pump(t testing.TB, q kmsg.Request) *pump {
	r := s.raw(t)
	return &pump{raw: r, frame: r.frame(q), in: make([]byte, 1<<10)}
}

// produceOf is a request with one batch of n records of size bytes.
func (s *server) produceOf(topic string, n, size int) kmsg.Request {
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks = 13, -1
	b := batch(n, func(b *kmsg.RecordBatch) {
		b.Records = nil
		for i := range n {
			r := kmsg.NewRecord()
			r.OffsetDelta, r.Value = int32(i), make([]byte, size)
			b.Records = append(b.Records, sized(r)...)
		}
	})
	q.Topics = []kmsg.ProduceRequestTopic{{TopicID: s.topicID(topic), Partitions: []kmsg.ProduceRequestTopicPartition{{Records: b}}}}
	return q
}

// The produce path allocates nothing per record and little per request.
func TestProduceAllocations(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	p := s.pump(t, s.produceOf("t", 100, 100))
	p.run(200, 10)
	const ceiling = 12
	if n := testing.AllocsPerRun(300, func() { p.run(1, 1) }); n > ceiling {
		t.Errorf("%.1f allocations for a produce request of 100 records, want at most %d", n, ceiling)
	} else {
		t.Logf("%.1f allocations", n)
	}
}

// So does the fetch path.
func TestFetchAllocations(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	s.produce(s.client(), "t", 100)
	f := fetchFrom("t", 0)
	f.Version, f.Topics[0].TopicID = 13, s.topicID("t")
	p := s.pump(t, f)
	p.run(200, 10)
	const ceiling = 16
	if n := testing.AllocsPerRun(300, func() { p.run(1, 1) }); n > ceiling {
		t.Errorf("%.1f allocations for a fetch request, want at most %d", n, ceiling)
	} else {
		t.Logf("%.1f allocations", n)
	}
}

func BenchmarkProduce(b *testing.B) {
	for _, c := range []struct{ records, size int }{{1, 100}, {100, 100}, {1000, 1000}} {
		b.Run(fmt.Sprintf("%dx%d", c.records, c.size), func(b *testing.B) {
			s := start(b, nil)
			s.topic("t", 1, map[string]*string{"retention.bytes": ptr("1000000000")})
			q := s.produceOf("t", c.records, c.size)
			p := s.pump(b, q)
			b.SetBytes(int64(c.records * c.size))
			b.ReportAllocs()
			b.ResetTimer()
			p.run(b.N, 20)
		})
	}
}

func BenchmarkFetch(b *testing.B) {
	for _, settled := range []bool{false, true} {
		b.Run(fmt.Sprintf("settled=%v", settled), func(b *testing.B) {
			s := start(b, nil)
			s.topic("t", 1, nil)
			c := s.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
			for range 16 {
				if err := c.ProduceSync(s.ctx(), &kgo.Record{Topic: "t", Value: make([]byte, 60_000)}).FirstErr(); err != nil {
					b.Fatal(err)
				}
			}
			if settled {
				if err := s.store.Checkpoint(); err != nil {
					b.Fatal(err)
				}
			}
			f := fetchFrom("t", 0)
			f.Version, f.Topics[0].TopicID = 13, s.topicID("t")
			p := s.pump(b, f)
			b.SetBytes(16 * 60_000)
			b.ReportAllocs()
			b.ResetTimer()
			p.run(b.N, 2)
		})
	}
}

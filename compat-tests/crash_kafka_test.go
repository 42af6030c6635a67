package compat

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaLoad produces numbers with an idempotent producer that lives through all
// crashes, and commits a group's offset over and over.
type kafkaLoad struct {
	account
	s        *server
	producer *kgo.Client
	admin    *kadm.Client
	working  sync.WaitGroup

	commit struct {
		sync.Mutex
		tried, acked int64
	}
}

func newKafkaLoad(t *testing.T, s *server) *kafkaLoad {
	s.topic(t, "load", 3, nil)
	return &kafkaLoad{
		s: s, admin: kadm.NewClient(s.kafkaFor(t)),
		producer: s.kafkaFor(t, kgo.DefaultProduceTopic("load"), kgo.ProducerLinger(0),
			kgo.MaxBufferedRecords(256), kgo.RecordPartitioner(kgo.RoundRobinPartitioner())),
	}
}

func (l *kafkaLoad) start() {
	l.account.start()
	l.working.Go(func() {
		for {
			n, ok := l.number()
			if !ok {
				return
			}
			l.producer.Produce(context.Background(), &kgo.Record{Value: []byte(strconv.Itoa(n))}, func(r *kgo.Record, err error) {
				if err == nil {
					l.ack(n, place(r))
				}
			})
		}
	})
	l.working.Go(l.commits)
}

// place is where a record is.
func place(r *kgo.Record) string { return fmt.Sprintf("%d/%d", r.Partition, r.Offset) }

// commits raises the group's offset until pause.
func (l *kafkaLoad) commits() {
	for !l.stopped() {
		l.commit.Lock()
		l.commit.tried++
		at := l.commit.tried
		l.commit.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		os := make(kadm.Offsets)
		os.AddOffset("load", 0, at, -1)
		r, err := l.admin.CommitOffsets(ctx, "loaders", os)
		cancel()
		if err == nil && r.Error() == nil {
			l.commit.Lock()
			l.commit.acked = at
			l.commit.Unlock()
		}
	}
}

// settle lets the producer retry until everything it began is acknowledged.
func (l *kafkaLoad) settle(t *testing.T) {
	must(t, l.producer.Flush(within(t)))
	l.working.Wait()
	if got := l.acked(); got != l.next {
		t.Errorf("%d of %d records were acknowledged", got, l.next)
	}
}

func (l *kafkaLoad) verify(t *testing.T) {
	said := l.said()
	held := make(map[int32][]int)
	seen := make(map[int]bool)
	c := l.s.kafkaFor(t, kgo.ConsumeTopics("load"))
	poll(t, c, l.end(t), func(r *kgo.Record) {
		n := number(t, r.Value)
		held[r.Partition] = append(held[r.Partition], n)
		seen[n] = true
		if at := said[n]; at != place(r) {
			t.Errorf("%d was acknowledged at %q and is at %s", n, at, place(r))
		}
	})
	c.Close()
	for p, numbers := range held {
		increasing(t, fmt.Sprint("partition ", p), numbers)
	}
	for n := range said {
		if !seen[n] {
			t.Errorf("%d was acknowledged at %s and is lost", n, said[n])
		}
	}

	offsets, err := l.admin.FetchOffsets(within(t), "loaders")
	must(t, err)
	at, _ := offsets.Lookup("load", 0)
	l.commit.Lock()
	defer l.commit.Unlock()
	if at.At < l.commit.acked || at.At > l.commit.tried {
		t.Errorf("committed %d for certain, tried %d, found %d", l.commit.acked, l.commit.tried, at.At)
	}
}

// end is how many records the topic holds: none is ever removed.
func (l *kafkaLoad) end(t *testing.T) (n int) {
	t.Helper()
	ends, err := l.admin.ListEndOffsets(within(t), "load")
	must(t, err)
	must(t, ends.Error())
	ends.Each(func(o kadm.ListedOffset) { n += int(o.Offset) })
	return n
}

package core

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"trivium/storage"
)

// benchBroker is a broker on a real directory without waiting for the disk.
func benchBroker(tb testing.TB) *Broker {
	tb.Helper()
	store, err := storage.Open(storage.Options{Dir: tb.TempDir(), Durability: storage.OS})
	if err != nil {
		tb.Fatal(err)
	}
	b, err := Open(store, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

// settler is a Sink that settles each batch in one transaction, on the worker.
type settler struct {
	b    *Broker
	got  atomic.Int64
	want int64
	done chan struct{}
	os   []Offset
	auto bool
}

func (s *settler) Deliver(sub *Subscription, ds []Delivery) {
	if !s.auto {
		s.os = s.os[:0]
		for _, d := range ds {
			s.os = append(s.os, d.Offset)
		}
		tx := s.b.Begin()
		sub.Cursor().Settle(tx, s.os...)
		tx.Commit()
	}
	if s.got.Add(int64(len(ds))) == s.want {
		close(s.done)
	}
}
func (s *settler) Idle(*Subscription)         {}
func (s *settler) Ended(*Subscription, error) {}

// benchBatch is how many messages a publisher puts in one transaction.
const benchBatch = 64

func benchFlow(b *testing.B, br *Broker, c *Cursor, auto bool, send func(tx *Tx, e *Entry) error) {
	s := &settler{b: br, want: int64(b.N), done: make(chan struct{}), auto: auto}
	sub, err := c.Subscribe(SubscribeOptions{Credit: -1, AutoAck: auto, Windows: []*Window{NewWindow(1000)}}, s)
	if err != nil {
		b.Fatal(err)
	}
	data, key := bytes.Repeat([]byte("x"), 100), []byte("key")
	b.ReportAllocs()
	b.ResetTimer()
	for sent := 0; sent < b.N; {
		tx := br.Begin()
		for i := 0; i < benchBatch && sent < b.N; i++ {
			e := Entry{Key: key, Data: data}
			if err := send(tx, &e); err != nil {
				b.Fatal(err)
			}
			sent++
		}
		tx.Commit()
	}
	<-s.done
	b.StopTimer()
	sub.Close()
}

func benchQueue(b *testing.B, c QueueConfig, auto bool) {
	br := benchBroker(b)
	var q *Queue
	err := br.Committed(func(tx *Tx) (err error) {
		c.Realm, c.Name = defaultRealm, "q"
		q, err = br.Namespace(DefaultNamespace).CreateQueue(tx, c)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	benchFlow(b, br, q.Cursor(), auto, q.Append)
}

func BenchmarkQueue(b *testing.B)          { benchQueue(b, QueueConfig{Durable: true}, false) }
func BenchmarkTransientQueue(b *testing.B) { benchQueue(b, QueueConfig{}, true) }

func benchStream(b *testing.B, c StreamConfig) (*Broker, *Stream) {
	br := benchBroker(b)
	var s *Stream
	err := br.Committed(func(tx *Tx) (err error) {
		c.Realm, c.Name = defaultRealm, "s"
		s, err = br.Namespace(DefaultNamespace).CreateStream(tx, c)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return br, s
}

func BenchmarkCursor(b *testing.B) {
	br, s := benchStream(b, StreamConfig{KeyIndex: true})
	var c *Cursor
	err := br.Committed(func(tx *Tx) (err error) {
		c, err = s.CreateCursor(tx, CursorConfig{Name: "c", Durable: true, AckWait: 30e9, MaxInFlight: 1000}, nil)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	benchFlow(b, br, c, false, func(tx *Tx, e *Entry) error { _, err := s.Append(tx, 0, e, nil); return err })
}

func benchAppend(b *testing.B, c StreamConfig, id bool) {
	br, s := benchStream(b, c)
	data, key := bytes.Repeat([]byte("x"), 100), []byte("key.one")
	ids := make([]byte, 16)
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		tx := br.Begin()
		for range benchBatch {
			e := Entry{Key: key, Data: data}
			if id {
				n++
				for i := range 8 {
					ids[i] = byte(n >> (8 * i))
				}
				e.ID = ids
			}
			if _, err := s.Append(tx, 0, &e, nil); err != nil {
				b.Fatal(err)
			}
		}
		tx.Commit()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchBatch), "ns/msg")
}

func BenchmarkAppend(b *testing.B) { benchAppend(b, StreamConfig{MaxMessages: 100_000}, false) }
func BenchmarkAppendIndexed(b *testing.B) {
	benchAppend(b, StreamConfig{KeyIndex: true, MaxMessages: 100_000}, false)
}
func BenchmarkAppendDedup(b *testing.B) {
	benchAppend(b, StreamConfig{KeyIndex: true, MaxMessages: 100_000, DedupWindow: 1e9}, true)
}

// BenchmarkLoadKeys measures the start with a stream that has a million keys, written by a checkpoint.
func BenchmarkLoadKeys(b *testing.B) {
	const keys = 1_000_000
	dir := b.TempDir()
	open := func() (*storage.Store, *Broker) {
		store, err := storage.Open(storage.Options{Dir: dir, Durability: storage.OS})
		if err != nil {
			b.Fatal(err)
		}
		br, err := Open(store, Options{})
		if err != nil {
			b.Fatal(err)
		}
		return store, br
	}
	closeAll := func(store *storage.Store, br *Broker) {
		if err := errors.Join(br.Close(), store.Close()); err != nil {
			b.Fatal(err)
		}
	}
	store, br := open()
	tx := br.Begin()
	s, err := br.Namespace(DefaultNamespace).CreateStream(tx, StreamConfig{Realm: defaultRealm, Name: "s", MaxMessagesPerKey: 1})
	for i := range keys {
		if err == nil {
			_, err = s.Append(tx, 0, &Entry{Key: fmt.Appendf(nil, "$KV.bucket.customer.%d.cart", i)}, nil)
		}
		if i%1000 == 0 {
			tx.Commit()
			tx = br.Begin()
		}
	}
	tx.Commit()
	if err != nil {
		b.Fatal(err)
	}
	closeAll(store, br)
	for b.Loop() {
		store, br := open()
		b.StopTimer()
		if n := br.Namespace(DefaultNamespace).Stream(defaultRealm, "s").KeyCount(); n != keys {
			b.Fatal(n)
		}
		closeAll(store, br)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
}

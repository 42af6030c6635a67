package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// subjectsTrial: subscriptions, each to a subject of its own.
var subjectsTrial = trial{
	name:  "nats subjects",
	aim:   "interest in 100,000 subjects",
	sizes: []int{1000, 10_000, 100_000},
	run: func(b *bout) error {
		empty, err := b.memory("memory before")
		if err != nil {
			return err
		}
		const subscribers = 10
		var subs []*natsClient
		defer func() {
			for _, n := range subs {
				n.close()
			}
		}()
		for i := range subscribers {
			n, err := dialNATS(b.addr["nats"], i)
			if err != nil {
				return err
			}
			subs = append(subs, n)
		}
		err = b.timed("subscribe", b.N, func() error {
			for i, n := range subs {
				var lines bytes.Buffer
				for k := i; k < b.N; k += subscribers {
					fmt.Fprintf(&lines, "SUB area.%d.item.%d %d\r\n", k%100, k, k)
				}
				if err := n.flush(lines.String()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		all, err := b.memory("memory, subscribed")
		if err != nil {
			return err
		}
		b.note("memory of a subject", (all-empty)/float64(b.N), "B")
		for _, name := range []string{"first message to each", "second message to each"} {
			if err := b.timed(name, b.N, func() error { return publishSubjects(b, subs) }); err != nil {
				return err
			}
		}
		if _, err := b.memory("memory, used"); err != nil {
			return err
		}
		if err := b.idle("CPU at rest"); err != nil {
			return err
		}
		err = b.timed("one goes, one comes", 1000, func() error {
			for k := range 1000 {
				if err := subs[0].flush(fmt.Sprintf("SUB churn.%d x%d\r\nUNSUB x%d\r\n", k, k, k)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return b.timed("disconnect all", b.N, func() error {
			for _, n := range subs {
				n.close()
			}
			subs = nil
			for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if left, err := b.metric(`trivium_subscriptions{door="nats"}`); err != nil || left == 0 {
					return err
				}
			}
			return fmt.Errorf("subscriptions are left behind")
		})
	},
}

// publishSubjects sends a message to each subject and awaits them all.
func publishSubjects(b *bout, subs []*natsClient) error {
	errs := make([]error, len(subs))
	var wg sync.WaitGroup
	for i, n := range subs {
		wg.Go(func() {
			for k := i; k < b.N; k += len(subs) {
				l, err := n.line()
				if err == nil && !bytes.HasPrefix(l, []byte("MSG area.")) {
					err = fmt.Errorf("got %q instead of a message", l)
				}
				if err == nil {
					_, err = n.r.Discard(len("hello\r\n"))
				}
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	p, err := dialNATS(b.addr["nats"], 0)
	if err != nil {
		return err
	}
	defer p.close()
	var lines bytes.Buffer
	for k := range b.N {
		fmt.Fprintf(&lines, "PUB area.%d.item.%d 5\r\nhello\r\n", k%100, k)
		if lines.Len() > 32<<10 || k == b.N-1 {
			if _, err := p.c.Write(lines.Bytes()); err != nil {
				return err
			}
			lines.Reset()
		}
	}
	wg.Wait()
	return firstOf(errs)
}

// bucketTrial: a key-value bucket, used as nats.go's clients use it.
var bucketTrial = trial{
	name:  "nats key-value",
	aim:   "a bucket of 10 million keys in 2 GiB of memory",
	sizes: []int{100_000, 1_000_000, 10_000_000},
	run:   bucket,
}

func bucketKey(i int) string { return fmt.Sprintf("customer.%d.cart", i) }

const (
	bucketName  = "scale"
	bucketReads = 20_000
	listing     = 10 * time.Minute
)

func bucket(b *bout) error {
	nc, js, err := dialJetStream(b)
	if err != nil {
		return err
	}
	defer func() { nc.Close() }()
	kv, err := js.CreateKeyValue(context.Background(), jetstream.KeyValueConfig{Bucket: bucketName})
	if err != nil {
		return err
	}
	empty, err := b.memory("memory before")
	if err != nil {
		return err
	}
	if err := b.p.forgetPeak(); err != nil {
		return err
	}
	put := func(n int, key func(i int) int) error {
		return publishAsync(js, n, backlogSize, func(i int) string { return "$KV." + bucketName + "." + bucketKey(key(i)) })
	}
	if err := b.timed("put", b.N, func() error { return put(b.N, func(i int) int { return i }) }); err != nil {
		return err
	}
	if err := b.peak("peak memory, putting"); err != nil {
		return err
	}
	full, err := b.memory("memory, all keys")
	if err != nil {
		return err
	}
	b.note("memory of a key", (full-empty)/float64(b.N), "B")
	if err := b.timed("get", bucketReads, func() error { return getRandom(kv, b.N) }); err != nil {
		return err
	}
	updates := max(b.N/10, 1)
	if err := b.timed("update", updates, func() error { return put(updates, func(int) int { return rand.IntN(b.N) }) }); err != nil {
		return err
	}
	if _, err := b.memory("memory, updated"); err != nil {
		return err
	}
	if err := b.idle("CPU at rest"); err != nil {
		return err
	}
	nc.Close()
	if err := b.restart(); err != nil {
		return err
	}
	if nc, js, err = dialJetStream(b); err != nil {
		return err
	}
	if kv, err = js.KeyValue(context.Background(), bucketName); err != nil {
		return err
	}
	if err := b.timed("get after restart", bucketReads, func() error { return getRandom(kv, b.N) }); err != nil {
		return err
	}
	err = b.timed("list keys", b.N, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), listing) // nats.go's own limit is five seconds
		defer cancel()
		l, err := kv.ListKeys(ctx)
		if err != nil {
			return err
		}
		n := 0
		for range l.Keys() {
			n++
		}
		if n != b.N {
			return fmt.Errorf("%d keys, want %d", n, b.N)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := b.peak("peak memory since the restart"); err != nil {
		return err
	}
	_, err = b.memory("memory at the end")
	return err
}

func getRandom(kv jetstream.KeyValue, n int) error {
	return each(bucketReads, func(int) error {
		i := rand.IntN(n)
		e, err := kv.Get(context.Background(), bucketKey(i))
		if err == nil && len(e.Value()) != backlogSize {
			err = fmt.Errorf("key %s has %d bytes", bucketKey(i), len(e.Value()))
		}
		return err
	})
}

func dialJetStream(b *bout) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect("nats://" + b.addr["nats"])
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(publishPending))
	return nc, js, err
}

// publishPending is how many PubAcks may be outstanding.
const publishPending = 8192

// publishAsync publishes n different messages of size bytes and awaits that all are stored.
func publishAsync(js jetstream.JetStream, n, size int, subject func(i int) string) error {
	data := make([]byte, size)
	futures := make([]jetstream.PubAckFuture, 0, publishPending)
	await := func() error {
		for _, f := range futures {
			select {
			case <-f.Ok():
			case err := <-f.Err():
				return err
			}
		}
		futures = futures[:0]
		return nil
	}
	for i := range n {
		binary.LittleEndian.PutUint32(data, uint32(i))
		f, err := js.PublishAsync(subject(i), data)
		if err != nil {
			return err
		}
		if futures = append(futures, f); len(futures) == cap(futures) {
			// The older half is stored by now, or soon.
			half := slices.Clone(futures[len(futures)/2:])
			futures = futures[:len(futures)/2]
			if err := await(); err != nil {
				return err
			}
			futures = append(futures, half...)
		}
	}
	return await()
}

// natsBacklog: a work-queue stream that nobody consumes yet.
var natsBacklog = trial{
	name:  "nats backlog",
	aim:   backlogAim,
	sizes: backlogSizes,
	run: func(b *bout) error {
		const stream, subject = "BACKLOG", "backlog"
		nc, js, err := dialJetStream(b)
		if err != nil {
			return err
		}
		defer func() { nc.Close() }()
		_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: stream, Subjects: []string{subject + ".*"}, Retention: jetstream.WorkQueuePolicy})
		if err != nil {
			return err
		}
		return backlog(b,
			func() error {
				return publishAsync(js, b.N, backlogSize, func(i int) string { return subject + "." + strconv.Itoa(i%10) })
			},
			func() error {
				nc.Close()
				if nc, js, err = dialJetStream(b); err != nil {
					return err
				}
				return consumeStream(js, stream, b.N)
			})
	},
}

// consumeStream takes n messages and acks each.
func consumeStream(js jetstream.JetStream, stream string, n int) error {
	cons, err := js.CreateConsumer(context.Background(), stream, jetstream.ConsumerConfig{Durable: "all", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: publishPending})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	left := n
	cc, err := cons.Consume(func(m jetstream.Msg) {
		err := m.Ack()
		if left--; err != nil || left == 0 {
			select {
			case done <- err:
			default:
			}
		}
	}, jetstream.PullMaxMessages(5000))
	if err != nil {
		return err
	}
	defer cc.Stop()
	return <-done
}

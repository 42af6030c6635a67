package compat

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsPublishers is how many publish at once, each waiting for its PubAck.
const natsPublishers = 8

// natsLoad publishes numbers with their number as Nats-Msg-Id and retries each
// until it is acknowledged; a consumer acknowledges with double acks.
type natsLoad struct {
	account
	s       *server
	js      jetstream.JetStream
	c       jetstream.Consumer
	working sync.WaitGroup

	consumed struct {
		sync.Mutex
		certain map[uint64]bool // double acks that were answered, by sequence
		again   []uint64        // of those, the ones that came again
	}
}

func newNATSLoad(t *testing.T, s *server) *natsLoad {
	l := &natsLoad{s: s, js: s.jetstream(t)}
	l.consumed.certain = make(map[uint64]bool)
	_, err := l.js.CreateStream(within(t), jetstream.StreamConfig{Name: "LOAD", Subjects: []string{"load.*"}, Duplicates: time.Hour})
	must(t, err)
	l.c, err = l.js.CreateConsumer(within(t), "LOAD", jetstream.ConsumerConfig{
		Durable: "reader", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second,
	})
	must(t, err)
	return l
}

func (l *natsLoad) start() {
	l.account.start()
	for p := range natsPublishers {
		l.working.Go(func() {
			for {
				n, ok := l.number()
				if !ok {
					return
				}
				l.publish(p, n)
			}
		})
	}
	l.working.Go(l.consume)
}

// publish tries until the server acknowledges the message.
func (l *natsLoad) publish(publisher, n int) {
	m := &nats.Msg{Subject: fmt.Sprint("load.", publisher), Data: []byte(strconv.Itoa(n))}
	began := time.Now()
	for time.Since(began) < patience {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		ack, err := l.js.PublishMsg(ctx, m, jetstream.WithMsgID(strconv.Itoa(n)))
		cancel()
		if err == nil {
			l.ack(n, strconv.FormatUint(ack.Sequence, 10))
			return
		}
	}
}

// consume reads and acknowledges until pause.
func (l *natsLoad) consume() {
	for !l.stopped() {
		b, err := l.c.Fetch(50, jetstream.FetchMaxWait(100*time.Millisecond))
		if err != nil {
			continue
		}
		for m := range b.Messages() {
			l.take(m)
		}
	}
}

func (l *natsLoad) take(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		return
	}
	seq := meta.Sequence.Stream
	l.consumed.Lock()
	if l.consumed.certain[seq] {
		l.consumed.again = append(l.consumed.again, seq)
	}
	l.consumed.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.DoubleAck(ctx) == nil {
		l.consumed.Lock()
		l.consumed.certain[seq] = true
		l.consumed.Unlock()
	}
}

func (l *natsLoad) settle(t *testing.T) {
	l.working.Wait()
	if got := l.acked(); got != l.next {
		t.Errorf("%d of %d messages were acknowledged", got, l.next)
	}
}

func (l *natsLoad) verify(t *testing.T) {
	said := l.said()
	stream, err := l.js.Stream(within(t), "LOAD")
	must(t, err)
	state := stream.CachedInfo().State
	if state.Msgs != state.LastSeq || state.FirstSeq != 1 {
		t.Errorf("nothing was removed, and the stream says %+v", state)
	}
	held := make(map[string][]int) // by subject
	seen := make(map[int]bool)
	for seq, left := uint64(1), state.LastSeq; seq <= left; seq++ {
		m, err := stream.GetMsg(within(t), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			t.Errorf("sequence %d is lost", seq)
			continue
		}
		must(t, err)
		n := number(t, m.Data)
		if seen[n] {
			t.Errorf("%d is there twice", n)
		}
		seen[n] = true
		held[m.Subject] = append(held[m.Subject], n)
		if at := said[n]; at != strconv.FormatUint(seq, 10) {
			t.Errorf("%d was acknowledged at %q and is at %d", n, at, seq)
		}
	}
	for subject, numbers := range held {
		increasing(t, subject, numbers)
	}
	for n, at := range said {
		if !seen[n] {
			t.Errorf("%d was acknowledged at %s and is lost", n, at)
		}
	}
	l.consumed.Lock()
	defer l.consumed.Unlock()
	for _, seq := range l.consumed.again {
		t.Errorf("sequence %d was double-acknowledged and came again", seq)
	}
	if len(l.consumed.certain) == 0 {
		t.Error("the consumer acknowledged nothing")
	}
}

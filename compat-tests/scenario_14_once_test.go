package compat

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Scenario 14. A shop publishes orders with an id and retries what it got no
// answer for; the consumer acknowledges what it did, and is told twice only if
// it did not.
func TestScenario14ExactlyOnce(t *testing.T) {
	s := start(t)
	js := s.jetstream(t)
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{
		Name: "ORDERS", Subjects: []string{"orders.*"}, Duplicates: 2 * time.Minute,
	})
	must(t, err)
	publish := func(t *testing.T, js jetstream.JetStream, id string) *jetstream.PubAck {
		t.Helper()
		ack, err := js.Publish(within(t), "orders.new", []byte(id), jetstream.WithMsgID(id))
		must(t, err)
		return ack
	}
	stored := func(t *testing.T, js jetstream.JetStream) uint64 {
		t.Helper()
		stream, err := js.Stream(within(t), "ORDERS")
		must(t, err)
		return stream.CachedInfo().State.Msgs
	}

	first := publish(t, js, "order-123-v1")
	t.Run("the retry is acknowledged as a duplicate of the first", func(t *testing.T) {
		again := publish(t, js, "order-123-v1")
		if first.Duplicate || !again.Duplicate || again.Sequence != first.Sequence {
			t.Errorf("first %+v, again %+v", first, again)
		}
	})
	t.Run("one copy inside the window", func(t *testing.T) {
		publish(t, js, "order-124-v1")
		if got := stored(t, js); got != 2 {
			t.Errorf("%d orders stored, want 2", got)
		}
	})
	t.Run("the window survives a crash of the server", func(t *testing.T) {
		s.crash(t)
		js := s.jetstream(t)
		if again := publish(t, js, "order-123-v1"); !again.Duplicate || again.Sequence != first.Sequence {
			t.Errorf("after the crash %+v, before %+v", again, first)
		}
		if got := stored(t, js); got != 2 {
			t.Errorf("%d orders stored, want 2", got)
		}
	})

	js = s.jetstream(t)
	shipping, err := js.CreateConsumer(within(t), "ORDERS", jetstream.ConsumerConfig{
		Durable: "shipping", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: 200 * time.Millisecond, MaxDeliver: 3,
	})
	must(t, err)

	t.Run("a double ack is answered when it counts", func(t *testing.T) {
		fetch(t, shipping, 1, func(m jetstream.Msg) {
			if string(m.Data()) != "order-123-v1" {
				t.Errorf("got %s", m.Data())
			}
			must(t, m.DoubleAck(within(t)))
			if err := m.Ack(); err != jetstream.ErrMsgAlreadyAckd {
				t.Errorf("acking again: %v", err)
			}
		})
		info, err := shipping.Info(within(t))
		must(t, err)
		if info.AckFloor.Stream != 1 || info.NumAckPending != 0 {
			t.Errorf("acknowledged up to %d, %d outstanding", info.AckFloor.Stream, info.NumAckPending)
		}
	})
	t.Run("without an ack it comes again after AckWait, at most MaxDeliver times", func(t *testing.T) {
		for attempt := uint64(1); attempt <= 3; attempt++ {
			fetch(t, shipping, 1, func(m jetstream.Msg) {
				meta, err := m.Metadata()
				must(t, err)
				if string(m.Data()) != "order-124-v1" || meta.NumDelivered != attempt {
					t.Errorf("attempt %d: %s, delivered %d times", attempt, m.Data(), meta.NumDelivered)
				}
			})
		}
		publish(t, js, "order-125-v1")
		fetch(t, shipping, 1, func(m jetstream.Msg) {
			if string(m.Data()) != "order-125-v1" {
				t.Errorf("got %s again", m.Data())
			}
			must(t, m.DoubleAck(within(t)))
		})
	})
	t.Run("another id is another message, a message without one is never a duplicate", func(t *testing.T) {
		before := stored(t, js)
		publish(t, js, "order-123-v2")
		for range 2 {
			_, err := js.PublishMsg(within(t), &nats.Msg{Subject: "orders.new", Data: []byte("anonymous")})
			must(t, err)
		}
		if got := stored(t, js); got != before+3 {
			t.Errorf("%d orders stored, want %d", got, before+3)
		}
	})
}

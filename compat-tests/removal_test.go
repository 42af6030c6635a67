package compat

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A message with a TTL of its own ends by it, in a stream that allows that: over a
// crash, and whatever the stream's own age says.
func TestMessageTTL(t *testing.T) {
	s := start(t)
	js := s.jetstream(t)
	config := jetstream.StreamConfig{Name: "TTL", Subjects: []string{"ttl.*"}, AllowMsgTTL: true, MaxAge: time.Hour}
	_, err := js.CreateStream(within(t), config)
	must(t, err)
	_, err = js.Publish(within(t), "ttl.short", []byte("1"), jetstream.WithMsgTTL(2*time.Second))
	must(t, err)
	_, err = js.Publish(within(t), "ttl.long", []byte("2"), jetstream.WithMsgTTL(time.Hour))
	must(t, err)
	_, err = js.Publish(within(t), "ttl.none", []byte("3"))
	must(t, err)
	if !original() {
		s.crash(t)
		js = s.jetstream(t)
	}
	stream, err := js.Stream(within(t), "TTL")
	must(t, err)
	eventually(t, "the short one is gone", func() bool {
		_, err := stream.GetMsg(within(t), 1)
		return err == jetstream.ErrMsgNotFound
	})
	for seq := uint64(2); seq <= 3; seq++ {
		if _, err := stream.GetMsg(within(t), seq); err != nil {
			t.Errorf("sequence %d: %v", seq, err)
		}
	}
	config.Name, config.Subjects, config.AllowMsgTTL = "PLAIN", []string{"plain"}, false
	_, err = js.CreateStream(within(t), config)
	must(t, err)
	if _, err := js.Publish(within(t), "plain", nil, jetstream.WithMsgTTL(time.Hour)); err == nil {
		t.Error("a stream that does not allow it took a TTL")
	}
}

// What is removed is not delivered, even if a consumer was about to get it.
func TestPurgedIsNotDelivered(t *testing.T) {
	s := start(t)
	js := s.jetstream(t)
	stream, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "P", Subjects: []string{"p"}})
	must(t, err)
	for _, body := range []string{"1", "2", "3", "4"} {
		_, err := js.Publish(within(t), "p", []byte(body))
		must(t, err)
	}
	c, err := js.CreateConsumer(within(t), "P", jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy})
	must(t, err)
	fetch(t, c, 1, func(m jetstream.Msg) { must(t, m.DoubleAck(within(t))) })
	must(t, stream.DeleteMsg(within(t), 2))
	must(t, stream.Purge(within(t), jetstream.WithPurgeSequence(4)))
	fetch(t, c, 1, func(m jetstream.Msg) {
		if string(m.Data()) != "4" {
			t.Errorf("%s was delivered and is purged", m.Data())
		}
	})
}

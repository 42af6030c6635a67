package jetstream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// with is a client's view of a fresh server with one stream, S, on "s.>".
func with(t *testing.T, c jetstream.StreamConfig) (*world, *nats.Conn, jetstream.JetStream, jetstream.Stream) {
	t.Helper()
	w := start(t)
	nc := w.connect()
	js := stream0(t, nc)
	c.Name, c.Subjects = "S", []string{"s.>"}
	s, err := js.CreateStream(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return w, nc, js, s
}

func stream0(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func publish(t *testing.T, js jetstream.JetStream, n int) {
	t.Helper()
	for i := range n {
		if _, err := js.Publish(t.Context(), fmt.Sprintf("s.%d", i%3), fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func fetch(t *testing.T, c jetstream.Consumer, n int) []jetstream.Msg {
	t.Helper()
	b, err := c.Fetch(n, jetstream.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	var all []jetstream.Msg
	for m := range b.Messages() {
		all = append(all, m)
	}
	if b.Error() != nil || len(all) != n {
		t.Fatalf("got %d messages, want %d: %v", len(all), n, b.Error())
	}
	return all
}

func create(t *testing.T, s jetstream.Stream, c jetstream.ConsumerConfig) jetstream.Consumer {
	t.Helper()
	con, err := s.CreateOrUpdateConsumer(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return con
}

func TestAckKinds(t *testing.T) {
	_, nc, js, s := with(t, jetstream.StreamConfig{})
	advice, err := nc.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.>")
	if err != nil {
		t.Fatal(err)
	}
	c := create(t, s, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour, MaxDeliver: 3})
	publish(t, js, 5)
	ms := fetch(t, c, 5)
	if err := ms[0].DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ms[1].Nak(); err != nil {
		t.Fatal(err)
	}
	again := fetch(t, c, 1)[0]
	if meta, _ := again.Metadata(); meta.Sequence.Stream != 2 || meta.NumDelivered != 2 {
		t.Fatalf("%+v", meta)
	}
	if err := again.NakWithDelay(time.Millisecond); err != nil {
		t.Fatal(err)
	}
	again = fetch(t, c, 1)[0]
	if meta, _ := again.Metadata(); meta.Sequence.Stream != 2 || meta.NumDelivered != 3 {
		t.Fatalf("%+v", meta)
	}
	if err := again.Nak(); err != nil { // it was the last attempt
		t.Fatal(err)
	}
	if err := ms[2].TermWithReason("no use"); err != nil {
		t.Fatal(err)
	}
	if err := ms[3].InProgress(); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"io.nats.jetstream.advisory.v1.consumer_action": 1, "io.nats.jetstream.advisory.v1.nak": 3,
		"io.nats.jetstream.advisory.v1.max_deliver": 1, "io.nats.jetstream.advisory.v1.terminated": 1,
	}
	for n := 6; n > 0; n-- {
		m, err := advice.NextMsg(patience)
		if err != nil {
			t.Fatalf("%v; still to come: %v", err, want)
		}
		valid(t, m.Data)
		var e struct{ Type string }
		if err := json.Unmarshal(m.Data, &e); err != nil {
			t.Fatal(err)
		}
		if want[e.Type]--; want[e.Type] < 0 {
			t.Errorf("%s", m.Data)
		}
	}
	if i, err := c.Info(t.Context()); err != nil || i.NumAckPending != 2 {
		t.Errorf("%+v %v", i, err)
	}
}

func TestAckAllAndNext(t *testing.T) {
	_, nc, js, s := with(t, jetstream.StreamConfig{})
	c := create(t, s, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckAllPolicy})
	publish(t, js, 4)
	ms := fetch(t, c, 3)
	m, err := nc.Request(ms[2].Reply(), []byte("+NXT"), patience)
	if err != nil || string(m.Data) != "3" {
		t.Fatalf("%v %v", m, err)
	}
	i, err := c.Info(t.Context())
	if err != nil || i.AckFloor.Stream != 3 || i.NumAckPending != 1 || i.NumPending != 0 {
		t.Fatalf("%+v %v", i, err)
	}
}

func TestWorkQueueForgetsWhatIsDone(t *testing.T) {
	_, _, js, s := with(t, jetstream.StreamConfig{Retention: jetstream.WorkQueuePolicy})
	c := create(t, s, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy})
	publish(t, js, 3)
	ms := fetch(t, c, 3)
	for _, m := range ms[1:] {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	i, err := s.Info(t.Context())
	if err != nil || i.State.Msgs != 1 || i.State.FirstSeq != 1 {
		t.Fatalf("%+v %v", i.State, err)
	}
}

func TestInterestForgetsWhatAllHaveAcked(t *testing.T) {
	_, _, js, s := with(t, jetstream.StreamConfig{Retention: jetstream.InterestPolicy})
	publish(t, js, 1) // nobody wants it
	a := create(t, s, jetstream.ConsumerConfig{Durable: "a", AckPolicy: jetstream.AckExplicitPolicy})
	b := create(t, s, jetstream.ConsumerConfig{Durable: "b", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "s.1"})
	publish(t, js, 3)
	for _, m := range fetch(t, a, 3) {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if i, err := s.Info(t.Context()); err != nil || i.State.Msgs != 1 || i.State.LastSeq != 4 {
		t.Fatalf("%+v %v", i.State, err)
	}
	if err := fetch(t, b, 1)[0].DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	if i, err := s.Info(t.Context()); err != nil || i.State.Msgs != 0 {
		t.Fatalf("%+v %v", i.State, err)
	}
}

func TestInactiveEphemeralIsDeleted(t *testing.T) {
	_, nc, _, s := with(t, jetstream.StreamConfig{})
	gone, err := nc.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.DELETED.>")
	if err != nil {
		t.Fatal(err)
	}
	create(t, s, jetstream.ConsumerConfig{Name: "e", AckPolicy: jetstream.AckExplicitPolicy, InactiveThreshold: 50 * time.Millisecond})
	if _, err := gone.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Consumer(t.Context(), "e"); err != jetstream.ErrConsumerNotFound {
		t.Fatal(err)
	}
}

func TestRequestsAreServedInTurn(t *testing.T) {
	_, nc, js, s := with(t, jetstream.StreamConfig{})
	create(t, s, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, MaxWaiting: 3})
	got := make(chan *nats.Msg, 64)
	for _, in := range []string{"in.a", "in.b", "in.c", "in.d"} {
		sub, err := nc.ChanSubscribe(in, got)
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Unsubscribe()
		if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.S.c", in, []byte(`{"batch":2,"expires":3600000000000}`)); err != nil {
			t.Fatal(err)
		}
	}
	if m := <-got; m.Sub.Subject != "in.d" || m.Header.Get("Description") != "Exceeded MaxWaiting" {
		t.Fatalf("%s %v", m.Sub.Subject, m.Header)
	}
	publish(t, js, 6)
	for _, in := range []string{"in.a", "in.b", "in.c", "in.a", "in.b", "in.c"} {
		if m := <-got; m.Sub.Subject != in {
			t.Fatalf("%s was served, want %s", m.Sub.Subject, in)
		}
	}
}

// What was acknowledged and what was delivered is known after a restart, and so are
// ephemeral consumers, ids, and bindings.
func TestRestart(t *testing.T) {
	w, nc, js, s := with(t, jetstream.StreamConfig{Description: "kept", MaxMsgsPerSubject: 10})
	c := create(t, s, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, FilterSubjects: []string{"s.0", "s.1"}})
	create(t, s, jetstream.ConsumerConfig{Name: "e", AckPolicy: jetstream.AckExplicitPolicy, InactiveThreshold: time.Hour})
	publish(t, js, 6)
	if _, err := js.Publish(t.Context(), "s.0", nil, jetstream.WithMsgID("id")); err != nil {
		t.Fatal(err)
	}
	ms := fetch(t, c, 3)
	if err := ms[0].DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	w.restart()

	nc = w.connect()
	js = stream0(t, nc)
	s, err = js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	after := s.CachedInfo()
	before.TimeStamp, after.TimeStamp, before.Cluster, after.Cluster = time.Time{}, time.Time{}, nil, nil
	if x, y := fmt.Sprintf("%+v", *before), fmt.Sprintf("%+v", *after); x != y {
		t.Errorf("before %s\nafter  %s", x, y)
	}
	if _, err := s.Consumer(t.Context(), "e"); err != nil {
		t.Error(err)
	}
	ack, err := js.Publish(t.Context(), "s.0", nil, jetstream.WithMsgID("id"))
	if err != nil || !ack.Duplicate || ack.Sequence != 7 {
		t.Fatalf("%+v %v", ack, err)
	}
	if c, err = s.Consumer(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	i := c.CachedInfo()
	if i.AckFloor.Stream != 1 || i.NumAckPending != 2 || i.Delivered.Consumer != 3 || i.NumPending != 2 {
		t.Errorf("%+v", i)
	}
	if m := fetch(t, c, 1)[0]; string(m.Data()) != "4" {
		t.Errorf("%s", m.Data())
	}
}

func TestOrderedConsumerAndFlowControl(t *testing.T) {
	_, nc, js, s := with(t, jetstream.StreamConfig{})
	const n = 2000
	body := make([]byte, 4000) // 8 MB: more than the first windows of flow control
	for range n {
		if _, err := js.PublishAsync("s.x", body); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	it, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer it.Stop()
	for i := range n {
		m, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if meta, _ := m.Metadata(); meta.Sequence.Stream != uint64(i+1) {
			t.Fatalf("message %d has sequence %d", i, meta.Sequence.Stream)
		}
	}
	legacy, err := nc.JetStream(nats.MaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	sub, err := legacy.SubscribeSync("s.>", nats.OrderedConsumer(), nats.EnableFlowControl(), nats.IdleHeartbeat(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	for i := range n {
		m, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatal(i, err)
		}
		if meta, _ := m.Metadata(); meta.Sequence.Stream != uint64(i+1) {
			t.Fatalf("message %d has sequence %d", i, meta.Sequence.Stream)
		}
	}
}

func TestKeyValue(t *testing.T) {
	w := start(t)
	js := stream0(t, w.connect())
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "B", History: 3})
	if err != nil {
		t.Fatal(err)
	}
	watch, err := kv.WatchAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	if u := <-watch.Updates(); u != nil {
		t.Fatalf("%+v", u)
	}
	// Each change is seen before the next: who is behind does not get what is purged meanwhile.
	seen := func(want jetstream.KeyValueOp) {
		t.Helper()
		select {
		case u := <-watch.Updates():
			if u.Operation() != want {
				t.Errorf("%v, want %v", u.Operation(), want)
			}
		case <-time.After(patience):
			t.Fatal("never seen:", want)
		}
	}
	rev, err := kv.Create(t.Context(), "a", []byte("1"))
	if err != nil || rev != 1 {
		t.Fatal(rev, err)
	}
	seen(jetstream.KeyValuePut)
	if _, err := kv.Create(t.Context(), "a", nil); err == nil {
		t.Error("a key was created twice")
	}
	if rev, err = kv.Update(t.Context(), "a", []byte("2"), rev); err != nil {
		t.Fatal(err)
	}
	seen(jetstream.KeyValuePut)
	if _, err := kv.Update(t.Context(), "a", nil, 1); err == nil {
		t.Error("an old revision was updated")
	}
	if e, err := kv.Get(t.Context(), "a"); err != nil || string(e.Value()) != "2" || e.Revision() != rev {
		t.Fatal(e, err)
	}
	if err := kv.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	seen(jetstream.KeyValueDelete)
	if _, err := kv.Get(t.Context(), "a"); err != jetstream.ErrKeyNotFound {
		t.Error(err)
	}
	if h, err := kv.History(t.Context(), "a"); err != nil || len(h) != 3 {
		t.Error(h, err)
	}
	if _, err := kv.Put(t.Context(), "b", nil); err != nil {
		t.Fatal(err)
	}
	seen(jetstream.KeyValuePut)
	if err := kv.Purge(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	seen(jetstream.KeyValuePurge)
	if keys, err := kv.Keys(t.Context()); err != nil || len(keys) != 1 || keys[0] != "b" {
		t.Error(keys, err)
	}
}

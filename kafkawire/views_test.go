package kafkawire_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
	"trivium/kafkawire"
)

// The tests here stand in for the other doors: they use core as those do.

func (s *server) ns() *core.Namespace { return s.broker.Namespace(core.DefaultNamespace) }

// stream makes a stream of another realm.
func (s *server) stream(c core.StreamConfig) *core.Stream {
	s.Helper()
	var st *core.Stream
	err := s.broker.Committed(func(tx *core.Tx) (err error) {
		st, err = s.ns().CreateStream(tx, c)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return st
}

// put appends text entries.
func (s *server) put(st *core.Stream, kvs ...string) {
	s.Helper()
	err := s.broker.Committed(func(tx *core.Tx) error {
		for i := 0; i < len(kvs); i += 2 {
			e := core.Entry{Format: textFormat, Key: []byte(kvs[i]), Data: []byte(kvs[i+1])}
			if _, err := st.Append(tx, 0, &e, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// What another door made is an internal topic under a name of its own, readable
// from any offset, with positions kept.
func TestView(t *testing.T) {
	s := start(t, nil)
	st := s.stream(core.StreamConfig{Realm: "amqp", Name: "log of things", Partitions: 1})
	for i := range 100 {
		s.put(st, fmt.Sprint("k", i), fmt.Sprint("v", i))
	}
	const name = "amqp.log_of_things"
	s.topic("mine", 1, nil)
	adm := s.admin()
	all, err := adm.ListTopics(s.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if all.Has(name) {
		t.Error("a view is listed among ordinary topics")
	}
	all, err = adm.ListTopicsWithInternal(s.ctx())
	if err != nil || !all.Has(name) || !all[name].IsInternal {
		t.Fatalf("%v %v", all, err)
	}
	// A pattern over all topics does not pick it up.
	re := s.client(kgo.ConsumeRegex(), kgo.ConsumeTopics(".*"))
	s.produce(re, "mine", 1)
	if rs := s.consume(re, 1); rs[0].Topic != "mine" {
		t.Fatalf("%+v", rs[0])
	}
	for _, from := range []int64{0, 57, 99} {
		c := s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().At(from)}}))
		for i, r := range s.consume(c, 100-int(from)) {
			n := from + int64(i)
			if r.Offset != n || string(r.Key) != fmt.Sprint("k", n) || string(r.Value) != fmt.Sprint("v", n) {
				t.Fatalf("%+v", r)
			}
			if len(r.Headers) != 2 || r.Headers[0].Key != "h" || r.Headers[1].Key != "reply-to" || string(r.Headers[1].Value) != "inbox" {
				t.Fatalf("%+v", r.Headers)
			}
		}
	}
	y := newTally()
	leave := s.member(y, "m", "g", name)
	t.Cleanup(leave)
	y.wait(t, "a group reads the view", func() bool { return len(y.seen) == 100 })
	leave() // has committed

	// Looked up by time.
	os, err := adm.ListOffsetsAfterMilli(s.ctx(), time.Now().Add(-time.Hour).UnixMilli(), name)
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := os.Lookup(name, 0); o.Offset != 0 {
		t.Fatalf("%+v", o)
	}
	os, err = adm.ListMaxTimestampOffsets(s.ctx(), name)
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := os.Lookup(name, 0); o.Offset < 0 || o.Offset > 99 {
		t.Fatalf("%+v", o)
	}

	// Its id stays over a restart, and no other has it.
	id := s.topicID(name)
	s.restart()
	if s.topicID(name) != id || id == s.topicID("mine") {
		t.Fatal("the view's id changed")
	}
}

// A view is read and written, and nothing else.
func TestViewRefusals(t *testing.T) {
	s := start(t, nil)
	st := s.stream(core.StreamConfig{Realm: "nats", Name: "S", Partitions: 1})
	s.put(st, "a", "1")
	adm := s.admin()
	denied := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), kerr.TopicAuthorizationFailed.Message) {
			t.Errorf("%s: %v", what, err)
		}
	}
	dr, err := adm.DeleteTopics(s.ctx(), "nats.S")
	if err == nil {
		err = dr.Error()
	}
	denied("delete", err)
	pr, err := adm.CreatePartitions(s.ctx(), 1, "nats.S")
	if err == nil {
		err = pr.Error()
	}
	denied("more partitions", err)
	ar, err := adm.AlterTopicConfigs(s.ctx(), []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("1")}}, "nats.S")
	if err == nil {
		err = ar[0].Err
	}
	denied("alter", err)
	var os kadm.Offsets
	os.AddOffset("nats.S", 0, 1, -1)
	xr, err := adm.DeleteRecords(s.ctx(), os)
	if err == nil {
		err = xr.Error()
	}
	denied("delete records", err)
	cs, err := adm.DescribeTopicConfigs(s.ctx(), "nats.S")
	if err != nil || len(cs[0].Configs) != 33 {
		t.Errorf("configs: %v %v", cs, err)
	}

	// What its own door changes is seen here.
	err = s.broker.Committed(func(tx *core.Tx) error {
		c := st.Config()
		c.MaxMessageSize = 4321
		return st.Update(tx, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	if cs, err = adm.DescribeTopicConfigs(s.ctx(), "nats.S"); err != nil {
		t.Fatal(err)
	}
	for _, c := range cs[0].Configs {
		if c.Key == "max.message.bytes" && *c.Value != "4321" {
			t.Errorf("max.message.bytes is %s", *c.Value)
		}
	}

	// A topic really called so wins, whichever was there first.
	s.stream(core.StreamConfig{Realm: "nats", Name: "T", Partitions: 1})
	s.topic("nats.T", 2, nil)
	ts, err := adm.ListTopicsWithInternal(s.ctx(), "nats.T")
	if err != nil || len(ts["nats.T"].Partitions) != 2 || ts["nats.T"].IsInternal {
		t.Errorf("%v %v", ts, err)
	}
	n := 0
	md := kmsg.NewPtrMetadataRequest()
	for _, tp := range request[*kmsg.MetadataResponse](s, s.client(), md).Topics {
		if *tp.Topic == "nats.T" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("nats.T is listed %d times", n)
	}
}

// Offsets of deleted messages are gaps, at the end too: the end is reached by reading.
func TestViewGaps(t *testing.T) {
	s := start(t, nil)
	st := s.stream(core.StreamConfig{Realm: "nats", Name: "G", Partitions: 1})
	for i := range 10 {
		s.put(st, "k", fmt.Sprint(i))
	}
	err := s.broker.Committed(func(tx *core.Tx) error {
		for _, o := range []core.Offset{3, 4, 8, 9} {
			if !st.Remove(tx, 0, o) {
				t.Errorf("offset %d was not there", o)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := s.client(kgo.ConsumeTopics("nats.G"), kgo.KeepControlRecords())
	var got []int64
	for _, r := range s.consume(c, 6) {
		got = append(got, r.Offset)
	}
	if !slices.Equal(got, []int64{0, 1, 2, 5, 6, 7}) {
		t.Fatal(got)
	}
	// The empty batch takes a reader from 8 to the end.
	r := request[*kmsg.FetchResponse](s, s.client(), fetchID(s, "nats.G", 8))
	if b := describeBatches(r.Topics[0].Partitions[0].RecordBatches); b != "8-9" {
		t.Fatalf("batches %q", b)
	}
	s.put(st, "k", "after")
	if rs := s.consume(c, 1); rs[0].Offset != 10 {
		t.Fatalf("%+v", rs[0])
	}
}

func fetchID(s *server, topic string, offset int64) *kmsg.FetchRequest {
	f := fetchFrom(topic, offset)
	f.Topics[0].TopicID = s.topicID(topic)
	return f
}

// Kafka batches and other doors' entries on one log are read in order.
func TestMixedLog(t *testing.T) {
	s := start(t, nil)
	s.topic("mixed", 1, nil)
	st := s.ns().Stream(kafkawire.Realm, "mixed")
	c := s.client(kgo.ConsumeTopics("mixed"))
	want := 0
	for i := range 10 {
		s.produce(c, "mixed", 3)
		s.put(st, "a", fmt.Sprint("x", i), "b", "")
		want += 5
	}
	rs := s.consume(c, want)
	for i, r := range rs {
		if r.Offset != int64(i) {
			t.Fatalf("record %d at offset %d", i, r.Offset)
		}
		switch i % 5 {
		case 3:
			if string(r.Value) != fmt.Sprint("x", i/5) {
				t.Fatalf("%+v", r)
			}
		case 4:
			if r.Value != nil {
				t.Fatalf("a deletion is not null: %+v", r)
			}
		}
	}
}

// A record for a stream whose keys are subjects must have a subject that the
// stream captures; then its messages are found by key, and ids are deduplicated.
func TestWriteKeyed(t *testing.T) {
	s := start(t, nil)
	st := s.stream(core.StreamConfig{Realm: "nats", Name: "K", Partitions: 1, KeyIndex: true, DedupWindow: time.Minute})
	err := s.broker.Committed(func(tx *core.Tx) error {
		return s.ns().Bind(tx, core.Binding{Source: core.SubjectExchange, Stream: st, Key: "orders.>", Durable: true})
	})
	if err != nil {
		t.Fatal(err)
	}
	c := s.client(kgo.ConsumeTopics("nats.K"), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
	for _, key := range [][]byte{nil, []byte("other.x"), []byte("orders.*"), []byte("orders"), []byte("orders..x")} {
		err := c.ProduceSync(s.ctx(), &kgo.Record{Topic: "nats.K", Key: key, Value: []byte("v")}).FirstErr()
		if err == nil || !strings.Contains(err.Error(), "INVALID_RECORD") {
			t.Errorf("key %q: %v", key, err)
		}
	}
	id := []kgo.RecordHeader{{Key: "Nats-Msg-Id", Value: []byte("one")}}
	rs := []*kgo.Record{
		{Topic: "nats.K", Key: []byte("orders.a"), Value: []byte("1"), Headers: id},
		{Topic: "nats.K", Key: []byte("orders.b"), Value: []byte("2")},
		{Topic: "nats.K", Key: []byte("orders.a"), Value: []byte("3")},
	}
	if err := c.ProduceSync(s.ctx(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	again := &kgo.Record{Topic: "nats.K", Key: []byte("orders.a"), Value: []byte("1"), Headers: id}
	if err := c.ProduceSync(s.ctx(), again).FirstErr(); err != nil || again.Offset != 0 {
		t.Fatalf("the same id: offset %d, %v", again.Offset, err)
	}
	if st.LastByKey("orders.a") != 2 || st.LastByKey("orders.b") != 1 || st.Log(0).End() != 3 {
		t.Fatalf("last of a %d, of b %d, end %d", st.LastByKey("orders.a"), st.LastByKey("orders.b"), st.Log(0).End())
	}
	// A batch of several records of an idempotent producer, and its retry.
	for range 2 {
		p := request[*kmsg.ProduceResponse](s, c, idempotent(s.topicID("nats.K"), 7, 0, rs...)).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.BaseOffset != 3 {
			t.Fatalf("offset %d, error %d", p.BaseOffset, p.ErrorCode)
		}
	}
	if end := st.Log(0).End(); end != 6 {
		t.Fatalf("end %d", end)
	}
	for i, r := range s.consume(c, 3) {
		if string(r.Key) != string(rs[i].Key) || string(r.Value) != string(rs[i].Value) || r.Offset != int64(i) {
			t.Fatalf("%+v", r)
		}
	}
}

// The codec reads every record of a batch as a neutral message.
func TestCodec(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	for _, cc := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		c := s.client(kgo.ProducerBatchCompression(cc))
		at := time.UnixMilli(1_700_000_000_123)
		rs := []*kgo.Record{
			{Topic: "t", Key: []byte("k"), Value: []byte("v"), Timestamp: at, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("x")}, {Key: "h"}}},
			{Topic: "t", Timestamp: at.Add(time.Second)},
		}
		if err := c.ProduceSync(s.ctx(), rs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		es, _, err := s.ns().Stream(kafkawire.Realm, "t").Log(0).Read(core.Offset(rs[0].Offset), core.Limit{}, nil)
		if err != nil || len(es) != 1 || es[0].Count != 2 {
			t.Fatalf("%v %v", es, err)
		}
		ms, err := kafkawire.Codec().Messages(&es[0], nil)
		if err != nil || len(ms) != 2 {
			t.Fatalf("%v %v", ms, err)
		}
		if m := ms[0]; string(m.Key) != "k" || string(m.Value) != "v" || m.Time != at.UnixNano() || len(m.Headers) != 2 || m.Headers[0].Name != "h" || m.Hidden {
			t.Fatalf("%+v", m)
		}
		if m := ms[1]; m.Key != nil || m.Value != nil || m.Time != at.Add(time.Second).UnixNano() {
			t.Fatalf("%+v", m)
		}
	}
	if _, err := kafkawire.Codec().Messages(&core.Entry{Count: 1, Data: []byte("junk")}, nil); err == nil {
		t.Error("junk is read as a batch")
	}
}

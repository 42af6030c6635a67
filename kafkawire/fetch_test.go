package kafkawire_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire"
	"trivium/kafkawire/wire"
)

// fetchFrom asks for one partition of a topic without a session.
func fetchFrom(topic string, offset int64) *kmsg.FetchRequest {
	f := kmsg.NewPtrFetchRequest()
	f.MaxWaitMillis, f.MinBytes, f.MaxBytes, f.SessionEpoch, f.Version = 0, 1, 50<<20, -1, 12
	tp := kmsg.NewFetchRequestTopicPartition()
	tp.FetchOffset, tp.PartitionMaxBytes, tp.CurrentLeaderEpoch = offset, 50<<20, -1
	f.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{tp}}}
	return f
}

// A fetch that waits is answered as soon as enough has come, not when its time is up.
func TestLongPoll(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 3, nil)
	r := s.raw(t)
	f := fetchFrom("t", 0)
	f.MaxWaitMillis = int32(patience.Milliseconds())
	for i := range int32(2) {
		tp := f.Topics[0].Partitions[0]
		tp.Partition = i + 1
		f.Topics[0].Partitions = append(f.Topics[0].Partitions, tp)
	}
	f.MinBytes = 150 // two batches
	r.send(r.frame(f))
	c := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range int32(2) {
		rec := &kgo.Record{Topic: "t", Partition: i, Value: make([]byte, 20)}
		if err := c.ProduceSync(s.ctx(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	_, b := r.answer()
	a := kmsg.NewPtrFetchResponse()
	a.Version = 12
	if err := a.ReadFrom(b[1:]); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range a.Topics[0].Partitions {
		n += len(p.RecordBatches)
	}
	if n < 150 || len(a.Topics[0].Partitions) != 3 {
		t.Fatalf("%d bytes: %+v", n, a)
	}
}

// Data that has settled into files reads the same as from memory: whole, from
// any offset, over several segments.
func TestSettled(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	c := s.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	var values [][]byte
	for range 40 {
		v := make([]byte, 100_000+rand.IntN(200_000))
		for i := range v {
			v[i] = byte(rand.Uint32())
		}
		values = append(values, v)
		if err := c.ProduceSync(s.ctx(), &kgo.Record{Topic: "t", Value: v}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, from int) {
		t.Helper()
		cl := s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(int64(from))}}))
		defer cl.Close()
		for i, rec := range s.consume(cl, len(values)-from) {
			if rec.Offset != int64(from+i) || !bytes.Equal(rec.Value, values[from+i]) {
				t.Fatalf("%s: record %d differs at offset %d", when, from+i, rec.Offset)
			}
		}
	}
	check("in memory", 0)
	if err := s.store.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	check("settled", 0)
	s.restart()
	check("after a restart", 0)
	check("from the middle", 17)
	for range 3 {
		v := []byte("new")
		values = append(values, v)
		if err := c.ProduceSync(s.ctx(), &kgo.Record{Topic: "t", Value: v}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	check("settled and new", 30)
}

// In every version the same data arrives, but old readers are told that they
// cannot read zstd.
func TestFetchVersions(t *testing.T) {
	s := start(t, nil)
	for _, codec := range []string{"gzip", "zstd"} {
		s.topic(codec, 1, nil)
		cc := kgo.GzipCompression()
		if codec == "zstd" {
			cc = kgo.ZstdCompression()
		}
		s.produce(s.client(kgo.ProducerBatchCompression(cc)), codec, 100)
		id := s.topicID(codec)
		for v := int16(wire.FetchMin); v <= wire.FetchMax; v++ {
			r := s.raw(t)
			f := fetchFrom(codec, 0)
			f.Version, f.Topics[0].TopicID = v, id
			r.send(r.frame(f))
			_, b := r.answer()
			if f.IsFlexible() {
				b = b[1:]
			}
			a := kmsg.NewPtrFetchResponse()
			a.Version = v
			if err := a.ReadFrom(b); err != nil {
				t.Fatal(err)
			}
			p := a.Topics[0].Partitions[0]
			if codec == "zstd" && v < 10 {
				wantCode(t, fmt.Sprint("zstd in version ", v), p.ErrorCode, unsupportedCompression)
				continue
			}
			if p.ErrorCode != 0 || p.HighWatermark != 100 || wire.Batch(p.RecordBatches).Count() != 100 {
				t.Fatalf("%s in version %d: error %d, %d bytes", codec, v, p.ErrorCode, len(p.RecordBatches))
			}
		}
	}
}

// When no session is to be had, clients go on without; one that is idle long
// enough makes room, and a session that is closed is gone.
func TestSessionLimit(t *testing.T) {
	s := start(t, func(o *kafkawire.Options) { o.MaxSessions = 2 })
	s.topic("t", 1, nil)
	c := s.client()
	open := func() int32 {
		f := fetchFrom("t", 0)
		f.SessionEpoch = 0
		f.Topics[0].TopicID = s.topicID("t")
		return request[*kmsg.FetchResponse](s, c, f).SessionID
	}
	one, two := open(), open()
	if one == 0 || two == 0 || one == two || open() != 0 {
		t.Fatalf("sessions %d, %d, and a third", one, two)
	}
	f := fetchFrom("t", 0)
	f.SessionID, f.SessionEpoch, f.Topics[0].TopicID = one, -1, s.topicID("t")
	request[*kmsg.FetchResponse](s, c, f)
	if m := s.door.Metrics(); m.Sessions != 1 {
		t.Fatalf("%d sessions", m.Sessions)
	}
	if open() == 0 {
		t.Fatal("no session although there is room")
	}
}

// A consumer follows its topic when it is deleted and made anew.
func TestTopicRecreated(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	p := s.client()
	s.produce(p, "t", 10)
	old := s.topicID("t")
	if _, err := s.admin().DeleteTopics(s.ctx(), "t"); err != nil {
		t.Fatal(err)
	}
	f := fetchFrom("t", 0)
	f.Version, f.Topics[0].TopicID = 13, old
	wantCode(t, "fetch of the old id", request[*kmsg.FetchResponse](s, p, f).Topics[0].Partitions[0].ErrorCode, unknownTopicID)
	s.topic("t", 1, nil)
	if s.topicID("t") == old {
		t.Fatal("the new topic has the old id")
	}
	p = s.client()
	s.produce(p, "t", 5)
	if rs := s.consume(s.client(kgo.ConsumeTopics("t")), 5); rs[0].Offset != 0 {
		t.Fatalf("%+v", rs[0])
	}
}

// Deleting records moves the start; readers below it hear of it.
func TestRetentionByHand(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	c := s.client()
	for range 5 {
		s.produce(c, "t", 10)
	}
	adm := kadm.NewClient(c)
	var os kadm.Offsets
	os.AddOffset("t", 0, 25, -1)
	if _, err := adm.DeleteRecords(s.ctx(), os); err != nil {
		t.Fatal(err)
	}
	rs := s.consume(s.client(kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 25)
	if rs[0].Offset != 25 || rs[24].Offset != 49 {
		t.Fatalf("%d to %d", rs[0].Offset, rs[24].Offset)
	}
}

// retention.ms and retention.bytes are honoured.
func TestRetention(t *testing.T) {
	s := start(t, nil)
	s.topic("bytes", 1, map[string]*string{"retention.bytes": kadm.StringPtr("50000")})
	c := s.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	adm := kadm.NewClient(c)
	for range 20 {
		if err := c.ProduceSync(s.ctx(), &kgo.Record{Topic: "bytes", Value: make([]byte, 10_000)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	first := func(topic string) int64 {
		os, err := adm.ListStartOffsets(s.ctx(), topic)
		if err != nil {
			t.Fatal(err)
		}
		o, _ := os.Lookup(topic, 0)
		return o.Offset
	}
	s.eventually("old bytes go", func() bool { return first("bytes") >= 15 })

	s.topic("ms", 1, nil)
	old := &kgo.Record{Topic: "ms", Value: []byte("old"), Timestamp: time.Now().Add(-time.Hour)}
	if err := c.ProduceSync(s.ctx(), old).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(s.ctx(), &kgo.Record{Topic: "ms", Value: []byte("new")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.AlterTopicConfigs(s.ctx(), []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("600000")}}, "ms"); err != nil {
		t.Fatal(err)
	}
	s.eventually("old records go", func() bool { return first("ms") == 1 })
}

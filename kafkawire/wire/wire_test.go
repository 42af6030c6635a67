package wire

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Every field of a produce request is read as kmsg wrote it, in every version.
func TestProduceDecode(t *testing.T) {
	for v := int16(ProduceMin); v <= ProduceMax; v++ {
		k := kmsg.NewPtrProduceRequest()
		k.Version, k.Acks, k.TimeoutMillis = v, -1, 1234
		for i := range 3 {
			kt := kmsg.NewProduceRequestTopic()
			kt.Topic, kt.TopicID = string(rune('a'+i)), [16]byte{1, byte(i)}
			for p := range int32(i + 1) {
				kp := kmsg.NewProduceRequestTopicPartition()
				kp.Partition, kp.Records = p, []byte{byte(p), 9}
				kt.Partitions = append(kt.Partitions, kp)
			}
			k.Topics = append(k.Topics, kt)
		}
		var q ProduceRequest
		if err := q.Decode(v, k.AppendTo(nil)); err != nil {
			t.Fatalf("version %d: %v", v, err)
		}
		if q.Acks != -1 || q.Timeout != 1234 || q.TransactionID != nil || len(q.Topics) != 3 || len(q.Partitions) != 6 {
			t.Fatalf("version %d: %+v", v, q)
		}
		for i, pt := range q.Topics {
			if v < 13 && string(pt.Name) != k.Topics[i].Topic || v >= 13 && pt.ID != k.Topics[i].TopicID {
				t.Fatalf("version %d: topic %+v", v, pt)
			}
			for j, p := range q.Partitions[pt.From:pt.To] {
				if p.Partition != int32(j) || !bytes.Equal(p.Records, []byte{byte(j), 9}) {
					t.Fatalf("version %d: partition %+v", v, p)
				}
			}
		}
	}
}

// kmsg reads the response as it was meant, in every version.
func TestProduceResponse(t *testing.T) {
	for v := int16(ProduceMin); v <= ProduceMax; v++ {
		q := ProduceRequest{
			Topics: []ProduceTopic{{Name: []byte("t"), ID: [16]byte{7}, From: 0, To: 3}},
			Partitions: []ProducePartition{
				{Partition: 4, Dropped: true},
				{Partition: 5, Base: 77, AppendTime: -1, LogStart: 3},
				{Partition: 4, Err: 87, Base: -1, AppendTime: -1, LogStart: -1, Message: "no", Refused: []RefusedRecord{{2, "bad"}}},
			},
		}
		k := kmsg.NewPtrProduceResponse()
		k.Version = v
		if err := k.ReadFrom(q.AppendResponse(nil, v)); err != nil {
			t.Fatalf("version %d: %v", v, err)
		}
		ps := k.Topics[0].Partitions
		if len(ps) != 2 || ps[0].Partition != 5 || ps[0].BaseOffset != 77 || ps[1].ErrorCode != 87 {
			t.Fatalf("version %d: %+v", v, ps)
		}
		if v >= 5 && ps[0].LogStartOffset != 3 {
			t.Fatalf("version %d: %+v", v, ps)
		}
		if v >= 8 && (*ps[1].ErrorMessage != "no" || ps[0].ErrorMessage != nil || ps[1].ErrorRecords[0].RelativeOffset != 2) {
			t.Fatalf("version %d: %+v", v, ps)
		}
		if v >= 13 && k.Topics[0].TopicID != q.Topics[0].ID || v < 13 && k.Topics[0].Topic != "t" {
			t.Fatalf("version %d: %+v", v, k.Topics[0])
		}
	}
}

func TestFetch(t *testing.T) {
	for v := int16(FetchMin); v <= FetchMax; v++ {
		k := kmsg.NewPtrFetchRequest()
		k.Version, k.MaxWaitMillis, k.MinBytes, k.MaxBytes, k.IsolationLevel, k.SessionID, k.SessionEpoch = v, 5, 6, 7, 1, 8, 9
		k.ReplicaID, k.ReplicaState.ID = 3, 3
		kt := kmsg.NewFetchRequestTopic()
		kt.Topic, kt.TopicID = "t", [16]byte{1}
		kp := kmsg.NewFetchRequestTopicPartition()
		kp.Partition, kp.CurrentLeaderEpoch, kp.FetchOffset, kp.PartitionMaxBytes = 1, 2, 3, 4
		kt.Partitions = append(kt.Partitions, kp)
		k.Topics = append(k.Topics, kt)
		kf := kmsg.NewFetchRequestForgottenTopic()
		kf.Topic, kf.TopicID, kf.Partitions = "f", [16]byte{2}, []int32{11, 12}
		k.ForgottenTopics = append(k.ForgottenTopics, kf)
		var q FetchRequest
		if err := q.Decode(v, k.AppendTo(nil)); err != nil {
			t.Fatalf("version %d: %v", v, err)
		}
		want := FetchPartition{Partition: 1, LeaderEpoch: -1, Offset: 3, MaxBytes: 4}
		if v >= 9 {
			want.LeaderEpoch = 2
		}
		if q.MaxWait != 5 || q.MinBytes != 6 || q.MaxBytes != 7 || !q.ReadCommitted || q.ReplicaID != 3 || q.Partitions[0] != want {
			t.Fatalf("version %d: %+v", v, q)
		}
		if v >= 7 && (q.SessionID != 8 || q.SessionEpoch != 9 || len(q.ForgottenPartitions) != 2 || q.ForgottenPartitions[1].Partition != 12) {
			t.Fatalf("version %d: %+v", v, q)
		}

		b := AppendFetchHead(nil, v, 70, 8, 1)
		b = AppendFetchTopic(b, v, "t", [16]byte{1}, 1)
		b = AppendFetchPartition(b, v, &FetchResult{Partition: 1, Err: 3, HighWatermark: 4, Stable: 5, Start: 6}, v%2 == 0, 3)
		b = append(b, 1, 2, 3)
		b = AppendFetchEnd(AppendFetchEnd(AppendFetchEnd(b, v), v), v)
		r := kmsg.NewPtrFetchResponse()
		r.Version = v
		if err := r.ReadFrom(b); err != nil {
			t.Fatalf("version %d: %v", v, err)
		}
		p := r.Topics[0].Partitions[0]
		if p.Partition != 1 || p.ErrorCode != 3 || p.HighWatermark != 4 || p.LastStableOffset != 5 || !bytes.Equal(p.RecordBatches, []byte{1, 2, 3}) {
			t.Fatalf("version %d: %+v", v, p)
		}
	}
}

// javaBatch is what the console producer of Apache Kafka 4.3.1 sent for the line
// "h:v<tab>key<tab>value", with its place in the log: offset 0, leader epoch 0.
const javaBatch = "0000000000000000000000440000000002a20f91b0000000000000000001a20cab1b0d000001a20cab1b0d" +
	"00000000000000000000000000000000000124000000066b65790a76616c75650202680276"

// golden is that batch.
func golden(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(javaBatch)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The writer makes the same bytes for the same record.
func TestGolden(t *testing.T) {
	b := Batch(golden(t))
	if _, err := ParseProduced(b); err != nil {
		t.Fatal(err)
	}
	if b.Count() != 1 || b.ProducerID() != 0 || b.ProducerEpoch() != 0 || b.BaseSequence() != 0 || b.LastSequence() != 0 || b.Codec() != None {
		t.Fatalf("%+v", b)
	}
	var w Writer
	w.Begin(nil, 0, b.BaseTimestamp())
	w.Add(&Record{Key: []byte("key"), Value: []byte("value"), Headers: []RecordHeader{{[]byte("h"), []byte("v")}}})
	own := Batch(w.End(1))
	own.SetProducer(0, 0, 0)
	if !bytes.Equal(own, b) {
		t.Fatalf("\n got %x\nwant %x", own, b)
	}
}

func TestWriter(t *testing.T) {
	var gw Writer
	gw.Begin(nil, 0, 1700000000000)
	gw.Add(&Record{Key: []byte("key"), Value: []byte("value"), Headers: []RecordHeader{{[]byte("h"), []byte("v")}}})
	b := gw.End(1)
	k := kmsg.NewRecordBatch()
	if err := k.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if k.NumRecords != 1 || k.Magic != 2 || k.ProducerID != -1 || k.ProducerEpoch != -1 || k.FirstSequence != -1 || k.MaxTimestamp != 1700000000000 {
		t.Fatalf("%+v", k)
	}
	p, err := ParseProduced(b)
	if err != nil {
		t.Fatal(err)
	}
	recs := NewRecords(p, p[BatchHeader:])
	var r Record
	if !recs.Next(&r) || string(r.Key) != "key" || string(r.Value) != "value" || string(r.Headers[0].Key) != "h" || recs.Next(&r) || recs.Err() != nil {
		t.Fatalf("%+v %v", r, recs.Err())
	}
	// A gap of 10 offsets, without a record.
	var w Writer
	w.Begin(nil, 100, 5)
	if e := Batch(w.End(10)); e.Count() != 0 || e.LastOffsetDelta() != 9 || e.BaseOffset() != 100 || e.MaxTimestamp() != -1 {
		t.Fatalf("%s", hex.EncodeToString(e))
	}
}

func TestParseProduced(t *testing.T) {
	whole := golden(t)
	edit := func(f func(b Batch)) []byte {
		b := Batch(bytes.Clone(whole))
		f(b)
		if len(b) >= BatchHeader {
			b.seal()
		}
		return b
	}
	for _, c := range []struct {
		name    string
		b       []byte
		corrupt bool
	}{
		{"empty", nil, false},
		{"short", whole[:10], false},
		{"truncated", whole[:len(whole)-1], false},
		{"two", append(bytes.Clone(whole), whole...), false},
		{"magic 1", edit(func(b Batch) { b[16] = 1 }), false},
		{"magic 9", edit(func(b Batch) { b[16] = 9 }), true},
		{"base", edit(func(b Batch) { b[7] = 1 }), false},
		{"count", edit(func(b Batch) { b[60] = 2 }), false},
		{"none", edit(func(b Batch) { b[60] = 0 }), false},
		{"control", edit(func(b Batch) { b[22] |= ControlFlag }), false},
		{"codec", edit(func(b Batch) { b[22] |= 7 }), true},
		{"gzip that is none", edit(func(b Batch) { b[22] |= 1 }), true},
		{"sequence", edit(func(b Batch) { b[53] = 0xff }), false},
		{"length", edit(func(b Batch) { b[8] = 0x80 }), true},
		{"crc", func() []byte { b := bytes.Clone(whole); b[70] ^= 1; return b }(), true},
	} {
		_, err := ParseProduced(c.b)
		be, ok := err.(*BatchError)
		if !ok || be.Corrupt != c.corrupt {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

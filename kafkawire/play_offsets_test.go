package kafkawire_test

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func playOffsets(p *player) {
	p.topic("o", 1)
	base := time.Now().UnixMilli() - 100_000
	timed := func(deltas ...int64) []byte {
		return batch(len(deltas), func(b *kmsg.RecordBatch) {
			b.FirstTimestamp, b.MaxTimestamp, b.Records = base, base, nil
			for i, d := range deltas {
				r := kmsg.NewRecord()
				r.OffsetDelta, r.TimestampDelta64, r.Value = int32(i), d, []byte("v")
				b.Records = append(b.Records, sized(r)...)
				b.MaxTimestamp = max(b.MaxTimestamp, base+d)
			}
		})
	}
	list := func(version int16, topic string, part, epoch int32, ts int64) {
		q := kmsg.NewPtrListOffsetsRequest()
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		tp := kmsg.NewListOffsetsRequestTopicPartition()
		tp.Partition, tp.Timestamp, tp.CurrentLeaderEpoch = part, ts, epoch
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
		p.ask(version, q)
	}
	p.say("an empty partition")
	for _, ts := range []int64{-1, -2, -3, -4, -5, -6, 0} {
		list(11, "o", 0, -1, ts)
	}
	p.produce(11, "o", 0, timed(0, 10, 20), nil)
	p.produce(11, "o", 0, timed(50, 40, 30), nil)
	p.produce(11, "o", 0, timed(35, 45), nil)
	p.say("places")
	for v := int16(1); v <= 11; v++ {
		list(v, "o", 0, -1, -1)
	}
	for _, ts := range []int64{-2, -3, -4, -5, -6} {
		list(11, "o", 0, -1, ts)
	}
	p.say("times")
	for _, d := range []int64{-5, 0, 1, 10, 21, 35, 45, 50, 51} {
		list(11, "o", 0, -1, base+d)
	}
	p.say("versions that do not know a place")
	for v, ts := range map[int16]int64{6: -3} {
		list(v, "o", 0, -1, ts)
	}
	list(7, "o", 0, -1, -4)
	list(8, "o", 0, -1, -5)
	list(10, "o", 0, -1, -6)
	p.say("errors")
	list(11, "nosuch", 0, -1, -1)
	list(11, "o", 5, -1, -1)
	list(11, "o", 0, 5, -1)
	p.say("epochs")
	epoch := func(topic string, current, e int32) {
		q := kmsg.NewPtrOffsetForLeaderEpochRequest()
		t := kmsg.NewOffsetForLeaderEpochRequestTopic()
		t.Topic = topic
		tp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		tp.CurrentLeaderEpoch, tp.LeaderEpoch = current, e
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
		q.ReplicaID = -1
		p.ask(4, q)
	}
	epoch("o", -1, 0)
	epoch("o", 0, 0)
	epoch("o", -1, 5)
	epoch("o", -1, -1)
	epoch("o", 5, 0)
	epoch("nosuch", -1, 0)
	p.say("delete records")
	del := func(topic string, part int32, o int64) {
		q := kmsg.NewPtrDeleteRecordsRequest()
		t := kmsg.NewDeleteRecordsRequestTopic()
		t.Topic = topic
		tp := kmsg.NewDeleteRecordsRequestTopicPartition()
		tp.Partition, tp.Offset = part, o
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
		q.TimeoutMillis = 5000
		p.ask(2, q)
	}
	del("nosuch", 0, 1)
	del("o", 3, 1)
	del("o", 0, 9)
	del("o", 0, -2)
	del("o", 0, 4)
	del("o", 0, 2)
	list(11, "o", 0, -1, -2)
	list(11, "o", 0, -1, base)
	del("o", 0, -1)
	list(11, "o", 0, -1, -2)
	list(11, "o", 0, -1, base)
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		t.Topic, tp.FetchOffset = "o", 4
	})
}

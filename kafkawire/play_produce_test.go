package kafkawire_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// batch makes a record batch of n records with key "k" and value "v".
func batch(n int, edit func(b *kmsg.RecordBatch)) []byte {
	b := kmsg.NewRecordBatch()
	b.Magic, b.PartitionLeaderEpoch, b.ProducerID, b.ProducerEpoch, b.FirstSequence = 2, -1, -1, -1, -1
	b.NumRecords, b.LastOffsetDelta = int32(n), int32(n-1)
	b.FirstTimestamp = time.Now().UnixMilli()
	b.MaxTimestamp = b.FirstTimestamp
	for i := range n {
		r := kmsg.NewRecord()
		r.OffsetDelta, r.Key, r.Value = int32(i), []byte("k"), []byte("v")
		b.Records = append(b.Records, sized(r)...)
	}
	if edit != nil {
		edit(&b)
	}
	return seal(&b)
}

// seal encodes a batch with its length and checksum.
func seal(b *kmsg.RecordBatch) []byte {
	out := b.AppendTo(nil)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-12))
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

func sized(r kmsg.Record) []byte {
	r.Length = 0
	r.Length = int32(len(r.AppendTo(nil)) - 1)
	return r.AppendTo(nil)
}

func (p *player) produce(version int16, topic string, partition int32, records []byte, edit func(q *kmsg.ProduceRequest)) kmsg.Response {
	p.Helper()
	q := kmsg.NewPtrProduceRequest()
	q.Acks, q.TimeoutMillis = -1, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic, p.byID[topic]
	tp := kmsg.NewProduceRequestTopicPartition()
	tp.Partition, tp.Records = partition, records
	t.Partitions = append(t.Partitions, tp)
	q.Topics = append(q.Topics, t)
	if edit != nil {
		edit(q)
	}
	return p.ask(version, q)
}

func playProduce(p *player) {
	p.topic("p", 2)
	p.say("versions")
	for v := int16(3); v <= 13; v++ {
		p.produce(v, "p", 0, batch(2, nil), nil)
	}
	p.say("acks")
	for _, acks := range []int16{1, 2, -2} {
		p.produce(13, "p", 0, batch(1, nil), func(q *kmsg.ProduceRequest) { q.Acks = acks })
	}
	p.say("unknown places")
	p.produce(12, "nosuch", 0, batch(1, nil), nil)
	p.produce(12, "a b", 0, batch(1, nil), nil)
	p.produce(12, "p", 7, batch(1, nil), nil)
	p.produce(13, "nosuch", 0, batch(1, nil), nil)
	p.produce(9, "p", -1, batch(1, nil), nil)
	p.say("batches")
	good := batch(3, nil)
	edit := func(f func(b *kmsg.RecordBatch)) { p.produce(11, "p", 1, batch(3, f), nil) }
	p.produce(11, "p", 1, []byte{}, nil)
	p.produce(11, "p", 1, good[:len(good)-1], nil)
	p.produce(11, "p", 1, good[:30], nil)
	p.produce(11, "p", 1, append(bytes.Clone(good), good...), nil)
	crc := bytes.Clone(good)
	crc[70] ^= 1
	p.produce(11, "p", 1, crc, nil)
	edit(func(b *kmsg.RecordBatch) { b.Magic = 9 })
	edit(func(b *kmsg.RecordBatch) { b.FirstOffset = 5 })
	edit(func(b *kmsg.RecordBatch) { b.LastOffsetDelta = 7 })
	edit(func(b *kmsg.RecordBatch) { b.NumRecords = 0 })
	edit(func(b *kmsg.RecordBatch) { b.NumRecords = 2 })
	edit(func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 4, 3 })
	edit(func(b *kmsg.RecordBatch) { b.Attributes |= 0x20 })
	edit(func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch, b.FirstSequence = 5, 0, -1 })
	edit(func(b *kmsg.RecordBatch) { b.Attributes |= 0x10 })
	p.say("several partitions, one of them bad; the same twice")
	p.produce(13, "p", 0, good, func(q *kmsg.ProduceRequest) {
		tp := kmsg.NewProduceRequestTopicPartition()
		tp.Partition, tp.Records = 1, crc
		q.Topics[0].Partitions = append(q.Topics[0].Partitions, tp)
	})
	p.say("size")
	p.topic("small", 1, "max.message.bytes", "200")
	value := func(n int) func(b *kmsg.RecordBatch) {
		return func(b *kmsg.RecordBatch) {
			r := kmsg.NewRecord()
			r.Value = bytes.Repeat([]byte("x"), n)
			b.Records = sized(r)
		}
	}
	for n := 129; n <= 132; n++ {
		p.produce(11, "small", 0, batch(1, value(n)), nil)
	}
	p.say("compacted")
	p.topic("pc", 1, "cleanup.policy", "compact")
	p.produce(7, "pc", 0, batch(1, value(1)), nil)
	p.produce(11, "pc", 0, batch(4, func(b *kmsg.RecordBatch) {
		b.Records = nil
		for i := range 4 {
			r := kmsg.NewRecord()
			r.OffsetDelta = int32(i)
			b.Records = append(b.Records, sized(r)...)
		}
	}), nil)
	p.produce(11, "pc", 0, batch(1, nil), nil)
	p.say("times")
	p.produce(11, "p", 0, batch(1, func(b *kmsg.RecordBatch) {
		b.FirstTimestamp += 2 * 3600 * 1000
		b.MaxTimestamp = b.FirstTimestamp
	}), func(q *kmsg.ProduceRequest) {})
	p.topic("pt", 1, "message.timestamp.type", "LogAppendTime")
	p.produce(11, "pt", 0, batch(1, func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = 5, 5 }), nil)
}

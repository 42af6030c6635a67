package kafkawire_test

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/wire"
)

func (p *player) fetch(version int16, edit func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition)) *kmsg.FetchResponse {
	q := kmsg.NewPtrFetchRequest()
	q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 200, 1, 50<<20, -1
	t := kmsg.NewFetchRequestTopic()
	tp := kmsg.NewFetchRequestTopicPartition()
	tp.PartitionMaxBytes, tp.CurrentLeaderEpoch = 1<<20, -1
	edit(q, &t, &tp)
	if t.TopicID == ([16]byte{}) {
		t.TopicID = p.byID[t.Topic]
	}
	if t.Topic != "" || t.TopicID != ([16]byte{}) {
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
	}
	r := p.send(version, q).(*kmsg.FetchResponse)
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			// Batches are compared by offsets and size, in whole ones.
			tp := &r.Topics[i].Partitions[j]
			tp.RecordBatches = []byte(describeBatches(tp.RecordBatches))
		}
	}
	sid := r.SessionID
	if r.SessionID != 0 {
		r.SessionID = 1
	}
	fmt.Fprintf(&p.out, "Fetch v%d: %s\n", version, p.dump(reflect.ValueOf(r)))
	r.SessionID = sid
	return r
}

func describeBatches(b []byte) string {
	var s []string
	for len(b) >= 61 {
		n := int(binary.BigEndian.Uint32(b[8:])) + 12
		if n > len(b) {
			break
		}
		k := wire.Batch(b[:n])
		s = append(s, fmt.Sprintf("%d-%d", k.BaseOffset(), k.BaseOffset()+int64(k.LastOffsetDelta())))
		b = b[n:]
	}
	return strings.Join(s, " ")
}

func playFetch(p *player) {
	p.topic("f", 2)
	p.topic("g", 1)
	for range 3 {
		p.produce(11, "f", 0, batch(10, nil), nil)
	}
	at := func(topic string, part int32, offset int64) func(*kmsg.FetchRequest, *kmsg.FetchRequestTopic, *kmsg.FetchRequestTopicPartition) {
		return func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
			t.Topic, tp.Partition, tp.FetchOffset = topic, part, offset
		}
	}
	p.say("versions")
	for v := int16(4); v <= 17; v++ {
		p.fetch(v, at("f", 0, 0))
	}
	p.say("offsets")
	for _, o := range []int64{0, 5, 15, 29, 30, 31, -1, -5} {
		p.fetch(13, at("f", 0, o))
	}
	p.say("limits: the first batch comes whole")
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 0)(q, t, tp)
		tp.PartitionMaxBytes = 1
	})
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 0)(q, t, tp)
		q.MaxBytes = 1
	})
	p.say("unknown places, epochs, followers")
	p.fetch(12, at("nosuch", 0, 0))
	p.fetch(12, at("f", 9, 0))
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		t.TopicID = [16]byte{9}
	})
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 0)(q, t, tp)
		tp.CurrentLeaderEpoch = 7
	})
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 0)(q, t, tp)
		q.IsolationLevel = 1
	})
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {})
	p.say("a session")
	r := p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 20)(q, t, tp)
		q.SessionEpoch = 0
		t.Partitions = append(t.Partitions, *tp)
		tp.Partition, tp.FetchOffset = 1, 0
	})
	sid := r.SessionID
	in := func(epoch int32, edit func(*kmsg.FetchRequest, *kmsg.FetchRequestTopic, *kmsg.FetchRequestTopicPartition)) {
		p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
			q.SessionID, q.SessionEpoch = sid, epoch
			if edit != nil {
				edit(q, t, tp)
			}
		})
	}
	in(1, nil)
	in(2, at("f", 0, 30))
	in(3, nil)
	p.produce(11, "f", 1, batch(2, nil), nil)
	in(4, nil)
	in(5, at("f", 1, 2))
	in(6, at("g", 0, 0))
	in(6, nil)
	p.say("the session after an epoch that is wrong")
	in(7, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		f := kmsg.NewFetchRequestForgottenTopic()
		f.TopicID, f.Partitions = p.byID["f"], []int32{0}
		q.ForgottenTopics = append(q.ForgottenTopics, f)
	})
	in(9, nil)
	in(8, at("f", 1, 99))
	in(9, nil)
	in(10, at("f", 1, 2))
	p.fetch(12, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		q.SessionID, q.SessionEpoch = sid, 11
	})
	in(-1, at("f", 0, 0))
	in(11, nil)
}

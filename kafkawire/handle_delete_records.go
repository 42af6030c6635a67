package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
)

// DeleteRecords (21), versions 0 to 2. Source: Kafka 4.3.1; spec 2.5.

func (c *conn) handleDeleteRecords(_ *slot, q *kmsg.DeleteRecordsRequest) kmsg.Response {
	r := kmsg.NewPtrDeleteRecordsResponse()
	type cut struct {
		topic     *topic
		log       *core.Log
		partition int32
		before    core.Offset
		a         *kmsg.DeleteRecordsResponseTopicPartition
	}
	var cuts []cut
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewDeleteRecordsResponseTopic()
		a.Topic = w.Topic
		a.Partitions = make([]kmsg.DeleteRecordsResponseTopicPartition, len(w.Partitions))
		t := c.s.topics.byName(w.Topic)
		for j := range w.Partitions {
			p, o := &w.Partitions[j], &a.Partitions[j]
			o.Default()
			o.Partition, o.LowWatermark = p.Partition, -1
			switch {
			case t == nil || t.log(p.Partition) == nil:
				o.ErrorCode = errUnknownTopic
			case !t.own:
				o.ErrorCode = errTopicDenied
			case t.internal:
				o.ErrorCode = errInvalidTopic
			default:
				l := t.log(p.Partition)
				before := core.Offset(p.Offset)
				if before == -1 {
					before = l.End()
				}
				if before < 0 || before > l.End() {
					o.ErrorCode = errOffsetOutOfRange
					break
				}
				cuts = append(cuts, cut{t, l, p.Partition, before, o})
			}
		}
		r.Topics = append(r.Topics, a)
	}
	if len(cuts) == 0 {
		return r
	}
	err := c.s.broker.Committed(func(tx *core.Tx) error {
		for _, u := range cuts {
			u.topic.stream.Trim(tx, int(u.partition), u.before)
		}
		return nil
	})
	for _, u := range cuts {
		if err != nil {
			u.a.ErrorCode = code(err)
			continue
		}
		u.a.LowWatermark = int64(u.log.Start())
	}
	return r
}

package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
)

// OffsetFetch (9), versions 1 to 10. Without transactions every committed offset
// is stable. Source: Kafka 4.3.1; spec 2.6.

func (c *conn) handleOffsetFetch(_ *slot, q *kmsg.OffsetFetchRequest) kmsg.Response {
	r := kmsg.NewPtrOffsetFetchResponse()
	if q.Version < 8 {
		w := kmsg.NewOffsetFetchRequestGroup()
		w.Group = q.Group
		if q.Topics != nil {
			w.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
		}
		for _, t := range q.Topics {
			gt := kmsg.NewOffsetFetchRequestGroupTopic()
			gt.Topic, gt.Partitions = t.Topic, t.Partitions
			w.Topics = append(w.Topics, gt)
		}
		for _, t := range c.s.fetchOffsets(&w, q.Version).Topics {
			a := kmsg.NewOffsetFetchResponseTopic()
			a.Topic = t.Topic
			for _, p := range t.Partitions {
				o := kmsg.NewOffsetFetchResponseTopicPartition()
				o.Partition, o.Offset, o.LeaderEpoch, o.Metadata, o.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
				a.Partitions = append(a.Partitions, o)
			}
			r.Topics = append(r.Topics, a)
		}
		return r
	}
	for i := range q.Groups {
		r.Groups = append(r.Groups, c.s.fetchOffsets(&q.Groups[i], q.Version))
	}
	return r
}

// fetchOffsets answers for one group. Where nothing is committed the offset is -1.
func (s *Server) fetchOffsets(w *kmsg.OffsetFetchRequestGroup, version int16) kmsg.OffsetFetchResponseGroup {
	a := kmsg.NewOffsetFetchResponseGroup()
	a.Group = w.Group
	os := s.ns.Offsets(Realm, w.Group)
	show := func(p int32, pos core.Position, ok bool) kmsg.OffsetFetchResponseGroupTopicPartition {
		o := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		o.Partition, o.Offset, o.LeaderEpoch, o.Metadata = p, -1, -1, new(string)
		if ok {
			o.Offset, o.LeaderEpoch, o.Metadata = int64(pos.Offset), pos.Epoch, &pos.Metadata
		}
		return o
	}
	if w.Topics == nil {
		if os == nil {
			return a
		}
		byStream := make(map[uint64]*kmsg.OffsetFetchResponseGroupTopic)
		os.Each(func(p core.Place, pos core.Position) bool {
			t := byStream[p.Stream]
			if t == nil {
				t = new(kmsg.OffsetFetchResponseGroupTopic)
				byStream[p.Stream] = t
			}
			t.Partitions = append(t.Partitions, show(int32(p.Partition), pos, true))
			return true
		})
		s.topics.each(func(t *topic) bool {
			if gt := byStream[t.stream.ID()]; gt != nil {
				gt.Topic, gt.TopicID = t.name, t.id
				a.Topics = append(a.Topics, *gt)
			}
			return true
		})
		return a
	}
	for i := range w.Topics {
		wt := &w.Topics[i]
		gt := kmsg.NewOffsetFetchResponseGroupTopic()
		gt.Topic, gt.TopicID = wt.Topic, wt.TopicID
		var t *topic
		if version >= 10 {
			t = s.topics.byID(wt.TopicID)
		} else {
			t = s.topics.byName(wt.Topic)
		}
		for _, p := range wt.Partitions {
			var pos core.Position
			ok := false
			if t != nil && os != nil {
				pos, ok = os.Position(core.Place{Stream: t.stream.ID(), Partition: int(p)})
			}
			o := show(p, pos, ok)
			if t == nil && version >= 10 {
				o.ErrorCode = errUnknownTopicID
			}
			gt.Partitions = append(gt.Partitions, o)
		}
		a.Topics = append(a.Topics, gt)
	}
	return a
}

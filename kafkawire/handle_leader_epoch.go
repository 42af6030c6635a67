package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetForLeaderEpoch (23), versions 2 to 4. Source: Kafka 4.3.1; spec 2.5.

// checkEpoch compares the leader epoch that a client knows with ours; -1 is not
// compared.
func checkEpoch(e int32) int16 {
	switch {
	case e > leaderEpoch:
		return errUnknownEpoch
	case e < leaderEpoch && e != -1:
		return errFencedEpoch
	}
	return 0
}

func (c *conn) handleOffsetForLeaderEpoch(_ *slot, q *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	r := kmsg.NewPtrOffsetForLeaderEpochResponse()
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewOffsetForLeaderEpochResponseTopic()
		a.Topic = w.Topic
		t := c.s.topics.byName(w.Topic)
		for j := range w.Partitions {
			p := &w.Partitions[j]
			o := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			o.Partition, o.LeaderEpoch, o.EndOffset = p.Partition, -1, -1
			switch {
			case t == nil || t.log(p.Partition) == nil:
				o.ErrorCode = errUnknownTopic
			case checkEpoch(p.CurrentLeaderEpoch) != 0:
				o.ErrorCode = checkEpoch(p.CurrentLeaderEpoch)
			case p.LeaderEpoch == leaderEpoch:
				o.LeaderEpoch, o.EndOffset = leaderEpoch, int64(t.log(p.Partition).End())
			}
			a.Partitions = append(a.Partitions, o)
		}
		r.Topics = append(r.Topics, a)
	}
	return r
}

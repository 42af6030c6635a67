package kafkawire

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeTopicPartitions (75), version 0. Source: Kafka 4.3.1; spec 1.3.

// describeLimit is the most partitions of one DescribeTopicPartitions answer.
const describeLimit = 2000

func (c *conn) handleDescribeTopicPartitions(_ *slot, q *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	r := kmsg.NewPtrDescribeTopicPartitionsResponse()
	var names []string
	for _, t := range q.Topics {
		names = append(names, t.Topic)
	}
	if len(q.Topics) == 0 {
		c.s.topics.each(func(t *topic) bool {
			names = append(names, t.name)
			return true
		})
	}
	slices.Sort(names)
	names = slices.Compact(names)
	left := describeLimit
	if q.ResponsePartitionLimit > 0 {
		left = min(left, int(q.ResponsePartitionLimit))
	}
	for _, name := range names {
		var from int32
		if cur := q.Cursor; cur != nil {
			if strings.Compare(name, cur.Topic) < 0 {
				continue
			}
			if name == cur.Topic {
				from = cur.Partition
			}
		}
		m := kmsg.NewDescribeTopicPartitionsResponseTopic()
		m.Topic, m.AuthorizedOperations = &name, topicOperations
		t := c.s.topics.byName(name)
		switch {
		case t != nil:
			m.TopicID, m.IsInternal = t.id, t.internal
			n := int32(t.stream.Partitions())
			for i := max(from, 0); i < n; i++ {
				if left == 0 {
					r.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: i}
					break
				}
				left--
				p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
				p.Partition, p.LeaderID, p.LeaderEpoch = i, nodeID, leaderEpoch
				p.Replicas, p.ISR = self(), self()
				p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{}
				m.Partitions = append(m.Partitions, p)
			}
		case checkName(name) != "":
			m.ErrorCode = errInvalidTopic
		default:
			m.ErrorCode = errUnknownTopic
		}
		r.Topics = append(r.Topics, m)
		if r.NextCursor != nil {
			break
		}
	}
	return r
}

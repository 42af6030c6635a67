package kafkawire

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata (3), versions 0 to 13, DescribeCluster (60), versions 0 to 2, and
// DescribeTopicPartitions (75). A topic that is created because it is asked for
// is unknown in this answer and there in the next, as in KRaft. Clients are told
// the address that they connected to. Source: spec 1.3.

// What an unauthenticated client may do, as bits of the ACL operations.
const (
	clusterOperations = 8096
	topicOperations   = 3576
)

// self is the list of replicas of every partition.
func self() []int32 { return []int32{nodeID} }

func (c *conn) handleMetadata(_ *slot, q *kmsg.MetadataRequest) kmsg.Response {
	r := kmsg.NewPtrMetadataResponse()
	r.Version = q.Version
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = nodeID, c.host, c.port
	r.Brokers = append(r.Brokers, b)
	r.ClusterID, r.ControllerID = kmsg.StringPtr(c.s.cluster), nodeID
	if q.IncludeClusterAuthorizedOperations {
		r.AuthorizedOperations = clusterOperations
	}
	add := func(code int16, name *string, id topicID, t *topic) {
		m := kmsg.NewMetadataResponseTopic()
		m.ErrorCode, m.Topic, m.TopicID = code, name, id
		if t != nil {
			m.IsInternal = t.internal
			if q.IncludeTopicAuthorizedOperations {
				m.AuthorizedOperations = topicOperations
			}
			for i := range int32(t.stream.Partitions()) {
				p := kmsg.NewMetadataResponseTopicPartition()
				p.Partition, p.Leader, p.LeaderEpoch = i, nodeID, leaderEpoch
				p.Replicas, p.ISR = self(), self()
				m.Partitions = append(m.Partitions, p)
			}
		}
		r.Topics = append(r.Topics, m)
	}
	if q.Topics == nil || q.Version == 0 && len(q.Topics) == 0 {
		c.s.topics.each(func(t *topic) bool {
			add(0, &t.name, t.id, t)
			return true
		})
		return r
	}
	var create []string
	for i := range q.Topics {
		w := &q.Topics[i]
		switch {
		case w.TopicID != topicID{}:
			if t := c.s.topics.byID(w.TopicID); t != nil {
				add(0, &t.name, t.id, t)
			} else {
				add(errUnknownTopicID, nil, w.TopicID, nil)
			}
		case w.Topic == nil:
			add(errInvalidRequest, nil, topicID{}, nil)
		default:
			name := *w.Topic
			t := c.s.topics.byName(name)
			switch {
			case t != nil:
				add(0, &name, t.id, t)
			case checkName(name) != "":
				add(errInvalidTopic, &name, topicID{}, nil)
			default:
				add(errUnknownTopic, &name, topicID{}, nil)
				if (q.Version < 4 || q.AllowAutoTopicCreation) && !c.s.o.NoAutoCreate && len(create) < maxPartitions {
					create = append(create, name)
				}
			}
		}
	}
	if len(create) > 0 {
		c.s.autoCreate(create)
	}
	return r
}

func (c *conn) handleDescribeCluster(_ *slot, q *kmsg.DescribeClusterRequest) kmsg.Response {
	r := kmsg.NewPtrDescribeClusterResponse()
	r.ClusterAuthorizedOperations = -1 << 31
	if q.EndpointType != 1 && q.Version >= 1 {
		r.ErrorCode, r.EndpointType = errMismatchedEndpoint, 1
		r.ErrorMessage = kmsg.StringPtr("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
		return r
	}
	r.EndpointType, r.ClusterID, r.ControllerID = 1, c.s.cluster, nodeID
	if q.IncludeClusterAuthorizedOperations {
		r.ClusterAuthorizedOperations = clusterOperations
	}
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Host, b.Port = nodeID, c.host, c.port
	r.Brokers = append(r.Brokers, b)
	return r
}

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

package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata (3), versions 0 to 13. A topic that is created because it is asked for
// is unknown in this answer and there in the next, as in KRaft. Clients are told
// the address that they connected to. Source: Kafka 4.3.1; spec 1.3.

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

package kafkawire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics (19), versions 2 to 7. When it is answered, every client sees the
// topics. Source: Kafka 4.3.1; spec 1.3, Kafka's ReplicationControlManager.

func (c *conn) handleCreateTopics(_ *slot, q *kmsg.CreateTopicsRequest) kmsg.Response {
	r := kmsg.NewPtrCreateTopicsResponse()
	seen := make(map[string]int)
	total := 0
	for i := range q.Topics {
		seen[q.Topics[i].Topic]++
		total += max(int(q.Topics[i].NumPartitions), len(q.Topics[i].ReplicaAssignment))
	}
	var plans []*newTopic
	var at []int
	for i := range q.Topics {
		w := &q.Topics[i]
		if i > 0 && slices.ContainsFunc(q.Topics[:i], func(o kmsg.CreateTopicsRequestTopic) bool { return o.Topic == w.Topic }) {
			continue // one answer for a name
		}
		a := kmsg.NewCreateTopicsResponseTopic()
		a.Topic = w.Topic
		var t *newTopic
		var err *refusal
		switch {
		case seen[w.Topic] > 1:
			err = refuse(errInvalidRequest, "Duplicate topic name.")
		case total > maxPartitions:
			err = refuse(errPolicy, "Excessively large number of partitions per request.")
		default:
			t, err = c.s.plan(w)
		}
		switch {
		case err != nil:
			a.ErrorCode, a.ErrorMessage = err.code, &err.text
		case q.ValidateOnly:
			t.doc.ID = newTopicID()
			describeNew(&a, t)
		default:
			plans, at = append(plans, t), append(at, len(r.Topics))
		}
		r.Topics = append(r.Topics, a)
	}
	if len(plans) > 0 {
		for i, err := range c.s.create(plans...) {
			if a := &r.Topics[at[i]]; err != nil {
				a.ErrorCode, a.ErrorMessage = err.code, &err.text
			} else {
				describeNew(a, plans[i])
			}
		}
	}
	return r
}

func describeNew(a *kmsg.CreateTopicsResponseTopic, t *newTopic) {
	a.TopicID, a.NumPartitions, a.ReplicationFactor = t.doc.ID, int32(t.partitions), 1
	for i := range topicConfigs {
		cf := &topicConfigs[i]
		v := kmsg.NewCreateTopicsResponseTopicConfig()
		v.Name, v.Value, v.Source = cf.name, kmsg.StringPtr(configValue(t.doc.Configs, cf.name)), int8(cf.source(t.doc.Configs))
		a.Configs = append(a.Configs, v)
	}
}

// plan checks what is asked for a new topic.
func (s *Server) plan(w *kmsg.CreateTopicsRequestTopic) (*newTopic, *refusal) {
	if err := s.checkNew(w.Topic); err != nil {
		return nil, err
	}
	t := &newTopic{name: w.Topic, partitions: int(w.NumPartitions)}
	t.doc.Internal = w.Topic == offsetsTopic
	if len(w.ReplicaAssignment) > 0 {
		if err := checkAssignments(w); err != nil {
			return nil, err
		}
		t.partitions = len(w.ReplicaAssignment)
	} else {
		switch rf := w.ReplicationFactor; {
		case rf < -1 || rf == 0:
			return nil, refuse(errInvalidReplication, "Replication factor must be larger than 0, or -1 to use the default value.")
		case t.partitions < -1 || t.partitions == 0:
			return nil, refuse(errInvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
		case rf > 1:
			return nil, refuse(errInvalidReplication, "Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.", rf, rf)
		case t.partitions == -1:
			t.partitions = s.o.Partitions
		}
	}
	configs := make(map[string]string)
	for _, cf := range w.Configs {
		if cf.Value == nil {
			return nil, refuse(errInvalidConfig, "Null value not supported for topic configs: %s", cf.Name)
		}
		configs[cf.Name] = *cf.Value
	}
	if why := checkConfigs(configs); why != "" {
		return nil, refuse(errInvalidConfig, "%s", why)
	}
	t.doc.Configs = configs
	return t, nil
}

// checkAssignments: this node is the only replica that a partition can have.
func checkAssignments(w *kmsg.CreateTopicsRequestTopic) *refusal {
	if w.ReplicationFactor != -1 {
		return refuse(errInvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	}
	if w.NumPartitions != -1 {
		return refuse(errInvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	seen := make(map[int32]bool)
	for _, a := range w.ReplicaAssignment {
		if seen[a.Partition] {
			return refuse(errInvalidAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		seen[a.Partition] = true
		if err := checkReplicas(a.Replicas); err != nil {
			return err
		}
	}
	for i := range int32(len(w.ReplicaAssignment)) {
		if !seen[i] {
			return refuse(errInvalidAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	return nil
}

func checkReplicas(rs []int32) *refusal {
	if len(rs) == 0 {
		return refuse(errInvalidAssignment, "The manual partition assignment includes an empty replica list.")
	}
	for i, r := range rs {
		if r != nodeID {
			return refuse(errInvalidAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", r)
		}
		if i > 0 {
			return refuse(errInvalidAssignment, "The manual partition assignment includes the broker %d more than once.", r)
		}
	}
	return nil
}

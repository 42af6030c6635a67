package kafkawire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
)

// CreateTopics (19), versions 2 to 7; DeleteTopics (20), 1 to 6;
// CreatePartitions (37), 0 to 3. When they are answered, every client sees the
// result. Source: spec 1.3, Kafka's ReplicationControlManager.

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

func (c *conn) handleDeleteTopics(_ *slot, q *kmsg.DeleteTopicsRequest) kmsg.Response {
	r := kmsg.NewPtrDeleteTopicsResponse()
	wanted := q.Topics
	for _, name := range q.TopicNames {
		w := kmsg.NewDeleteTopicsRequestTopic()
		w.Topic = &name
		wanted = append(wanted, w)
	}
	var gone, dup []*topic
	var at []int
	for i := range wanted {
		w := &wanted[i]
		a := kmsg.NewDeleteTopicsResponseTopic()
		a.Topic, a.TopicID = w.Topic, w.TopicID
		fail := func(code int16, why string) { a.ErrorCode, a.ErrorMessage = code, &why }
		var t *topic
		byID := w.TopicID != topicID{}
		switch {
		case byID == (w.Topic != nil):
			if byID {
				fail(errInvalidRequest, "You may not specify both topic name and topic id.")
			} else {
				fail(errInvalidRequest, "Neither topic name nor id were specified.")
			}
		case byID:
			if t = c.s.topics.byID(w.TopicID); t == nil {
				fail(errUnknownTopicID, "This server does not host this topic ID.")
			}
		default:
			if t = c.s.topics.byName(*w.Topic); t == nil {
				fail(errUnknownTopic, "This server does not host this topic-partition.")
			}
		}
		switch {
		case t == nil:
		case !t.own:
			fail(errTopicDenied, "Topic '"+t.name+"' belongs to another protocol.")
		case slices.Contains(dup, t):
			continue
		case count(wanted, t) > 1:
			dup = append(dup, t)
			a.Topic, a.TopicID = &t.name, topicID{}
			fail(errInvalidRequest, "Duplicate topic name.")
		default:
			a.Topic, a.TopicID = &t.name, t.id
			gone, at = append(gone, t), append(at, len(r.Topics))
		}
		r.Topics = append(r.Topics, a)
	}
	if len(gone) == 0 {
		return r
	}
	err := c.s.broker.Committed(func(tx *core.Tx) error {
		for i, t := range gone {
			if !c.s.topics.current(t) {
				a := &r.Topics[at[i]]
				a.ErrorCode = errUnknownTopic
				continue
			}
			c.s.groups.forgetTopic(tx, t)
			t.stream.Delete(tx)
		}
		return nil
	})
	for i, t := range gone {
		if err != nil {
			a := &r.Topics[at[i]]
			a.ErrorCode, a.ErrorMessage = code(err), text(err)
			continue
		}
		c.s.topics.forget(t.stream)
	}
	return r
}

// count is how often a request wants t deleted.
func count(wanted []kmsg.DeleteTopicsRequestTopic, t *topic) (n int) {
	for i := range wanted {
		if w := &wanted[i]; w.Topic != nil && *w.Topic == t.name || w.Topic == nil && w.TopicID == t.id {
			n++
		}
	}
	return n
}

func (c *conn) handleCreatePartitions(_ *slot, q *kmsg.CreatePartitionsRequest) kmsg.Response {
	r := kmsg.NewPtrCreatePartitionsResponse()
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewCreatePartitionsResponseTopic()
		a.Topic = w.Topic
		var err *refusal
		if twice(q, w.Topic) {
			err = refuse(errInvalidRequest, "Duplicate topic name.")
		} else {
			err = c.s.grow(w, q.ValidateOnly)
		}
		if err != nil {
			a.ErrorCode, a.ErrorMessage = err.code, nullable(err.text)
		}
		r.Topics = append(r.Topics, a)
	}
	return r
}

// twice reports whether a request names a topic more than once.
func twice(q *kmsg.CreatePartitionsRequest, name string) bool {
	n := 0
	for i := range q.Topics {
		if q.Topics[i].Topic == name {
			n++
		}
	}
	return n > 1
}

// grow gives a topic more partitions.
func (s *Server) grow(w *kmsg.CreatePartitionsRequestTopic, validate bool) *refusal {
	t := s.topics.byName(w.Topic)
	if t == nil {
		return refuse(errUnknownTopic, "")
	}
	if !t.own {
		return refuse(errTopicDenied, "Topic '%s' belongs to another protocol.", t.name)
	}
	check := func() *refusal {
		switch have := t.stream.Partitions(); {
		case int(w.Count) == have:
			return refuse(errInvalidPartitions, "Topic already has %d partition(s).", have)
		case int(w.Count) < have:
			return refuse(errInvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.name, have, w.Count)
		case int(w.Count)-have > maxPartitions:
			return refuse(errPolicy, "Excessively large number of partitions per request.")
		case len(w.Assignment) > 0 && len(w.Assignment) != int(w.Count)-have:
			return refuse(errInvalidAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", int(w.Count)-have, len(w.Assignment))
		}
		for _, a := range w.Assignment {
			if err := checkReplicas(a.Replicas); err != nil {
				return err
			}
		}
		return nil
	}
	if err := check(); err != nil || validate {
		return err
	}
	err := s.broker.Committed(func(tx *core.Tx) error {
		if err := check(); err != nil {
			return err
		}
		c := t.stream.Config()
		c.Partitions = int(w.Count)
		return t.stream.Update(tx, c)
	})
	if err != nil {
		return fromCore(err)
	}
	return nil
}

// DescribeLogDirs (35), versions 1 to 5: one directory, with the bytes of each
// partition. Total and usable bytes are not known to this door.

func (c *conn) handleDescribeLogDirs(_ *slot, q *kmsg.DescribeLogDirsRequest) kmsg.Response {
	r := kmsg.NewPtrDescribeLogDirsResponse()
	d := kmsg.NewDescribeLogDirsResponseDir()
	d.Dir, d.TotalBytes, d.UsableBytes = "trivium", -1, -1
	add := func(t *topic, want func(p int32) bool) {
		dt := kmsg.NewDescribeLogDirsResponseDirTopic()
		dt.Topic = t.name
		for i := range int32(t.stream.Partitions()) {
			if l := t.log(i); l != nil && want(i) {
				p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
				p.Partition, p.Size = i, l.Bytes()
				dt.Partitions = append(dt.Partitions, p)
			}
		}
		if len(dt.Partitions) > 0 {
			d.Topics = append(d.Topics, dt)
		}
	}
	if q.Topics == nil {
		c.s.topics.each(func(t *topic) bool {
			add(t, func(int32) bool { return true })
			return true
		})
	}
	for i := range q.Topics {
		if t := c.s.topics.byName(q.Topics[i].Topic); t != nil {
			add(t, func(p int32) bool { return slices.Contains(q.Topics[i].Partitions, p) })
		}
	}
	r.Dirs = append(r.Dirs, d)
	return r
}

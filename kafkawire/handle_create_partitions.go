package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
)

// CreatePartitions (37), versions 0 to 3. Source: Kafka 4.3.1; spec 1.3.

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

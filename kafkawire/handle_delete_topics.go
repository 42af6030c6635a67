package kafkawire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
)

// DeleteTopics (20), versions 1 to 6. Source: Kafka 4.3.1; spec 1.3.

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
		c.s.topics.forget(t)
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

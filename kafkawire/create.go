package kafkawire

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"trivium/core"
)

// offsetsTopic is where Kafka keeps what core.Offsets keeps here. It is listed
// once there are groups, and empty.
const (
	offsetsTopic      = "__consumer_offsets"
	offsetsPartitions = 50
)

// metadataTopic is Kafka's own log, which nobody may create.
const metadataTopic = "__cluster_metadata"

// maxPartitions bounds what one request may make.
const maxPartitions = 10_000

// refusal is a Kafka error with its text.
type refusal struct {
	code int16
	text string
}

func (r *refusal) Error() string { return r.text }

func refuse(code int16, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// newTopic is a topic to be made.
type newTopic struct {
	name       string
	partitions int
	doc        topicDoc
}

// offsetsTopicSpec is the shape of __consumer_offsets.
func offsetsTopicSpec() *newTopic {
	return &newTopic{offsetsTopic, offsetsPartitions, topicDoc{Internal: true, Configs: map[string]string{
		"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600",
	}}}
}

// checkNew says why a topic cannot be made under a name.
func (s *Server) checkNew(name string) *refusal {
	if why := checkName(name); why != "" {
		return refuse(errInvalidTopic, "%s", why)
	}
	if name == metadataTopic {
		return refuse(errInvalidRequest, "Creation of internal topic %s is prohibited.", name)
	}
	// A view does not stand in the way: what a client makes of its own wins. An exposed name is taken.
	if t := s.topics.byName(name); t != nil && (t.own || t.exposed) {
		return refuse(errTopicExists, "Topic '%s' already exists.", name)
	}
	if strings.ContainsAny(name, "._") {
		form, other := collisionForm(name), ""
		s.topics.each(func(t *topic) bool {
			if t.own && collisionForm(t.name) == form {
				other = t.name
			}
			return other == ""
		})
		if other != "" {
			return refuse(errInvalidTopic, "Topic '%s' collides with existing topic: %s", name, other)
		}
	}
	return nil
}

// create makes topics, all durable when it returns. A topic that somebody else
// made meanwhile is errTopicExists.
func (s *Server) create(ts ...*newTopic) []*refusal {
	errs := make([]*refusal, len(ts))
	streams := make([]*core.Stream, len(ts))
	err := s.broker.Committed(func(tx *core.Tx) error {
		for i, t := range ts {
			t.doc.ID = newTopicID()
			c := core.StreamConfig{Realm: Realm, Name: t.name, Partitions: t.partitions, Internal: t.doc.Internal, Doc: t.doc.encode()}
			apply(t.doc.Configs, &c)
			var err error
			if streams[i], err = s.ns.CreateStream(tx, c); err != nil {
				errs[i] = fromCore(err)
				if errs[i].code == errTopicExists {
					errs[i].text = fmt.Sprintf("Topic '%s' already exists.", t.name)
				}
			}
		}
		return nil
	})
	for i := range ts {
		if err != nil && errs[i] == nil {
			errs[i] = fromCore(err)
		}
		if errs[i] == nil {
			s.topics.put(streams[i])
		}
	}
	return errs
}

func fromCore(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	return &refusal{code(err), err.Error()}
}

// autoCreate makes topics that somebody asked for, where it can.
func (s *Server) autoCreate(names []string) {
	var ts []*newTopic
	for _, name := range names {
		if s.checkNew(name) != nil || s.topics.byName(name) != nil {
			continue
		}
		if name == offsetsTopic {
			ts = append(ts, offsetsTopicSpec())
			continue
		}
		ts = append(ts, &newTopic{name: name, partitions: s.o.Partitions})
	}
	if len(ts) == 0 {
		return
	}
	for i, err := range s.create(ts...) {
		if err != nil && err.code != errTopicExists {
			s.log.Warn("kafka: topic not created", "topic", ts[i].name, "err", err)
		}
	}
}

// ensureOffsetsTopic makes __consumer_offsets if it is missing.
func (s *Server) ensureOffsetsTopic() *refusal {
	if s.ns.Stream(Realm, offsetsTopic) != nil {
		return nil
	}
	if err := s.create(offsetsTopicSpec())[0]; err != nil && err.code != errTopicExists {
		return err
	}
	return nil
}

// reconfigure gives a topic other configs, durable when it returns.
func (s *Server) reconfigure(t *topic, configs map[string]string) *refusal {
	err := s.broker.Committed(func(tx *core.Tx) error {
		c := t.stream.Config()
		c.Doc = (&topicDoc{ID: t.id, Internal: t.internal, Configs: maps.Clone(configs)}).encode()
		apply(configs, &c)
		return t.stream.Update(tx, c)
	})
	if err != nil {
		return fromCore(err)
	}
	s.topics.put(t.stream)
	return nil
}

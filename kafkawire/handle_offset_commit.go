package kafkawire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
	"trivium/kafkawire/group"
)

// OffsetCommit (8), versions 2 to 10. It is answered when it is durable. Source:
// Kafka 4.3.1; spec 2.6.

// maxOffsetMetadata is the longest text kept with an offset (offset.metadata.max.bytes).
const maxOffsetMetadata = 4096

func (c *conn) handleOffsetCommit(s *slot, q *kmsg.OffsetCommitRequest) kmsg.Response {
	r := kmsg.NewPtrOffsetCommitResponse()
	r.Version = q.Version
	code := c.s.mayCommit(q)
	type commit struct {
		at  core.Place
		pos core.Position
	}
	var commits []commit
	now := time.Now().UnixNano()
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewOffsetCommitResponseTopic()
		a.Topic, a.TopicID = w.Topic, w.TopicID
		t, unknown := c.s.topics.byName(w.Topic), errUnknownTopic
		if q.Version >= 10 {
			t, unknown = c.s.topics.byID(w.TopicID), errUnknownTopicID
		}
		for j := range w.Partitions {
			p := &w.Partitions[j]
			o := kmsg.NewOffsetCommitResponseTopicPartition()
			o.Partition = p.Partition
			switch {
			case code != 0:
				o.ErrorCode = code
			case t == nil:
				o.ErrorCode = unknown
			case t.log(p.Partition) == nil:
				o.ErrorCode = errUnknownTopic
			case len(str(p.Metadata)) > maxOffsetMetadata:
				o.ErrorCode = errMetadataTooLarge
			default:
				commits = append(commits, commit{
					core.Place{Stream: t.stream.ID(), Partition: int(p.Partition)},
					core.Position{Offset: core.Offset(p.Offset), Epoch: p.LeaderEpoch, Metadata: str(p.Metadata), Time: now},
				})
			}
			a.Partitions = append(a.Partitions, o)
		}
		r.Topics = append(r.Topics, a)
	}
	if len(commits) == 0 {
		return r
	}
	tx := c.s.broker.Begin()
	os := c.s.ns.CreateOffsets(tx, Realm, q.Group)
	for _, m := range commits {
		os.Commit(tx, m.at, m.pos)
	}
	tx.Then(completion(func(err error) {
		if err != nil {
			for i := range r.Topics {
				for j := range r.Topics[i].Partitions {
					if p := &r.Topics[i].Partitions[j]; p.ErrorCode == 0 {
						p.ErrorCode = errCoordinatorNotThere // what Kafka makes of a storage error
					}
				}
			}
		}
		s.answer(r)
	}))
	tx.Commit()
	return nil
}

// mayCommit says whether the sender of q may commit, as 0 or an error code.
func (s *Server) mayCommit(q *kmsg.OffsetCommitRequest) (code int16) {
	if s.groups.useIf(q.Group, func(now time.Time, g *group.Group) {
		code = g.Commit(now, q.MemberID, str(q.InstanceID), q.Generation)
	}) {
		return code
	}
	switch {
	case q.Generation < 0 && q.MemberID == "" && str(q.InstanceID) == "":
		return 0
	case q.Generation < 0:
		return 0 // a simple consumer, whatever it calls itself
	case s.ns.Offsets(Realm, q.Group) != nil:
		return errUnknownMember // the group is there, without members
	case q.Version >= 9:
		return errGroupNotFound
	}
	return errIllegalGeneration
}

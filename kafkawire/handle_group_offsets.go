package kafkawire

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
	"trivium/kafkawire/group"
)

// OffsetCommit (8), versions 2 to 10; OffsetFetch (9), 1 to 10; OffsetDelete
// (47), 0. A commit is answered when it is durable. Source: spec 2.6.

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

func (c *conn) handleOffsetFetch(_ *slot, q *kmsg.OffsetFetchRequest) kmsg.Response {
	r := kmsg.NewPtrOffsetFetchResponse()
	if q.Version < 8 {
		w := kmsg.NewOffsetFetchRequestGroup()
		w.Group = q.Group
		if q.Topics != nil {
			w.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
		}
		for _, t := range q.Topics {
			gt := kmsg.NewOffsetFetchRequestGroupTopic()
			gt.Topic, gt.Partitions = t.Topic, t.Partitions
			w.Topics = append(w.Topics, gt)
		}
		for _, t := range c.s.fetchOffsets(&w, q.Version).Topics {
			a := kmsg.NewOffsetFetchResponseTopic()
			a.Topic = t.Topic
			for _, p := range t.Partitions {
				o := kmsg.NewOffsetFetchResponseTopicPartition()
				o.Partition, o.Offset, o.LeaderEpoch, o.Metadata, o.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
				a.Partitions = append(a.Partitions, o)
			}
			r.Topics = append(r.Topics, a)
		}
		return r
	}
	for i := range q.Groups {
		r.Groups = append(r.Groups, c.s.fetchOffsets(&q.Groups[i], q.Version))
	}
	return r
}

// fetchOffsets answers for one group. Where nothing is committed the offset is -1.
func (s *Server) fetchOffsets(w *kmsg.OffsetFetchRequestGroup, version int16) kmsg.OffsetFetchResponseGroup {
	a := kmsg.NewOffsetFetchResponseGroup()
	a.Group = w.Group
	os := s.ns.Offsets(Realm, w.Group)
	show := func(p int32, pos core.Position, ok bool) kmsg.OffsetFetchResponseGroupTopicPartition {
		o := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		o.Partition, o.Offset, o.LeaderEpoch, o.Metadata = p, -1, -1, new(string)
		if ok {
			o.Offset, o.LeaderEpoch, o.Metadata = int64(pos.Offset), pos.Epoch, &pos.Metadata
		}
		return o
	}
	if w.Topics == nil {
		if os == nil {
			return a
		}
		byStream := make(map[uint64]*kmsg.OffsetFetchResponseGroupTopic)
		os.Each(func(p core.Place, pos core.Position) bool {
			t := byStream[p.Stream]
			if t == nil {
				t = new(kmsg.OffsetFetchResponseGroupTopic)
				byStream[p.Stream] = t
			}
			t.Partitions = append(t.Partitions, show(int32(p.Partition), pos, true))
			return true
		})
		s.topics.each(func(t *topic) bool {
			if gt := byStream[t.stream.ID()]; gt != nil {
				gt.Topic, gt.TopicID = t.name, t.id
				a.Topics = append(a.Topics, *gt)
			}
			return true
		})
		return a
	}
	for i := range w.Topics {
		wt := &w.Topics[i]
		gt := kmsg.NewOffsetFetchResponseGroupTopic()
		gt.Topic, gt.TopicID = wt.Topic, wt.TopicID
		var t *topic
		if version >= 10 {
			t = s.topics.byID(wt.TopicID)
		} else {
			t = s.topics.byName(wt.Topic)
		}
		for _, p := range wt.Partitions {
			var pos core.Position
			ok := false
			if t != nil && os != nil {
				pos, ok = os.Position(core.Place{Stream: t.stream.ID(), Partition: int(p)})
			}
			o := show(p, pos, ok)
			if t == nil && version >= 10 {
				o.ErrorCode = errUnknownTopicID
			}
			gt.Partitions = append(gt.Partitions, o)
		}
		a.Topics = append(a.Topics, gt)
	}
	return a
}

func (c *conn) handleOffsetDelete(_ *slot, q *kmsg.OffsetDeleteRequest) kmsg.Response {
	r := kmsg.NewPtrOffsetDeleteResponse()
	os := c.s.ns.Offsets(Realm, q.Group)
	if q.Group == "" {
		r.ErrorCode = errInvalidGroup
		return r
	}
	subscribed, all := map[string]bool{}, false
	there := c.s.groups.useIf(q.Group, func(_ time.Time, g *group.Group) {
		if g.Members() == 0 {
			return
		}
		if g.ProtocolType() != "consumer" {
			r.ErrorCode = errNonEmptyGroup
			return
		}
		g.EachMetadata(func(md []byte) {
			m := kmsg.NewConsumerMemberMetadata()
			if m.ReadFrom(md) != nil {
				all = true // whatever it means, it may mean any topic
				return
			}
			for _, t := range m.Topics {
				subscribed[t] = true
			}
		})
	})
	if !there && os == nil {
		r.ErrorCode = errGroupNotFound
	}
	if r.ErrorCode != 0 {
		return r
	}
	var forget []core.Place
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewOffsetDeleteResponseTopic()
		a.Topic = w.Topic
		t := c.s.topics.byName(w.Topic)
		for _, p := range w.Partitions {
			o := kmsg.NewOffsetDeleteResponseTopicPartition()
			o.Partition = p.Partition
			switch {
			case t == nil || t.log(p.Partition) == nil:
				o.ErrorCode = errUnknownTopic
			case all || subscribed[w.Topic]:
				o.ErrorCode = errGroupSubscribed
			default:
				forget = append(forget, core.Place{Stream: t.stream.ID(), Partition: int(p.Partition)})
			}
			a.Partitions = append(a.Partitions, o)
		}
		r.Topics = append(r.Topics, a)
	}
	if os == nil || len(forget) == 0 {
		return r
	}
	err := c.s.broker.Committed(func(tx *core.Tx) error {
		for _, p := range forget {
			os.Forget(tx, p)
		}
		return nil
	})
	if err != nil {
		r.ErrorCode, r.Topics = errCoordinatorNotThere, nil
	}
	return r
}

// DescribeGroups (15), versions 0 to 6; ListGroups (16), 0 to 5; DeleteGroups
// (42), 0 to 2.

func (c *conn) handleDescribeGroups(_ *slot, q *kmsg.DescribeGroupsRequest) kmsg.Response {
	r := kmsg.NewPtrDescribeGroupsResponse()
	for _, name := range q.Groups {
		a := kmsg.NewDescribeGroupsResponseGroup()
		a.Group = name
		if q.IncludeAuthorizedOperations {
			a.AuthorizedOperations = groupOperations
		}
		var d group.Description
		there := c.s.groups.useIf(name, func(_ time.Time, g *group.Group) { d = g.Describe() })
		switch {
		case there:
			a.State, a.ProtocolType, a.Protocol = d.State.String(), d.ProtocolType, d.Protocol
			for _, m := range d.Members {
				o := kmsg.NewDescribeGroupsResponseGroupMember()
				o.MemberID, o.InstanceID, o.ClientID, o.ClientHost = m.ID, nullable(m.Instance), m.ClientID, m.ClientHost
				o.ProtocolMetadata, o.MemberAssignment = m.Metadata, m.Assignment
				a.Members = append(a.Members, o)
			}
		case c.s.ns.Offsets(Realm, name) != nil:
			a.State = group.Empty.String()
		default:
			a.State = group.Dead.String()
			if q.Version >= 6 {
				a.ErrorCode, a.ErrorMessage = errGroupNotFound, kmsg.StringPtr("Group "+name+" not found.")
			}
		}
		r.Groups = append(r.Groups, a)
	}
	return r
}

// groupOperations are what may be done with a group: read, delete, describe, and their configs.
const groupOperations = 3400

func (c *conn) handleListGroups(_ *slot, q *kmsg.ListGroupsRequest) kmsg.Response {
	r := kmsg.NewPtrListGroupsResponse()
	matches := func(filter []string, v string) bool {
		return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, v) })
	}
	if !matches(q.TypesFilter, "classic") {
		return r
	}
	for _, name := range c.s.groups.names() {
		a := kmsg.NewListGroupsResponseGroup()
		a.Group, a.GroupState, a.GroupType = name, group.Empty.String(), "classic"
		c.s.groups.useIf(name, func(_ time.Time, g *group.Group) {
			a.GroupState, a.ProtocolType = g.State().String(), g.ProtocolType()
		})
		if matches(q.StatesFilter, a.GroupState) {
			r.Groups = append(r.Groups, a)
		}
	}
	return r
}

func (c *conn) handleDeleteGroups(_ *slot, q *kmsg.DeleteGroupsRequest) kmsg.Response {
	r := kmsg.NewPtrDeleteGroupsResponse()
	err := c.s.broker.Committed(func(tx *core.Tx) error {
		for _, name := range q.Groups {
			a := kmsg.NewDeleteGroupsResponseGroup()
			a.Group = name
			switch {
			case c.s.groups.find(name) == nil && c.s.ns.Offsets(Realm, name) == nil:
				a.ErrorCode = errGroupNotFound
			case !c.s.groups.kill(tx, name):
				a.ErrorCode = errNonEmptyGroup
			}
			r.Groups = append(r.Groups, a)
		}
		return nil
	})
	for i := range r.Groups {
		if a := &r.Groups[i]; err != nil && a.ErrorCode == 0 {
			a.ErrorCode = errCoordinatorNotThere
		}
	}
	return r
}

package kafkawire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/group"
)

// JoinGroup (11), versions 0 to 9. The protocol is package group's. Source: Kafka 4.3.1; spec 2.6.

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

func (c *conn) handleJoinGroup(s *slot, q *kmsg.JoinGroupRequest) kmsg.Response {
	j := &group.JoinRequest{
		MemberID: q.MemberID, InstanceID: str(q.InstanceID), ClientID: c.clientID, ClientHost: "/" + c.peer,
		Session: millis(q.SessionTimeoutMillis), Rebalance: millis(q.RebalanceTimeoutMillis),
		ProtocolType: q.ProtocolType, KnownID: q.Version >= 4, Skip: q.Version >= 9,
	}
	if q.Version == 0 {
		j.Rebalance = j.Session
	}
	for _, p := range q.Protocols {
		j.Protocols = append(j.Protocols, group.Protocol{Name: p.Name, Metadata: p.Metadata})
	}
	reply := func(res group.JoinResult) { s.answer(joinResponse(q, res)) }
	lim := &c.s.o.Groups
	switch {
	case j.Session < lim.MinSession || j.Session > lim.MaxSession:
		return joinResponse(q, group.JoinResult{Err: errInvalidSession, Generation: -1, MemberID: q.MemberID})
	case q.Group == "":
		return joinResponse(q, group.JoinResult{Err: errInvalidGroup, Generation: -1, MemberID: q.MemberID})
	}
	s.held = true
	join := func(now time.Time, g *group.Group) { g.Join(now, j, reply) }
	if q.MemberID == "" {
		c.s.groups.use(q.Group, join)
	} else if !c.s.groups.useIf(q.Group, join) {
		return joinResponse(q, group.JoinResult{Err: errUnknownMember, Generation: -1, MemberID: q.MemberID})
	}
	return nil
}

func joinResponse(q *kmsg.JoinGroupRequest, res group.JoinResult) kmsg.Response {
	r := kmsg.NewPtrJoinGroupResponse()
	r.Version = q.Version
	r.ErrorCode, r.Generation, r.LeaderID, r.MemberID = res.Err, res.Generation, res.Leader, res.MemberID
	r.SkipAssignment = res.SkipAssignment
	if res.Err == 0 {
		r.ProtocolType, r.Protocol = &res.ProtocolType, &res.Protocol
	} else if q.Version < 7 {
		r.Protocol = new(string)
	}
	for _, m := range res.Members {
		o := kmsg.NewJoinGroupResponseMember()
		o.MemberID, o.InstanceID, o.ProtocolMetadata = m.ID, nullable(m.Instance), m.Metadata
		r.Members = append(r.Members, o)
	}
	return r
}

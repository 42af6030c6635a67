package kafkawire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/group"
)

// FindCoordinator (10), versions 0 to 6; JoinGroup (11), 0 to 9; Heartbeat (12),
// 0 to 4; LeaveGroup (13), 0 to 5; SyncGroup (14), 0 to 5. The protocol itself is
// package group. Source: spec 2.6.

// The kinds of coordinator.
const (
	coordinatesGroup        = 0
	coordinatesTransactions = 1
)

func (c *conn) handleFindCoordinator(_ *slot, q *kmsg.FindCoordinatorRequest) kmsg.Response {
	r := kmsg.NewPtrFindCoordinatorResponse()
	one := func(key string) (a kmsg.FindCoordinatorResponseCoordinator) {
		a.Default()
		a.Key, a.NodeID, a.Port = key, -1, -1
		var err *refusal
		switch q.CoordinatorType {
		case coordinatesGroup:
			err = c.s.ensureOffsetsTopic()
		case coordinatesTransactions:
			err = refuse(errTransactionDenied, "Transactions are not supported")
		default:
			err = refuse(errInvalidRequest, "Unknown coordinator type %d", q.CoordinatorType)
		}
		if err != nil {
			a.ErrorCode, a.ErrorMessage = err.code, &err.text
			if err.code == errStorage {
				a.ErrorCode = errCoordinatorNotThere
			}
			return a
		}
		a.NodeID, a.Host, a.Port = nodeID, c.host, c.port
		a.ErrorMessage = new(string)
		if q.Version < 4 {
			*a.ErrorMessage = "NONE" // so says Kafka
		}
		return a
	}
	if q.Version >= 4 {
		for _, key := range q.CoordinatorKeys {
			r.Coordinators = append(r.Coordinators, one(key))
		}
		return r
	}
	a := one(q.CoordinatorKey)
	r.ErrorCode, r.ErrorMessage, r.NodeID, r.Host, r.Port = a.ErrorCode, a.ErrorMessage, a.NodeID, a.Host, a.Port
	return r
}

// str is the text of a nullable string.
func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// nullable is the opposite: "" is null.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

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

func (c *conn) handleSyncGroup(s *slot, q *kmsg.SyncGroupRequest) kmsg.Response {
	y := &group.SyncRequest{
		MemberID: q.MemberID, InstanceID: str(q.InstanceID), Generation: q.Generation,
		ProtocolType: str(q.ProtocolType), Protocol: str(q.Protocol), Assignments: make(map[string][]byte),
	}
	for _, a := range q.GroupAssignment {
		y.Assignments[a.MemberID] = a.MemberAssignment
	}
	answer := func(res group.SyncResult) kmsg.Response {
		r := kmsg.NewPtrSyncGroupResponse()
		r.Version = q.Version
		r.ErrorCode, r.MemberAssignment = res.Err, res.Assignment
		if res.Err == 0 {
			r.ProtocolType, r.Protocol = &res.ProtocolType, &res.Protocol
		}
		if r.MemberAssignment == nil {
			r.MemberAssignment = []byte{}
		}
		return r
	}
	if q.Group == "" {
		return answer(group.SyncResult{Err: errInvalidGroup})
	}
	if q.Version >= 5 && (q.ProtocolType == nil || q.Protocol == nil) {
		return answer(group.SyncResult{Err: errInconsistentProtocol})
	}
	s.held = true
	if !c.s.groups.useIf(q.Group, func(now time.Time, g *group.Group) {
		g.Sync(now, y, func(res group.SyncResult) { s.answer(answer(res)) })
	}) {
		return answer(group.SyncResult{Err: errUnknownMember})
	}
	return nil
}

func (c *conn) handleHeartbeat(_ *slot, q *kmsg.HeartbeatRequest) kmsg.Response {
	r := kmsg.NewPtrHeartbeatResponse()
	if q.Group == "" {
		r.ErrorCode = errInvalidGroup
		return r
	}
	r.ErrorCode = errUnknownMember
	c.s.groups.useIf(q.Group, func(now time.Time, g *group.Group) {
		r.ErrorCode = g.Heartbeat(now, q.MemberID, str(q.InstanceID), q.Generation)
	})
	return r
}

func (c *conn) handleLeaveGroup(_ *slot, q *kmsg.LeaveGroupRequest) kmsg.Response {
	r := kmsg.NewPtrLeaveGroupResponse()
	if q.Group == "" {
		r.ErrorCode = errInvalidGroup
		return r
	}
	members := q.Members
	if q.Version < 3 {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = q.MemberID
		members = []kmsg.LeaveGroupRequestMember{m}
	}
	codes := make([]int16, len(members))
	for i := range codes {
		codes[i] = errUnknownMember
	}
	c.s.groups.useIf(q.Group, func(now time.Time, g *group.Group) {
		for i, m := range members {
			codes[i] = g.Leave(now, m.MemberID, str(m.InstanceID))
		}
	})
	if q.Version < 3 {
		r.ErrorCode = codes[0]
		return r
	}
	for i, m := range members {
		a := kmsg.NewLeaveGroupResponseMember()
		a.MemberID, a.InstanceID, a.ErrorCode = m.MemberID, m.InstanceID, codes[i]
		r.Members = append(r.Members, a)
	}
	return r
}

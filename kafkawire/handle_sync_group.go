package kafkawire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/group"
)

// SyncGroup (14), versions 0 to 5. Source: Kafka 4.3.1; spec 2.6.

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

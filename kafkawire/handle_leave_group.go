package kafkawire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/group"
)

// LeaveGroup (13), versions 0 to 5. Source: Kafka 4.3.1; spec 2.6.

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

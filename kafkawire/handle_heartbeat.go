package kafkawire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/group"
)

// Heartbeat (12), versions 0 to 4. Source: Kafka 4.3.1; spec 2.6.

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

package kafkawire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/group"
)

// DescribeGroups (15), versions 0 to 6. Source: Kafka 4.3.1; spec 1.2.

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

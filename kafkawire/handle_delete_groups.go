package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
)

// DeleteGroups (42), versions 0 to 2. Source: Kafka 4.3.1; spec 1.2.

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

package kafkawire

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/group"
)

// ListGroups (16), versions 0 to 5. Source: Kafka 4.3.1; spec 1.2, 2.6.

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

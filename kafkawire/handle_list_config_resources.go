package kafkawire

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListConfigResources (74), versions 0 to 1. Source: Kafka 4.3.1; spec 1.2.

// The resource types of ListConfigResources.
var listable = []int8{int8(kmsg.ConfigResourceTypeTopic), int8(kmsg.ConfigResourceTypeBroker)}

func (c *conn) handleListConfigResources(_ *slot, q *kmsg.ListConfigResourcesRequest) kmsg.Response {
	r := kmsg.NewPtrListConfigResourcesResponse()
	if q.Version == 0 {
		return r // client metrics only, and there are none
	}
	types := q.ResourceTypes
	if len(types) == 0 {
		types = listable
	}
	add := func(typ int8, name string) {
		e := kmsg.NewListConfigResourcesResponseConfigResource()
		e.Type, e.Name = typ, name
		r.ConfigResources = append(r.ConfigResources, e)
	}
	for _, typ := range types {
		switch kmsg.ConfigResourceType(typ) {
		case kmsg.ConfigResourceTypeTopic:
			c.s.topics.each(func(t *topic) bool {
				add(typ, t.name)
				return true
			})
		case kmsg.ConfigResourceTypeBroker:
			add(typ, strconv.Itoa(nodeID))
		case 8, 16, 32: // loggers, client metrics, groups: none has configs
		default:
			r.ErrorCode, r.ConfigResources = errUnsupportedVersion, nil
			return r
		}
	}
	return r
}

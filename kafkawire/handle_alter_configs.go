package kafkawire

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs (33), versions 0 to 2. Deviation: a broker's configs are all
// read-only; Kafka takes any name and ignores it. Source: Kafka 4.3.1; spec 1.3.

// altered finds the topic whose configs a request may change.
func (c *conn) altered(typ kmsg.ConfigResourceType, name string, keys []string) (*topic, *refusal) {
	switch typ {
	case kmsg.ConfigResourceTypeTopic:
		if why := checkName(name); why != "" {
			return nil, refuse(errInvalidTopic, "%s", why)
		}
		t := c.s.topics.byName(name)
		if t == nil {
			return nil, refuse(errUnknownTopic, "The topic '%s' does not exist.", name)
		}
		if !t.own {
			return nil, refuse(errTopicDenied, "Topic '%s' belongs to another protocol.", name)
		}
		return t, nil
	case kmsg.ConfigResourceTypeBroker:
		if name != "" && name != strconv.Itoa(nodeID) {
			return nil, refuse(errInvalidRequest, "Unexpected broker id, expected %d, but received %s", nodeID, name)
		}
		return nil, refuse(errInvalidRequest, "Cannot update these configs dynamically: [%s]", strings.Join(keys, ", "))
	}
	return nil, refuse(errInvalidRequest, "Unknown resource type %d", typ)
}

func (c *conn) handleAlterConfigs(_ *slot, q *kmsg.AlterConfigsRequest) kmsg.Response {
	r := kmsg.NewPtrAlterConfigsResponse()
	for i := range q.Resources {
		w := &q.Resources[i]
		a := kmsg.NewAlterConfigsResponseResource()
		a.ResourceType, a.ResourceName = w.ResourceType, w.ResourceName
		if err := c.alterAll(w, q.ValidateOnly); err != nil {
			a.ErrorCode, a.ErrorMessage = err.code, &err.text
		}
		r.Resources = append(r.Resources, a)
	}
	return r
}

func (c *conn) alterAll(w *kmsg.AlterConfigsRequestResource, validate bool) *refusal {
	var keys []string
	m := make(map[string]string)
	for _, cf := range w.Configs {
		keys = append(keys, cf.Name)
		if cf.Value == nil {
			return refuse(errInvalidRequest, "Null value not supported for : %s", cf.Name)
		}
		m[cf.Name] = *cf.Value
	}
	t, err := c.altered(w.ResourceType, w.ResourceName, keys)
	if err != nil {
		return err
	}
	if why := checkConfigs(m); why != "" {
		return refuse(errInvalidConfig, "%s", why)
	}
	if validate {
		return nil
	}
	return c.s.reconfigure(t, m)
}

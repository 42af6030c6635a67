package kafkawire

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs (32), versions 1 to 4, of topics and of the broker. Source:
// Kafka 4.3.1; spec 1.3, 2.9.

// source says where a topic's value of cf comes from.
func (cf *config) source(m map[string]string) kmsg.ConfigSource {
	if _, ok := m[cf.name]; ok {
		return kmsg.ConfigSourceDynamicTopicConfig
	}
	return kmsg.ConfigSourceDefaultConfig
}

func (c *conn) handleDescribeConfigs(_ *slot, q *kmsg.DescribeConfigsRequest) kmsg.Response {
	r := kmsg.NewPtrDescribeConfigsResponse()
	for i := range q.Resources {
		w := &q.Resources[i]
		a := kmsg.NewDescribeConfigsResponseResource()
		a.ResourceType, a.ResourceName = w.ResourceType, w.ResourceName
		a.ErrorMessage = new(string) // Kafka's is empty, not null
		if err := c.describe(&a, w, q); err != nil {
			a.ErrorCode, a.ErrorMessage = err.code, &err.text
		}
		r.Resources = append(r.Resources, a)
	}
	return r
}

func (c *conn) describe(a *kmsg.DescribeConfigsResponseResource, w *kmsg.DescribeConfigsRequestResource, q *kmsg.DescribeConfigsRequest) *refusal {
	wanted := func(name string) bool { return len(w.ConfigNames) == 0 || slices.Contains(w.ConfigNames, name) }
	synonym := func(v *kmsg.DescribeConfigsResponseResourceConfig, name, value string, src kmsg.ConfigSource) {
		if q.IncludeSynonyms {
			s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			s.Name, s.Value, s.Source = name, &value, src
			v.ConfigSynonyms = append(v.ConfigSynonyms, s)
		}
	}
	switch w.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		if why := checkName(w.ResourceName); why != "" {
			return refuse(errInvalidTopic, "%s", why)
		}
		t := c.s.topics.byName(w.ResourceName)
		if t == nil {
			return refuse(errUnknownTopic, "")
		}
		for i := range topicConfigs {
			cf := &topicConfigs[i]
			if !wanted(cf.name) {
				continue
			}
			v := kmsg.NewDescribeConfigsResponseResourceConfig()
			v.Name, v.Value = cf.name, kmsg.StringPtr(configValue(t.configs, cf.name))
			v.Source = cf.source(t.configs)
			v.IsDefault = v.Source == kmsg.ConfigSourceDefaultConfig
			v.ConfigType = kmsg.ConfigType(cf.typ)
			if v.Source == kmsg.ConfigSourceDynamicTopicConfig {
				synonym(&v, cf.name, *v.Value, v.Source)
			}
			if cf.broker != "" {
				synonym(&v, cf.broker, cf.def, kmsg.ConfigSourceDefaultConfig)
			}
			if q.IncludeDocumentation {
				v.Documentation = &cf.doc
			}
			a.Configs = append(a.Configs, v)
		}
		return nil
	case kmsg.ConfigResourceTypeBroker:
		if w.ResourceName == "" {
			return nil // no dynamic defaults
		}
		if _, err := strconv.ParseInt(w.ResourceName, 10, 32); err != nil {
			return refuse(errInvalidRequest, "Broker id must be an integer, but it is: %s", w.ResourceName)
		}
		if w.ResourceName != strconv.Itoa(nodeID) {
			return refuse(errInvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", nodeID, w.ResourceName)
		}
		for _, b := range c.s.brokerConfigs(c) {
			if !wanted(b.name) {
				continue
			}
			v := kmsg.NewDescribeConfigsResponseResourceConfig()
			v.Name, v.Value, v.ReadOnly = b.name, &b.value, true
			v.Source, v.ConfigType = b.source, kmsg.ConfigType(b.typ)
			v.IsDefault = b.source == kmsg.ConfigSourceDefaultConfig
			synonym(&v, b.name, b.value, b.source)
			a.Configs = append(a.Configs, v)
		}
		return nil
	}
	return refuse(errInvalidRequest, "Unsupported resource type: %d", w.ResourceType)
}

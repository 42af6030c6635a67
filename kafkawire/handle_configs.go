package kafkawire

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs (32), versions 1 to 4; AlterConfigs (33), 0 to 2;
// IncrementalAlterConfigs (44), 0 to 1; ListConfigResources (74), 0 to 1.
// Deviation: a broker has only the configs that mean something here, all
// read-only; Kafka accepts any name and ignores it. Source: spec 1.3, 2.9.

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

// brokerConfig is one config of this node.
type brokerConfig struct {
	name, value string
	typ         int8
	source      kmsg.ConfigSource
}

// brokerConfigs are those that tools read.
func (s *Server) brokerConfigs(c *conn) []brokerConfig {
	addr := fmt.Sprintf("PLAINTEXT://%s:%d", c.host, c.port)
	bs := []brokerConfig{
		{"advertised.listeners", addr, typeString, kmsg.ConfigSourceStaticBrokerConfig},
		{"auto.create.topics.enable", strconv.FormatBool(!s.o.NoAutoCreate), typeBool, kmsg.ConfigSourceDefaultConfig},
		{"broker.id", strconv.Itoa(nodeID), typeInt, kmsg.ConfigSourceDefaultConfig},
		{"connections.max.idle.ms", strconv.FormatInt(s.o.IdleTimeout.Milliseconds(), 10), typeLong, kmsg.ConfigSourceDefaultConfig},
		{"default.replication.factor", "1", typeInt, kmsg.ConfigSourceDefaultConfig},
		{"delete.topic.enable", "true", typeBool, kmsg.ConfigSourceDefaultConfig},
		{"fetch.max.bytes", strconv.Itoa(s.o.MaxFetchBytes), typeInt, kmsg.ConfigSourceDefaultConfig},
		{"group.initial.rebalance.delay.ms", strconv.FormatInt(s.o.Groups.InitialDelay.Milliseconds(), 10), typeInt, kmsg.ConfigSourceDefaultConfig},
		{"group.max.session.timeout.ms", strconv.FormatInt(s.o.Groups.MaxSession.Milliseconds(), 10), typeInt, kmsg.ConfigSourceDefaultConfig},
		{"group.min.session.timeout.ms", strconv.FormatInt(s.o.Groups.MinSession.Milliseconds(), 10), typeInt, kmsg.ConfigSourceDefaultConfig},
		{"listeners", addr, typeString, kmsg.ConfigSourceStaticBrokerConfig},
		{"log.dirs", "trivium", typeString, kmsg.ConfigSourceStaticBrokerConfig},
		{"log.retention.hours", "168", typeInt, kmsg.ConfigSourceDefaultConfig},
		{"max.incremental.fetch.session.cache.slots", strconv.Itoa(s.o.MaxSessions), typeInt, kmsg.ConfigSourceDefaultConfig},
		{"node.id", strconv.Itoa(nodeID), typeInt, kmsg.ConfigSourceStaticBrokerConfig},
		{"num.partitions", strconv.Itoa(s.o.Partitions), typeInt, kmsg.ConfigSourceDefaultConfig},
		{"offsets.retention.minutes", strconv.FormatInt(int64(s.o.OffsetsRetention.Minutes()), 10), typeInt, kmsg.ConfigSourceDefaultConfig},
		{"offsets.topic.num.partitions", strconv.Itoa(offsetsPartitions), typeInt, kmsg.ConfigSourceDefaultConfig},
		{"offsets.topic.replication.factor", "1", typeShort, kmsg.ConfigSourceDefaultConfig},
		{"process.roles", "broker,controller", typeList, kmsg.ConfigSourceStaticBrokerConfig},
		{"socket.request.max.bytes", strconv.Itoa(s.o.MaxRequestBytes), typeInt, kmsg.ConfigSourceDefaultConfig},
	}
	for i := range topicConfigs {
		if cf := &topicConfigs[i]; cf.broker != "" {
			bs = append(bs, brokerConfig{cf.broker, cf.def, cf.typ, kmsg.ConfigSourceDefaultConfig})
		}
	}
	slices.SortFunc(bs, func(a, b brokerConfig) int { return strings.Compare(a.name, b.name) })
	return bs
}

const typeShort = 4

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

func (c *conn) handleIncrementalAlterConfigs(_ *slot, q *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	r := kmsg.NewPtrIncrementalAlterConfigsResponse()
	for i := range q.Resources {
		w := &q.Resources[i]
		a := kmsg.NewIncrementalAlterConfigsResponseResource()
		a.ResourceType, a.ResourceName = w.ResourceType, w.ResourceName
		if err := c.alterSome(w, q.ValidateOnly); err != nil {
			a.ErrorCode, a.ErrorMessage = err.code, &err.text
		}
		r.Resources = append(r.Resources, a)
	}
	return r
}

func (c *conn) alterSome(w *kmsg.IncrementalAlterConfigsRequestResource, validate bool) *refusal {
	var keys []string
	for _, cf := range w.Configs {
		if slices.Contains(keys, cf.Name) {
			return refuse(errInvalidRequest, "Error due to duplicate config keys")
		}
		keys = append(keys, cf.Name)
		if cf.Value == nil && cf.Op != kmsg.IncrementalAlterConfigOpDelete {
			return refuse(errInvalidRequest, "Null value not supported for : %s", cf.Name)
		}
	}
	t, err := c.altered(w.ResourceType, w.ResourceName, keys)
	if err != nil {
		return err
	}
	m := maps.Clone(t.configs)
	if m == nil {
		m = make(map[string]string)
	}
	for _, cf := range w.Configs {
		def := findConfig(cf.Name)
		list := func() []string {
			var vs []string
			for _, v := range strings.Split(configValue(m, cf.Name), ",") {
				if v = strings.TrimSpace(v); v != "" {
					vs = append(vs, v)
				}
			}
			return vs
		}
		switch cf.Op {
		case kmsg.IncrementalAlterConfigOpSet:
			m[cf.Name] = *cf.Value
		case kmsg.IncrementalAlterConfigOpDelete:
			delete(m, cf.Name)
		case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
			op := "APPEND to"
			if cf.Op == kmsg.IncrementalAlterConfigOpSubtract {
				op = "SUBTRACT to"
			}
			if def == nil || def.typ != typeList {
				return refuse(errInvalidConfig, "Can't %s key %s because its type is not LIST.", op, cf.Name)
			}
			vs := list()
			for _, v := range strings.Split(*cf.Value, ",") {
				if v = strings.TrimSpace(v); v == "" {
					continue
				}
				if at := slices.Index(vs, v); cf.Op == kmsg.IncrementalAlterConfigOpSubtract && at >= 0 {
					vs = slices.Delete(vs, at, at+1)
				} else if cf.Op == kmsg.IncrementalAlterConfigOpAppend && at < 0 {
					vs = append(vs, v)
				}
			}
			m[cf.Name] = strings.Join(vs, ",")
		default:
			return refuse(errInvalidRequest, "Unknown operation type %d", cf.Op)
		}
	}
	if why := checkConfigs(m); why != "" {
		return refuse(errInvalidConfig, "%s", why)
	}
	if validate || maps.Equal(m, t.configs) {
		return nil
	}
	return c.s.reconfigure(t, m)
}

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

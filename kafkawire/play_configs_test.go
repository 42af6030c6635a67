package kafkawire_test

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

func playConfigs(p *player) {
	p.topic("cfg", 1, "retention.ms", "1000")
	describe := func(version int16, typ kmsg.ConfigResourceType, name string, keys []string, synonyms bool) {
		q := kmsg.NewPtrDescribeConfigsRequest()
		q.IncludeSynonyms = synonyms
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = typ, name, keys
		q.Resources = append(q.Resources, r)
		p.ask(version, q)
	}
	topic, broker := kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	p.say("describe")
	describe(4, topic, "cfg", []string{"retention.ms", "cleanup.policy", "max.message.bytes", "preallocate", "min.cleanable.dirty.ratio", "nosuch"}, true)
	for v := int16(1); v <= 4; v++ {
		describe(v, topic, "cfg", []string{"retention.ms", "segment.bytes"}, false)
	}
	describe(4, topic, "nosuch", nil, false)
	describe(4, topic, "a b", nil, false)
	describe(4, broker, "7", nil, false)
	describe(4, broker, "x", nil, false)
	alter := func(typ kmsg.ConfigResourceType, name, key string, op kmsg.IncrementalAlterConfigOp, value *string) {
		q := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = typ, name
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = key, op, value
		r.Configs = append(r.Configs, c)
		q.Resources = append(q.Resources, r)
		p.ask(1, q)
	}
	p.say("alter")
	alter(topic, "cfg", "retention.ms", 0, nil)
	alter(topic, "cfg", "retention.ms", 2, ptr("1"))
	alter(topic, "cfg", "retention.ms", 3, ptr("1"))
	alter(topic, "cfg", "retention.ms", 0, ptr("abc"))
	alter(topic, "cfg", "nosuch", 0, ptr("1"))
	alter(topic, "cfg", "nosuch", 1, nil)
	alter(topic, "cfg", "cleanup.policy", 2, ptr("compact"))
	alter(topic, "cfg", "cleanup.policy", 3, ptr("delete"))
	alter(topic, "nosuch", "retention.ms", 0, ptr("1"))
	alter(broker, "1", "log.dirs", 0, ptr("/x"))
	alter(broker, "7", "log.cleaner.threads", 0, ptr("2"))
	alter(99, "x", "y", 0, ptr("2"))
	alter(topic, "cfg", "retention.ms", 1, nil)
	q := kmsg.NewPtrAlterConfigsRequest()
	r := kmsg.NewAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = topic, "cfg"
	for _, kv := range [][2]string{{"segment.ms", "5000"}, {"nosuch", "1"}} {
		c := kmsg.NewAlterConfigsRequestResourceConfig()
		c.Name, c.Value = kv[0], &kv[1]
		r.Configs = append(r.Configs, c)
		q.Resources = []kmsg.AlterConfigsRequestResource{r}
		p.ask(2, q)
	}
}

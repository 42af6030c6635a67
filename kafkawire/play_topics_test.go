package kafkawire_test

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func (p *player) create(version int16, edit func(q *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic)) kmsg.Response {
	q := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.NumPartitions, t.ReplicationFactor = 1, 1
	edit(q, &t)
	q.Topics = append([]kmsg.CreateTopicsRequestTopic{t}, q.Topics...)
	return p.ask(version, q)
}

func playTopics(p *player) {
	name := func(n string) func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {
		return func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Topic = n }
	}
	p.say("create, again, in all versions")
	p.create(7, name("a"))
	p.await("a")
	for v := int16(2); v <= 7; v++ {
		p.create(v, name("a"))
	}
	p.say("names")
	for _, n := range []string{"", ".", "..", "a b", "ä", strings.Repeat("x", 250), "__cluster_metadata"} {
		p.create(7, name(n))
	}
	p.create(7, name("col.x"))
	p.await("col.x")
	p.create(7, name("col_x"))
	p.say("partitions and replicas")
	for _, n := range []int32{0, -2, 10001} {
		p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Topic, t.NumPartitions = "b", n })
	}
	for _, n := range []int16{0, -2, 2} {
		p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
			t.Topic, t.ReplicationFactor = "b", n
		})
	}
	p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic, t.NumPartitions, t.ReplicationFactor = "defaults", -1, -1
	})
	assign := func(parts, rf int32, as ...[]int32) {
		p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
			t.Topic, t.NumPartitions, t.ReplicationFactor = "assigned", parts, int16(rf)
			for _, a := range as {
				r := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
				r.Partition, r.Replicas = a[0], a[1:]
				t.ReplicaAssignment = append(t.ReplicaAssignment, r)
			}
		})
	}
	assign(1, -1, []int32{0, 1})
	assign(-1, 1, []int32{0, 1})
	assign(-1, -1, []int32{0, 1}, []int32{2, 1})
	assign(-1, -1, []int32{0, 1}, []int32{0, 1})
	assign(-1, -1, []int32{0, 1, 1})
	assign(-1, -1, []int32{0, 7})
	assign(-1, -1, []int32{0})
	assign(-1, -1, []int32{0, 1}, []int32{1, 1})
	p.say("the same name twice; validate only")
	p.create(7, func(q *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic = "twice"
		q.Topics = append(q.Topics, *t)
	})
	p.create(5, func(q *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic = "valid"
		q.ValidateOnly = true
	})
	p.say("configs")
	for _, kv := range [][2]string{
		{"foo", "1"}, {"retention.ms", "abc"}, {"cleanup.policy", "shred"}, {"segment.bytes", "100"}, {"max.message.bytes", "-1"},
		{"message.format.version", "3.0"}, {"preallocate", "maybe"}, {"min.cleanable.dirty.ratio", "2"}, {"min.cleanable.dirty.ratio", "x"},
		{"message.timestamp.type", "Never"}, {"compression.type", "brotli"}, {"retention.ms", "-2"}, {"flush.messages", "0"},
		{"compression.gzip.level", "10"}, {"compression.lz4.level", "0"}, {"compression.zstd.level", "23"}, {"min.insync.replicas", "0"},
		{"segment.ms", "0"}, {"index.interval.bytes", "-1"}, {"local.retention.ms", "-3"}, {"remote.storage.enable", "true"},
		{"max.compaction.lag.ms", "0"}, {"segment.index.bytes", "3"}, {"retention.bytes", "99999999999999999999"},
	} {
		p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
			t.Topic = "c"
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = kv[0], &kv[1]
			t.Configs = append(t.Configs, c)
		})
	}
	p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic = "c"
		for _, kv := range [][2]string{{"min.compaction.lag.ms", "10"}, {"max.compaction.lag.ms", "5"}} {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = kv[0], &kv[1]
			t.Configs = append(t.Configs, c)
		}
	})
	p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic = "c"
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name = "retention.ms"
		t.Configs = append(t.Configs, c)
	})
	p.say("more partitions")
	p.topic("pp", 2)
	grow := func(topic string, n int32, edit func(t *kmsg.CreatePartitionsRequestTopic)) {
		q := kmsg.NewPtrCreatePartitionsRequest()
		t := kmsg.NewCreatePartitionsRequestTopic()
		t.Topic, t.Count = topic, n
		if edit != nil {
			edit(&t)
		}
		q.Topics = append(q.Topics, t)
		p.ask(3, q)
	}
	grow("pp", 2, nil)
	grow("pp", 1, nil)
	grow("pp", 0, nil)
	grow("nosuch", 3, nil)
	grow("pp", 3, func(t *kmsg.CreatePartitionsRequestTopic) {
		t.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1}}, {Replicas: []int32{1}}}
	})
	grow("pp", 3, func(t *kmsg.CreatePartitionsRequestTopic) {
		t.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{9}}}
	})
	grow("pp", 3, nil)
	p.say("delete")
	p.topic("gone", 1)
	p.topic("gone2", 1)
	for v := int16(1); v <= 5; v++ {
		q := kmsg.NewPtrDeleteTopicsRequest()
		q.TopicNames = []string{"nosuch"}
		p.ask(v, q)
	}
	del := func(name *string, id [16]byte) {
		q := kmsg.NewPtrDeleteTopicsRequest()
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic, t.TopicID = name, id
		q.Topics = append(q.Topics, t)
		p.ask(6, q)
	}
	del(nil, [16]byte{})
	del(ptr("gone"), p.byID["gone"])
	del(nil, [16]byte{1, 2, 3})
	del(ptr("gone"), [16]byte{})
	del(nil, p.byID["gone2"])
	q := kmsg.NewPtrDeleteTopicsRequest()
	for range 2 {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = ptr("pp")
		q.Topics = append(q.Topics, t)
	}
	p.ask(6, q)
}

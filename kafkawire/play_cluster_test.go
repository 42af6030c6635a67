package kafkawire_test

import (
	"fmt"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func playCluster(p *player) {
	p.say("metadata of names and ids")
	p.topic("m", 2)
	md := func(version int16, edit func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic)) {
		q := kmsg.NewPtrMetadataRequest()
		t := kmsg.NewMetadataRequestTopic()
		edit(q, &t)
		if t.Topic != nil || t.TopicID != ([16]byte{}) {
			q.Topics = append(q.Topics, t)
		} else {
			q.Topics = []kmsg.MetadataRequestTopic{}
		}
		q.SetVersion(version)
		r := p.send(version, q).(*kmsg.MetadataResponse)
		r.ClusterID = nil
		fmt.Fprintf(&p.out, "Metadata v%d: %s\n", version, p.dump(reflect.ValueOf(r)))
	}
	for v := int16(0); v <= 13; v++ {
		md(v, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.Topic = ptr("m") })
	}
	md(13, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.TopicID = p.byID["m"] })
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.TopicID = [16]byte{5} })
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.Topic = ptr("nosuch") })
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.Topic = ptr("a b") })
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.Topic = ptr("") })
	md(9, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) {
		t.Topic, q.IncludeTopicAuthorizedOperations, q.IncludeClusterAuthorizedOperations = ptr("m"), true, true
	})
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) {
		t.Topic, q.AllowAutoTopicCreation = ptr("auto"), true
	})
	p.await("auto")
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) {})
	p.say("describe topics")
	dtp := func(limit int32, cur *kmsg.DescribeTopicPartitionsRequestCursor, names ...string) {
		q := kmsg.NewPtrDescribeTopicPartitionsRequest()
		q.ResponsePartitionLimit, q.Cursor = limit, cur
		for _, n := range names {
			q.Topics = append(q.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: n})
		}
		p.ask(0, q)
	}
	dtp(2000, nil, "m", "auto", "nosuch", "a b")
	dtp(2, nil, "m", "auto")
	dtp(2000, &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "m", Partition: 1}, "m", "auto")
	p.say("describe the cluster")
	dc := func(version int16, typ int8) {
		q := kmsg.NewPtrDescribeClusterRequest()
		q.EndpointType = typ
		q.SetVersion(version)
		r := p.send(version, q).(*kmsg.DescribeClusterResponse)
		r.ClusterID = ""
		fmt.Fprintf(&p.out, "DescribeCluster v%d: %s\n", version, p.dump(reflect.ValueOf(r)))
	}
	dc(0, 1)
	dc(1, 1)
	dc(2, 1)
	dc(2, 2)
}

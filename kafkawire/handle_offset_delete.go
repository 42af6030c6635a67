package kafkawire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
	"trivium/kafkawire/group"
)

// OffsetDelete (47), version 0. Source: Kafka 4.3.1; spec 1.2.

func (c *conn) handleOffsetDelete(_ *slot, q *kmsg.OffsetDeleteRequest) kmsg.Response {
	r := kmsg.NewPtrOffsetDeleteResponse()
	os := c.s.ns.Offsets(Realm, q.Group)
	if q.Group == "" {
		r.ErrorCode = errInvalidGroup
		return r
	}
	subscribed, all := map[string]bool{}, false
	there := c.s.groups.useIf(q.Group, func(_ time.Time, g *group.Group) {
		if g.Members() == 0 {
			return
		}
		if g.ProtocolType() != "consumer" {
			r.ErrorCode = errNonEmptyGroup
			return
		}
		g.EachMetadata(func(md []byte) {
			m := kmsg.NewConsumerMemberMetadata()
			if m.ReadFrom(md) != nil {
				all = true // whatever it means, it may mean any topic
				return
			}
			for _, t := range m.Topics {
				subscribed[t] = true
			}
		})
	})
	if !there && os == nil {
		r.ErrorCode = errGroupNotFound
	}
	if r.ErrorCode != 0 {
		return r
	}
	var forget []core.Place
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewOffsetDeleteResponseTopic()
		a.Topic = w.Topic
		t := c.s.topics.byName(w.Topic)
		for _, p := range w.Partitions {
			o := kmsg.NewOffsetDeleteResponseTopicPartition()
			o.Partition = p.Partition
			switch {
			case t == nil || t.log(p.Partition) == nil:
				o.ErrorCode = errUnknownTopic
			case all || subscribed[w.Topic]:
				o.ErrorCode = errGroupSubscribed
			default:
				forget = append(forget, core.Place{Stream: t.stream.ID(), Partition: int(p.Partition)})
			}
			a.Partitions = append(a.Partitions, o)
		}
		r.Topics = append(r.Topics, a)
	}
	if os == nil || len(forget) == 0 {
		return r
	}
	err := c.s.broker.Committed(func(tx *core.Tx) error {
		for _, p := range forget {
			os.Forget(tx, p)
		}
		return nil
	})
	if err != nil {
		r.ErrorCode, r.Topics = errCoordinatorNotThere, nil
	}
	return r
}

// DescribeGroups (15), versions 0 to 6; ListGroups (16), 0 to 5; DeleteGroups
// (42), 0 to 2.

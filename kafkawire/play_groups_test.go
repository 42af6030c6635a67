package kafkawire_test

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func playGroups(p *player) {
	p.topic("gt", 2)
	for {
		q := kmsg.NewPtrFindCoordinatorRequest()
		q.CoordinatorKeys = []string{"g"}
		if p.send(4, q).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0 {
			break
		}
	}
	for loading := true; loading; { // until all groups' coordinators are there
		q := kmsg.NewPtrDescribeGroupsRequest()
		q.Groups = []string{"g", "h", "s", "simple", "nogroup", ""}
		loading = false
		for _, g := range p.send(5, q).(*kmsg.DescribeGroupsResponse).Groups {
			loading = loading || g.ErrorCode >= 14 && g.ErrorCode <= 16
		}
	}
	for v := int16(0); v <= 6; v++ {
		q := kmsg.NewPtrFindCoordinatorRequest()
		q.CoordinatorKey, q.CoordinatorKeys = "g", []string{"g", "h"}
		p.ask(v, q)
	}
	join := func(version int16, edit func(q *kmsg.JoinGroupRequest)) *kmsg.JoinGroupResponse {
		q := kmsg.NewPtrJoinGroupRequest()
		q.Group, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis, q.ProtocolType = "g", 10000, 10000, "consumer"
		pr := kmsg.NewJoinGroupRequestProtocol()
		md := kmsg.NewConsumerMemberMetadata()
		md.Topics = []string{"gt"}
		pr.Name, pr.Metadata = "range", md.AppendTo(nil)
		q.Protocols = append(q.Protocols, pr)
		if edit != nil {
			edit(q)
		}
		return p.ask(version, q).(*kmsg.JoinGroupResponse)
	}
	sync := func(version int16, edit func(q *kmsg.SyncGroupRequest)) {
		q := kmsg.NewPtrSyncGroupRequest()
		q.Group = "g"
		edit(q)
		p.ask(version, q)
	}
	beat := func(version int16, group, id string, gen int32) {
		q := kmsg.NewPtrHeartbeatRequest()
		q.Group, q.MemberID, q.Generation = group, id, gen
		p.ask(version, q)
	}
	p.say("joins that are refused")
	join(9, func(q *kmsg.JoinGroupRequest) { q.SessionTimeoutMillis = 1000 })
	join(5, func(q *kmsg.JoinGroupRequest) { q.SessionTimeoutMillis = 10_000_000 })
	join(9, func(q *kmsg.JoinGroupRequest) { q.Group = "" })
	join(9, func(q *kmsg.JoinGroupRequest) { q.Protocols = nil })
	join(6, func(q *kmsg.JoinGroupRequest) { q.ProtocolType = "" })
	join(9, func(q *kmsg.JoinGroupRequest) { q.MemberID = "nobody" })
	p.say("before there is a group")
	beat(4, "nogroup", "x", 1)
	beat(4, "", "x", 1)
	p.say("join")
	r := join(9, nil)
	id := r.MemberID
	join(9, func(q *kmsg.JoinGroupRequest) { q.MemberID = id })
	describe := func(version int16, groups ...string) {
		q := kmsg.NewPtrDescribeGroupsRequest()
		q.Groups = groups
		p.ask(version, q)
	}
	list := func(version int16, states ...string) {
		q := kmsg.NewPtrListGroupsRequest()
		q.StatesFilter = states
		p.ask(version, q)
	}
	describe(5, "g", "nogroup")
	describe(6, "g", "nogroup")
	beat(4, "g", id, 1)
	p.say("sync")
	sync(5, func(q *kmsg.SyncGroupRequest) { q.MemberID, q.Generation = "nobody", 1 })
	sync(4, func(q *kmsg.SyncGroupRequest) { q.MemberID, q.Generation = "nobody", 1 })
	sync(4, func(q *kmsg.SyncGroupRequest) { q.MemberID, q.Generation = id, 9 })
	sync(5, func(q *kmsg.SyncGroupRequest) {
		q.MemberID, q.Generation, q.ProtocolType, q.Protocol = id, 1, ptr("consumer"), ptr("sticky")
	})
	sync(5, func(q *kmsg.SyncGroupRequest) {
		q.MemberID, q.Generation, q.ProtocolType, q.Protocol = id, 1, ptr("consumer"), ptr("range")
		q.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: id, MemberAssignment: []byte("mine")}}
	})
	sync(2, func(q *kmsg.SyncGroupRequest) { q.MemberID, q.Generation = id, 1 })
	beat(4, "g", id, 1)
	beat(4, "g", id, 2)
	beat(4, "g", "nobody", 1)
	describe(4, "g")
	list(5)
	list(4, "Stable")
	list(4, "Empty")
	p.say("commit")
	commit := func(version int16, group, id string, gen int32, edit func(q *kmsg.OffsetCommitRequest)) {
		q := kmsg.NewPtrOffsetCommitRequest()
		q.Group, q.MemberID, q.Generation = group, id, gen
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.TopicID = "gt", p.byID["gt"]
		tp := kmsg.NewOffsetCommitRequestTopicPartition()
		tp.Partition, tp.Offset, tp.LeaderEpoch, tp.Metadata = 0, 5, -1, ptr("note")
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
		if edit != nil {
			edit(q)
		}
		p.ask(version, q)
	}
	for v := int16(2); v <= 10; v++ {
		commit(v, "g", id, 1, nil)
	}
	commit(8, "g", id, 2, nil)
	commit(8, "g", "nobody", 1, nil)
	commit(8, "g", "", -1, nil)
	commit(8, "nogroup", "x", 1, nil)
	commit(9, "nogroup", "x", 1, nil)
	commit(8, "", "", -1, nil)
	commit(8, "simple", "", -1, nil)
	commit(8, "g", id, 1, func(q *kmsg.OffsetCommitRequest) { q.Topics[0].Partitions[0].Metadata = ptr(strings.Repeat("x", 4097)) })
	commit(8, "g", id, 1, func(q *kmsg.OffsetCommitRequest) { q.Topics[0].Partitions[0].Partition = 9 })
	commit(8, "g", id, 1, func(q *kmsg.OffsetCommitRequest) { q.Topics[0].Topic = "nosuch" })
	commit(10, "g", id, 1, func(q *kmsg.OffsetCommitRequest) { q.Topics[0].TopicID = [16]byte{1} })
	commit(8, "g", id, 1, func(q *kmsg.OffsetCommitRequest) {
		q.Topics[0].Partitions[0].Partition, q.Topics[0].Partitions[0].Offset = 1, -7
	})
	p.say("fetch offsets")
	fetch := func(version int16, group string, parts []int32, edit func(q *kmsg.OffsetFetchRequest)) {
		q := kmsg.NewPtrOffsetFetchRequest()
		q.Group = group
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.MemberEpoch = group, -1
		if parts != nil {
			t := kmsg.NewOffsetFetchRequestTopic()
			t.Topic, t.Partitions = "gt", parts
			q.Topics = append(q.Topics, t)
			gt := kmsg.NewOffsetFetchRequestGroupTopic()
			gt.Topic, gt.TopicID, gt.Partitions = "gt", p.byID["gt"], parts
			g.Topics = append(g.Topics, gt)
		}
		q.Groups = append(q.Groups, g)
		if edit != nil {
			edit(q)
		}
		p.ask(version, q)
	}
	for v := int16(1); v <= 10; v++ {
		fetch(v, "g", []int32{0}, nil)
	}
	fetch(8, "g", []int32{0, 1, 7}, nil)
	fetch(7, "g", nil, nil)
	fetch(9, "nogroup", []int32{0}, nil)
	fetch(9, "nogroup", nil, nil)
	fetch(7, "", []int32{0}, nil)
	fetch(9, "", []int32{0}, nil)
	fetch(9, "simple", nil, nil)
	p.say("delete")
	odel := func(group, topic string) {
		q := kmsg.NewPtrOffsetDeleteRequest()
		q.Group = group
		t := kmsg.NewOffsetDeleteRequestTopic()
		t.Topic = topic
		t.Partitions = []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}
		q.Topics = append(q.Topics, t)
		p.ask(0, q)
	}
	odel("g", "gt")
	odel("g", "nosuch")
	odel("nogroup", "gt")
	odel("simple", "gt")
	gdel := func(groups ...string) {
		q := kmsg.NewPtrDeleteGroupsRequest()
		q.Groups = groups
		p.ask(2, q)
	}
	describe(5, "")
	odel("", "gt")
	gdel("g", "nogroup", "")
	p.say("leave")
	leave := func(version int16, group, id string, instance *string) {
		q := kmsg.NewPtrLeaveGroupRequest()
		q.Group, q.MemberID = group, id
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID, m.InstanceID = id, instance
		q.Members = append(q.Members, m)
		p.ask(version, q)
	}
	leave(5, "g", "nobody", nil)
	leave(5, "nogroup", "x", nil)
	leave(2, "nogroup", "x", nil)
	leave(5, "", "x", nil)
	leave(5, "g", id, nil)
	leave(2, "g", id, nil)
	describe(6, "g")
	beat(4, "g", id, 1)
	commit(8, "g", id, 1, nil)
	commit(8, "g", "", -1, nil)
	odel("g", "gt")
	gdel("g")
	list(5, "Empty")
	p.say("static members")
	static := func(version int16, id string) *kmsg.JoinGroupResponse {
		return join(version, func(q *kmsg.JoinGroupRequest) { q.Group, q.InstanceID, q.MemberID = "s", ptr("i"), id })
	}
	one := static(9, "").MemberID
	sync(5, func(q *kmsg.SyncGroupRequest) {
		q.Group, q.MemberID, q.InstanceID, q.Generation = "s", one, ptr("i"), 1
		q.ProtocolType, q.Protocol = ptr("consumer"), ptr("range")
		q.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: one, MemberAssignment: []byte("mine")}}
	})
	two := static(9, "").MemberID
	sync(5, func(q *kmsg.SyncGroupRequest) {
		q.Group, q.MemberID, q.InstanceID, q.Generation = "s", two, ptr("i"), 1
	})
	static(7, "")
	q := kmsg.NewPtrHeartbeatRequest()
	q.Group, q.MemberID, q.InstanceID, q.Generation = "s", one, ptr("i"), 1
	p.ask(4, q)
	static(9, one)
	describe(6, "s")
	leave(5, "s", one, ptr("i"))
	leave(5, "s", "", ptr("other"))
	leave(5, "s", "", ptr("i"))
	describe(6, "s")
}

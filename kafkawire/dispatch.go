package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/wire"
)

// handler serves the versions min to max of a key. serve returns the response, or
// nil if it answers s itself, then or later.
type handler struct {
	min, max int16
	serve    func(c *conn, s *slot, q kmsg.Request) kmsg.Response
}

// on adapts a handler of one request type.
func on[Q kmsg.Request](min, max int16, f func(c *conn, s *slot, q Q) kmsg.Response) handler {
	return handler{min, max, func(c *conn, s *slot, q kmsg.Request) kmsg.Response { return f(c, s, q.(Q)) }}
}

// handlers is what is served, by key, and what ApiVersions advertises besides
// Produce and Fetch. Any other key closes the connection.
var handlers [wire.DescribeTopicPartitions + 1]handler

func init() {
	handlers[wire.ListOffsets] = on(1, 11, (*conn).handleListOffsets)
	handlers[wire.Metadata] = on(0, 13, (*conn).handleMetadata)
	handlers[wire.OffsetCommit] = on(2, 10, (*conn).handleOffsetCommit)
	handlers[wire.OffsetFetch] = on(1, 10, (*conn).handleOffsetFetch)
	handlers[wire.FindCoordinator] = on(0, 6, (*conn).handleFindCoordinator)
	handlers[wire.JoinGroup] = on(0, 9, (*conn).handleJoinGroup)
	handlers[wire.Heartbeat] = on(0, 4, (*conn).handleHeartbeat)
	handlers[wire.LeaveGroup] = on(0, 5, (*conn).handleLeaveGroup)
	handlers[wire.SyncGroup] = on(0, 5, (*conn).handleSyncGroup)
	handlers[wire.DescribeGroups] = on(0, 6, (*conn).handleDescribeGroups)
	handlers[wire.ListGroups] = on(0, 5, (*conn).handleListGroups)
	handlers[wire.ApiVersions] = on(0, 4, (*conn).handleApiVersions)
	handlers[wire.CreateTopics] = on(2, 7, (*conn).handleCreateTopics)
	handlers[wire.DeleteTopics] = on(1, 6, (*conn).handleDeleteTopics)
	handlers[wire.DeleteRecords] = on(0, 2, (*conn).handleDeleteRecords)
	handlers[wire.InitProducerID] = on(0, 5, (*conn).handleInitProducerID)
	handlers[wire.OffsetForLeaderEpoch] = on(2, 4, (*conn).handleOffsetForLeaderEpoch)
	handlers[wire.DescribeConfigs] = on(1, 4, (*conn).handleDescribeConfigs)
	handlers[wire.AlterConfigs] = on(0, 2, (*conn).handleAlterConfigs)
	handlers[wire.DescribeLogDirs] = on(1, 5, (*conn).handleDescribeLogDirs)
	handlers[wire.CreatePartitions] = on(0, 3, (*conn).handleCreatePartitions)
	handlers[wire.DeleteGroups] = on(0, 2, (*conn).handleDeleteGroups)
	handlers[wire.IncrementalAlterConfigs] = on(0, 1, (*conn).handleIncrementalAlterConfigs)
	handlers[wire.OffsetDelete] = on(0, 0, (*conn).handleOffsetDelete)
	handlers[wire.DescribeCluster] = on(0, 2, (*conn).handleDescribeCluster)
	handlers[wire.ListConfigResources] = on(0, 1, (*conn).handleListConfigResources)
	handlers[wire.DescribeTopicPartitions] = on(0, 0, (*conn).handleDescribeTopicPartitions)
}

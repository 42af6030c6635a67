package kafkawire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

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

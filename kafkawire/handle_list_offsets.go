package kafkawire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
)

// ListOffsets (2), versions 1 to 11. Source: Kafka 4.3.1; spec 2.5.

// The timestamps that ask for a place rather than a time.
const (
	atLatest        = -1
	atEarliest      = -2
	atMaxTimestamp  = -3
	atEarliestLocal = -4
	atLatestTiered  = -5
	atEarliestCopy  = -6
)

// sinceVersion is the first version of ListOffsets that knows a special timestamp.
func sinceVersion(ts int64) int16 {
	switch ts {
	case atMaxTimestamp:
		return 7
	case atEarliestLocal:
		return 8
	case atLatestTiered:
		return 9
	case atEarliestCopy:
		return 11
	}
	return 1
}

func (c *conn) handleListOffsets(_ *slot, q *kmsg.ListOffsetsRequest) kmsg.Response {
	r := kmsg.NewPtrListOffsetsResponse()
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewListOffsetsResponseTopic()
		a.Topic = w.Topic
		t := c.s.topics.byName(w.Topic)
		seen := make(map[int32]bool)
		for j := range w.Partitions {
			p := &w.Partitions[j]
			if seen[p.Partition] {
				continue
			}
			seen[p.Partition] = true
			o := kmsg.NewListOffsetsResponseTopicPartition()
			o.Partition, o.Offset, o.Timestamp, o.LeaderEpoch = p.Partition, -1, -1, -1
			o.ErrorCode = c.listOffset(&o, t, p, q)
			a.Partitions = append(a.Partitions, o)
		}
		r.Topics = append(r.Topics, a)
	}
	return r
}

func (c *conn) listOffset(o *kmsg.ListOffsetsResponseTopicPartition, t *topic, p *kmsg.ListOffsetsRequestTopicPartition, q *kmsg.ListOffsetsRequest) int16 {
	if t == nil || t.log(p.Partition) == nil {
		return errUnknownTopic
	}
	if code := checkEpoch(p.CurrentLeaderEpoch); code != 0 {
		return code
	}
	if q.Version < sinceVersion(p.Timestamp) || p.Timestamp < atEarliestCopy {
		return errUnsupportedVersion
	}
	l := t.log(p.Partition)
	switch p.Timestamp {
	case atLatest:
		o.Offset, o.LeaderEpoch = int64(l.End()), leaderEpoch
	case atEarliest, atEarliestLocal:
		o.Offset, o.LeaderEpoch = int64(l.Start()), leaderEpoch
	case atLatestTiered, atEarliestCopy:
		// Nothing is tiered.
	default:
		at, ms, err := core.Offset(-1), int64(-1), error(nil)
		if p.Timestamp == atMaxTimestamp {
			at, ms, err = c.s.latestRecord(l)
		} else {
			at, ms, err = c.s.firstRecord(l, p.Timestamp)
		}
		if err != nil {
			c.s.log.Error("kafka: look up a time", "topic", t.name, "partition", p.Partition, "err", err)
			return readCode(err)
		}
		if at >= 0 {
			o.Offset, o.Timestamp, o.LeaderEpoch = int64(at), ms, leaderEpoch
		}
	}
	return 0
}

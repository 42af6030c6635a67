package kafkawire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeLogDirs (35), versions 1 to 5: one directory, with the bytes of each
// partition. Total and usable bytes are not known to this door.

func (c *conn) handleDescribeLogDirs(_ *slot, q *kmsg.DescribeLogDirsRequest) kmsg.Response {
	r := kmsg.NewPtrDescribeLogDirsResponse()
	d := kmsg.NewDescribeLogDirsResponseDir()
	d.Dir, d.TotalBytes, d.UsableBytes = "trivium", -1, -1
	add := func(t *topic, want func(p int32) bool) {
		dt := kmsg.NewDescribeLogDirsResponseDirTopic()
		dt.Topic = t.name
		for i := range int32(t.stream.Partitions()) {
			if l := t.log(i); l != nil && want(i) {
				p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
				p.Partition, p.Size = i, l.Bytes()
				dt.Partitions = append(dt.Partitions, p)
			}
		}
		if len(dt.Partitions) > 0 {
			d.Topics = append(d.Topics, dt)
		}
	}
	if q.Topics == nil {
		c.s.topics.each(func(t *topic) bool {
			add(t, func(int32) bool { return true })
			return true
		})
	}
	for i := range q.Topics {
		if t := c.s.topics.byName(q.Topics[i].Topic); t != nil {
			add(t, func(p int32) bool { return slices.Contains(q.Topics[i].Partitions, p) })
		}
	}
	r.Dirs = append(r.Dirs, d)
	return r
}

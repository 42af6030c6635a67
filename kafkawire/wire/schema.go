package wire

// schema describes the body of a flexible request in versions min to max:
//
//	1 2 4 8 u   fixed sizes in bytes, u is 16
//	s           a compact length and so many bytes: strings, bytes, null or not
//	[ ]         a compact count and so many of what is between
//	( )         -1 for null, or another byte and what is between
//	t           tagged fields
type schema struct {
	key, min, max int16
	layout        string
}

// schemas are the flexible versions of what is served with kmsg. Source: the
// message definitions of Kafka 4.3.1.
var schemas = []schema{
	{ListOffsets, 6, 9, "41[s[448t]t]t"},
	{ListOffsets, 10, 11, "41[s[448t]t]4t"},
	{Metadata, 9, 9, "[st]111t"},
	{Metadata, 10, 10, "[ust]111t"},
	{Metadata, 11, 13, "[ust]11t"},
	{OffsetCommit, 8, 9, "s4ss[s[484st]t]t"},
	{OffsetCommit, 10, 10, "s4ss[u[484st]t]t"},
	{OffsetFetch, 6, 6, "s[s[4]t]t"},
	{OffsetFetch, 7, 7, "s[s[4]t]1t"},
	{OffsetFetch, 8, 8, "[s[s[4]t]t]1t"},
	{OffsetFetch, 9, 9, "[ss4[s[4]t]t]1t"},
	{OffsetFetch, 10, 10, "[ss4[u[4]t]t]1t"},
	{FindCoordinator, 3, 3, "s1t"},
	{FindCoordinator, 4, 6, "1[s]t"},
	{JoinGroup, 6, 7, "s44sss[sst]t"},
	{JoinGroup, 8, 9, "s44sss[sst]st"},
	{Heartbeat, 4, 4, "s4sst"},
	{LeaveGroup, 4, 4, "s[sst]t"},
	{LeaveGroup, 5, 5, "s[ssst]t"},
	{SyncGroup, 4, 4, "s4ss[sst]t"},
	{SyncGroup, 5, 5, "s4ssss[sst]t"},
	{DescribeGroups, 5, 6, "[s]1t"},
	{ListGroups, 3, 3, "t"},
	{ListGroups, 4, 4, "[s]t"},
	{ListGroups, 5, 5, "[s][s]t"},
	{ApiVersions, 3, 4, "sst"},
	{CreateTopics, 5, 7, "[s42[4[4]t][sst]t]41t"},
	{DeleteTopics, 4, 5, "[s]4t"},
	{DeleteTopics, 6, 6, "[sut]4t"},
	{DeleteRecords, 2, 2, "[s[48t]t]4t"},
	{InitProducerID, 2, 2, "s4t"},
	{InitProducerID, 3, 5, "s482t"},
	{OffsetForLeaderEpoch, 4, 4, "4[s[444t]t]t"},
	{DescribeConfigs, 4, 4, "[1s[s]t]11t"},
	{AlterConfigs, 2, 2, "[1s[sst]t]1t"},
	{DescribeLogDirs, 2, 5, "[s[4]t]t"},
	{CreatePartitions, 2, 3, "[s4[[4]t]t]41t"},
	{DeleteGroups, 2, 2, "[s]t"},
	{IncrementalAlterConfigs, 1, 1, "[1s[s1st]t]1t"},
	{DescribeCluster, 0, 0, "1t"},
	{DescribeCluster, 1, 1, "11t"},
	{DescribeCluster, 2, 2, "111t"},
	{ListConfigResources, 0, 0, "t"},
	{ListConfigResources, 1, 1, "[1]t"},
	{DescribeTopicPartitions, 0, 0, "[st]4(s4t)t"},
}

// CheckFlexible says whether a body has the form of a request. It is there
// because kmsg believes a count of tagged fields: a few bytes could keep it busy
// for minutes. Requests that are not flexible have no such fields.
func CheckFlexible(key, version int16, body []byte) error {
	if !Flexible(key, version) {
		return nil
	}
	for i := range schemas {
		if s := &schemas[i]; s.key == key && version >= s.min && version <= s.max {
			r := NewReader(body)
			r.walk(s.layout)
			return r.Err()
		}
	}
	return ErrShort
}

// walk skips what layout describes.
func (r *Reader) walk(layout string) {
	for i := 0; i < len(layout) && !r.bad; i++ {
		switch c := layout[i]; c {
		case '1', '2', '4', '8':
			r.Span(int(c - '0'))
		case 'u':
			r.Span(16)
		case 's':
			r.compact()
		case 't':
			r.Tags(true)
		case '[':
			end := i + closing(layout[i:])
			for n := r.Count(true, 1); n > 0 && !r.bad; n-- {
				r.walk(layout[i+1 : end])
			}
			i = end
		case '(':
			end := i + closing(layout[i:])
			if r.Int8() >= 0 {
				r.walk(layout[i+1 : end])
			}
			i = end
		}
	}
}

// closing is where the bracket that layout begins with is closed.
func closing(layout string) int {
	depth := 0
	for i := range layout {
		switch layout[i] {
		case '[', '(':
			depth++
		case ']', ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	panic("kafka: schema without end: " + layout)
}

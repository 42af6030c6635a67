package wire

import "encoding/binary"

// The API keys that are served.
const (
	Produce                 = 0
	Fetch                   = 1
	ListOffsets             = 2
	Metadata                = 3
	OffsetCommit            = 8
	OffsetFetch             = 9
	FindCoordinator         = 10
	JoinGroup               = 11
	Heartbeat               = 12
	LeaveGroup              = 13
	SyncGroup               = 14
	DescribeGroups          = 15
	ListGroups              = 16
	ApiVersions             = 18
	CreateTopics            = 19
	DeleteTopics            = 20
	DeleteRecords           = 21
	InitProducerID          = 22
	OffsetForLeaderEpoch    = 23
	DescribeConfigs         = 32
	AlterConfigs            = 33
	DescribeLogDirs         = 35
	CreatePartitions        = 37
	DeleteGroups            = 42
	ElectLeaders            = 43
	IncrementalAlterConfigs = 44
	AlterReassignments      = 45
	ListReassignments       = 46
	OffsetDelete            = 47
	DescribeQuorum          = 55
	DescribeCluster         = 60
	DescribeProducers       = 61
	ListConfigResources     = 74
	DescribeTopicPartitions = 75
)

// never is a version that no request has.
const never = 1 << 14

// firstFlexible says from which version on a key's requests and responses have
// tagged fields, and with them request header 2 and response header 1. Source:
// Kafka 4.3.1 message definitions; spec 1.1.
var firstFlexible = [...]int16{
	0: 9, 1: 12, 2: 6, 3: 9, 4: never, 5: never, 6: never, 7: never, 8: 8, 9: 6, 10: 3, 11: 6, 12: 4, 13: 4, 14: 4,
	15: 5, 16: 3, 17: never, 18: 3, 19: 5, 20: 4, 21: 2, 22: 2, 23: 4, 24: 3, 25: 3, 26: 3, 27: 1, 28: 3, 29: 2, 30: 2,
	31: 2, 32: 4, 33: 2, 34: 2, 35: 2, 36: 2, 37: 2, 38: 2, 39: 2, 40: 2, 41: 2, 42: 2, 43: 2, 44: 1, 45: 0, 46: 0,
	47: never, 48: 1, 49: 1,
}

// Flexible reports whether messages of this key and version have tagged fields.
func Flexible(key, version int16) bool {
	if key < 0 {
		return false
	}
	if int(key) >= len(firstFlexible) {
		return true
	}
	return version >= firstFlexible[key]
}

// Header is the start of every request.
//
//	int16 key | int16 version | int32 correlation id | string client id | tags (header 2)
type Header struct {
	Key, Version  int16
	CorrelationID int32
	// ClientID refers to the frame; nil is null.
	ClientID []byte
}

// ParseHeader splits a frame (without its size) into header and body.
func ParseHeader(frame []byte) (h Header, body []byte, err error) {
	r := NewReader(frame)
	h.Key, h.Version, h.CorrelationID = r.Int16(), r.Int16(), r.Int32()
	// The client id keeps its old form even in header 2.
	h.ClientID = r.String(false)
	r.Tags(Flexible(h.Key, h.Version))
	return h, r.Rest(), r.Err()
}

// BeginResponse appends the size, to be set by EndResponse, and the response
// header. ApiVersions answers with header 0 in every version, so that a client
// that does not know the server yet can read it.
func BeginResponse(dst []byte, h Header) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = appendInt32(dst, h.CorrelationID)
	return appendNoTags(dst, h.Key != ApiVersions && Flexible(h.Key, h.Version))
}

// EndResponse sets the size of the response that begins at start, of which
// extra bytes are sent from elsewhere.
func EndResponse(dst []byte, start int, extra int64) {
	binary.BigEndian.PutUint32(dst[start:], uint32(int64(len(dst)-start-4)+extra))
}

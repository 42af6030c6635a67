package core

import "time"

// Retention says what makes a stream forget a message before its limits do.
type Retention uint8

const (
	// KeepLimits keeps messages until a limit removes them.
	KeepLimits Retention = iota
	// KeepInterest keeps a message until every Cursor has acked it.
	KeepInterest
	// KeepWork keeps a message until one Cursor has acked it.
	KeepWork
)

// Overflow says what happens to a message that exceeds a limit.
type Overflow uint8

const (
	// DropOldest makes room.
	DropOldest Overflow = iota
	// RejectNew refuses it with Full.
	RejectNew
)

// StreamConfig describes a Stream. Limits of 0 mean none.
type StreamConfig struct {
	Realm      Realm
	Name       string
	Partitions int
	Volatile   bool // memory only
	Retention  Retention
	Overflow   Overflow
	// OverflowPerKey applies Overflow to MaxMessagesPerKey too; otherwise that
	// limit always drops the oldest.
	OverflowPerKey bool

	MaxMessages, MaxBytes, MaxMessagesPerKey int64 // per partition
	MaxMessageSize                           int64
	MaxAge                                   time.Duration
	// Compact keeps only the last message of each key, in the background.
	Compact bool
	// DedupWindow is how long an ID is remembered; 0 means that IDs are ignored.
	DedupWindow time.Duration
	// KeyIndex maintains Keys, LastByKey and NextByKey.
	KeyIndex bool
	// First is the offset of the first message.
	First Offset
	// Doc is the door's own view of the stream, kept with it.
	Doc []byte
}

// Stream is a named set of 1..n Logs.
type Stream struct {
	id uint64
}

// CreateStream makes a stream. Error codes: Exists.
func (ns *Namespace) CreateStream(tx *Tx, c StreamConfig) (*Stream, error) {
	panic("core: CreateStream")
}

func (s *Stream) Namespace() *Namespace { panic("core") }
func (s *Stream) ID() uint64            { return s.id }   // never reused
func (s *Stream) Created() int64        { panic("core") } // unix nanoseconds
func (s *Stream) Config() StreamConfig  { panic("core") }
func (s *Stream) Partitions() int       { panic("core") }

// Log returns a partition's Log, or nil.
func (s *Stream) Log(partition int) *Log { panic("core") }

// Update replaces the configuration; Realm, Name and Volatile must not change. A
// larger Partitions adds Logs, a smaller one is refused. New limits apply at once.
func (s *Stream) Update(tx *Tx, c StreamConfig) error { panic("core: Update") }

// Delete removes the stream with all it holds, and its cursors: their
// subscriptions hear Gone.
func (s *Stream) Delete(tx *Tx) { panic("core: Delete") }

// Expect are conditions on an Append. The zero value expects nothing.
type Expect struct {
	// Last is the offset that must be the stream's last one (First-1 = none yet).
	HasLast bool
	Last    Offset
	// KeyLast is the offset that must be the last live one for the keys that match
	// KeyPattern (a subject pattern; the message's own key if ""); NoOffset = no such message.
	HasKeyLast bool
	KeyLast    Offset
	KeyPattern string
	// LastID must be the ID of the last message that had one.
	LastID []byte
}

// Append stores e at the end of a partition if the stream's rules and x allow
// it, applying limits. e.Offset is set.
//
// Errors, all *Error: Full, TooLarge, WrongLast (Got holds the actual last
// offset), WrongLastID, OutOfSequence, Fenced. Duplicate (by ID or Producer) is
// an error too, whose Got is the offset of the first copy; Durable says if that
// one is on disk yet: if not, wait for a later Completion before answering.
func (s *Stream) Append(tx *Tx, partition int, e *Entry, x *Expect) (Offset, error) {
	panic("core: Append")
}

// Rollup removes what came before the message at o: all of it, or with the same
// key.
func (s *Stream) Rollup(tx *Tx, partition int, o Offset, sameKey bool) { panic("core: Rollup") }

// Remove deletes messages. Trim removes all before o, and counts what it removed.
func (s *Stream) Remove(tx *Tx, partition int, o Offset) bool         { panic("core: Remove") }
func (s *Stream) Trim(tx *Tx, partition int, before Offset) (n int64) { panic("core: Trim") }

// Purge removes the messages whose key matches pattern ("" = all), below before
// (NoOffset = all) and keeping the last keep of them; it counts what it removed. Needs
// KeyIndex if pattern is set.
func (s *Stream) Purge(tx *Tx, pattern string, before Offset, keep int64) (n int64, err error) {
	panic("core: Purge")
}

// KeyState is what the key index knows of one key.
type KeyState struct {
	First, Last Offset
	Messages    int64
}

// Keys calls f for each key with live messages that matches pattern (a subject pattern, ""
// = all) until f returns false. These need KeyIndex and one partition.
func (s *Stream) Keys(pattern string, f func(key []byte, k KeyState) bool) { panic("core: Keys") }

// LastByKey is the offset of the last visible message whose key is key; NextByKey of
// the first one at or after from whose key matches pattern. NoOffset = none.
func (s *Stream) LastByKey(key string) Offset                           { panic("core: LastByKey") }
func (s *Stream) NextByKey(pattern string, from Offset) (Offset, error) { panic("core: NextByKey") }

// CountByKey counts the live messages at or after from whose key matches one of the
// patterns (none = all).
func (s *Stream) CountByKey(patterns []string, from Offset) (int64, error) { panic("core: CountByKey") }

// Get returns the entry that holds the message at o; NotFound if it is not there.
func (s *Stream) Get(partition int, o Offset) (*Entry, error) { panic("core: Get") }

// ProducerState answers what is known of an idempotent producer on a partition:
// the last sequence number it stored, false if nothing.
func (s *Stream) ProducerState(partition int, id int64) (epoch int16, last int32, ok bool) {
	panic("core: ProducerState")
}

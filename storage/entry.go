package storage

// LogID names a Log for ever; ids are never reused.
type LogID uint64

// Offset is the place of a message in its Log. The first is 0.
type Offset int64

// NoOffset means that there is no such message.
const NoOffset Offset = -1

// Position is the number of a journal frame. Frames are numbered from 1, in
// the order in which they become durable.
type Position uint64

// Format says who can read an Entry's Data. Core registers one reader for each.
type Format uint8

// Entry is what a producer sent, in a neutral envelope.
//
// An Entry that a Log hands out is immutable and shared: its Key, ID and Data
// stay valid for as long as they are referenced (Borrow: until the lease ends), and must not be written to.
type Entry struct {
	// Offset of the first message. Assigned by Tx.Append.
	Offset Offset
	// Count of messages, and of offsets, that the entry covers. At least 1.
	Count int32
	// Format of Data.
	Format Format
	// Volatile entries live in memory only: they skip the journal and are gone
	// after a restart, where their offsets appear as deleted.
	Volatile bool
	// Priority orders work within a queue that has priorities; 0 is the lowest.
	Priority uint8
	// Time is the store time in unix nanoseconds. Tx.Append sets it to Tx.Now
	// when it is 0.
	Time int64
	// Expires is when the message is no longer wanted, in unix nanoseconds;
	// 0 means never.
	Expires int64
	// Key is the routing key, the subject or the record key; nil means none
	// (an entry with Count > 1 keeps its keys inside Data).
	Key []byte
	// ID is the deduplication id the producer gave; nil means none.
	ID []byte
	// Producer identifies an idempotent producer's batch; its zero value means
	// that there is none.
	Producer Producer
	// Data is what the producer sent, byte for byte.
	Data []byte
}

// Next is the offset after the entry's last message.
func (e *Entry) Next() Offset { return e.Offset + Offset(e.Count) }

// Producer is an idempotent producer's claim about one batch: who sent it, and
// which of its numbered messages it holds.
type Producer struct {
	// ID of the producer; a batch has one if Set is true.
	Set   bool
	ID    int64
	Epoch int16
	// First and Last are the sequence numbers of the first and last message.
	First, Last int32
	// Transactional batches are invisible to readers of committed data until
	// their transaction ends; Control batches end one.
	Transactional, Control bool
}

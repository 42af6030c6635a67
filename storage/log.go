package storage

// LogOptions are a Log's fixed properties.
type LogOptions struct {
	// Volatile Logs live in memory only and are gone after a restart.
	Volatile bool
	// First is the offset of the first message to come.
	First Offset
}

// Log is a sequence of entries at dense offsets. Reads are safe from any
// goroutine and see durable entries only.
type Log struct {
	id LogID
}

// Watcher hears that a Log's visible end moved. It is called on the journal's
// goroutine, once per Log and cycle, and must not block.
type Watcher interface{ Advanced(l *Log) }

func (l *Log) ID() LogID { return l.id }

// Start is the first offset that is retained, End the one after the last
// visible message. Start == End means empty.
func (l *Log) Start() Offset { panic("storage: Start") }
func (l *Log) End() Offset   { panic("storage: End") }

// Next is the offset that the next Append will get. Requires: a Tx is open.
func (l *Log) Next() Offset { panic("storage: Next") }

// Messages and Bytes count what is live, including what is on its way to disk.
// Bytes is the sum of Key, Data and ID lengths of live entries; an entry of which some
// messages are deleted counts whole.
func (l *Log) Messages() int64 { panic("storage: Messages") }
func (l *Log) Bytes() int64    { panic("storage: Bytes") }

// Limit bounds one read.
type Limit struct {
	// Entries and Bytes are the most to return; 0 means no bound. At least one
	// entry is returned if there is one, however large.
	Entries, Bytes int
}

// Read appends to dst the entries that hold the first live messages at or after
// from, in order, and returns the offset to read on from. The first entry may
// begin before from when it covers several offsets. Entries whose every message
// is deleted are skipped. It may read from disk. A corrupt entry ends the read
// with an error for which IsCorrupt is true.
func (l *Log) Read(from Offset, max Limit, dst []Entry) (entries []Entry, next Offset, err error) {
	panic("storage: Read")
}

// Live reports whether the message at o is retained: visible and not deleted.
func (l *Log) Live(o Offset) bool { panic("storage: Live") }

// Deleted appends the deleted ranges [from, to) between Start and End to dst.
func (l *Log) Deleted(dst [][2]Offset) [][2]Offset { panic("storage: Deleted") }

// OffsetAt is the offset of the first live entry with Time >= t (unix
// nanoseconds), or End if there is none. Times in a Log need not be monotone:
// it is the first in offset order for which it holds.
func (l *Log) OffsetAt(t int64) (Offset, error) { panic("storage: OffsetAt") }

// Watch registers w until Unwatch.
func (l *Log) Watch(w Watcher)   { panic("storage: Watch") }
func (l *Log) Unwatch(w Watcher) { panic("storage: Unwatch") }

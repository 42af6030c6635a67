package storage

// Tx is one atomic unit of changes: after a crash all of it is there, or none.
//
// A Tx holds the sequencer lock from Begin to Commit. In between, nothing may
// block, do I/O or call out; decide first, then write: there is no rollback.
// The buffers given to its methods may be reused as soon as they return.
type Tx struct {
	s *Store
}

// Completion hears that a Tx is durable (err == nil) or lost for good.
// Completions run on the journal's goroutine in the order of their
// transactions, after the effects of their cycle became visible. They must not
// block and must not call Begin.
type Completion interface{ Durable(err error) }

// Begin takes the sequencer lock and starts a transaction. Every Begin must be
// followed by Commit on the same goroutine.
func (s *Store) Begin() *Tx { panic("storage: Begin") }

// Now is the transaction's time in unix nanoseconds. It never goes back from
// one transaction to the next.
func (t *Tx) Now() int64 { panic("storage: Now") }

// Append puts e at the end of l, sets e.Offset (and e.Time if it is 0), and
// returns the offset. Appending the very same Data slice again within one Tx,
// to another Log, stores the bytes once. Data is copied.
func (t *Tx) Append(l *Log, e *Entry) Offset { panic("storage: Append") }

// Delete removes the messages at from <= offset < to. Offsets that are gone
// already are no error. Deleting a prefix moves the Log's start.
func (t *Tx) Delete(l *Log, from, to Offset) { panic("storage: Delete") }

// CreateLog makes a new empty Log. first is the offset of its first message.
func (t *Tx) CreateLog(o LogOptions) *Log { panic("storage: CreateLog") }

// DropLog removes a Log and all it holds.
func (t *Tx) DropLog(l *Log) { panic("storage: DropLog") }

// Set stores a key of the index; Unset removes one; UnsetRange removes
// from <= key < to. Readers see them when the Tx is durable.
func (t *Tx) Set(key, value []byte)      { panic("storage: Set") }
func (t *Tx) Unset(key []byte)           { panic("storage: Unset") }
func (t *Tx) UnsetRange(from, to []byte) { panic("storage: UnsetRange") }

// Note records a change of state that is not stored in a Log nor in the index:
// on recovery StateMachine.ReplayNote gets it again, if it is newer than the
// last checkpoint. owner is an id that the caller never reuses.
func (t *Tx) Note(owner uint64, data []byte) { panic("storage: Note") }

// Then registers c to hear the transaction's fate. It may be called repeatedly.
func (t *Tx) Then(c Completion) { panic("storage: Then") }

// Commit ends the transaction and releases the sequencer lock. It does not
// wait for the disk. A Tx without anything to make durable completes at once,
// but still after all transactions before it whose Logs it touched.
// On a read-only store the Tx is refused: its Completions hear the reason.
func (t *Tx) Commit() { panic("storage: Commit") }

package core

import "time"

// QueueConfig describes a Queue. Zero limits mean none.
type QueueConfig struct {
	Realm Realm
	Name  string
	// Durable queues survive a restart, with the entries that are not Volatile.
	Durable bool
	// AutoDelete removes the queue when its last subscription ends, after it had one.
	AutoDelete bool
	// Owner, if not "", is who alone may use it; the door gives and checks it, and removes
	// the queue when the owner leaves. Such queues never survive a restart.
	Owner string

	TTL            time.Duration // of a message, from enqueue; HasTTL tells 0 from none
	HasTTL         bool
	ExpiresAfter   time.Duration // of the queue, unused
	MaxMessages    int64         // ready messages
	HasMaxMessages bool
	MaxBytes       int64
	HasMaxBytes    bool
	Overflow       Overflow
	// DeadLetterRejected also dead-letters what Overflow RejectNew refuses.
	DeadLetterRejected bool
	Priorities         int // levels 0..Priorities; 0 = none
	// DeadLetter is the exchange that dead messages go to, if HasDeadLetter.
	DeadLetter       string
	HasDeadLetter    bool
	DeadLetterKey    string
	HasDeadLetterKey bool
	// MaxAttempts: a message that failed so often is dead-lettered with "delivery_limit".
	MaxAttempts int
	// SingleActive hands everything to one subscription at a time.
	SingleActive bool
	// ReturnFirst: returned messages come before all others, in the order of their return;
	// otherwise at their original place.
	ReturnFirst bool
	Doc         []byte
}

// Queue is a Stream of one Log with work-queue retention and one shared Cursor. Queues
// do not appear among the Namespace's streams.
type Queue struct {
	id uint64
}

func (ns *Namespace) CreateQueue(tx *Tx, c QueueConfig) (*Queue, error) { panic("core: CreateQueue") }

func (q *Queue) Config() QueueConfig { panic("core") }
func (q *Queue) Cursor() *Cursor     { panic("core") } // to subscribe, fetch, settle, return, discard
func (q *Queue) Ready() int64        { panic("core") } // visible, not in flight
func (q *Queue) Unsettled() int64    { panic("core") }
func (q *Queue) Subscribers() int    { panic("core") }

// Touch restarts the ExpiresAfter clock.
func (q *Queue) Touch() { panic("core: Touch") }

// Append enqueues e. Errors: Full (Overflow RejectNew). Many queues of one Tx may get the
// same Data slice: it is stored once.
func (q *Queue) Append(tx *Tx, e *Entry) error { panic("core: Append") }

// Purge removes what is ready and says how many.
func (q *Queue) Purge(tx *Tx) int64 { panic("core: Purge") }

// Delete removes the queue, its bindings and messages, says how many were ready, and ends
// its subscriptions with Gone.
func (q *Queue) Delete(tx *Tx) int64 { panic("core: Delete") }

// OnDelete registers f to be called once when the queue is gone, whatever removed it.
func (q *Queue) OnDelete(f func(q *Queue)) { panic("core: OnDelete") }

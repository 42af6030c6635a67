package core

import "time"

// StartAt says where a new Cursor begins.
type StartAt uint8

const (
	StartFirst StartAt = iota
	StartLast          // at the last message
	StartNext          // after the last message
	StartOffset
	StartTime
	StartLastPerKey // the last message of each key that matches, then all new ones
)

// AckPolicy says what settles a message.
type AckPolicy uint8

const (
	AckExplicit AckPolicy = iota // each one
	AckUpTo                      // one ack settles all before it
	AckNone                      // delivery settles
)

// CursorConfig describes a Cursor. Zero durations and counts mean none.
type CursorConfig struct {
	Name string
	// Durable cursors survive a restart; others end with the process.
	Durable bool
	// Partition of the stream that is read.
	Partition   int
	Start       StartAt
	StartOffset Offset
	StartTime   int64 // unix nanoseconds
	// Filters are subject patterns; none means all messages.
	Filters []string
	Ack     AckPolicy
	// AckWait is how long a delivered message may stay unsettled before it is
	// delivered again; Backoff, if set, gives it per attempt (the last repeats).
	AckWait time.Duration
	Backoff []time.Duration
	// MaxAttempts: after so many deliveries the message is exhausted: see Exhausted.
	MaxAttempts int
	// MaxInFlight is the most unsettled messages over all subscriptions; 0 = no bound.
	MaxInFlight int
	// InactiveAfter deletes the cursor when it had no subscription for so long.
	InactiveAfter time.Duration
	// Paused until then (unix nanoseconds), no message is delivered.
	PausedUntil int64
	// Doc is the door's own view of the cursor, kept with it.
	Doc []byte
}

// CursorEvents are told to the cursor's owner. Calls come from a worker, without locks.
type CursorEvents interface {
	// Exhausted: the message reached MaxAttempts. It stays unsettled in the stream
	// and is delivered no more.
	Exhausted(c *Cursor, o Offset, attempts int)
	// Deleted: the cursor ended, by Delete, InactiveAfter or with its stream.
	Deleted(c *Cursor, inactive bool)
}

// Cursor is ack-tracked delivery over a stream's one Log: a floor below which all
// is settled, the settled offsets above it, what is in flight with deadlines and
// attempts, and what waits for redelivery. Redeliveries come before new
// messages, in offset order. Delivery order among equals is offset order.
type Cursor struct{}

// CreateCursor makes a cursor on one partition of a stream. Error codes: Exists; NotFound if there is no such
// partition.
func (s *Stream) CreateCursor(tx *Tx, c CursorConfig, ev CursorEvents) (*Cursor, error) {
	panic("core: CreateCursor")
}
func (s *Stream) Cursor(name string) *Cursor            { panic("core: Cursor") }
func (s *Stream) Cursors(f func(c *Cursor) bool)        { panic("core: Cursors") } // in name order
func (c *Cursor) SetEvents(ev CursorEvents)             { panic("core") }          // for cursors found after a restart
func (c *Cursor) Stream() *Stream                       { panic("core") }
func (c *Cursor) Config() CursorConfig                  { panic("core") }
func (c *Cursor) Created() int64                        { panic("core") }
func (c *Cursor) Update(tx *Tx, cfg CursorConfig) error { panic("core: Update") }
func (c *Cursor) Delete(tx *Tx)                         { panic("core: Delete") }

// Seek moves the cursor: all before o counts as settled, the rest as new.
func (c *Cursor) Seek(tx *Tx, o Offset) { panic("core: Seek") }

// CursorState is a snapshot.
type CursorState struct {
	// Floor: every matching message below it is settled. Delivered: offset of the
	// last message handed out for the first time, and how many deliveries there
	// were (redeliveries included); FloorDeliveries is the number of the delivery
	// that belongs to the floor.
	Floor           Offset
	LastDelivered   Offset
	Deliveries      uint64
	FloorDeliveries uint64
	InFlight        int
	Redelivering    int // unsettled messages with more than one attempt
	Pending         int64
	Subscriptions   int
	LastActive      int64 // of a delivery; 0 = never
	LastAck         int64
}

func (c *Cursor) State() CursorState { panic("core: State") }

// Delivery is one message handed to a Sink.
type Delivery struct {
	// Entry holds the message; it covers Entry.Count offsets, this is the one at Offset.
	Entry  *Entry
	Offset Offset
	// Attempt is 1 for the first delivery. Number counts the cursor's deliveries
	// from 1. Pending is how many matching messages come after this one that were never delivered.
	Attempt int
	Number  uint64
	Pending int64
	// Redelivered is set if the message may have been seen before.
	Redelivered bool
}

// Sink receives deliveries. Calls for one Subscription never overlap. They come
// from a worker that holds no lock and must not block: a Sink bounds what it
// takes by the credit and window it gives.
type Sink interface {
	// Deliver hands over messages, in order. The slice is valid during the call, what
	// it refers to is immutable.
	Deliver(s *Subscription, ds []Delivery)
	// Idle is called when the cursor ran out of messages for s after it had some, or after Credit was
	// added while there were none: nothing more will come until something is appended.
	Idle(s *Subscription)
	// Ended: the subscription ended for a reason other than Close. err is an *Error: Gone.
	Ended(s *Subscription, err error)
}

// Window bounds unsettled messages over the subscriptions that share it.
type Window struct{}

// NewWindow makes a window of n messages; n <= 0 means no bound.
func NewWindow(n int) *Window  { panic("core: NewWindow") }
func (w *Window) Resize(n int) { panic("core: Resize") }

// SubscribeOptions of a Subscription.
type SubscribeOptions struct {
	// Priority: higher ones are served first while they can take messages; equal ones in turn.
	Priority int
	// Exclusive fails with InUse if there is any other subscription, and keeps others out.
	Exclusive bool
	// AutoAck settles each message as it is handed over.
	AutoAck bool
	// Windows bound what is unsettled; a message needs room in all of them.
	Windows []*Window
	// Credit is how many messages may still be handed over; negative means no bound.
	Credit int
	// CreditBytes bounds the sum of the Key and Data lengths likewise; 0 means no bound. A message that does not
	// fit ends the credit: Credit becomes 0 and Idle is called.
	CreditBytes int
}

type Subscription struct{}

// Subscribe attaches a sink. Error codes: InUse, Gone.
func (c *Cursor) Subscribe(o SubscribeOptions, sink Sink) (*Subscription, error) {
	panic("core: Subscribe")
}

func (s *Subscription) Cursor() *Cursor { panic("core") }

// SetCredit replaces the credit; AddCredit adds to it.
func (s *Subscription) AddCredit(n int)        { panic("core: AddCredit") }
func (s *Subscription) SetCredit(n, bytes int) { panic("core: SetCredit") }
func (s *Subscription) Credit() int            { panic("core") }

// Close detaches the sink; when it returns no call of it is running or will come. Its unsettled messages stay in flight until
// settled, returned or overdue.
func (s *Subscription) Close() { panic("core: Close") }

// Fetch hands out one message without a subscription, nil if none is ready. It may read from disk.
func (c *Cursor) Fetch(autoAck bool, w ...*Window) (*Delivery, error) { panic("core: Fetch") }

// Settle acks messages: they are never delivered again. It reports how many were unsettled. With AckUpTo, the last
// one settles all before it.
func (c *Cursor) Settle(tx *Tx, os ...Offset) int { panic("core: Settle") }

// Return gives messages back for another attempt after delay. If counted is false the
// attempt does not count towards MaxAttempts.
func (c *Cursor) Return(tx *Tx, delay time.Duration, counted bool, os ...Offset) int {
	panic("core: Return")
}

// Discard settles messages as failed: a Queue dead-letters them with that reason, a plain
// cursor just settles.
func (c *Cursor) Discard(tx *Tx, reason string, os ...Offset) int { panic("core: Discard") }

// Extend restarts the deadline of an unsettled message.
func (c *Cursor) Extend(os ...Offset) { panic("core: Extend") }

// InFlight reports the attempts of an unsettled, delivered message.
func (c *Cursor) InFlight(o Offset) (attempts int, ok bool) { panic("core: InFlight") }

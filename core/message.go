package core

// Message is the neutral form of one message, for a reader whose protocol is
// not the writer's.
type Message struct {
	// Key is the routing key, subject or record key; nil means none.
	Key []byte
	// Value is the payload; nil differs from empty where a protocol can tell.
	Value []byte
	// Time is the store time in unix nanoseconds.
	Time int64
	// Headers in the writer's order; names may repeat. Values are text where the
	// writer's were text or numbers, JSON where they were nested, else bytes.
	Headers []Header
	// Reply is where an answer is awaited: a subject, or "".
	Reply string
	// Hidden messages are positions without a message: control records.
	Hidden bool
}

type Header struct {
	Name  string
	Value []byte
}

// Codec reads the entries of one Format. It is pure: the same entry always
// gives the same messages.
type Codec interface {
	Format() Format
	// Messages appends the entry's messages to dst, one per offset it covers. A
	// slot that no reader of another protocol may see (a control record) has
	// Hidden set.
	Messages(e *Entry, dst []Message) ([]Message, error)
}

// Weigher is a Codec whose entries' Data holds more than bodies.
type Weigher interface {
	// BodyLen is the length of the bodies in e: what counts towards QueueConfig.MaxBytes.
	BodyLen(e *Entry) int
}

// DeadLetterer is a Codec that can record in an entry that it died. Entries of other
// formats are adopted by an Adopter first; without one they are dead-lettered as they are.
type DeadLetterer interface {
	// DeadLettered returns e with the death recorded, and where it must be routed next.
	DeadLettered(e *Entry, d Death) (Dead, error)
}

// Adopter is a DeadLetterer that turns messages of other formats into its own, so that they can die
// too: a message that goes round has to carry how often.
type Adopter interface {
	DeadLetterer
	Format() Format
	// Adopt returns the Data of an entry of its Format for the message m of entry e.
	Adopt(e *Entry, m *Message) []byte
}

// Dead is a message after its death.
type Dead struct {
	// Data replaces the entry's.
	Data []byte
	// Keys it must be routed by; the first becomes the entry's Key.
	Keys []string
	// Headers of the message, for a headers exchange; may be nil.
	Headers HeaderSource
	// Cycles reports whether the message must not go to the queue of that name because it
	// died there before and was never rejected since; nil means that it may go anywhere.
	Cycles func(queue string) bool
}

// Death says why and where a message was dead-lettered.
type Death struct {
	// Reason is "rejected", "expired", "maxlen" or "delivery_limit".
	Reason string
	Queue  string
	// Exchange it is published to, and the key to use instead of the message's
	// own, if Key is set.
	Exchange string
	Key      string
	HasKey   bool
	// Time of the death in unix nanoseconds.
	Time int64
	// Attempts is how often it had been delivered.
	Attempts int
}

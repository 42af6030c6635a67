package jetstream

import "trivium/natswire/wire"

// Sender publishes into a namespace's subject space for the server itself. One
// goroutine uses it at a time.
type Sender interface {
	// Send hands m to everyone who is interested in to (m.Subject if it is nil),
	// shows it under m.Subject, and reports how many took it. m is not used after
	// the call. It never blocks.
	Send(to []byte, m *wire.Msg) (taken int)
	// Backlog is how many bytes the slowest receiver of the last Send has still
	// to take, so that a push consumer can hold back; it becomes less without another Send.
	Backlog() int
	// Flush pushes what was sent since the last one into the sockets, as far as
	// they take it without blocking. FlushPassed is for Completions: it is done once for
	// all that they say.
	Flush()
	FlushPassed()
}

// Client says who made a request: it appears in audit advisories.
type Client struct {
	ID                        uint64
	Host, User, Account       string
	Name, Lang, Version, Kind string
	Start                     int64 // unix nanoseconds
}

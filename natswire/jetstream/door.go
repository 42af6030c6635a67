package jetstream

import "trivium/core"

// Outlet is a core.Receiver that takes NATS messages as they are. The door's
// subscriptions are Outlets; receivers that are not (another door's) get the
// neutral form through Receive.
type Outlet interface {
	core.Receiver
	// Send appends one message to the output of the receiver's connection and
	// reports whether it took it. subject is what the receiver is shown, which for
	// a consumer's delivery is not the subject it was routed by. header is a whole
	// header block or nil. The slices are valid during the call only.
	//
	// f is not nil if the output was empty before: the caller then calls f.Flush
	// when its burst is over. Send must not block and may be called from any
	// goroutine.
	Send(subject, reply, header, payload []byte) (f Flusher, ok bool)
}

// Flusher is a connection with output that somebody has to hand to the socket.
type Flusher interface{ Flush() }

// Backlogged is an Outlet that says how many bytes its connection has not sent
// yet, so that a push consumer can hold back before the connection is too slow.
type Backlogged interface{ Backlog() int }

// Client says who sends a Batch: it appears in advisories.
type Client struct {
	ID                                      uint64
	Host, User, Name, Lang, Version, Server string
	Start                                   int64 // unix nanoseconds
}

package jetstream

import "trivium/core"

// Batch gathers what one connection's read buffer holds for JetStream. It
// belongs to the connection's reader, which reuses it for ever: every slice that
// is handed in must stay valid until Commit returns.
type Batch struct{}

// Batch makes the batch of one connection in a namespace.
func (e *Engine) Batch(ns *core.Namespace, c *Client) *Batch { panic("jetstream: Batch") }

// Publish adds a message for s, a stream that captures the subject (see
// core.Matched.Streams). reply, if any, gets the PubAck, but only when the message is durable.
func (b *Batch) Publish(s *core.Stream, subject, reply, header, payload []byte) {
	panic("jetstream: Publish")
}

// Control takes a message whose subject begins with "$JS." (API requests, acks,
// flow control) and reports whether it was for JetStream: if so, it counts as
// delivered to one responder, and the door still delivers it to plain subscribers.
func (b *Batch) Control(subject, reply, header, payload []byte) bool {
	panic("jetstream: Control")
}

// Commit makes one transaction of what was added. It does not wait for the disk.
func (b *Batch) Commit() { panic("jetstream: Commit") }

package natswire

import (
	"trivium/core"
	"trivium/natswire/jetstream"
	"trivium/natswire/wire"
)

// Sender publishes into a namespace's subject space for the server itself:
// answers, deliveries, advisories. One goroutine uses it at a time. It implements
// jetstream.Sender.
type Sender struct{}

// Sender returns a new Sender for ns.
func (s *Server) Sender(ns *core.Namespace) *Sender { panic("natswire: Sender") }

// Send hands m to everyone who is interested in to (m.Subject if it is nil), shows it under
// m.Subject, and reports how many took it; streams that capture the subject count and
// store it later. m is not used after the call. It never blocks.
func (s *Sender) Send(to []byte, m *wire.Msg) (taken int) { panic("natswire: Send") }

// Backlog is how many bytes the slowest receiver of the last Send has still to take.
func (s *Sender) Backlog() int { panic("natswire: Backlog") }

// Flush pushes what was sent since the last one into the sockets, as far as they take
// it without blocking. FlushLater has another goroutine do it: for Completions, which
// must not spend the journal's time on system calls.
func (s *Sender) Flush()      { panic("natswire: Flush") }
func (s *Sender) FlushLater() { panic("natswire: FlushLater") }

var _ jetstream.Sender = (*Sender)(nil)

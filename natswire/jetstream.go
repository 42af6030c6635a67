package natswire

import (
	"trivium/core"
	"trivium/natswire/jetstream"
	"trivium/natswire/wire"
)

// JetStream is what the core protocol needs of its durable half, package
// jetstream, which implements it and imports only core and wire. New makes the
// engine: jetstream.New(jetstream.Options{Broker, Log, Sender}), where Sender is
// func(*core.Namespace) jetstream.Sender and gives it a *Sender of this package.
//
// Messages are valid during the call only. Whatever a publish means to JetStream
// is told by its subject, so the engine registers nothing in the subject space.
type JetStream interface {
	// Ingest takes a client's publish for a stream of Realm that captures its
	// subject; it is called once per such stream. The publishes of one read buffer
	// share one Tx, in order. The answer goes to m.Reply (nil = none) from a
	// Completion of tx. Ingest must not block and must not call a Sender.
	Ingest(tx *core.Tx, s *core.Stream, m *wire.Msg)
	// Addressed finds the stream of another door that a publish to subject is for, nil
	// if there is none, and the key that it gives the message. IngestInto takes that publish, as
	// Ingest does.
	Addressed(ns *core.Namespace, subject []byte) (s *core.Stream, key []byte)
	IngestInto(tx *core.Tx, s *core.Stream, key []byte, m *wire.Msg)
	// Ack takes a publish to $JS.ACK.> or $JS.FC.> under the same rules.
	Ack(tx *core.Tx, ns *core.Namespace, m *wire.Msg)
	// End is called once before tx is committed if Ingest or Ack was called with
	// it: the place for tx.Then.
	End(tx *core.Tx)
	// Request takes a publish to $JS.API.>, outside of any Tx, on the goroutine
	// that reads the connection: it must not wait for the disk. It reports false
	// if nothing serves that subject: the client then hears "no responders". c says
	// who asks and is not modified after.
	Request(ns *core.Namespace, c *jetstream.Client, m *wire.Msg) bool
	// Interest tells that a client subscribed to a subject (a pattern), or that a
	// subscription ended, after the subject space knows it: push consumers start and
	// stop with it. It is cheap when the namespace has none.
	Interest(ns *core.Namespace, subject []byte, gone bool)
	// HeadersDropped counts headers of other doors' messages that NATS cannot carry.
	HeadersDropped() int64
}

var _ JetStream = (*jetstream.Engine)(nil)

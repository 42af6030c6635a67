// Package jetstream is NATS JetStream on top of core.Stream and core.Cursor:
// the JSON API, publishing into streams, consumers and their acks, as
// nats-server 2.15.2 does it on a single server.
//
// # Journey of a message
//
// The door parses a connection's read buffer, begins one transaction for it, and
// hands the engine what concerns JetStream: Ingest gets the publishes to streams
// that capture their subject, Ack what clients answer to deliveries. End adds a
// completion: when the transaction is durable, it sends the PubAcks and the
// confirmations of acks, in the order in which they were asked for. A stream's
// cursors wake, and hand messages to the consumer's sink, which sends them to
// the request whose turn it is or to the deliver subject. Requests of the API
// come through Request: pulls and direct gets are served at once, on the
// connection's goroutine, all others in order by the engine's own goroutine,
// since they wait for the disk.
//
// # Words
//
// Sequences count from 1: sequence = offset + 1. A consumer is a core.Cursor
// whose configuration document is the client's ConsumerConfig, a stream is a
// core.Stream of realm "nats" whose document is the client's StreamConfig. Names
// of cursors have a prefix, so that other doors' cursors on the same stream are
// told apart. What another door made appears as a view, under a reserved name.
//
// # What is not there
//
// A configuration that asks for something that this server does not do is refused,
// never accepted and ignored: see notBuiltStream and notBuiltConsumer. Snapshots
// and restores are refused too, and more than one replica. docs/nats.md lists what
// is other than in nats-server.
//
// # Locks, in order
//
// core's sequencer (a Tx) comes first, then account.mu, then consumer.mu. A
// consumer's lock is held while it sends, so that its messages keep their order:
// Senders never block, and what they may call back (Interest, when a
// subscription ends by its last message) waits outside. No transaction begins
// under a consumer's lock: deliveries that nobody took are given back by a
// goroutine of their own.
package jetstream

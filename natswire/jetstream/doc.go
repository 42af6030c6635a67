// Package jetstream is NATS JetStream on top of core.Stream and core.Cursor:
// the JSON API, publishing into streams, consumers and their acks.
//
// # Journey of a message
//
// The door parses a connection's read buffer and puts what concerns JetStream
// into the connection's Batch: publishes to streams that capture the subject,
// and everything under "$JS.". Batch.Commit makes one transaction of it. When
// that is durable, its completion appends the PubAcks to the output of the
// connections that await them. A stream's cursors wake, and hand messages to the
// consumer's sink, which encodes them straight into the output of whoever asked.
//
// # Words
//
// Sequences count from 1: sequence = offset + 1. A consumer is a core.Cursor
// whose configuration document is the client's ConsumerConfig, a stream is a
// core.Stream of realm "nats" whose document is the client's StreamConfig.
//
// # Locks, in order
//
// core's sequencer (a Tx) comes first, then Account.mu, then consumer.mu. No
// lock is held across a call into core that may begin a transaction, nor across
// an Outlet.
package jetstream

// Package natswire is the NATS door: the core protocol as nats-server 2.15
// speaks it. JetStream is in package jetstream below it, the codec in wire.
//
// # Journey of a message
//
// A connection's reader takes what the socket has, up to 64 KiB, and parses all
// of it (conn.handle). For each publish the routes cache says who wants the
// subject: core matched it once for this version of the subject space. What goes
// to this door's own subscriptions is only noted: which message, which
// subscription. What other doors' receivers want is handed to them at once, in
// its neutral form. What streams or queues want is noted too.
//
// When the buffer is parsed (producer.finish), one transaction makes durable
// what has to be (producer.settle); then each destination is visited once: its
// output is locked, all deliveries are encoded into it, and unlocked; then each
// is flushed, in place as long as its socket takes it (conn.flush), else by a
// goroutine that lives until the output is empty (conn.drain). So a message
// costs no allocation, no hand-over between goroutines, and a fraction of a lock. A
// large payload is not copied at all: outputs refer to the buffer that it was read into
// (output.appendSharedLocked), which is used again when the last of them has sent it.
//
// What the server itself says to subjects, PubAcks and deliveries of JetStream
// for example, goes through a Sender, in the same way but for the collecting.
//
// # Who owns what
//
// A connection's reader owns all of conn but what is marked otherwise, its
// producer included. output.mu guards what is appended; whoever set its writing
// flag owns what is being written. A subscription's counters are atomic: any
// producer may take from it, and the one that takes the last removes it.
//
// Locks, in order: Server.mu, conn.subs.mu, output.mu; core's come before all of
// them, and none of ours is held across a call into core, a write or a wait.
//
// # Bounds
//
// A buffer grows with what a client sent, not with what it announced. What waits
// for one socket is bounded by MaxPending: from 4 MiB on producers are slowed for some
// milliseconds a read, above it the connection is closed. What is sent
// out of read buffers keeps no more of them than four times MaxPending. An idle
// connection holds no buffer at all.
package natswire

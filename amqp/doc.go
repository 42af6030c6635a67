// Package amqp is the AMQP 0-9-1 door. It behaves as RabbitMQ 4.2 does.
//
// # Journey of a message
//
// A connection's reader (conn.go) parses every frame in its buffer. A publish
// (publish.go) is checked, routed and put among the operations of this read
// (cycle.go), as acks are; when the buffer is parsed they go to core in one Tx.
// When that Tx is durable, its completion confirms them: one basic.ack per
// channel (confirm.go).
//
// A queue's cursor hands messages to a consumer (consumer.go), on a worker of
// core's: the channel gives them delivery tags and remembers them (unacked.go),
// and they are appended to the connection's output (out.go), which is written in
// place as far as the socket takes it.
//
// # Who owns what
//
// The reader goroutine owns the connection's and its channels' protocol state, and
// runs every handler. What deliveries and confirms need too is under channel.mu.
// Memory is bounded: by the size of a read, by inFlightBytes for what is on its way
// to disk, by a consumer's window for what waits for a socket, and by maxOut for
// answers to a client that does not read them.
//
// # Locks, in order
//
// channel.mu, then out.mu. Neither is held across a call of core, with one
// exception: none. Closing a core Subscription waits for its Deliver, which takes
// channel.mu: so it is never closed with that held.
package amqp

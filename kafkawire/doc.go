// Package kafkawire is the Kafka door: it behaves as an Apache Kafka 4.3 broker
// in KRaft mode, single node, on top of core.
//
// # Words
//
// A topic is a core.Stream of realm "kafka", a partition one of its Logs, a
// record batch one Entry whose Data are the producer's bytes with the base
// offset set. A consumer group's positions are core.Offsets; its membership is
// package group. Streams that other doors made appear as internal topics, named
// realm.name: see views.go.
//
// # Journey of a request
//
// A connection's reader parses every whole frame in its buffer before anything
// is written. Produce requests of one buffer are validated first, then stored in
// one Tx, in order. Every request that is answered takes a slot in the
// connection's queue, so answers keep the order of the requests. A slot becomes
// ready at once (most), when its Tx is durable (produce, commits), or when what
// it waits for has happened (joins, long polls). Whoever made the first slot
// ready writes: the reader in place, or the connection's writer when the news
// came from elsewhere. A held fetch is evaluated when it is first in the queue,
// by whoever writes: it registers one Watcher for all its partitions.
//
// # Locks, in order
//
//  1. core's sequencer (a Tx)
//  2. held.mu, a group and its members; session.mu, one fetch session
//  3. coordinator.mu, sessions.mu, registry.mu: the tables of them
//  4. queue.mu, a connection's slots
//
// Completions and Watchers take queue.mu only.
package kafkawire

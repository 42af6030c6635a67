// Package core is what the three doors share: namespaces, routing, streams,
// queues, cursors, committed offsets and deduplication, all durable through
// package storage. It names no protocol and never parses a payload: a door
// registers a Codec for the entries it writes, and other doors read them
// through it.
//
// # Words
//
// A Namespace isolates tenants. Its Exchanges and Subjects route: they say who
// wants a message with this key. A Stream is a named set of Logs with retention
// and a dedup window. A Queue is a Stream of one Log with work-queue retention
// and one shared Cursor. A Cursor is ack-tracked delivery over a Log. Offsets
// are a group's committed positions. A Realm is the name space of a door's own
// names: what one door makes never meets an equal name that another one made.
//
// # Locks, in order
//
//  1. the sequencer: held by a Tx from Begin to Commit. Whatever decides or
//     changes durable state does so inside a Tx.
//  2. Stream.mu, then Cursor.mu. A Namespace has none: its registries and routing
//     tables are immutable, and replaced by whoever holds the sequencer.
//  3. the storage engine's own locks.
//
// Nothing that holds a Cursor's lock may Begin. No lock is held across I/O or
// across a call of a Sink, a Receiver or a Completion. Routing reads immutable
// snapshots and takes no lock.
package core

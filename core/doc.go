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
// # A delivery
//
// Append decides under the sequencer: limits, deduplication, expected offsets, all
// against what was decided before, on disk or not. Once the entry is visible its
// Log tells the Cursors that watch it; a woken Cursor runs on one of a few
// workers, never on two at once, in rounds: look under its lock at who can take
// something, read without the lock, decide under it who gets what, act without
// it. A run owns its reader; Sinks are called between locks, so they may begin
// transactions. Settling, returning and discarding are decided under the
// sequencer again. Deadlines of all kinds wake the Cursor, which looks at the clock
// itself: what time has done is only ever found out in a round.
//
// # Durable state
//
// A message that left its queue is deleted from the queue's Log, which is all
// there is to know, but for which messages of a Weighted queue are urgent. A
// Cursor over a Stream keeps what is unsettled below the place it has looked at;
// its changes are Notes. What follows from appends (key index, dedup window,
// producers) is replayed from them. Checkpoints keep all of it, so that only the
// journal's rest is replayed: each encodes a state as decided at some moment, and
// is written once everything decided by then is on disk; Notes that it knows
// already change nothing when they come again.
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

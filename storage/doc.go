// Package storage is Trivium's one storage engine: a journal that makes every
// change atomic and durable, per-Log segments that hold what stays, and an
// index store (Pebble, its own WAL off) that the journal feeds. It knows Logs,
// entries, offsets and keys; it knows no protocol.
//
// # Words
//
// A Log is a sequence of entries at dense offsets. An Entry is an envelope
// around the producer's own bytes and covers Count consecutive offsets. A Tx
// is one atomic unit of changes, decided under the sequencer lock. A cycle is
// everything that was committed while the previous write was on its way to
// disk; it becomes one frame of the journal: one write, one fdatasync, one
// checksum. A frame's number is its Position.
//
// # Journey of a change
//
// Begin takes the sequencer lock. Append, Delete, Set, Note write straight into
// the buffer of the cycle that is being gathered, and assign offsets. Commit
// releases the lock. The journal's one writer takes the gathered buffer, writes
// it, syncs it, then completes the cycle: Logs' visible ends advance, index
// writes go to Pebble, Watchers are told once per Log, Completions run in the
// order of their transactions. So offsets are decided in order, and shown when
// they are durable.
//
// # Recovery
//
// Open opens Pebble, reads the position it reflects, reapplies the index writes
// of later frames, and rebuilds the Logs' tails. Then the owner of the state
// above (core) loads its checkpoints with Get and Scan, and Recover replays to
// it every append, delete and note since the last checkpoint; the owner ignores
// what is not newer than the position its own checkpoint of that object carries.
//
// # Failed writes
//
// A failed write or sync is final: it fails every Completion of its cycle, is
// never retried, and turns the store read-only. A restart recovers all that was
// acknowledged.
package storage

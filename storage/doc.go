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
// it, syncs it, and hands the cycle to the completer, or, if little is to be done and little
// waits for the writer, completes it itself: index writes go to Pebble,
// the Logs' visible ends advance, Watchers are told once per Log, Completions
// run in the order of their transactions. So offsets are decided in order, and
// shown when they are durable. Deletes take effect on reads when they are decided,
// and on disk with their frame. Passed tells who has gathered what Completions said that it can
// be sent.
//
// A transaction with nothing for the journal completes at once, unless one of its Logs
// has something on its way to disk: then it goes along with the next cycle.
//
// # Who shares a sync
//
// A client that waits for one transaction before it begins the next is in one cycle at a time. Of many such clients
// all come back when the cycle they were in is complete. If the writer took what is gathered as soon as it can, the first to
// come back would have a sync by itself, and all the others the one after it: two syncs for each of them, and nobody with anything
// to do while the large one is under way. If syncs are shared evenly, one half is at work while the other is
// synced. So what the last two cycles had together, in Completions, is taken for the number of clients, and before the
// writer takes less than half of it (sharing), it lets others run, as long as each time brings another, and not
// often (gatherMore). When it has less than half to write, it also completes the last cycle itself rather than wake somebody
// for it: meanwhile they come back. (If all were in each of the two cycles, half is all of them.) For one client half is one, and
// nothing of this happens. No clock is involved: while nobody has anything to do, nobody waits for anything but the disk.
//
// # What is read
//
// Recent entries are read from the buffers their frames were encoded in, as long
// as the cache has room, then from the journal, and when they have settled from
// their segment. Such a buffer is used again when nothing in it is live and all who
// borrowed it (Lease) have given it back, unless one of them kept what it read.
//
// # Settling
//
// When the journal has grown, one goroutine takes its oldest file, copies
// what is still live there to new segments, a Log at a time, has the owner write
// its state, flushes the index, and gives the file back to the journal. Segments are files,
// or values of the index where they are small. They are never changed: small
// neighbours are merged, and those of which little is live are written anew.
// When entries come in faster than they can be copied, the file is not given back but kept,
// and segments refer to the Data in it (keep.go), so that bulk is written once.
// A row of the index may reflect deletes that are not durable yet, so it is
// committed only after they are (Store.barrier). While the journal is full, Begin
// waits.
//
// # Recovery
//
// Open opens Pebble, reads the position it reflects and that of the last
// checkpoint, loads a row per Log and per segment, replays the frames after the
// checkpoint into the Logs' tails, and reapplies those index writes that Pebble
// lacks. Then the owner of the state above (core) loads its checkpoints with Get
// and Scan, and Recover replays to it every append, delete and note since the
// last checkpoint; the owner ignores what is not newer than the position its own
// checkpoint of that object carries. Segments are opened when they are first read, and
// Pebble compacts nothing before Recover ends.
//
// # Removal
//
// A file goes after the index has forgotten it for good, and after its last reader has closed it
// (segments.remove, segments.whenUnread): then no one minds that it shrinks bit by bit before it is
// unlinked, which spares the journal's syncs (remove.go). A start gives up what it finds that nothing refers to.
//
// # Failed writes
//
// A failed write or sync is final: it fails every Completion of its cycle, is
// never retried, and turns the store read-only. A restart recovers all that was
// acknowledged. Stored bytes that are not what was written are reported (logged
// as errors, returned as CorruptError) and cost only themselves.
//
// # Low on disk
//
// Before a write can fail for want of space there is the Alarm: the disk's free space is looked
// at, and whoever lets clients publish acts on it. The store itself refuses nothing then, so that
// what is settled is noted and makes room.
//
// # On disk
//
//	LOCK             held by the process that uses the directory
//	journal/         files of frames: journal.go, frame.go; operations: op.go; kept ones: keep.go
//	segments/        segment files: segment.go
//	index/           Pebble; its keys: index.go, run.go
//
// Each of those files of this package describes its format byte by byte. Every
// format carries a version.
//
// # Locks, in order
//
//  1. settler.work: held during a pass of the settler or a checkpoint.
//  2. seq: the sequencer, from Begin to Commit.
//  3. settler.replacing: while runs give way to others, in the index and for readers.
//  4. Log.mu: what one Log retains.
//  5. the rest, each by itself: logs, cache.mu, done.mu, settler.mu, shown,
//     segments.mu, index.readers, diskJournal.mu.
//
// Only settler.work is held across I/O.
package storage

package storage

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Durability says when a transaction counts as durable.
type Durability uint8

const (
	// Sync: after fdatasync. The default.
	Sync Durability = iota
	// Interval: after the write; synced in the background every SyncInterval.
	Interval
	// OS: after the write; the operating system decides when it reaches the disk.
	OS
)

// Options of a Store. The zero value of each field means its default.
type Options struct {
	// FS is the file system; the default is vfs.Default.
	FS  vfs.FS
	Dir string
	Log *slog.Logger
	// Now is the wall clock in unix nanoseconds.
	Now        func() int64
	Durability Durability
	// JournalFileBytes is the size of one journal file, JournalBytes the most
	// that all of them together hold before writers wait for settling.
	JournalFileBytes, JournalBytes int64
	// CacheBytes bounds the memory that keeps recent entries at hand.
	CacheBytes int64
}

// Store is the engine. All its methods are safe for concurrent use.
type Store struct{}

// Open opens or creates the store in o.Dir and rebuilds Logs and index. The
// store accepts transactions after Recover.
func Open(o Options) (*Store, error) { panic("storage: Open") }

// StateMachine is the state that the owner keeps above Logs and index. Replay
// methods get, in order, what was committed since the last checkpoint, and
// possibly what was before: pos tells. Checkpoint writes the state of everything
// that changed, as of a durable position, and is called regularly.
type StateMachine interface {
	ReplayAppend(pos Position, log LogID, e *Entry)
	ReplayDelete(pos Position, log LogID, from, to Offset)
	ReplayNote(pos Position, owner uint64, data []byte)
	// Checkpoint calls set for every piece of state that changed since the last
	// one. Each value should carry the position it reflects: at least at, and
	// no more than what Applied returns at the time. It runs on the
	// checkpointer's goroutine, concurrently with transactions.
	Checkpoint(at Position, set func(key, value []byte)) error
}

// Recover replays to sm what its checkpoints lack, and opens the store for
// transactions.
func (s *Store) Recover(sm StateMachine) error { panic("storage: Recover") }

// Applied is the position of the last frame whose effects are visible.
func (s *Store) Applied() Position { panic("storage: Applied") }

// Log returns the Log with that id, or nil. Logs calls f for each.
func (s *Store) Log(id LogID) *Log   { panic("storage: Log") }
func (s *Store) Logs(f func(l *Log)) { panic("storage: Logs") }

// Get returns the value of an index key, nil if it has none. Scan calls f for
// each key with the prefix, in order, until f returns false. Both see durable
// transactions only; keys and values are valid during the call of f.
func (s *Store) Get(key []byte) ([]byte, error)                           { panic("storage: Get") }
func (s *Store) Scan(prefix []byte, f func(key, value []byte) bool) error { panic("storage: Scan") }

// Err is why the store is read-only, or nil.
func (s *Store) Err() error { panic("storage: Err") }

// Metrics is a snapshot of the store's counters.
type Metrics struct {
	Frames, Syncs, Transactions  int64
	JournalBytes, JournalPending int64
	SettledBytes                 int64
	Logs, Segments               int64
	CacheBytes                   int64
}

func (s *Store) Metrics() Metrics { panic("storage: Metrics") }

// Checkpoint settles and checkpoints now, so that the next Open has little to
// replay. Close checkpoints too, then releases everything.
func (s *Store) Checkpoint() error { panic("storage: Checkpoint") }
func (s *Store) Close() error      { panic("storage: Close") }

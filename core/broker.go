package core

import (
	"log/slog"

	"trivium/storage"
)

// The words of storage that core's users need.
type (
	Entry      = storage.Entry
	Offset     = storage.Offset
	Format     = storage.Format
	Log        = storage.Log
	Limit      = storage.Limit
	Producer   = storage.Producer
	Completion = storage.Completion
	Watcher    = storage.Watcher
	Spans      = storage.Spans
	Span       = storage.Span
)

// NoOffset means that there is no such message.
const NoOffset = storage.NoOffset

// Realm is the name space of one door's own names, "amqp" for example. Doors
// choose it; core only keeps realms apart.
type Realm string

// Options of a Broker.
type Options struct {
	Log *slog.Logger
	// Now is the wall clock in unix nanoseconds; nil means the real one.
	Now func() int64
	// Codecs read the entries of each format.
	Codecs []Codec
}

// Broker is the shared core.
type Broker struct{}

// Open loads the state that store holds, replays what its checkpoints lack, and
// starts the workers. The Broker does not own the store.
func Open(store *storage.Store, o Options) (*Broker, error) { panic("core: Open") }

// Close stops workers and timers. Transactions must have ended.
func (b *Broker) Close() error { panic("core: Close") }

// Err is why nothing can be written any more, or nil.
func (b *Broker) Err() error { panic("core: Err") }

// Namespace returns the namespace with that name, or nil. "default" always
// exists.
func (b *Broker) Namespace(name string) *Namespace { panic("core: Namespace") }

// CreateNamespace returns the namespace, making it if it does not exist.
func (b *Broker) CreateNamespace(tx *Tx, name string) *Namespace { panic("core: CreateNamespace") }

// Codec returns the reader of a format, or nil.
func (b *Broker) Codec(f Format) Codec { panic("core: Codec") }

// Tx is storage.Tx with core's own bookkeeping: one atomic unit, holding the
// sequencer lock from Begin to Commit. Nothing in between may block.
type Tx struct {
	*storage.Tx
	b *Broker
}

// Begin takes the sequencer lock; Commit (of storage.Tx) must follow.
func (b *Broker) Begin() *Tx { panic("core: Begin") }

// Committed runs one transaction and waits until it is durable: for
// topology and configuration, not for messages. An error of f is returned after
// committing what f did before it (so f decides first, then writes).
func (b *Broker) Committed(f func(tx *Tx) error) error { panic("core: Committed") }

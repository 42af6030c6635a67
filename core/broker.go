package core

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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

// IsCorrupt reports whether err says that stored bytes are damaged.
func IsCorrupt(err error) bool { return storage.IsCorrupt(err) }

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
type Broker struct {
	store  *storage.Store
	log    *slog.Logger
	now    func() int64
	codecs [256]Codec
	// adopter is the one of codecs that is an Adopter, or nil.
	adopter Adopter

	// namespaces is replaced, never changed, by whoever holds the sequencer.
	namespaces atomic.Pointer[map[string]*Namespace]

	workers pool
	timers  timers
	closed  atomic.Bool

	// Guarded by the sequencer.
	ids      ids
	tx       Tx                   // the one that is open
	dirty    []durable            // changed since their last checkpoint
	settings map[string]*settings // by how they are encoded
	// indexed are the key indexes of which the last checkpoint took pages.
	indexed []*keyIndex

	loading *loading // nil once Open is through with it
	clean   bool     // the last run ended by Close

	pages   pageCache // of key indexes
	scratch []Offset
	noteBuf []byte
}

// Open loads the state that store holds, replays what its checkpoints lack, and
// starts the workers. The Broker does not own the store.
func Open(store *storage.Store, o Options) (*Broker, error) {
	b := &Broker{
		store: store, log: o.Log, now: o.Now, settings: map[string]*settings{},
		loading: &loading{
			owners: map[uint64]durable{}, at: map[uint64]storage.Position{}, logs: map[storage.LogID]logOwner{},
			streams: map[uint64]*Stream{},
		},
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.now == nil {
		b.now = func() int64 { return time.Now().UnixNano() }
	}
	for _, c := range o.Codecs {
		b.codecs[c.Format()] = c
		if a, ok := c.(Adopter); ok {
			b.adopter = a
		}
	}
	b.namespaces.Store(&map[string]*Namespace{})
	if err := b.load(); err != nil {
		return nil, fmt.Errorf("core: load: %w", err)
	}
	if err := store.Recover(recovery{b}); err != nil {
		return nil, fmt.Errorf("core: recover: %w", err)
	}
	orphans := b.loading.orphans
	b.loading = nil
	b.workers.start()
	b.timers.start(b.now)
	if err := b.recovered(orphans); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close stops workers and timers. Transactions must have ended.
func (b *Broker) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.timers.stop()
	b.workers.stop()
	if b.store.Err() != nil {
		return nil // it was reported when it happened
	}
	return b.Committed(func(tx *Tx) error {
		b.markClean(tx)
		return nil
	})
}

// Err is why nothing can be written any more, or nil.
func (b *Broker) Err() error {
	if err := b.store.Err(); err != nil {
		return &Error{Code: Unwritable, Op: "write", Err: err}
	}
	return nil
}

// Namespace returns the namespace with that name, or nil. "default" always
// exists.
func (b *Broker) Namespace(name string) *Namespace { return (*b.namespaces.Load())[name] }

// Namespaces calls f for each namespace, in name order, until f returns false.
func (b *Broker) Namespaces(f func(ns *Namespace) bool) {
	all := *b.namespaces.Load()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !f(all[name]) {
			return
		}
	}
}

// CreateNamespace returns the namespace, making it if it does not exist.
func (b *Broker) CreateNamespace(tx *Tx, name string) *Namespace {
	if ns := b.Namespace(name); ns != nil {
		return ns
	}
	ns := newNamespace(b, tx.newID(), name)
	tx.Set(key(keyNamespace, ns.id), []byte(name))
	b.addNamespace(ns)
	return ns
}

func (b *Broker) addNamespace(ns *Namespace) {
	all := maps.Clone(*b.namespaces.Load())
	all[ns.name] = ns
	b.namespaces.Store(&all)
}

// Codec returns the reader of a format, or nil.
func (b *Broker) Codec(f Format) Codec { return b.codecs[f] }

// Tx is storage.Tx with core's own bookkeeping: one atomic unit, holding the
// sequencer lock from Begin to Commit. Nothing in between may block. It must not
// be used after Commit.
type Tx struct {
	*storage.Tx
	b *Broker
	// refused is set if the store is read-only: nothing of this Tx will be written.
	refused bool
	// after is what to do once the sequencer is free again: calls of other
	// people's code, wake-ups.
	after []func()
	wake  []runnable
}

// Begin takes the sequencer lock; Commit must follow.
func (b *Broker) Begin() *Tx {
	tx := b.store.Begin()
	b.tx.Tx, b.tx.b = tx, b
	b.tx.refused = b.store.Err() != nil
	return &b.tx
}

// writable refuses to decide anything that could not be written.
func (tx *Tx) writable(op, name string) error {
	if !tx.refused {
		return nil
	}
	return &Error{Code: Unwritable, Op: op, Name: name, Err: tx.b.store.Err()}
}

// Commit ends the transaction and releases the sequencer lock. It does not wait
// for the disk.
func (tx *Tx) Commit() {
	b, st := tx.b, tx.Tx
	if len(tx.after) == 0 && len(tx.wake) == 0 {
		tx.Tx = nil
		st.Commit()
		return
	}
	var few [8]runnable
	wake := append(few[:0], tx.wake...)
	clear(tx.wake)
	after := tx.after
	tx.Tx, tx.after, tx.wake = nil, nil, tx.wake[:0]
	st.Commit()
	for _, r := range wake {
		b.workers.wake(r)
	}
	for _, f := range after {
		f()
	}
}

// afterCommit calls f after Commit, when no lock is held any more.
func (tx *Tx) afterCommit(f func()) { tx.after = append(tx.after, f) }

// wakeAfter lets r run after Commit.
func (tx *Tx) wakeAfter(r runnable) {
	if n := len(tx.wake); n == 0 || tx.wake[n-1] != r {
		tx.wake = append(tx.wake, r)
	}
}

// Passed has f called after each pass of Completions until end is called: see storage.Store.Passed.
func (b *Broker) Passed(f func()) (end func()) { return b.store.Passed(f) }

// committed is a Completion that someone waits for.
type committed struct {
	wg  sync.WaitGroup
	err error
}

func (c *committed) Durable(err error) { c.err = err; c.wg.Done() }

// Committed runs one transaction and waits until it is durable: for
// topology and configuration, not for messages. An error of f is returned after
// committing what f did before it (so f decides first, then writes).
func (b *Broker) Committed(f func(tx *Tx) error) error {
	var c committed
	c.wg.Add(1)
	tx := b.Begin()
	err := f(tx)
	tx.Then(&c)
	tx.Commit()
	c.wg.Wait()
	if err != nil {
		return err
	}
	if c.err != nil {
		return &Error{Code: Unwritable, Op: "commit", Err: c.err}
	}
	return nil
}

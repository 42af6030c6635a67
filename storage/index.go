package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The index store is Pebble without its WAL: the journal is its WAL. It is given
// only what is durable there, and every batch carries the position it reflects, so
// what Pebble holds after a crash is the state as of some position.
//
//	'p'            the position the index reflects, u64
//	'k' key        what Tx.Set stored
const (
	keyPosition = 'p'
	keyUser     = 'k'
)

// index is the index store.
type index struct {
	db          *pebble.DB
	compactions *compactions

	// Pebble panics when it is read after it was closed: close waits for readers.
	readers struct {
		sync.Mutex
		n      int
		none   sync.Cond
		closed bool
	}
}

// enter counts a reader until leave; ErrClosed when there must be no more.
func (x *index) enter() error {
	x.readers.Lock()
	defer x.readers.Unlock()
	if x.readers.closed {
		return ErrClosed
	}
	x.readers.n++
	return nil
}

func (x *index) leave() {
	x.readers.Lock()
	defer x.readers.Unlock()
	if x.readers.n--; x.readers.n == 0 {
		x.readers.none.Signal()
	}
}

// close closes Pebble when nobody reads it any more.
func (x *index) close() error {
	x.readers.Lock()
	x.readers.closed = true
	for x.readers.n > 0 {
		x.readers.none.Wait()
	}
	x.readers.Unlock()
	return x.db.Close()
}

// compactions holds Pebble's compactions back until begin: while the store recovers, their reads and
// writes would only be in the way.
type compactions struct {
	*pebble.ConcurrencyLimitScheduler
	begun atomic.Bool
}

func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	if !c.begun.Load() {
		return false, nil
	}
	return c.ConcurrencyLimitScheduler.TrySchedule()
}

// begin lets compactions run. One that ends makes Pebble look whether another waits: so does this.
func (c *compactions) begin() {
	c.begun.Store(true)
	if ok, h := c.TrySchedule(); ok {
		h.Done()
	}
}

// openIndex opens Pebble in dir. fatal hears of what Pebble cannot live with.
func openIndex(fs vfs.FS, dir string, log *slog.Logger, fatal func(error)) (x *index, err error) {
	cache := pebble.NewCache(8 << 20)
	defer cache.Unref()
	o := &pebble.Options{
		FS:                 fs,
		Cache:              cache,
		DisableWAL:         true,
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       8 << 20,
		// High, so that a commit never waits for a flush that cannot succeed.
		MemTableStopWritesThreshold: 64,
		L0StopWritesThreshold:       1000,
		MaxOpenFiles:                500,
		Logger:                      indexLogger{log: log, fatal: fatal},
	}
	// The default one wakes ten times a second for ever, and outlives a failed open.
	c := &compactions{ConcurrencyLimitScheduler: pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()}
	o.Experimental.CompactionScheduler = c
	o.EventListener = &pebble.EventListener{
		BackgroundError: func(err error) {
			if err != nil && !errors.Is(err, pebble.ErrClosed) && !errors.Is(err, pebble.ErrCancelledCompaction) {
				fatal(fmt.Errorf("index: %w", err))
			}
		},
	}
	defer func() {
		// Pebble panics with some errors of the file system.
		if r := recover(); r != nil {
			cause, ok := r.(error)
			if !ok {
				panic(r)
			}
			x, err = nil, fmt.Errorf("storage: open index: %w", cause)
		}
	}()
	// Most of what is large here are entries, which producers compress if it helps.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("storage: open index: %w", err)
	}
	x = &index{db: db, compactions: c}
	x.readers.none.L = &x.readers
	return x, nil
}

// indexLogger hands Pebble's messages on. Pebble would end the process in Fatalf.
type indexLogger struct {
	log   *slog.Logger
	fatal func(error)
}

func (l indexLogger) Infof(format string, args ...any) {}
func (l indexLogger) Errorf(format string, args ...any) {
	l.log.Warn("storage: index: " + fmt.Sprintf(format, args...))
}
func (l indexLogger) Fatalf(format string, args ...any) {
	err := indexError{text: "index: " + fmt.Sprintf(format, args...)}
	for _, a := range args {
		if e, ok := a.(error); ok {
			err.cause = e
		}
	}
	l.fatal(err)
}

// indexError is what Pebble said, and why.
type indexError struct {
	text  string
	cause error
}

func (e indexError) Error() string { return e.text }
func (e indexError) Unwrap() error { return e.cause }

// position is what the index reflects: all up to it, nothing after.
func (x *index) position() (Position, error) {
	v, err := x.get([]byte{keyPosition})
	if err != nil || v == nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, &CorruptError{Where: "index", Why: "position has a wrong size"}
	}
	return Position(binary.LittleEndian.Uint64(v)), nil
}

// get returns a copy of a key's value, nil if there is none.
func (x *index) get(key []byte) ([]byte, error) {
	if err := x.enter(); err != nil {
		return nil, err
	}
	defer x.leave()
	v, c, err := x.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v = append(make([]byte, 0, len(v)), v...)
	return v, c.Close()
}

// scan calls f for the keys with the prefix.
func (x *index) scan(prefix []byte, f func(key, value []byte) bool) error {
	if err := x.enter(); err != nil {
		return err
	}
	defer x.leave()
	it, err := x.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if !f(it.Key(), v) {
			break
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// after is the first key behind all that have the prefix, nil if there is none.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			b := append([]byte(nil), prefix[:i+1]...)
			b[i]++
			return b
		}
	}
	return nil
}

// commit applies a batch that reflects pos.
func (x *index) commit(b *pebble.Batch, pos Position) error {
	d := b.SetDeferred(1, 8)
	d.Key[0] = keyPosition
	binary.LittleEndian.PutUint64(d.Value, uint64(pos))
	if err := d.Finish(); err != nil {
		return err
	}
	return b.Commit(pebble.NoSync)
}

func setUser(b *pebble.Batch, key, value []byte) {
	d := b.SetDeferred(1+len(key), len(value))
	d.Key[0] = keyUser
	copy(d.Key[1:], key)
	copy(d.Value, value)
	d.Finish()
}

func unsetUser(b *pebble.Batch, key []byte) {
	d := b.DeleteDeferred(1 + len(key))
	d.Key[0] = keyUser
	copy(d.Key[1:], key)
	d.Finish()
}

func unsetUserRange(b *pebble.Batch, from, to []byte) {
	d := b.DeleteRangeDeferred(1+len(from), 1+len(to))
	d.Key[0], d.Value[0] = keyUser, keyUser
	copy(d.Key[1:], from)
	copy(d.Value[1:], to)
	d.Finish()
}

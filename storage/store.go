package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

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

// SyncInterval is the longest that a write stays unsynced with Durability Interval.
const SyncInterval = 200 * time.Millisecond

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
	// MinFreeBytes is how much of the disk is to be free: see Alarm. Negative means that it does not matter.
	MinFreeBytes int64

	// For tests: where a segment ends, the largest that the index holds, and what is
	// set aside for volatile entries.
	segmentBytes   int64
	chunkBytes     int
	copyRate       int64 // journal files that were filled faster may be kept
	reserveOffsets Offset
	mergeRuns      int
	yield          func() // lets others run
}

const (
	defaultJournalFileBytes = 64 << 20
	defaultJournalBytes     = 256 << 20
	defaultCacheBytes       = 32 << 20
)

func (o *Options) defaults() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = func() int64 { return time.Now().UnixNano() }
	}
	if o.JournalFileBytes <= 0 {
		o.JournalFileBytes = defaultJournalFileBytes
	}
	if o.JournalBytes <= 0 {
		o.JournalBytes = max(defaultJournalBytes, 4*o.JournalFileBytes)
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = defaultCacheBytes
	}
	if o.MinFreeBytes == 0 {
		o.MinFreeBytes = DefaultMinFreeBytes
	}
	if o.segmentBytes <= 0 {
		o.segmentBytes = segmentBytes
	}
	if o.copyRate <= 0 {
		o.copyRate = backgroundRate
	}
	if o.mergeRuns <= 0 {
		o.mergeRuns = mergeRuns
	}
	if o.reserveOffsets <= 0 {
		o.reserveOffsets = reserveOffsets
	}
	if o.yield == nil {
		o.yield = runtime.Gosched
	}
	if o.chunkBytes <= 0 {
		o.chunkBytes = maxChunk
	}
}

// Store is the engine. All its methods are safe for concurrent use.
type Store struct {
	o       Options
	lock    io.Closer
	guard   guardFS
	index   *index
	journal journal
	cache   cache
	done    doneQueue
	cycles  chan *cycle // for reuse
	instant *cycle      // whose turn it is not; owned by who completes
	passed  listeners
	work    sync.WaitGroup

	applied   atomic.Uint64 // Position
	doneCycle atomic.Uint64
	failed    atomic.Pointer[error]
	broken    chan struct{} // closed when failed is set
	stop      chan struct{} // closed when the background work is to end
	opened    atomic.Bool   // the journal is
	closed    atomic.Bool
	sm        StateMachine
	segments  segments
	settler   settler
	remover   *remover
	alarm     alarm
	kept      map[uint64]*keptFile
	// checkpointed is the position of the last checkpoint: frames up to it are not
	// needed any more. The settler's.
	checkpointed Position

	count struct{ frames, txs, settled, kept atomic.Int64 }

	// shown guards waiting for applied to move.
	shown struct {
		sync.Mutex
		wait sync.Cond
	}

	// seq is the sequencer: its lock puts transactions in order.
	seq struct {
		sync.Mutex
		wake, room sync.Cond
		tx         Tx
		cur        *cycle // being gathered
		instant    *cycle // what waits for no write
		cycles     uint64 // the last number given to a cycle
		pos        Position
		now        int64
		nextLog    LogID
		// Ids below reservedLogs may be given to volatile Logs.
		reservedLogs LogID
		frameHint    int
		writerIdle   bool
		closing      bool
		recovered    bool
		full         bool // Begin waits for the journal to be emptied,
		lifted       bool // except now
		volatile     struct {
			buf []byte
			blk *block
		}
	}

	logs struct {
		sync.RWMutex
		byID map[LogID]*Log
	}
}

// Open opens or creates the store in o.Dir and rebuilds Logs and index. The
// store accepts transactions after Recover.
func Open(o Options) (*Store, error) {
	o.defaults()
	s := &Store{o: o, cycles: make(chan *cycle, 4), broken: make(chan struct{}), stop: make(chan struct{})}
	s.cache.limit = o.CacheBytes
	s.done.init()
	q := &s.seq
	q.wake.L, q.room.L = q, q
	s.shown.wait.L = &s.shown
	s.settler.kick = make(chan struct{}, 1)
	q.tx.s = s
	q.nextLog = 1
	s.logs.byID = map[LogID]*Log{}
	s.kept = map[uint64]*keptFile{}
	s.remover = newRemover(o.FS, s.stop)
	if err := s.open(); err != nil {
		close(s.stop)
		s.release()
		return nil, err
	}
	return s, nil
}

func (s *Store) open() error {
	o := &s.o
	if err := makeDir(o.FS, o.Dir); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	var err error
	if s.lock, err = o.FS.Lock(o.FS.PathJoin(o.Dir, "LOCK")); err != nil {
		s.lock = nil
		return fmt.Errorf("storage: %s is in use by another process: stop that one, or choose another directory (lock: %w)", o.Dir, err)
	}
	s.guard = newGuardFS(o.FS, s)
	if s.index, err = openIndex(s.guard, o.FS.PathJoin(o.Dir, "index"), o.Log, s.fail); err != nil {
		return err
	}
	s.guard.armed.Store(true)
	files, err := s.loadRows()
	if err != nil {
		return err
	}
	journalDir := o.FS.PathJoin(o.Dir, "journal")
	j, err := openJournal(o, journalDir, s.keptNames(), s.remover.add)
	if err != nil {
		return fmt.Errorf("storage: open journal: %w", err)
	}
	j.failed = s.fail
	s.journal = j
	s.opened.Store(true)
	if err := s.segments.init(o.FS, o.FS.PathJoin(o.Dir, "segments"), journalDir, s.index, s.remover); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if err := syncDir(o.FS, o.Dir); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if err := s.rebuild(files); err != nil {
		return err
	}
	s.countKept()
	return s.Err()
}

// syncJournal makes the journal safe before the index is.
func (s *Store) syncJournal() error {
	if s.o.Durability == Sync || !s.opened.Load() {
		return nil
	}
	return s.journal.sync()
}

// makeDir makes a directory and those above it, so that they survive a crash.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir && parent != "" {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return syncDir(fs, parent)
}

// release lets go of everything that is open.
func (s *Store) release() error {
	var errs error
	s.segments.close()
	if s.index != nil {
		errs = errors.Join(errs, s.closeIndex())
	}
	if s.journal != nil {
		errs = errors.Join(errs, s.journal.close())
	}
	if s.lock != nil {
		errs = errors.Join(errs, s.lock.Close())
	}
	return errs
}

// closeIndex closes Pebble, unless it cannot be closed: see guardFS.
func (s *Store) closeIndex() error {
	done := make(chan error, 1)
	go func() { done <- s.index.close() }()
	select {
	case err := <-done:
		return err
	case <-s.guard.over:
		return s.Err()
	}
}

// fail makes the store read-only. Only the first reason counts.
func (s *Store) fail(err error) {
	err = fmt.Errorf("%w: %w", ErrReadOnly, err)
	if s.failed.CompareAndSwap(nil, &err) {
		close(s.broken)
		s.o.Log.Error("storage: no more writes until a restart", "err", err)
		s.shown.Lock()
		s.shown.wait.Broadcast()
		s.shown.Unlock()
		s.nudgeSettler()
		s.alarm.tell()
	}
}

// Err is why the store is read-only, or nil.
func (s *Store) Err() error {
	if p := s.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// Applied is the position of the last frame whose effects are visible.
func (s *Store) Applied() Position { return Position(s.applied.Load()) }

// Log returns the Log with that id, or nil. Logs calls f for each.
func (s *Store) Log(id LogID) *Log {
	s.logs.RLock()
	defer s.logs.RUnlock()
	return s.logs.byID[id]
}

func (s *Store) Logs(f func(l *Log)) {
	for _, l := range s.allLogs() {
		f(l)
	}
}

func (s *Store) allLogs() []*Log {
	s.logs.RLock()
	defer s.logs.RUnlock()
	all := make([]*Log, 0, len(s.logs.byID))
	for _, l := range s.logs.byID {
		all = append(all, l)
	}
	return all
}

func (s *Store) remember(l *Log) {
	s.logs.Lock()
	defer s.logs.Unlock()
	s.logs.byID[l.id] = l
}

// forget removes a Log that was dropped.
func (s *Store) forget(l *Log) {
	s.logs.Lock()
	delete(s.logs.byID, l.id)
	s.logs.Unlock()
	if stored, files := l.free(); stored {
		s.settler.mu.Lock()
		s.settler.mu.drops = append(s.settler.mu.drops, l)
		s.settler.mu.Unlock()
		if files {
			s.nudgeSettler()
		}
	}
}

// Get returns the value of an index key, nil if it has none. Scan calls f for
// each key with the prefix, in order, until f returns false. Both see durable
// transactions only; keys and values are valid during the call of f.
func (s *Store) Get(key []byte) ([]byte, error) {
	var a [64]byte
	return s.index.get(append(append(a[:0], keyUser), key...))
}

func (s *Store) Scan(prefix []byte, f func(key, value []byte) bool) error {
	p := append([]byte{keyUser}, prefix...)
	return s.index.scan(p, func(k, v []byte) bool { return f(k[1:], v) })
}

// Metrics is a snapshot of the store's counters.
type Metrics struct {
	Frames, Syncs, Transactions  int64
	JournalBytes, JournalPending int64
	SettledBytes                 int64
	KeptBytes                    int64 // of journal files that are kept; not among JournalBytes
	Logs, Segments               int64
	CacheBytes                   int64
	// FreeBytes of the disk, -1 if that is not known, and how many should be.
	FreeBytes, MinFreeBytes int64
}

func (s *Store) Metrics() Metrics {
	m := Metrics{
		Frames:         s.count.frames.Load(),
		Transactions:   s.count.txs.Load(),
		CacheBytes:     s.cache.size.Load(),
		JournalBytes:   s.journal.size(),
		JournalPending: s.journal.pending(),
		Syncs:          s.journal.syncCount(),
		SettledBytes:   s.count.settled.Load(),
		KeptBytes:      s.count.kept.Load(),
		Segments:       s.segments.count.Load(),
		FreeBytes:      s.alarm.free.Load(),
		MinFreeBytes:   s.o.MinFreeBytes,
	}
	s.logs.RLock()
	defer s.logs.RUnlock()
	m.Logs = int64(len(s.logs.byID))
	return m
}

// Close makes all durable that is visible, ends what runs and lets go of everything. Whatever failed until then is
// returned: nil says that every transaction that was committed before is on disk. Reads that are under way may still
// end well; others, and all later ones of what is not in memory, fail with ErrClosed.
func (s *Store) Close() error {
	if !s.closed.CompareAndSwap(false, true) {
		return ErrClosed
	}
	q := &s.seq
	q.Lock()
	recovered := q.recovered
	q.Unlock()
	s.settler.work.Lock()
	err := s.Err()
	if err == nil && recovered {
		// The owner may need transactions to write its state: they end after that.
		err = s.checkpointAll()
	}
	s.settler.work.Unlock()

	q.Lock()
	q.closing = true
	q.wake.Signal()
	q.room.Broadcast()
	q.Unlock()
	close(s.stop)
	s.work.Wait()
	// Transactions that came meanwhile may have failed, and what they wrote be lost.
	return cmp.Or(errors.Join(err, s.release()), s.Err())
}

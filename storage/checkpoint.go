package storage

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// settler is the background work: it empties the journal into segments, writes
// checkpoints, and gives back space. It sleeps while there is nothing to do.
type settler struct {
	kick chan struct{}
	work sync.Mutex // held during a pass
	// Held while the index knows runs in place of others that readers still see.
	replacing sync.RWMutex

	mu struct {
		sync.Mutex
		journal bool   // the journal has grown enough
		space   bool   // runs died
		drops   []*Log // dropped, durably
		inexact []*Log // their runs' bytes are estimates
		// Replaced or dead runs, whose files go once the index has forgotten them for good.
		retired []*run
		// waiting callers of Checkpoint want no pause.
		waiting int
	}
}

func (s *Store) nudgeSettler() {
	select {
	case s.settler.kick <- struct{}{}:
	default:
	}
}

// reclaim notes that nothing of r is live.
func (s *Store) reclaim(r *run) {
	if r.file == 0 && len(r.refs) == 0 || max(r.size, r.payload) < 1<<20 {
		return // it goes when something else is to do
	}
	s.settler.mu.Lock()
	s.settler.mu.space = true
	s.settler.mu.Unlock()
	s.nudgeSettler()
}

// inexact notes that bytes of a run of l have to be looked up.
func (s *Store) inexact(l *Log) {
	if l.mu.inexact {
		return
	}
	l.mu.inexact = true
	s.settler.mu.Lock()
	s.settler.mu.inexact = append(s.settler.mu.inexact, l)
	s.settler.mu.Unlock()
	s.nudgeSettler()
}

func (s *Store) retire(r *run) {
	if r.file == 0 {
		return
	}
	s.settler.mu.Lock()
	defer s.settler.mu.Unlock()
	s.settler.mu.retired = append(s.settler.mu.retired, r)
}

// settlePause is the least time between two rounds that only tidy up.
const settlePause = 100 * time.Millisecond

// settle is the settler's goroutine.
func (s *Store) settle() {
	defer s.work.Done()
	t := &s.settler
	for {
		select {
		case <-s.stop:
			return
		case <-t.kick:
		}
		began := time.Now()
		if err := s.settleRound(); err != nil && !errors.Is(err, errStopped) {
			s.fail(err)
		}
		if s.Err() != nil {
			s.checkFull() // wakes who waits in Begin
			continue
		}
		// Tidying may be asked for all the time: it gets a share of the time only.
		if !s.wantsRoom() {
			s.pauseSettler(max(settlePause, 10*time.Since(began)))
		}
	}
}

// pauseSettler lets time pass, unless the journal needs room.
func (s *Store) pauseSettler(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-timer.C:
			return
		case <-s.settler.kick:
			defer s.nudgeSettler()
			if s.wantsRoom() {
				return
			}
		}
	}
}

// wantsRoom reports whether the journal holds so much that it should be emptied.
func (s *Store) wantsRoom() bool { return s.journal.pending() > s.o.JournalBytes/2 }

func (s *Store) settleRound() error {
	t := &s.settler
	t.work.Lock()
	defer t.work.Unlock()
	if s.Err() != nil {
		return errStopped
	}
	for s.wantsRoom() {
		cut := s.journal.oldest()
		if cut == 0 || cut > s.Applied() {
			break
		}
		if err := s.checkpoint(cut); err != nil {
			return err
		}
	}
	t.mu.Lock()
	space := t.mu.space || len(t.mu.drops) > 0
	inexact := t.mu.inexact
	t.mu.inexact = nil
	t.mu.Unlock()
	for _, l := range inexact {
		if err := s.measure(l); err != nil {
			return err
		}
	}
	if space {
		return s.checkpoint(s.checkpointed)
	}
	return nil
}

// Checkpoint settles and checkpoints now, so that the next Open has little to
// replay. Close checkpoints too, then releases everything.
func (s *Store) Checkpoint() error {
	s.settler.mu.Lock()
	s.settler.mu.waiting++
	s.settler.mu.Unlock()
	s.settler.work.Lock()
	defer s.settler.work.Unlock()
	s.settler.mu.Lock()
	s.settler.mu.waiting--
	s.settler.mu.Unlock()
	if err := s.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return ErrClosed
	}
	return s.checkpointAll()
}

// checkpointAll settles all that is visible, a journal file at a time: that bounds
// the memory it takes. Requires: settler.work is held.
func (s *Store) checkpointAll() error {
	at := s.Applied()
	for {
		cut := s.journal.oldest()
		if cut == 0 || cut > at {
			cut = at
		}
		if err := s.checkpoint(cut); err != nil {
			s.fail(err)
			return s.Err()
		}
		if cut == at {
			return nil
		}
	}
}

// checkpoint settles what frames up to cut hold, has the owner write its state,
// makes the index durable and releases those frames.
//
// Requires: settler.work is held, cut is visible.
func (s *Store) checkpoint(cut Position) error {
	t := &s.settler
	t.mu.Lock()
	t.mu.space = false
	t.mu.Unlock()
	p := &settling{s: s, cut: cut, frames: map[*block]*loaded{}, evict: map[uint64]bool{}, pace: &pace{stop: s.stop, hurry: s.hurry}}
	if err := p.run(); err != nil {
		return err
	}
	if s.sm != nil && cut > s.checkpointed {
		if err := s.checkpointOwner(cut); err != nil {
			return err
		}
	}
	t.mu.Lock()
	drops := t.mu.drops
	t.mu.drops = nil
	t.mu.Unlock()
	b := s.index.db.NewBatch()
	defer b.Close()
	for _, l := range drops {
		l.unstore(s, b)
	}
	gone := s.forgetKept(b)
	set(b, []byte{keyCheckpoint}, s.checkpointRow(cut))
	if err := s.journal.sync(); err != nil {
		return err
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return err
	}
	if err := s.flushIndex(); err != nil {
		return err
	}
	s.checkpointed = cut
	s.countKept()
	t.mu.Lock()
	retired := t.mu.retired
	t.mu.retired = nil
	t.mu.Unlock()
	for _, r := range retired {
		s.segments.remove(r)
	}
	s.discard(gone)
	if err := s.journal.release(cut); err != nil {
		return err
	}
	s.checkFull()
	return nil
}

// flushIndex makes the index durable. Pebble tries again for ever what fails.
func (s *Store) flushIndex() error {
	done, err := s.index.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-done:
	case <-s.broken:
	}
	return s.Err()
}

// ownerBatch is how much of the owner's state goes to the index at once.
const ownerBatch = 1 << 20

func (s *Store) checkpointOwner(cut Position) error {
	b := s.index.db.NewBatch()
	var failed error
	// What the owner has decided may still be on its way to disk.
	write := func() error {
		defer b.Close()
		if err := s.barrier(); err != nil {
			return err
		}
		return b.Commit(pebble.NoSync)
	}
	// The owner may begin a transaction, to see its state whole: that must not wait
	// for the room which only this checkpoint can make.
	s.liftFull(true)
	defer s.liftFull(false)
	err := s.sm.Checkpoint(cut, func(key, value []byte) {
		if failed != nil {
			return
		}
		if value == nil {
			unsetUser(b, key)
		} else {
			setUser(b, key, value)
		}
		if b.Len() > ownerBatch {
			failed = write()
			b = s.index.db.NewBatch()
		}
	})
	if err = errors.Join(err, failed); err != nil {
		b.Close()
		return err
	}
	return write()
}

func (s *Store) checkpointRow(cut Position) []byte {
	q := &s.seq
	q.Lock()
	next, reserved, now := q.nextLog, q.reservedLogs, q.now
	q.Unlock()
	row := []byte{rowVersion}
	for _, v := range []uint64{uint64(cut), uint64(next), uint64(reserved)} {
		row = binary.AppendUvarint(row, v)
	}
	return binary.LittleEndian.AppendUint64(row, uint64(now))
}

// unstore removes what the index knows of a dropped Log.
func (l *Log) unstore(s *Store, b *pebble.Batch) {
	l.mu.Lock()
	m := &l.mu
	runs := m.runs
	m.runs = nil
	if m.stored {
		b.Delete(logKey(keyLog, l.id), nil)
		for _, no := range l.punch().gone {
			b.Delete(logKey2(keyHoles, l.id, no), nil)
		}
		for i := range m.holes.pages {
			if m.holes.pages[i].stored {
				b.Delete(logKey2(keyHoles, l.id, m.holes.pages[i].no), nil)
			}
		}
	}
	m.holes = nil
	l.mu.Unlock()
	for _, r := range runs {
		b.Delete(logKey2(keyRun, l.id, int64(r.from)), nil)
		if r.file == 0 {
			b.Delete(logKey2(keyChunk, l.id, int64(r.from)), nil)
		}
		s.segments.forget(r)
		s.refer(r, -1)
		s.retire(r)
	}
}

// hurry reports whether settling should go as fast as it can.
func (s *Store) hurry() bool {
	s.settler.mu.Lock()
	waiting := s.settler.mu.waiting > 0
	s.settler.mu.Unlock()
	return waiting || s.closed.Load() || s.behind()
}

// behind reports whether settling does not keep up.
func (s *Store) behind() bool { return s.journal.pending() > s.o.JournalBytes*3/4 }

// barrier waits until every transaction committed so far is on disk.
func (s *Store) barrier() error {
	q := &s.seq
	q.Lock()
	pos := q.pos
	if q.cur.durable() {
		pos++
	}
	q.Unlock()
	s.shown.Lock()
	for s.Applied() < pos && s.Err() == nil {
		s.shown.wait.Wait()
	}
	s.shown.Unlock()
	if err := s.Err(); err != nil {
		return err
	}
	return s.journal.sync()
}

// checkFull makes Begin wait, or not: it does while the journal holds too much of
// which something can be settled.
func (s *Store) checkFull() {
	q := &s.seq
	q.Lock()
	defer q.Unlock()
	q.full = s.Err() == nil && s.journal.pending() > s.o.JournalBytes && s.journal.oldest() != 0
	if !q.full {
		q.room.Broadcast()
	}
}

func (s *Store) liftFull(lift bool) {
	q := &s.seq
	q.Lock()
	defer q.Unlock()
	q.lifted = lift
	q.room.Broadcast()
}

// measure looks up how many bytes are live in runs that had to be estimated.
func (s *Store) measure(l *Log) error {
	l.mu.Lock()
	l.mu.inexact = false
	runs := slices.Clone(l.mu.runs)
	gone := l.mu.gone
	l.mu.Unlock()
	for _, r := range runs {
		l.mu.Lock()
		exact := r.exact
		l.mu.Unlock()
		if exact || gone {
			continue
		}
		o, err := s.segments.acquire(l.id, r)
		if err != nil {
			if IsCorrupt(err) || !l.holds(r) {
				continue // readers report it
			}
			return err
		}
		var sizes []size
		for i := 0; i < len(o.index) && err == nil; i++ {
			var es []stored
			if es, err = o.envelopes(i, nil); err == nil {
				for k := range es {
					sizes = append(sizes, size{es[k].Offset, es[k].Count, uint32(es[k].payload())})
				}
			}
		}
		o.release()
		if err != nil {
			// What is damaged may be dead: then no reader will ever say so.
			s.o.Log.Error("storage: a segment is damaged", "log", uint64(l.id), "err", corrupt(s.segments.where(l.id, r), err))
			continue
		}
		l.mu.Lock()
		if slices.Contains(l.mu.runs, r) {
			l.mu.bytes -= r.bytes
			l.countLocked(fresh{r, sizes})
			l.mu.bytes += r.bytes
			r.exact, r.dirty, l.mu.dirty = true, true, true
		}
		l.mu.Unlock()
	}
	return nil
}

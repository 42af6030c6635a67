package storage

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

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

// rebuild replays the journal into Logs and index.
func (s *Store) rebuild() error {
	indexed, err := s.index.position()
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	s.from = 1
	last, err := s.journal.replay(s.from, func(pos Position, p place, frame []byte) error {
		return s.reapply(pos, p, frame, pos > indexed)
	})
	if err != nil {
		return fmt.Errorf("storage: replay journal: %w", err)
	}
	// The index may be ahead only if the operating system lost what it was to sync.
	last = max(last, indexed)
	s.seq.pos = last
	s.applied.Store(uint64(last))
	for _, l := range s.logs.byID {
		l.recovered()
	}
	return nil
}

// recovered ends the replay of a Log: everything is visible.
func (l *Log) recovered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(l.seq.reserved)
	l.seq.next, l.seq.reserved = l.mu.next, l.mu.next
	l.end.Store(int64(l.mu.next))
}

// reapply takes in one frame, its index writes only if the index lacks them.
func (s *Store) reapply(pos Position, p place, frame []byte, indexLacks bool) error {
	q := &s.seq
	blk := &block{pos: pos, place: p}
	var batch *pebble.Batch
	r := reader{b: frame, at: frameHeader}
	var o op
	for at := r.at; r.next(&o); at = r.at {
		var l *Log
		if o.kind != opCreate && o.log != 0 {
			l = s.logs.byID[o.log]
		}
		switch o.kind {
		case opAppend, opAppendRef:
			e := &o.entry
			q.now = max(q.now, e.Time)
			if l == nil || e.Offset < l.mu.next {
				continue
			}
			blk.maxTime = max(blk.maxTime, e.Time)
			l.appended(item{
				offset: e.Offset, blk: blk, at: uint32(at), count: e.Count,
				bytes: uint32(len(e.Key) + len(e.ID) + len(e.Data)),
			})
		case opDelete:
			if l != nil {
				l.mu.Lock()
				l.advanceLocked(o.to)
				l.mu.Unlock()
				l.delete(o.from, o.to)
			}
		case opCreate:
			if s.logs.byID[o.log] == nil {
				s.logs.byID[o.log] = newLog(s, o.log, o.from)
			}
			q.nextLog = max(q.nextLog, o.log+1)
		case opDrop:
			if l != nil {
				l.seq.dropped = true
				s.forget(l)
			}
		case opOffsets:
			if l != nil {
				l.seq.reserved = max(l.seq.reserved, o.from)
			}
		case opLogs:
			q.nextLog = max(q.nextLog, LogID(o.id))
			q.reservedLogs = max(q.reservedLogs, LogID(o.id))
		case opSet, opUnset, opUnsetRange:
			if !indexLacks {
				continue
			}
			if batch == nil {
				batch = s.index.db.NewBatch()
			}
			switch o.kind {
			case opSet:
				setUser(batch, o.key, o.val)
			case opUnset:
				unsetUser(batch, o.key)
			default:
				unsetUserRange(batch, o.key, o.val)
			}
		}
	}
	if r.err != nil {
		return &CorruptError{Where: fmt.Sprintf("%s at %d", p.file.name, p.off), Why: r.err.Error()}
	}
	if batch != nil {
		defer batch.Close()
		return s.index.commit(batch, pos)
	}
	return nil
}

// Recover replays to sm what its checkpoints lack, and opens the store for
// transactions.
func (s *Store) Recover(sm StateMachine) error {
	if sm != nil {
		_, err := s.journal.replay(s.from, func(pos Position, _ place, frame []byte) error {
			r := reader{b: frame, at: frameHeader}
			var o op
			for r.next(&o) {
				switch o.kind {
				case opAppend, opAppendRef:
					if s.logs.byID[o.log] != nil {
						e := o.entry
						sm.ReplayAppend(pos, o.log, &e)
					}
				case opDelete:
					if s.logs.byID[o.log] != nil {
						sm.ReplayDelete(pos, o.log, o.from, o.to)
					}
				case opNote:
					sm.ReplayNote(pos, o.id, o.val)
				}
			}
			return r.err
		})
		if err != nil {
			return fmt.Errorf("storage: replay journal: %w", err)
		}
	}
	q := &s.seq
	q.Lock()
	defer q.Unlock()
	if q.recovered || q.closing {
		return ErrClosed
	}
	q.recovered = true
	q.cycles++
	q.instant = &cycle{num: q.cycles}
	s.gather(&cycle{})
	s.work.Add(2)
	go s.writer()
	go s.completer()
	return nil
}

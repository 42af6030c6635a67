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
	// one; a nil value removes the key. A value must reflect all up to at. It may
	// reflect more, even what is decided and not yet durable: the store waits for that
	// before it keeps the value. Then it will see the excess again on replay. It
	// runs on the checkpointer's goroutine, concurrently with transactions, and may
	// Begin one.
	Checkpoint(at Position, set func(key, value []byte)) error
}

// rebuild replays the journal into Logs and index. files are the numbers of the segments'
// files.
func (s *Store) rebuild(files map[uint64]bool) error {
	indexed, err := s.index.position()
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	last, err := s.journal.replay(s.checkpointed+1, false, func(pos Position, p place, frame []byte) error {
		return s.reapply(pos, p, frame, pos > indexed)
	})
	if err != nil {
		return fmt.Errorf("storage: replay journal: %w", err)
	}
	if s.checkpointed == 0 && s.journal.begins() > 1 {
		// An empty index beside a journal that has begun long ago: going on would
		// lose all that has settled.
		return &CorruptError{Where: s.o.FS.PathJoin(s.o.Dir, "index"), Why: "it is missing; restore the directory from a copy"}
	}
	if err := s.segments.sweep(files); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if indexed > last {
		// The index is given what is in the journal only.
		s.o.Log.Error("storage: journal is damaged: frames are lost", "first", uint64(last+1), "count", uint64(indexed-last))
	}
	last = max(last, indexed, s.checkpointed)
	s.seq.pos = last
	s.applied.Store(uint64(last))
	for _, l := range s.logs.byID {
		l.recovered()
	}
	return nil
}

// loadRows loads what the index knows of Logs, and returns the numbers of their files.
func (s *Store) loadRows() (files map[uint64]bool, err error) {
	row, err := s.index.get([]byte{keyCheckpoint})
	if err != nil {
		return nil, err
	}
	q := &s.seq
	if row != nil {
		r := rowReader(nil, row)
		s.checkpointed, q.nextLog, q.reservedLogs = Position(r.uv()), LogID(r.uv()), LogID(r.uv())
		q.now = int64(r.u64())
		if r.err != nil {
			return nil, corruptRow([]byte{keyCheckpoint}, r.err)
		}
	}
	// A row that cannot be read costs what it says, not the start.
	note := func(err error) {
		s.o.Log.Error("storage: index is damaged", "err", err)
	}
	err = s.index.scan([]byte{keyLog}, func(k, v []byte) bool {
		if l, err := parseLog(s, k, v); err != nil {
			note(err)
		} else {
			s.logs.byID[l.id] = l
			q.nextLog = max(q.nextLog, l.id+1)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	err = s.index.scan([]byte{keyHoles}, func(k, v []byte) bool {
		if id, p, err := parsePage(k, v); err != nil {
			note(err)
		} else if l := s.logs.byID[id]; l != nil {
			l.punch().load(p)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	err = s.index.scan([]byte{keyKept}, func(k, v []byte) bool {
		if f, err := parseKept(k, v); err != nil {
			note(err)
		} else {
			s.kept[f.num] = f
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	files = map[uint64]bool{}
	s.segments.next.Store(1)
	err = s.index.scan([]byte{keyRun}, func(k, v []byte) bool {
		id, r, err := parseRun(k, v)
		if err != nil {
			note(err)
			return true
		}
		if r.file != 0 {
			files[r.file] = true
			s.segments.next.Store(max(s.segments.next.Load(), r.file+1))
		}
		s.refer(r, 1)
		if l := s.logs.byID[id]; l != nil {
			l.mu.runs = append(l.mu.runs, r)
			l.mu.bytes += r.bytes
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, l := range s.logs.byID {
		m := &l.mu
		// Entries from settled on are replayed, also those that are known to be gone.
		m.next = m.settled
		for _, r := range m.runs {
			if !r.exact {
				s.inexact(l)
			}
		}
	}
	return files, nil
}

// recovered ends the replay of a Log: everything is visible.
func (l *Log) recovered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	l.advanceLocked(max(m.reserved, m.start))
	if start := m.holes.next(m.start, false, m.next); start > m.start {
		m.start, m.dirty = start, true
	}
	m.holes.trim(m.start)
	m.reserved = m.next
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
			}, e.Time)
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
				l.mu.reserved = max(l.mu.reserved, o.from)
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
	s.sm = sm
	if sm != nil {
		_, err := s.journal.replay(s.checkpointed+1, true, func(pos Position, _ place, frame []byte) error {
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
	look := s.checkDisk()
	q.Lock()
	defer q.Unlock()
	if q.recovered || q.closing {
		return ErrClosed
	}
	q.recovered = true
	q.cycles++
	q.instant, s.instant = &cycle{num: q.cycles}, &cycle{}
	s.gather(&cycle{})
	s.index.compactions.begin()
	drops := len(s.settler.mu.drops) > 0
	s.work.Add(5)
	go s.writer()
	go s.completer()
	go s.settle()
	go s.removeFiles()
	go s.watchDisk(look)
	if s.journal.pending() > s.o.JournalBytes/2 || drops {
		s.nudgeSettler()
	}
	return nil
}

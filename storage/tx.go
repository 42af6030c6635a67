package storage

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

// Tx is one atomic unit of changes: after a crash all of it is there, or none.
//
// A Tx holds the sequencer lock from Begin to Commit. In between, nothing may
// block, do I/O or call out; decide first, then write: there is no rollback.
// The buffers given to its methods may be reused as soon as they return.
type Tx struct {
	s       *Store
	open    bool
	refused error
	num     uint64
	durable bool // something went into the journal
	logs    []*Log
	drops   []*Log
	thens   []Completion
	// The last Data appended, to the frame and to volatile memory.
	last, lastVolatile sharedData
}

// sharedData remembers where bytes were put that may be appended again.
type sharedData struct {
	data *byte
	len  int
	at   int // in the block; 0 = none
	blk  *block
}

// Completion hears that a Tx is durable (err == nil) or lost for good.
// Completions run one at a time, on one of the journal's goroutines, in the order of their
// transactions, after the effects of their cycle became visible. They must not
// block and must not call Begin.
type Completion interface{ Durable(err error) }

// Begin takes the sequencer lock and starts a transaction. Every Begin must be
// followed by Commit on the same goroutine.
//
// Begin waits while more is gathered than the disk takes, or while the journal
// is full and settling has to catch up.
func (s *Store) Begin() *Tx {
	q := &s.seq
	q.Lock()
	t := &q.tx
	t.refused = nil
	for {
		if q.closing {
			t.refused = ErrClosed
			break
		}
		if t.refused = s.Err(); t.refused != nil {
			break
		}
		if !q.recovered {
			q.Unlock()
			panic("storage: Begin before Recover")
		}
		if len(q.cur.buf) < maxGathered && (!q.full || q.lifted) {
			break
		}
		q.room.Wait()
	}
	t.open = true
	t.num++
	t.durable = false
	t.last, t.lastVolatile = sharedData{}, sharedData{}
	q.now = max(q.now, s.o.Now())
	return t
}

// maxGathered is how much is gathered for one frame before Begin waits.
const maxGathered = 16 << 20

func (t *Tx) check() {
	if !t.open {
		panic("storage: Tx used outside Begin and Commit")
	}
}

// Now is the transaction's time in unix nanoseconds. It never goes back from
// one transaction to the next.
func (t *Tx) Now() int64 { return t.s.seq.now }

func (t *Tx) touch(l *Log) {
	if l.seq.tx != t.num {
		l.seq.tx = t.num
		t.logs = append(t.logs, l)
	}
}

// Append puts e at the end of l, sets e.Offset (and e.Time if it is 0), and
// returns the offset. Appending the very same Data slice again within one Tx,
// to another Log, stores the bytes once. Data is copied.
func (t *Tx) Append(l *Log, e *Entry) Offset {
	t.check()
	e.Count = max(e.Count, 1)
	if e.Time == 0 {
		e.Time = t.s.seq.now
	}
	e.Offset = l.mu.next
	if t.refused != nil || l.seq.dropped {
		return e.Offset
	}
	i := item{offset: e.Offset, count: e.Count, bytes: uint32(len(e.Key) + len(e.ID) + len(e.Data))}
	if l.seq.volatile || e.Volatile {
		t.appendVolatile(l, e, &i)
	} else {
		c := t.s.seq.cur
		t.durable = true
		i.blk, i.at = c.blk, uint32(len(c.buf))
		c.blk.maxTime = max(c.blk.maxTime, e.Time)
		c.buf = t.s.cache.free.Grow(c.buf, maxEnvelope+int(i.bytes)+blockSize)
		c.buf = t.last.append(c.buf, c.blk, l.id, e)
	}
	l.appended(i, e.Time)
	t.touch(l)
	return e.Offset
}

// append encodes e at the end of b.
func (d *sharedData) append(b []byte, blk *block, id LogID, e *Entry) []byte {
	ref := d.blk == blk && d.len == len(e.Data) && d.len > 0 && d.data == unsafe.SliceData(e.Data) &&
		bytes.Equal(b[d.at:d.at+d.len], e.Data)
	if ref {
		b = append(b, opAppendRef)
	} else {
		b = append(b, opAppend)
	}
	b = binary.AppendUvarint(b, uint64(id))
	b = binary.AppendUvarint(b, uint64(e.Offset))
	b = appendEnvelope(b, e)
	b = binary.AppendUvarint(b, uint64(len(e.Data)))
	if ref {
		return binary.AppendUvarint(b, uint64(d.at))
	}
	at := len(b)
	b = append(b, e.Data...)
	*d = sharedData{data: unsafe.SliceData(e.Data), len: len(e.Data), at: at, blk: blk}
	return b
}

// maxEnvelope bounds what an append takes besides its Key, ID and Data.
const maxEnvelope = 96

// appendVolatile encodes e into memory that the journal does not write.
func (t *Tx) appendVolatile(l *Log, e *Entry, i *item) {
	q := &t.s.seq
	v := &q.volatile
	need := maxEnvelope + int(i.bytes)
	if v.blk == nil || cap(v.buf)-len(v.buf) < need {
		if v.blk != nil {
			t.s.cache.release(v.blk)
		}
		// The first bytes stay unused, as in a frame.
		v.buf = t.s.cache.free.Take(max(volatileChunk, frameHeader+need))[:frameHeader]
		v.blk = &block{volatile: true}
		v.blk.live.Store(1)
		v.blk.put(&held{b: v.buf[:cap(v.buf)]})
	}
	i.blk, i.at = v.blk, uint32(len(v.buf))
	v.buf = t.lastVolatile.append(v.buf, v.blk, l.id, e)
	if l.seq.volatile {
		return
	}
	if upTo := l.reserve(e.Next()); upTo != NoOffset {
		t.op(opOffsets, uint64(l.id), uint64(upTo))
	}
}

// reserveOffsets is how many offsets one journal operation sets aside for volatile
// entries: after a restart they are not given to others.
const reserveOffsets = 4096

// reserve makes sure that the offsets below next are set aside; if it had to set aside
// more, it returns up to where.
func (l *Log) reserve(next Offset) Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.mu
	if next <= m.reserved {
		return NoOffset
	}
	m.reserved, m.dirty = next+l.s.o.reserveOffsets, true
	return m.reserved
}

// op writes an operation whose fields are numbers.
func (t *Tx) op(kind byte, fields ...uint64) {
	c := t.s.seq.cur
	t.durable = true
	c.buf = append(c.buf, kind)
	for _, v := range fields {
		c.buf = binary.AppendUvarint(c.buf, v)
	}
}

// Delete removes the messages at from <= offset < to. Offsets that are gone
// already are no error. Deleting a prefix moves the Log's start.
func (t *Tx) Delete(l *Log, from, to Offset) {
	t.check()
	from, to = max(from, 0), min(to, l.mu.next)
	if t.refused != nil || l.seq.dropped || from >= to {
		return
	}
	if l.delete(from, to) && !l.seq.volatile {
		t.op(opDelete, uint64(l.id), uint64(from), uint64(to))
	}
	t.touch(l)
}

// CreateLog makes a new empty Log. first is the offset of its first message.
func (t *Tx) CreateLog(o LogOptions) *Log {
	t.check()
	q := &t.s.seq
	l := newLog(t.s, q.nextLog, o.First)
	l.seq.volatile = o.Volatile
	if t.refused != nil {
		l.seq.dropped = true
		return l
	}
	q.nextLog++
	if !o.Volatile {
		t.op(opCreate, uint64(l.id), uint64(o.First))
	} else if q.nextLog > q.reservedLogs {
		q.reservedLogs = q.nextLog + reserveLogs
		t.op(opLogs, uint64(q.reservedLogs))
	}
	t.s.remember(l)
	t.touch(l)
	return l
}

// reserveLogs is how many ids one journal operation sets aside for volatile Logs.
const reserveLogs = 1024

// DropLog removes a Log and all it holds.
func (t *Tx) DropLog(l *Log) {
	t.check()
	if t.refused != nil || l.seq.dropped {
		return
	}
	l.seq.dropped = true
	if !l.seq.volatile {
		t.op(opDrop, uint64(l.id))
	}
	t.drops = append(t.drops, l)
	t.touch(l)
}

// Set stores a key of the index; Unset removes one; UnsetRange removes
// from <= key < to. Readers see them when the Tx is durable.
func (t *Tx) Set(key, value []byte) {
	if c := t.indexOp(opSet); c != nil {
		c.buf = appendBytes(appendBytes(c.buf, key), value)
		setUser(c.batch, key, value)
	}
}

func (t *Tx) Unset(key []byte) {
	if c := t.indexOp(opUnset); c != nil {
		c.buf = appendBytes(c.buf, key)
		unsetUser(c.batch, key)
	}
}

func (t *Tx) UnsetRange(from, to []byte) {
	if bytes.Compare(from, to) >= 0 {
		return
	}
	if c := t.indexOp(opUnsetRange); c != nil {
		c.buf = appendBytes(appendBytes(c.buf, from), to)
		unsetUserRange(c.batch, from, to)
	}
}

func (t *Tx) indexOp(kind byte) *cycle {
	t.check()
	if t.refused != nil {
		return nil
	}
	c := t.s.seq.cur
	t.durable = true
	c.buf = append(c.buf, kind)
	if c.batch == nil {
		c.batch = t.s.index.db.NewBatch()
	}
	return c
}

// Note records a change of state that is not stored in a Log nor in the index:
// on recovery StateMachine.ReplayNote gets it again, if it is newer than the
// last checkpoint. owner is an id that the caller never reuses.
func (t *Tx) Note(owner uint64, data []byte) {
	t.check()
	if t.refused != nil {
		return
	}
	t.op(opNote, owner)
	c := t.s.seq.cur
	c.buf = appendBytes(c.buf, data)
}

// Then registers c to hear the transaction's fate. It may be called repeatedly.
func (t *Tx) Then(c Completion) {
	t.check()
	t.thens = append(t.thens, c)
}

// Commit ends the transaction and releases the sequencer lock. It does not
// wait for the disk. A Tx without anything to make durable completes at once,
// but still after all transactions before it whose Logs it touched.
// On a read-only store the Tx is refused: its Completions hear the reason.
func (t *Tx) Commit() {
	t.check()
	t.open = false
	s := t.s
	q := &s.seq
	if t.refused != nil && q.closing {
		// The journal's goroutine may be gone.
		thens, err := append([]Completion(nil), t.thens...), t.refused
		clear(t.thens)
		t.thens = t.thens[:0]
		q.Unlock()
		for _, c := range thens {
			c.Durable(err)
		}
		s.passed.call()
		return
	}
	c := q.cur
	if !t.durable && t.refused == nil && !t.behind() {
		c = q.instant
	}
	for _, l := range t.logs {
		if l.seq.cycle != c.num {
			l.seq.cycle, l.seq.touch = c.num, int32(len(c.logs))
			c.logs = append(c.logs, touch{log: l})
		}
		c.logs[l.seq.touch].end = l.mu.next
		if c == q.cur {
			l.seq.durable = c.num
		}
	}
	c.drops = append(c.drops, t.drops...)
	c.thens = append(c.thens, t.thens...)
	c.txs++
	clear(t.thens)
	clear(t.logs)
	clear(t.drops)
	t.thens, t.logs, t.drops = t.thens[:0], t.logs[:0], t.drops[:0]
	wake := c == q.cur && q.writerIdle
	if wake {
		q.writerIdle = false
		q.wake.Signal()
	}
	nudge := c == q.instant && c.txs == 1
	q.Unlock()
	if nudge {
		s.done.nudge()
	}
}

// behind reports whether a Log of the transaction has something on its way to
// disk, which must become visible first.
//
// If not, the transaction completes at once: with the completer's next pass, which
// takes the cycles that are done first and the instant transactions after that, and
// then completes in the opposite order. So an instant transaction completes after
// all cycles that were complete when it committed, and before all later ones.
func (t *Tx) behind() bool {
	done := t.s.doneCycle.Load()
	for _, l := range t.logs {
		if l.seq.durable > done {
			return true
		}
	}
	return false
}

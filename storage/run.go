package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// run is a segment as its Log knows it: all that is kept in memory while it is
// not read.
type run struct {
	from, to Offset // of the first entry, after the last one
	file     uint64 // number of its file; 0 = in the index
	size     int64  // of the segment
	entries  int64
	payload  int64 // sum of Key, ID and Data lengths of its entries
	each     int64 // payload of each of its messages, 0 = not all equal, or volatile ones lie between
	maxTime  int64
	refs     []dataRef // kept files with Data of its entries

	// Guarded by Log.mu:
	bytes int64 // payload of live entries, an estimate unless exact
	exact bool
	dirty bool // bytes or exact changed since the index has them

	// Guarded by segments.mu:
	gone   bool  // forgotten: nobody opens it any more
	doomed bool  // its file goes with its last user
	users  int32 // who has it open
}

// dataRef says how much of a run's payload is in a kept file.
type dataRef struct {
	file    uint64
	payload int64
}

// cost is about how many bytes writing the run again takes.
func (r *run) cost() int64 {
	if len(r.refs) > 0 {
		return r.size
	}
	return max(r.bytes, 1)
}

// The index keeps, log and offset as big-endian u64 so that keys sort:
//
//	'l' log         a Log: u8 version, start uv, settled uv, reserved uv, time of the last
//	                entry u64, then ranges that are gone after a restart: from uv, length
//	                uv. Entries below settled are in segments or gone; later ones are in
//	                the journal.
//	'h' log page    holes: a bitmap of 4096 offsets, empty if all are holes
//	'r' log from    a segment: u8 version, to uv, file uv, size uv, entries uv, payload uv,
//	                each uv, bytes uv, exact u8, maxTime u64, then for each kept file with Data
//	                of its entries: number uv, payload uv
//	'c' log from    a segment's bytes, if it is small
//	'd' number      a journal file that is kept: u8 version, last position uv, size uv
//	'n'             the checkpoint: u8 version, position uv, next log uv, reserved logs uv, now u64
const (
	keyLog        = 'l'
	keyHoles      = 'h'
	keyRun        = 'r'
	keyChunk      = 'c'
	keyKept       = 'd'
	keyCheckpoint = 'n'
	rowVersion    = 3
)

func logKey(kind byte, id LogID) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(id))
}

func logKey2(kind byte, id LogID, n int64) []byte {
	return binary.BigEndian.AppendUint64(logKey(kind, id), uint64(n))
}

func (r *run) row() []byte {
	b := []byte{rowVersion}
	for _, v := range []int64{int64(r.to), int64(r.file), r.size, r.entries, r.payload, r.each, r.bytes} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	var exact byte
	if r.exact {
		exact = 1
	}
	b = append(b, exact)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.maxTime))
	for _, d := range r.refs {
		b = binary.AppendUvarint(b, d.file)
		b = binary.AppendUvarint(b, uint64(d.payload))
	}
	return b
}

// rowReader checks the version of an index row.
func rowReader(key, value []byte) *reader {
	r := &reader{b: value}
	if v := r.u8(); v != rowVersion && r.err == nil {
		r.fail(fmt.Errorf("version %d is unknown", v))
	}
	return r
}

func corruptRow(key []byte, err error) error {
	return &CorruptError{Where: fmt.Sprintf("index key %x", key), Why: err.Error()}
}

func parseRun(key, value []byte) (LogID, *run, error) {
	if len(key) != 17 {
		return 0, nil, corruptRow(key, errShort)
	}
	r := rowReader(key, value)
	n := func() int64 { return int64(r.offset()) }
	x := &run{from: Offset(binary.BigEndian.Uint64(key[9:]))}
	x.to, x.file, x.size, x.entries = r.offset(), uint64(n()), n(), n()
	x.payload, x.each, x.bytes, x.exact = n(), n(), n(), r.u8() == 1
	x.maxTime = int64(r.u64())
	for r.err == nil && r.at < len(r.b) {
		x.refs = append(x.refs, dataRef{r.uv(), n()})
	}
	if r.err == nil && (x.from >= x.to || x.from < 0) {
		r.fail(errField)
	}
	if r.err != nil {
		return 0, nil, corruptRow(key, r.err)
	}
	return LogID(binary.BigEndian.Uint64(key[1:])), x, nil
}

func set(b *pebble.Batch, key, value []byte) { b.Set(key, value, nil) }

// storeLocked writes a Log's row and changed holes to b, and says what it wrote of it.
func (l *Log) storeLocked(b *pebble.Batch, settled Offset) {
	m := &l.mu
	row := []byte{rowVersion}
	row = binary.AppendUvarint(row, uint64(m.start))
	row = binary.AppendUvarint(row, uint64(settled))
	row = binary.AppendUvarint(row, uint64(m.reserved))
	row = binary.LittleEndian.AppendUint64(row, uint64(m.last))
	// Volatile entries among the settled ones are gone after a restart.
	var from, to Offset
	for it := range m.tail.all {
		if it.offset >= settled {
			break
		}
		if it.blk == nil || !it.blk.volatile {
			continue
		}
		if it.offset != to {
			row = appendRange(row, from, to)
			from = it.offset
		}
		to = it.next()
	}
	row = appendRange(row, from, to)
	set(b, logKey(keyLog, l.id), row)
	for _, r := range m.runs {
		if r.dirty {
			r.dirty = false
			set(b, logKey2(keyRun, l.id, int64(r.from)), r.row())
		}
	}
	if m.holes != nil {
		m.holes.store(b, l.id)
		if len(m.holes.pages) == 0 {
			m.holes = nil
		}
	}
	m.dirty = false
}

// store writes the pages that changed.
func (h *holes) store(b *pebble.Batch, log LogID) {
	for _, no := range h.gone {
		b.Delete(logKey2(keyHoles, log, no), nil)
	}
	h.gone = nil
	for i := range h.pages {
		p := &h.pages[i]
		if !p.dirty {
			continue
		}
		p.dirty, p.stored = false, true
		var v []byte
		if p.bits != nil {
			v = make([]byte, 0, pageOffsets/8)
			for _, w := range p.bits {
				v = binary.LittleEndian.AppendUint64(v, w)
			}
		}
		set(b, logKey2(keyHoles, log, p.no), v)
	}
}

func appendRange(b []byte, from, to Offset) []byte {
	if from >= to {
		return b
	}
	b = binary.AppendUvarint(b, uint64(from))
	return binary.AppendUvarint(b, uint64(to-from))
}

// parseLog makes a Log from its row.
func parseLog(s *Store, key, value []byte) (*Log, error) {
	if len(key) != 9 {
		return nil, corruptRow(key, errShort)
	}
	r := rowReader(key, value)
	l := newLog(s, LogID(binary.BigEndian.Uint64(key[1:])), r.offset())
	m := &l.mu
	m.settled, m.reserved, m.last = r.offset(), r.offset(), int64(r.u64())
	m.dirty, m.stored = false, true
	for r.err == nil && r.at < len(r.b) {
		from, n := r.offset(), r.offset()
		if from > m.settled || n > m.settled-from {
			r.fail(errField)
			break
		}
		l.punch().add(max(from, m.start), from+n)
	}
	if r.err != nil {
		return nil, corruptRow(key, r.err)
	}
	return l, nil
}

func parsePage(key, value []byte) (LogID, page, error) {
	if len(key) != 17 || len(value) != 0 && len(value) != pageOffsets/8 {
		return 0, page{}, corruptRow(key, errField)
	}
	p := page{no: int64(binary.BigEndian.Uint64(key[9:])), n: pageOffsets, stored: true}
	if len(value) > 0 {
		p.bits = new([pageWords]uint64)
		for w := range p.bits {
			p.bits[w] = binary.LittleEndian.Uint64(value[8*w:])
		}
		p.count()
	}
	return LogID(binary.BigEndian.Uint64(key[1:])), p, nil
}

package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
)

// A segment holds settled entries of one Log and is never changed. It is a file, or
// a value of the index if it is small. The entries of a block have their Data in the
// segment, or all in one journal file that is kept (see keep.go):
//
//	data      Data of entries, back to back in offset order
//	blocks    the entries' envelopes, some per block; for each entry:
//	            offset uv     minus the block's first
//	            envelope      see op.go
//	            length uv     of its Data
//	            crc u32       crc32c of its Data
//	            at uv         where its Data begins, if that is in a kept file
//	index     for each block:
//	            first u64     offset of its first entry
//	            data u64      where that entry's Data begins, if it is in the segment
//	            at u64        where the block begins
//	            length u32    of the block
//	            crc u32       crc32c of the block
//	            maxTime u64   the largest Time in it
//	            file u64      number of the kept file with the Data; 0 = the segment
//	footer    fixed size, at the end:
//	         0  magic u64     "TVSEGMNT"
//	         8  crc u32       crc32c of the index, then of the footer from 12 on
//	        12  version u32   2
//	        16  log u64
//	        24  first u64     offset of the first entry
//	        32  next u64      offset after the last entry
//	        40  entries u64
//	        48  data u64      length of the data
//	        56  blocks u64    how many
//	        64  payload u64   sum of the lengths of Key, ID and Data
//	        72  maxTime u64
//	        80  -  u64        0
const (
	segmentMagic   = 0x544e4d4745535654 // "TVSEGMNT"
	segmentVersion = 2
	footerSize     = 88
	indexEntrySize = 48
	// A block ends when it has so many bytes or entries: what is read to find one entry.
	maxBlockBytes   = 4 << 10
	maxBlockEntries = 128
)

type indexEntry struct {
	first    Offset
	data, at int64
	len, crc uint32
	maxTime  int64
	file     uint64
}

type footer struct {
	log         LogID
	first, next Offset
	entries     int64
	data        int64
	blocks      int64
	payload     int64
	maxTime     int64
}

// segmentBuilder writes a segment: Data goes out as it comes, the rest at the end.
type segmentBuilder struct {
	w      io.Writer
	f      footer
	index  []indexEntry
	full   [][]byte // blocks, in pieces of pieceBytes: all of them may be many megabytes
	blocks []byte   // the piece that is being filled
	before int64    // the length of all in full
	start  int      // of the current block in blocks
	count  int      // of its entries
}

// pieceBytes is where a piece of blocks in memory is full, once the block at its end is.
const pieceBytes = 64 << 10

// add takes in an entry. Its Data is written if it is not in a kept file.
func (b *segmentBuilder) add(e *stored) error {
	if b.count > 0 && b.index[len(b.index)-1].file != e.file {
		b.endBlock()
	}
	if b.count == 0 {
		b.start = len(b.blocks)
		b.index = append(b.index, indexEntry{first: e.Offset, data: b.f.data, maxTime: math.MinInt64, file: e.file})
		if b.f.entries == 0 {
			b.f.first, b.f.maxTime = e.Offset, math.MinInt64
		}
	}
	x := &b.index[len(b.index)-1]
	b.blocks = binary.AppendUvarint(b.blocks, uint64(e.Offset-x.first))
	b.blocks = appendEnvelope(b.blocks, &e.Entry)
	b.blocks = binary.AppendUvarint(b.blocks, uint64(e.len))
	b.blocks = binary.LittleEndian.AppendUint32(b.blocks, e.crc)
	if e.file != 0 {
		b.blocks = binary.AppendUvarint(b.blocks, uint64(e.at))
	} else {
		b.f.data += int64(e.len)
	}
	b.f.entries++
	b.f.next = e.Next()
	b.f.payload += int64(e.payload())
	x.maxTime = max(x.maxTime, e.Time)
	b.f.maxTime = max(b.f.maxTime, e.Time)
	b.count++
	if b.count == maxBlockEntries || len(b.blocks)-b.start >= maxBlockBytes {
		b.endBlock()
	}
	if e.file != 0 {
		return nil
	}
	_, err := b.w.Write(e.Data)
	return err
}

func (b *segmentBuilder) endBlock() {
	if b.count == 0 {
		return
	}
	x := &b.index[len(b.index)-1]
	x.at = b.before + int64(b.start) // from the beginning of the blocks; finish moves it
	x.len = uint32(len(b.blocks) - b.start)
	x.crc = checksum(b.blocks[b.start:])
	b.count = 0
	if len(b.blocks) >= pieceBytes {
		b.full = append(b.full, b.blocks)
		b.before += int64(len(b.blocks))
		b.blocks = make([]byte, 0, pieceBytes+2*maxBlockBytes)
	}
}

// size is what the segment takes if it ends now.
func (b *segmentBuilder) size() int64 {
	return b.f.data + b.before + int64(len(b.blocks)) + int64(len(b.index))*indexEntrySize + footerSize
}

func (b *segmentBuilder) finish() error {
	b.endBlock()
	for i, piece := range b.full {
		if _, err := b.w.Write(piece); err != nil {
			return err
		}
		b.full[i] = nil
	}
	le := binary.LittleEndian
	out := b.blocks
	indexAt := len(out)
	for _, x := range b.index {
		out = le.AppendUint64(out, uint64(x.first))
		out = le.AppendUint64(out, uint64(x.data))
		out = le.AppendUint64(out, uint64(x.at+b.f.data))
		out = le.AppendUint32(out, x.len)
		out = le.AppendUint32(out, x.crc)
		out = le.AppendUint64(out, uint64(x.maxTime))
		out = le.AppendUint64(out, x.file)
	}
	f := &b.f
	f.blocks = int64(len(b.index))
	footerAt := len(out)
	out = le.AppendUint64(out, segmentMagic)
	out = le.AppendUint32(out, 0)
	out = le.AppendUint32(out, segmentVersion)
	for _, v := range []int64{int64(f.log), int64(f.first), int64(f.next), f.entries, f.data, f.blocks, f.payload, f.maxTime, 0} {
		out = le.AppendUint64(out, uint64(v))
	}
	le.PutUint32(out[footerAt+8:], footerSum(out[indexAt:footerAt], out[footerAt:]))
	_, err := b.w.Write(out)
	return err
}

func footerSum(index, footer []byte) uint32 {
	return checksum2(checksum(index), footer[12:])
}

// segment is an opened one.
type segment struct {
	footer
	r     io.ReaderAt
	index []indexEntry
	kept  map[uint64]*keptReader // the kept files that it needs
}

var errSegment = errors.New("segment is not what was written")

// openSegment reads footer and index.
func openSegment(r io.ReaderAt, size int64) (*segment, error) {
	bad := func(why string) (*segment, error) { return nil, fmt.Errorf("%w: %s", errSegment, why) }
	if size < footerSize {
		return bad("too short")
	}
	var b [footerSize]byte
	if err := readFull(r, b[:], size-footerSize); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if le.Uint64(b[:]) != segmentMagic || le.Uint32(b[12:]) != segmentVersion {
		return bad("no footer")
	}
	v := func(i int) int64 { return int64(le.Uint64(b[16+8*i:])) }
	s := &segment{r: r, footer: footer{
		log: LogID(v(0)), first: Offset(v(1)), next: Offset(v(2)), entries: v(3),
		data: v(4), blocks: v(5), payload: v(6), maxTime: v(7),
	}}
	if s.blocks < 0 || s.blocks > (size-footerSize)/indexEntrySize {
		return bad("index does not fit")
	}
	raw := make([]byte, s.blocks*indexEntrySize)
	indexAt := size - footerSize - int64(len(raw))
	if s.data < 0 || s.data > indexAt {
		return bad("data does not fit")
	}
	if err := readFull(r, raw, indexAt); err != nil {
		return nil, err
	}
	if footerSum(raw, b[:]) != le.Uint32(b[8:]) {
		return bad("footer or index does not match its checksum")
	}
	s.index = make([]indexEntry, s.blocks)
	for i := range s.index {
		e := raw[i*indexEntrySize:]
		s.index[i] = indexEntry{
			first: Offset(le.Uint64(e)), data: int64(le.Uint64(e[8:])), at: int64(le.Uint64(e[16:])),
			len: le.Uint32(e[24:]), crc: le.Uint32(e[28:]), maxTime: int64(le.Uint64(e[32:])),
			file: le.Uint64(e[40:]),
		}
		x := &s.index[i]
		if x.at < 0 || x.at > indexAt-int64(x.len) || x.data < 0 || x.data > s.data {
			return bad("block out of range")
		}
	}
	return s, nil
}

func readFull(r io.ReaderAt, b []byte, at int64) error {
	if n, err := r.ReadAt(b, at); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: too short", errSegment)
		}
		return err
	}
	return nil
}

// block returns the index of the block that may hold o: the last one that begins at or before it.
func (s *segment) block(o Offset) int {
	return max(0, sort.Search(len(s.index), func(i int) bool { return s.index[i].first > o })-1)
}

// stored is an entry, perhaps without its Data, and where that is.
type stored struct {
	Entry
	file uint64 // kept file; 0 = the segment
	at   int64
	len  int
	crc  uint32
}

// payload is the sum of the lengths of Key, ID and Data.
func (e *stored) payload() int { return len(e.Key) + len(e.ID) + e.len }

// envelopes appends the entries of block i to dst, without their Data.
func (s *segment) envelopes(i int, dst []stored) ([]stored, error) {
	x := &s.index[i]
	b := make([]byte, x.len)
	if err := readFull(s.r, b, x.at); err != nil {
		return dst, err
	}
	if checksum(b) != x.crc {
		return dst, fmt.Errorf("%w: block %d does not match its checksum", errSegment, i)
	}
	r := reader{b: b}
	at := x.data
	for r.at < len(b) {
		var e stored
		e.Offset = x.first + r.offset()
		r.envelope(&e.Entry)
		n := r.uv()
		e.crc, e.file = r.u32(), x.file
		if e.file != 0 {
			at = int64(r.offset())
			if n > math.MaxInt32 || at > math.MaxInt64-math.MaxInt32 {
				r.fail(errField)
			}
		} else if n > uint64(s.data) || at > s.data-int64(n) {
			r.fail(errField)
		}
		if r.err == nil && e.Offset < x.first {
			r.fail(errField)
		}
		if r.err != nil {
			return dst, fmt.Errorf("%w: block %d: %w", errSegment, i, r.err)
		}
		e.at, e.len = at, int(n)
		at += int64(n)
		dst = append(dst, e)
	}
	return dst, nil
}

// maxGap is how much that is not wanted is read along rather than read around: it is in the same
// pages, about.
const maxGap = 4 << 10

// stretch returns how many of es, which are in order, are read at once, and where their Data ends.
func stretch(es []stored) (n int, end int64) {
	n, end = 1, es[0].at+int64(es[0].len)
	for n < len(es) && es[n].file == es[0].file && es[n].at >= end && es[n].at-end <= maxGap {
		end = es[n].at + int64(es[n].len)
		n++
	}
	return n, end
}

// prefetch has the system read the Data of entries in kept files that is not in one place: all at once
// instead of one after the other, which is ten times faster if it is on disk only.
func (s *segment) prefetch(es []stored) {
	for all := len(es); len(es) > 0; {
		n, end := stretch(es)
		if n == all {
			return
		}
		if k := s.kept[es[0].file]; k != nil && k.file != nil {
			k.file.Prefetch(es[0].at, end-es[0].at) // or else it is read later
		}
		es = es[n:]
	}
}

// load reads the Data of entries, which are in order. It returns how many it
// could: fewer than all only with an error about the one after.
func (s *segment) load(es []stored) (int, error) {
	s.prefetch(es)
	for i := 0; i < len(es); {
		n, end := stretch(es[i:])
		j := i + n
		r, size, err := s.source(es[i].file)
		if err != nil {
			return i, err
		}
		if end > size {
			return i, fmt.Errorf("%w: too short", errSegment)
		}
		b := make([]byte, end-es[i].at)
		if err := readFull(r, b, es[i].at); err != nil {
			return i, err
		}
		for base := es[i].at; i < j; i++ {
			e := &es[i]
			e.Data = b[e.at-base:][:e.len:e.len]
			if checksum(e.Data) != e.crc {
				return i, fmt.Errorf("%w: data of offset %d does not match its checksum", errSegment, e.Offset)
			}
		}
	}
	return len(es), nil
}

// source is where Data is, and its size.
func (s *segment) source(file uint64) (io.ReaderAt, int64, error) {
	if file == 0 {
		return s.r, s.data, nil
	}
	k := s.kept[file]
	if k == nil || k.file == nil {
		return nil, 0, fmt.Errorf("%w: journal file %d, where its data is, is missing", errSegment, file)
	}
	return k, k.size, nil
}

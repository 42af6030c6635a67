package wire

import "encoding/binary"

// Record is one record of a batch. Its bytes refer to the batch, or to what was
// inflated from it.
//
//	varint length | int8 attributes | varlong timestamp delta | varint offset delta
//	varint key length | key | varint value length | value
//	varint number of headers | headers: varint length, key, varint length, value
type Record struct {
	OffsetDelta    int32
	TimestampDelta int64
	Key, Value     []byte // nil is null
	Headers        []RecordHeader
}

// RecordHeader is one header of a record.
type RecordHeader struct {
	Key   []byte
	Value []byte // nil is null
}

// Records iterates over the records of a batch.
type Records struct {
	// SkipHeaders leaves Record.Headers empty; they are checked all the same.
	SkipHeaders bool

	src  Reader
	left int32
	err  error
}

// NewRecords iterates over payload, the inflated records of b.
func NewRecords(b Batch, payload []byte) Records {
	return Records{src: NewReader(payload), left: b.Count()}
}

// Err is why Next stopped early: the payload is not count well-formed records.
func (s *Records) Err() error { return s.err }

// Next reads the next record into rec, reusing its Headers slice.
func (s *Records) Next(rec *Record) bool {
	if s.err != nil {
		return false
	}
	if s.left == 0 {
		if len(s.src.Rest()) > 0 {
			s.err = malformed("Incorrect declared batch size, there are still bytes remaining")
		}
		return false
	}
	s.left--
	n := s.src.Varint()
	if n < 0 {
		s.src.fail()
	}
	r := NewReader(s.src.Span(int(n)))
	if s.src.bad {
		s.err = malformed("Record batch ends before its last record")
		return false
	}
	r.Int8()
	rec.TimestampDelta = r.Varlong()
	rec.OffsetDelta = r.Varint()
	rec.Key = r.VarintBytes()
	rec.Value = r.VarintBytes()
	rec.Headers = rec.Headers[:0]
	nh := r.Varint()
	if nh < 0 || int(nh) > len(r.Rest())/2 {
		r.fail()
		nh = 0
	}
	for ; nh > 0 && !r.bad; nh-- {
		k := r.VarintBytes()
		if k == nil && !r.bad {
			r.fail() // a header's key is never null
		}
		v := r.VarintBytes()
		if !s.SkipHeaders {
			rec.Headers = append(rec.Headers, RecordHeader{k, v})
		}
	}
	if r.bad || len(r.Rest()) > 0 {
		s.err = malformed("Record is malformed")
		return false
	}
	return true
}

// Writer builds one batch, for records that no Kafka client produced. The zero
// value is ready for Begin.
type Writer struct {
	buf   []byte
	start int
	base  int64 // timestamp
	max   int64
	count int32
}

// Begin starts a batch at the end of dst whose first offset is base and whose
// timestamps count from ms.
func (w *Writer) Begin(dst []byte, base, ms int64) {
	w.start, w.base, w.max, w.count = len(dst), ms, -1, 0
	w.buf = append(dst, make([]byte, BatchHeader)...)
	b := Batch(w.buf[w.start:])
	b.SetPlace(base, 0)
	b[16] = 2
	binary.BigEndian.PutUint64(b[27:], uint64(ms))
	binary.BigEndian.PutUint64(b[43:], 1<<64-1)
	binary.BigEndian.PutUint16(b[51:], 1<<16-1)
	binary.BigEndian.PutUint32(b[53:], 1<<32-1)
}

// Add appends a record. Offset deltas must grow but may skip numbers.
func (w *Writer) Add(rec *Record) {
	size := 1 + varintSize(rec.TimestampDelta) + varintSize(int64(rec.OffsetDelta)) +
		varintBytesSize(rec.Key) + varintBytesSize(rec.Value) + varintSize(int64(len(rec.Headers)))
	for _, h := range rec.Headers {
		size += varintSize(int64(len(h.Key))) + len(h.Key) + varintBytesSize(h.Value)
	}
	d := binary.AppendVarint(w.buf, int64(size))
	d = append(d, 0)
	d = binary.AppendVarint(d, rec.TimestampDelta)
	d = binary.AppendVarint(d, int64(rec.OffsetDelta))
	d = appendVarintBytes(d, rec.Key)
	d = appendVarintBytes(d, rec.Value)
	d = binary.AppendVarint(d, int64(len(rec.Headers)))
	for _, h := range rec.Headers {
		d = append(binary.AppendVarint(d, int64(len(h.Key))), h.Key...)
		d = appendVarintBytes(d, h.Value)
	}
	w.buf = d
	w.count++
	w.max = max(w.max, w.base+rec.TimestampDelta)
}

// End closes the batch, which covers span offsets, and returns the extended
// slice that Begin was given. A batch without records moves readers over a gap.
func (w *Writer) End(span int32) []byte {
	b := Batch(w.buf[w.start:])
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-batchPrefix))
	binary.BigEndian.PutUint32(b[23:], uint32(span-1))
	binary.BigEndian.PutUint32(b[57:], uint32(w.count))
	b.SetMaxTimestamp(w.max)
	out := w.buf
	w.buf = nil
	return out
}

// SetProducer names the idempotent producer of the batch b.
func (b Batch) SetProducer(id int64, epoch int16, seq int32) {
	binary.BigEndian.PutUint64(b[43:], uint64(id))
	binary.BigEndian.PutUint16(b[51:], uint16(epoch))
	binary.BigEndian.PutUint32(b[53:], uint32(seq))
	b.seal()
}

package storage

import (
	"encoding/binary"
	"errors"
	"math"
)

// The body of a frame is a sequence of operations, each a kind and its fields.
// u8, u16, u32, u64 are little-endian, uv is a base-128 varint, bytes are a uv
// length and so many bytes.
//
//	append     1  log uv, offset uv, envelope, data bytes
//	appendRef  2  log uv, offset uv, envelope, length uv, at uv: the data is that of
//	              an earlier append of this frame, at bytes from the frame's start
//	delete     3  log uv, from uv, to uv
//	create     4  log uv, first uv
//	drop       5  log uv
//	set        6  key bytes, value bytes
//	unset      7  key bytes
//	unsetRange 8  from bytes, to bytes
//	note       9  owner uv, data bytes
//	offsets   10  log uv, next uv: offsets below next may have been given to
//	              volatile entries and are not given again
//	logs      11  next uv: likewise for ids of volatile Logs
//
// An envelope:
//
//	flags u8   1 key, 2 id, 4 expires, 8 producer, 16 count, 32 priority
//	format u8, time u64
//	count uv, priority u8, expires u64        each if flagged
//	producer: flags u8 (1 transactional, 2 control), id u64, epoch u16, first u32, last u32
//	key bytes, id bytes
const (
	opAppend = 1 + iota
	opAppendRef
	opDelete
	opCreate
	opDrop
	opSet
	opUnset
	opUnsetRange
	opNote
	opOffsets
	opLogs
)

const (
	hasKey = 1 << iota
	hasID
	hasExpires
	hasProducer
	hasCount
	hasPriority
)

func appendBytes(b, v []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func appendEnvelope(b []byte, e *Entry) []byte {
	var flags byte
	if e.Key != nil {
		flags |= hasKey
	}
	if e.ID != nil {
		flags |= hasID
	}
	if e.Expires != 0 {
		flags |= hasExpires
	}
	if e.Producer.Set {
		flags |= hasProducer
	}
	if e.Count != 1 {
		flags |= hasCount
	}
	if e.Priority != 0 {
		flags |= hasPriority
	}
	le := binary.LittleEndian
	b = append(b, flags, byte(e.Format))
	b = le.AppendUint64(b, uint64(e.Time))
	if flags == 0 {
		return b
	}
	if flags&hasCount != 0 {
		b = binary.AppendUvarint(b, uint64(e.Count))
	}
	if flags&hasPriority != 0 {
		b = append(b, e.Priority)
	}
	if flags&hasExpires != 0 {
		b = le.AppendUint64(b, uint64(e.Expires))
	}
	if flags&hasProducer != 0 {
		p := &e.Producer
		var pf byte
		if p.Transactional {
			pf |= 1
		}
		if p.Control {
			pf |= 2
		}
		b = append(b, pf)
		b = le.AppendUint64(b, uint64(p.ID))
		b = le.AppendUint16(b, uint16(p.Epoch))
		b = le.AppendUint32(b, uint32(p.First))
		b = le.AppendUint32(b, uint32(p.Last))
	}
	if flags&hasKey != 0 {
		b = appendBytes(b, e.Key)
	}
	if flags&hasID != 0 {
		b = appendBytes(b, e.ID)
	}
	return b
}

var errShort = errors.New("ends within a field")
var errField = errors.New("a field is out of range")

// reader takes fields off a buffer. After a failure it returns zeros and err is set.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.at = len(r.b)
}

func (r *reader) u8() byte {
	if r.at >= len(r.b) {
		r.fail(errShort)
		return 0
	}
	v := r.b[r.at]
	r.at++
	return v
}

func (r *reader) fixed(n int) []byte {
	if n < 0 || len(r.b)-r.at < n {
		r.fail(errShort)
		return nil
	}
	v := r.b[r.at : r.at+n : r.at+n]
	r.at += n
	return v
}

func (r *reader) u16() uint16 {
	if v := r.fixed(2); v != nil {
		return binary.LittleEndian.Uint16(v)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if v := r.fixed(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if v := r.fixed(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

func (r *reader) uv() uint64 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		r.at++
		return uint64(r.b[r.at-1])
	}
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.at += n
	return v
}

func (r *reader) offset() Offset {
	v := r.uv()
	if v > math.MaxInt64 {
		r.fail(errField)
		return 0
	}
	return Offset(v)
}

func (r *reader) bytes() []byte {
	n := r.uv()
	if n > uint64(len(r.b)-r.at) {
		r.fail(errShort)
		return nil
	}
	return r.fixed(int(n))
}

func (r *reader) envelope(e *Entry) {
	flags := r.u8()
	e.Format = Format(r.u8())
	e.Time = int64(r.u64())
	e.Count = 1
	if flags&hasCount != 0 {
		n := r.uv()
		if n == 0 || n > math.MaxInt32 {
			r.fail(errField)
			return
		}
		e.Count = int32(n)
	}
	if flags&hasPriority != 0 {
		e.Priority = r.u8()
	}
	if flags&hasExpires != 0 {
		e.Expires = int64(r.u64())
	}
	if flags&hasProducer != 0 {
		pf := r.u8()
		e.Producer = Producer{
			Set: true, ID: int64(r.u64()), Epoch: int16(r.u16()),
			First: int32(r.u32()), Last: int32(r.u32()),
			Transactional: pf&1 != 0, Control: pf&2 != 0,
		}
	}
	if flags&hasKey != 0 {
		e.Key = r.bytes()
	}
	if flags&hasID != 0 {
		e.ID = r.bytes()
	}
}

// op is one decoded operation. Its buffers are those of the frame.
type op struct {
	kind     byte
	log      LogID
	from, to Offset // create: first; offsets: next; append: offset
	id       uint64 // note: owner; logs: next
	key, val []byte
	entry    Entry
	dataAt   int // where the entry's Data begins
}

// next decodes the operation at r.at, where r.b is a whole frame. It reports
// false at the end or on failure.
func (r *reader) next(o *op) bool {
	if r.err != nil || r.at >= len(r.b) {
		return false
	}
	start := r.at
	*o = op{kind: r.u8()}
	switch o.kind {
	case opAppend, opAppendRef:
		o.log = LogID(r.uv())
		o.from = r.offset()
		e := &o.entry
		e.Offset = o.from
		r.envelope(e)
		if o.kind == opAppend {
			e.Data = r.bytes()
			o.dataAt = r.at - len(e.Data)
		} else {
			n, at := r.uv(), r.uv()
			if r.err == nil && (at > uint64(start) || n > uint64(start)-at || at < frameHeader) {
				r.fail(errField)
			}
			if r.err == nil {
				e.Data = r.b[at : at+n : at+n]
				o.dataAt = int(at)
			}
		}
		if e.Offset > math.MaxInt64-Offset(e.Count) {
			r.fail(errField)
		}
	case opDelete:
		o.log, o.from, o.to = LogID(r.uv()), r.offset(), r.offset()
	case opCreate, opOffsets:
		o.log, o.from = LogID(r.uv()), r.offset()
	case opDrop:
		o.log = LogID(r.uv())
	case opSet, opUnsetRange:
		o.key, o.val = r.bytes(), r.bytes()
	case opUnset:
		o.key = r.bytes()
	case opNote:
		o.id, o.val = r.uv(), r.bytes()
	case opLogs:
		o.id = r.uv()
	default:
		r.fail(errors.New("unknown operation"))
	}
	return r.err == nil
}

// decodeEntry reads the append at that place of a frame. It returns where Data begins.
func decodeEntry(frame []byte, at uint32, e *Entry) (data int, err error) {
	r := reader{b: frame, at: int(at)}
	var o op
	if !r.next(&o) || (o.kind != opAppend && o.kind != opAppendRef) {
		return 0, errShort
	}
	*e = o.entry
	return o.dataAt, nil
}

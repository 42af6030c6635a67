package wire

import (
	"encoding/binary"
	"errors"
)

// ErrShort reports a message that ends before its fields do, or whose lengths
// contradict its size.
var ErrShort = errors.New("kafka: message does not hold what its lengths claim")

// Reader reads the primitive types of the protocol. An error sticks: reads
// after it return zero values, and Err reports it once at the end.
type Reader struct {
	src []byte
	bad bool
}

// NewReader reads from src. What it returns refers to src.
func NewReader(src []byte) Reader { return Reader{src: src} }

// Err is ErrShort if any read went beyond the bytes.
func (r *Reader) Err() error {
	if r.bad {
		return ErrShort
	}
	return nil
}

// Rest is what was not read yet.
func (r *Reader) Rest() []byte { return r.src }

func (r *Reader) fail() { r.bad, r.src = true, nil }

// Span reads n bytes.
func (r *Reader) Span(n int) []byte {
	if n < 0 || n > len(r.src) {
		r.fail()
		return nil
	}
	b := r.src[:n:n]
	r.src = r.src[n:]
	return b
}

func (r *Reader) Int8() int8 {
	if len(r.src) < 1 {
		r.fail()
		return 0
	}
	v := int8(r.src[0])
	r.src = r.src[1:]
	return v
}

func (r *Reader) Int16() int16 {
	if len(r.src) < 2 {
		r.fail()
		return 0
	}
	v := int16(binary.BigEndian.Uint16(r.src))
	r.src = r.src[2:]
	return v
}

func (r *Reader) Int32() int32 {
	if len(r.src) < 4 {
		r.fail()
		return 0
	}
	v := int32(binary.BigEndian.Uint32(r.src))
	r.src = r.src[4:]
	return v
}

func (r *Reader) Int64() int64 {
	if len(r.src) < 8 {
		r.fail()
		return 0
	}
	v := int64(binary.BigEndian.Uint64(r.src))
	r.src = r.src[8:]
	return v
}

// UUID reads a topic id.
func (r *Reader) UUID() (id [16]byte) {
	copy(id[:], r.Span(16))
	return id
}

// Uvarint reads an unsigned varint of at most 32 bits.
func (r *Reader) Uvarint() uint32 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 || v > 1<<32-1 {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return uint32(v)
}

// Varint reads a zigzag varint of at most 32 bits.
func (r *Reader) Varint() int32 {
	v := r.Varlong()
	if v != int64(int32(v)) {
		r.fail()
		return 0
	}
	return int32(v)
}

// Varlong reads a zigzag varint.
func (r *Reader) Varlong() int64 {
	v, n := binary.Varint(r.src)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

// VarintBytes reads bytes with a zigzag length; -1 is null.
func (r *Reader) VarintBytes() []byte {
	n := r.Varint()
	if n < 0 {
		if n != -1 {
			r.fail()
		}
		return nil
	}
	return r.Span(int(n))
}

// String reads a nullable string; null is nil, empty is not. In flexible
// messages strings are compact.
func (r *Reader) String(flexible bool) []byte {
	if flexible {
		return r.compact()
	}
	n := r.Int16()
	if n < 0 {
		return nil
	}
	return r.Span(int(n))
}

// Bytes reads nullable bytes.
func (r *Reader) Bytes(flexible bool) []byte {
	if flexible {
		return r.compact()
	}
	n := r.Int32()
	if n < 0 {
		return nil
	}
	return r.Span(int(n))
}

func (r *Reader) compact() []byte {
	n := r.Uvarint()
	if n == 0 {
		return nil
	}
	return r.Span(int(n) - 1)
}

// Count reads the length of an array whose elements take at least min bytes
// each; a null array has none.
func (r *Reader) Count(flexible bool, min int) int {
	var n int64
	if flexible {
		n = int64(r.Uvarint()) - 1
	} else {
		n = int64(r.Int32())
	}
	if n <= 0 {
		return 0
	}
	if n > int64(len(r.src)/min) {
		r.fail()
		return 0
	}
	return int(n)
}

// Tags skips tagged fields.
func (r *Reader) Tags(flexible bool) {
	if !flexible {
		return
	}
	for n := r.Uvarint(); n > 0 && !r.bad; n-- {
		r.Uvarint()
		r.Span(int(r.Uvarint()))
	}
}

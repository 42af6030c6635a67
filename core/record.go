package core

import (
	"encoding/binary"
	"slices"
)

// Stored records are built from these fields: a flags byte, a varint, bytes with
// their uvarint length before them.

func flags(set ...bool) (f byte) {
	for i, s := range set {
		if s {
			f |= 1 << i
		}
	}
	return f
}

func appendBytes[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// fields reads a stored record. After a read beyond its end, short is set.
type fields struct {
	rest  []byte
	short bool
}

func (r *fields) byte() byte {
	if len(r.rest) == 0 {
		r.short = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *fields) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.short, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *fields) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.short, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// bytes are the caller's own.
func (r *fields) bytes() []byte { return slices.Clone(r.raw()) }

func (r *fields) text() string { return string(r.raw()) }

func (r *fields) raw() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.short, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

package wire

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// SyntaxError says why bytes are not what their place requires.
type SyntaxError struct{ What string }

func (e *SyntaxError) Error() string { return e.What }

var (
	errShort    = &SyntaxError{"arguments end too early"}
	errTrailing = &SyntaxError{"arguments have trailing octets"}
	errUTF8     = &SyntaxError{"short string is not valid UTF-8"}
	errTooLong  = errors.New("wire: short string longer than 255 octets")
)

// maxShort is the longest short string.
const maxShort = 255

// fields reads or writes a method's fields, in order: each method names its fields
// once, and is encoded and decoded by that.
type fields struct {
	b     []byte // what is left to read, or what was written
	write bool
	err   error
}

// take returns the next n octets, nil after an error.
func (f *fields) take(n int) []byte {
	if f.err != nil {
		return nil
	}
	if n > len(f.b) {
		f.err = errShort
		return nil
	}
	p := f.b[:n:n]
	f.b = f.b[n:]
	return p
}

func (f *fields) u8(p *uint8) {
	if f.write {
		f.b = append(f.b, *p)
	} else if b := f.take(1); b != nil {
		*p = b[0]
	}
}

func (f *fields) u16(p *uint16) {
	if f.write {
		f.b = binary.BigEndian.AppendUint16(f.b, *p)
	} else if b := f.take(2); b != nil {
		*p = binary.BigEndian.Uint16(b)
	}
}

func (f *fields) u32(p *uint32) {
	if f.write {
		f.b = binary.BigEndian.AppendUint32(f.b, *p)
	} else if b := f.take(4); b != nil {
		*p = binary.BigEndian.Uint32(b)
	}
}

func (f *fields) u64(p *uint64) {
	if f.write {
		f.b = binary.BigEndian.AppendUint64(f.b, *p)
	} else if b := f.take(8); b != nil {
		*p = binary.BigEndian.Uint64(b)
	}
}

// short is a string of up to 255 octets of UTF-8.
func (f *fields) short(p *string) {
	if f.write {
		if len(*p) > maxShort {
			f.err = errTooLong
			return
		}
		f.b = append(append(f.b, byte(len(*p))), *p...)
		return
	}
	n := f.take(1)
	if n == nil {
		return
	}
	b := f.take(int(n[0]))
	if f.err == nil && !utf8.Valid(b) {
		f.err = errUTF8
		return
	}
	*p = string(b)
}

// long is a string of octets.
func (f *fields) long(p *[]byte) {
	if f.write {
		f.b = binary.BigEndian.AppendUint32(f.b, uint32(len(*p)))
		f.b = append(f.b, *p...)
		return
	}
	if n := f.take(4); n != nil {
		size := binary.BigEndian.Uint32(n)
		if uint64(size) > uint64(len(f.b)) {
			f.err = errShort
			return
		}
		*p = append([]byte(nil), f.take(int(size))...)
	}
}

func (f *fields) table(p *Table) {
	f.long((*[]byte)(p))
	if !f.write && f.err == nil {
		f.err = ValidTable(*p)
	}
}

// bits packs up to eight flags into an octet, the first one lowest.
func (f *fields) bits(ps ...*bool) {
	if f.write {
		var o byte
		for i, p := range ps {
			if *p {
				o |= 1 << i
			}
		}
		f.b = append(f.b, o)
	} else if b := f.take(1); b != nil {
		for i, p := range ps {
			*p = b[0]&(1<<i) != 0
		}
	}
}

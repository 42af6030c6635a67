package wire

import (
	"encoding/binary"
	"math"
)

// MaxDepth is how deep tables and arrays may be nested in each other.
const MaxDepth = 100

// Table is an encoded field table, without its length: pairs of a short string
// and a Value.
type Table []byte

// Array is an encoded field array, without its length: Values.
type Array []byte

// Value is one encoded value. Raw is what follows the type octet.
type Value struct {
	Type byte
	Raw  []byte
}

// The types of values.
const (
	TypeBool    = 't'
	TypeInt8    = 'b'
	TypeUint8   = 'B'
	TypeInt16   = 's'
	TypeUint16  = 'u'
	TypeInt32   = 'I'
	TypeUint32  = 'i'
	TypeInt64   = 'l' // 'L' is read as the same
	TypeInt64L  = 'L'
	TypeFloat   = 'f'
	TypeDouble  = 'd'
	TypeDecimal = 'D'
	TypeString  = 'S'
	TypeBytes   = 'x'
	TypeArray   = 'A'
	TypeTable   = 'F'
	TypeTime    = 'T'
	TypeVoid    = 'V'
)

var (
	errTableShort = &SyntaxError{"field table ends too early"}
	errTableType  = &SyntaxError{"unknown field table type"}
	errTableDeep  = &SyntaxError{"field table nested too deep"}
)

// size is the length of a value's Raw, or -1 for one that starts with its length.
func size(typ byte) (n int, ok bool) {
	switch typ {
	case TypeVoid:
		return 0, true
	case TypeBool, TypeInt8, TypeUint8:
		return 1, true
	case TypeInt16, TypeUint16:
		return 2, true
	case TypeInt32, TypeUint32, TypeFloat:
		return 4, true
	case TypeDecimal:
		return 5, true
	case TypeInt64, TypeInt64L, TypeDouble, TypeTime:
		return 8, true
	case TypeString, TypeBytes, TypeArray, TypeTable:
		return -1, true
	}
	return 0, false
}

// nextValue splits the value at the start of b off.
func nextValue(b []byte) (v Value, rest []byte, err error) {
	if len(b) == 0 {
		return v, nil, errTableShort
	}
	n, ok := size(b[0])
	if !ok {
		return v, nil, errTableType
	}
	if n < 0 {
		if len(b) < 5 {
			return v, nil, errTableShort
		}
		l := binary.BigEndian.Uint32(b[1:])
		if uint64(l) > uint64(len(b)-5) {
			return v, nil, errTableShort
		}
		n = 4 + int(l)
	}
	if len(b) < 1+n {
		return v, nil, errTableShort
	}
	return Value{b[0], b[1 : 1+n : 1+n]}, b[1+n:], nil
}

// nextField splits the name and value at the start of b off.
func nextField(b []byte) (name []byte, v Value, rest []byte, err error) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, v, nil, errTableShort
	}
	n := 1 + int(b[0])
	v, rest, err = nextValue(b[n:])
	return b[1:n:n], v, rest, err
}

// ValidTable checks t, with all that is nested in it.
func ValidTable(t Table) error { return validTable(t, 0) }

func validTable(b []byte, depth int) error {
	for len(b) > 0 {
		_, v, rest, err := nextField(b)
		if err == nil {
			err = validNested(v, depth)
		}
		if err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func validNested(v Value, depth int) error {
	if v.Type != TypeTable && v.Type != TypeArray {
		return nil
	}
	if depth >= MaxDepth {
		return errTableDeep
	}
	if v.Type == TypeTable {
		return validTable(v.Raw[4:], depth+1)
	}
	for b := v.Raw[4:]; len(b) > 0; {
		e, rest, err := nextValue(b)
		if err == nil {
			err = validNested(e, depth+1)
		}
		if err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// Each calls f for the fields in order, until f returns false. It stops silently
// where t is malformed.
func (t Table) Each(f func(name []byte, v Value) bool) {
	for b := []byte(t); len(b) > 0; {
		name, v, rest, err := nextField(b)
		if err != nil || !f(name, v) {
			return
		}
		b = rest
	}
}

// Lookup returns the first field of that name.
func (t Table) Lookup(name string) (Value, bool) {
	for b := []byte(t); len(b) > 0; {
		n, v, rest, err := nextField(b)
		if err != nil {
			break
		}
		if string(n) == name {
			return v, true
		}
		b = rest
	}
	return Value{}, false
}

// Has reports whether there is a field of that name.
func (t Table) Has(name string) bool { _, ok := t.Lookup(name); return ok }

// Without appends t's encoding but the fields of these names to dst.
func (t Table) Without(dst []byte, names ...string) []byte {
next:
	for b := []byte(t); len(b) > 0; {
		n, _, rest, err := nextField(b)
		if err != nil {
			break
		}
		whole := b[:len(b)-len(rest)]
		b = rest
		for _, name := range names {
			if string(n) == name {
				continue next
			}
		}
		dst = append(dst, whole...)
	}
	return dst
}

// Each calls f for the elements in order, until f returns false.
func (a Array) Each(f func(v Value) bool) {
	for b := []byte(a); len(b) > 0; {
		v, rest, err := nextValue(b)
		if err != nil || !f(v) {
			return
		}
		b = rest
	}
}

// Int is the value as an integer, if it is one.
func (v Value) Int() (int64, bool) {
	switch v.Type {
	case TypeInt8:
		return int64(int8(v.Raw[0])), true
	case TypeUint8:
		return int64(v.Raw[0]), true
	case TypeInt16:
		return int64(int16(binary.BigEndian.Uint16(v.Raw))), true
	case TypeUint16:
		return int64(binary.BigEndian.Uint16(v.Raw)), true
	case TypeInt32:
		return int64(int32(binary.BigEndian.Uint32(v.Raw))), true
	case TypeUint32:
		return int64(binary.BigEndian.Uint32(v.Raw)), true
	case TypeInt64, TypeInt64L:
		return int64(binary.BigEndian.Uint64(v.Raw)), true
	}
	return 0, false
}

// Float is the value as a floating-point number, if it is one.
func (v Value) Float() (float64, bool) {
	switch v.Type {
	case TypeFloat:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(v.Raw))), true
	case TypeDouble:
		return math.Float64frombits(binary.BigEndian.Uint64(v.Raw)), true
	}
	return 0, false
}

// Bool is the value as a truth value, if it is one.
func (v Value) Bool() (value, ok bool) {
	if v.Type != TypeBool {
		return false, false
	}
	return v.Raw[0] != 0, true
}

// Text is the content of a string or of a byte array.
func (v Value) Text() ([]byte, bool) {
	if v.Type != TypeString && v.Type != TypeBytes {
		return nil, false
	}
	return v.Raw[4:], true
}

// Time is the value as seconds, if it is a timestamp.
func (v Value) Time() (uint64, bool) {
	if v.Type != TypeTime {
		return 0, false
	}
	return binary.BigEndian.Uint64(v.Raw), true
}

// Table is the value as a table, if it is one.
func (v Value) Table() (Table, bool) {
	if v.Type != TypeTable {
		return nil, false
	}
	return Table(v.Raw[4:]), true
}

// Array is the value as an array, if it is one.
func (v Value) Array() (Array, bool) {
	if v.Type != TypeArray {
		return nil, false
	}
	return Array(v.Raw[4:]), true
}

func appendName(dst []byte, name string) []byte {
	name = name[:min(len(name), maxShort)]
	return append(append(dst, byte(len(name))), name...)
}

func appendLong(dst []byte, typ byte, s []byte) []byte {
	dst = append(dst, typ)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// Str, Bytes, Int, Bool, Time, Table, Array and Field append a field and return the longer table.
func (t Table) Str(name, s string) Table {
	t = append(appendName(t, name), TypeString)
	t = binary.BigEndian.AppendUint32(t, uint32(len(s)))
	return append(t, s...)
}

func (t Table) Bytes(name string, b []byte) Table {
	return appendLong(appendName(t, name), TypeBytes, b)
}

func (t Table) Int(name string, n int64) Table {
	return binary.BigEndian.AppendUint64(append(appendName(t, name), TypeInt64), uint64(n))
}

func (t Table) Bool(name string, v bool) Table {
	var o byte
	if v {
		o = 1
	}
	return append(appendName(t, name), TypeBool, o)
}

func (t Table) Time(name string, seconds uint64) Table {
	return binary.BigEndian.AppendUint64(append(appendName(t, name), TypeTime), seconds)
}

func (t Table) Table(name string, n Table) Table {
	return appendLong(appendName(t, name), TypeTable, n)
}

func (t Table) Array(name string, a Array) Table {
	return appendLong(appendName(t, name), TypeArray, a)
}

func (t Table) Field(name string, v Value) Table {
	return append(append(appendName(t, name), v.Type), v.Raw...)
}

// Str and Table append an element and return the longer array.
func (a Array) Str(s []byte) Array    { return appendLong(a, TypeString, s) }
func (a Array) Table(t Table) Array   { return appendLong(a, TypeTable, t) }
func (a Array) Element(v Value) Array { return append(append(a, v.Type), v.Raw...) }

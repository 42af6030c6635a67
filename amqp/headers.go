package amqp

import (
	"encoding/binary"
	"math"
	"unsafe"

	"trivium/amqp/wire"
	"trivium/core"
)

// The canonical form of header values in a headers exchange: two values are equal if
// their forms are. Integers of all types are equal to each other, and so are the two
// sorts of floating-point numbers, but not one sort to the other; a table or an array in
// a message equals nothing.
const (
	canonInt    = 'i'
	canonFloat  = 'd'
	canonText   = core.HeaderText
	canonBool   = 'b'
	canonOther  = 'o' // decimals, by their octets
	canonNested = 'm' // in a message
	canonNever  = 'n' // in a binding
)

// canonical appends the form of v.
func canonical(dst []byte, v wire.Value, nested byte) []byte {
	if n, ok := v.Int(); ok {
		return binary.BigEndian.AppendUint64(append(dst, canonInt), uint64(n))
	}
	if t, ok := v.Time(); ok {
		return binary.BigEndian.AppendUint64(append(dst, canonInt), t)
	}
	if f, ok := v.Float(); ok {
		return binary.BigEndian.AppendUint64(append(dst, canonFloat), math.Float64bits(f))
	}
	if b, ok := v.Text(); ok {
		return append(append(dst, canonText), b...)
	}
	if b, ok := v.Bool(); ok {
		if b {
			return append(dst, canonBool, 1)
		}
		return append(dst, canonBool, 0)
	}
	if v.Type == wire.TypeTable || v.Type == wire.TypeArray {
		return append(dst, nested)
	}
	return append(append(dst, canonOther, v.Type), v.Raw...)
}

// headerSource looks up a message's headers and id for core. A value is valid until the next call.
type headerSource struct {
	headers   wire.Table
	messageID []byte // the property, nil = none
	scratch   []byte
}

func (h *headerSource) Header(name string) ([]byte, bool) {
	v, ok := h.headers.Lookup(name)
	if !ok {
		return nil, false
	}
	h.scratch = canonical(h.scratch[:0], v, canonNested)
	return h.scratch, true
}

// headerMatch reads the arguments of a binding to a headers exchange.
func headerMatch(args wire.Table) (*core.HeaderMatch, error) {
	m := &core.HeaderMatch{}
	withX := false
	if v, ok := args.Lookup("x-match"); ok {
		if v.Type != wire.TypeString {
			return nil, refuse(codePreconditionFailed, "Invalid x-match field type %s (value %s); expected longstr", typeName(v.Type), valueText(v))
		}
		switch s, _ := v.Text(); string(s) {
		case "all":
		case "any":
			m.Any = true
		case "all-with-x":
			withX = true
		case "any-with-x":
			m.Any, withX = true, true
		default:
			return nil, refuse(codePreconditionFailed, "Invalid x-match field value %s; expected all, any, all-with-x, or any-with-x", erlangString(s))
		}
	}
	args.Each(func(name []byte, v wire.Value) bool {
		if string(name) == "x-match" || !withX && len(name) >= 2 && name[0] == 'x' && name[1] == '-' {
			return true
		}
		w := core.HeaderWant{Name: string(name)}
		if v.Type != wire.TypeVoid {
			w.Value = canonical(nil, v, canonNever)
		}
		m.Want = append(m.Want, w)
		return true
	})
	return m, nil
}

// view is b as a string, valid as long as b is unchanged.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// erlangString writes octets as Erlang's ~tp does: text if it is printable.
func erlangString(b []byte) string {
	for _, o := range b {
		if o < ' ' || o > '~' {
			return erlangBytes(b)
		}
	}
	return `<<"` + string(b) + `">>`
}

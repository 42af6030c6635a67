package wire

import (
	"encoding/binary"
	"fmt"
)

// ID names a method: the class in the upper half, the method in the lower.
type ID uint32

// Class and Method are the two halves.
func (id ID) Class() uint16  { return uint16(id >> 16) }
func (id ID) Method() uint16 { return uint16(id) }

// The classes.
const (
	ClassConnection = 10
	ClassChannel    = 20
	ClassAccess     = 30
	ClassExchange   = 40
	ClassQueue      = 50
	ClassBasic      = 60
	ClassConfirm    = 85
	ClassTx         = 90
)

// Method is one of the protocol's methods.
type Method interface {
	ID() ID
	fields(f *fields)
}

// UnknownMethodError is a method id that the protocol does not have.
type UnknownMethodError struct{ ID ID }

func (e *UnknownMethodError) Error() string {
	return fmt.Sprintf("unknown method %d.%d", e.ID.Class(), e.ID.Method())
}

// MethodID is the id in a method frame's payload, 0 if that is too short.
func MethodID(payload []byte) ID {
	if len(payload) < 4 {
		return 0
	}
	return ID(binary.BigEndian.Uint32(payload))
}

// ReadMethod decodes a method frame's payload. What it returns shares no bytes with it. The id is known even if the
// fields are malformed.
func ReadMethod(payload []byte) (Method, ID, error) {
	if len(payload) < 4 {
		return nil, 0, errShort
	}
	id := MethodID(payload)
	mk := methods[id]
	if mk == nil {
		return nil, id, &UnknownMethodError{id}
	}
	m := mk()
	f := fields{b: payload[4:]}
	m.fields(&f)
	if f.err == nil && len(f.b) > 0 {
		f.err = errTrailing
	}
	if f.err != nil {
		return nil, id, f.err
	}
	return m, id, nil
}

// AppendMethod appends a method frame. Requires: short strings fit.
func AppendMethod(dst []byte, channel uint16, m Method) []byte {
	at := len(dst)
	f := fields{b: binary.BigEndian.AppendUint32(beginFrame(dst, FrameMethod, channel), uint32(m.ID())), write: true}
	m.fields(&f)
	if f.err != nil {
		panic(fmt.Sprintf("wire: %T: %v", m, f.err))
	}
	return endFrame(f.b, at)
}

func index(mks ...func() Method) map[ID]func() Method {
	byID := make(map[ID]func() Method, len(mks))
	for _, mk := range mks {
		byID[mk().ID()] = mk
	}
	return byID
}

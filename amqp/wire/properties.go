package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// The flags of the basic class's properties.
const (
	HasContentType     = 1 << 15
	HasContentEncoding = 1 << 14
	HasHeaders         = 1 << 13
	HasDeliveryMode    = 1 << 12
	HasPriority        = 1 << 11
	HasCorrelationID   = 1 << 10
	HasReplyTo         = 1 << 9
	HasExpiration      = 1 << 8
	HasMessageID       = 1 << 7
	HasTimestamp       = 1 << 6
	HasType            = 1 << 5
	HasUserID          = 1 << 4
	HasAppID           = 1 << 3
	HasClusterID       = 1 << 2

	reservedFlags = 1<<1 | 1
)

// Persistent is the delivery mode of a message that survives a restart.
const Persistent = 2

// Properties are a message's properties. Only those whose flag is set mean
// anything.
type Properties struct {
	// Raw is the encoding: the flags word and the properties after it. The slices below are views of it.
	Raw   []byte
	Flags uint16

	ContentType, ContentEncoding       []byte
	Headers                            Table
	DeliveryMode, Priority             uint8
	CorrelationID, ReplyTo, Expiration []byte
	MessageID                          []byte
	Timestamp                          uint64
	Type, UserID, AppID, ClusterID     []byte
}

var (
	errPropsFlags  = &SyntaxError{"reserved property flag is set"}
	errHeaderShort = &SyntaxError{"content header ends too early"}
	errWeight      = &SyntaxError{"content weight is not 0"}
)

// headerFixed is the length of class, weight and body size in a content header.
const headerFixed = 12

// ParseHeader reads a content header frame's payload: whose class it is, how long the body is,
// and the encoded properties, for ParseProperties.
func ParseHeader(payload []byte) (class uint16, body uint64, props []byte, err error) {
	if len(payload) < headerFixed+2 {
		return 0, 0, nil, errHeaderShort
	}
	if binary.BigEndian.Uint16(payload[2:]) != 0 {
		return 0, 0, nil, errWeight
	}
	return binary.BigEndian.Uint16(payload), binary.BigEndian.Uint64(payload[4:]), payload[headerFixed:], nil
}

// AppendHeader appends a content header frame of the basic class.
func AppendHeader(dst []byte, channel uint16, body int, props []byte) []byte {
	at := len(dst)
	dst = beginFrame(dst, FrameHeader, channel)
	dst = append(dst, 0, ClassBasic, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(body))
	dst = append(dst, props...)
	return endFrame(dst, at)
}

// Parse reads encoded properties into p, whose slices then are views of raw.
func (p *Properties) Parse(raw []byte) error {
	*p = Properties{Raw: raw}
	if len(raw) < 2 {
		return errHeaderShort
	}
	p.Flags = binary.BigEndian.Uint16(raw)
	if p.Flags&reservedFlags != 0 {
		return errPropsFlags
	}
	r := reader{b: raw[2:]}
	if p.Flags&HasContentType != 0 {
		p.ContentType = r.short()
	}
	if p.Flags&HasContentEncoding != 0 {
		p.ContentEncoding = r.short()
	}
	if p.Flags&HasHeaders != 0 {
		p.Headers = r.table()
	}
	if p.Flags&HasDeliveryMode != 0 {
		p.DeliveryMode = r.u8()
	}
	if p.Flags&HasPriority != 0 {
		p.Priority = r.u8()
	}
	if p.Flags&HasCorrelationID != 0 {
		p.CorrelationID = r.short()
	}
	if p.Flags&HasReplyTo != 0 {
		p.ReplyTo = r.short()
	}
	if p.Flags&HasExpiration != 0 {
		p.Expiration = r.short()
	}
	if p.Flags&HasMessageID != 0 {
		p.MessageID = r.short()
	}
	if p.Flags&HasTimestamp != 0 {
		p.Timestamp = r.u64()
	}
	if p.Flags&HasType != 0 {
		p.Type = r.short()
	}
	if p.Flags&HasUserID != 0 {
		p.UserID = r.short()
	}
	if p.Flags&HasAppID != 0 {
		p.AppID = r.short()
	}
	if p.Flags&HasClusterID != 0 {
		p.ClusterID = r.short()
	}
	if r.err == nil && len(r.b) > 0 {
		r.err = errTrailing
	}
	return r.err
}

// Append appends p's encoding, made from its fields, not from Raw.
func (p *Properties) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, p.Flags)
	short := func(flag uint16, s []byte) {
		if p.Flags&flag != 0 {
			dst = append(append(dst, byte(len(s))), s...)
		}
	}
	short(HasContentType, p.ContentType)
	short(HasContentEncoding, p.ContentEncoding)
	if p.Flags&HasHeaders != 0 {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.Headers)))
		dst = append(dst, p.Headers...)
	}
	if p.Flags&HasDeliveryMode != 0 {
		dst = append(dst, p.DeliveryMode)
	}
	if p.Flags&HasPriority != 0 {
		dst = append(dst, p.Priority)
	}
	short(HasCorrelationID, p.CorrelationID)
	short(HasReplyTo, p.ReplyTo)
	short(HasExpiration, p.Expiration)
	short(HasMessageID, p.MessageID)
	if p.Flags&HasTimestamp != 0 {
		dst = binary.BigEndian.AppendUint64(dst, p.Timestamp)
	}
	short(HasType, p.Type)
	short(HasUserID, p.UserID)
	short(HasAppID, p.AppID)
	short(HasClusterID, p.ClusterID)
	return dst
}

// reader reads values without copying them.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.b)) {
		r.err = errHeaderShort
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u8() uint8 {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if p := r.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if p := r.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (r *reader) short() []byte {
	s := r.take(uint64(r.u8()))
	if r.err == nil && !utf8.Valid(s) {
		r.err = errUTF8
	}
	return s
}

func (r *reader) table() Table {
	t := Table(r.take(uint64(r.u32())))
	if r.err == nil {
		r.err = ValidTable(t)
	}
	return t
}

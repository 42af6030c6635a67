package amqp

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"trivium/amqp/wire"
	"trivium/core"
)

// Codec reads the entries that this door writes.
func Codec() core.Codec { return codec{} }

type codec struct{}

func (codec) Format() core.Format { return Format }

// Messages is the neutral form of an AMQP message: properties become headers under
// their own names, and so do the fields of the headers table.
func (codec) Messages(e *core.Entry, dst []core.Message) ([]core.Message, error) {
	var c content
	if err := c.open(e); err != nil {
		return dst, err
	}
	var p wire.Properties
	if err := p.Parse(c.props); err != nil {
		return dst, errEntry
	}
	return append(dst, neutral(e, &c, &p)), nil
}

// The names of the properties as headers of other protocols.
const (
	nameContentType     = "content-type"
	nameContentEncoding = "content-encoding"
	nameDeliveryMode    = "delivery-mode"
	namePriority        = "priority"
	nameCorrelationID   = "correlation-id"
	nameReplyTo         = "reply-to"
	nameExpiration      = "expiration"
	nameMessageID       = "message-id"
	nameTimestamp       = "timestamp"
	nameType            = "type"
	nameUserID          = "user-id"
	nameAppID           = "app-id"
)

// neutral builds the neutral message of c.
func neutral(e *core.Entry, c *content, p *wire.Properties) core.Message {
	m := core.Message{Key: e.Key, Value: c.body, Time: e.Time}
	text := func(flag uint16, name string, s []byte) {
		if p.Flags&flag != 0 {
			m.Headers = append(m.Headers, core.Header{Name: name, Value: s})
		}
	}
	number := func(flag uint16, name string, n uint64) {
		if p.Flags&flag != 0 {
			m.Headers = append(m.Headers, core.Header{Name: name, Value: strconv.AppendUint(nil, n, 10)})
		}
	}
	text(wire.HasContentType, nameContentType, p.ContentType)
	text(wire.HasContentEncoding, nameContentEncoding, p.ContentEncoding)
	p.Headers.Each(func(name []byte, v wire.Value) bool {
		m.Headers = append(m.Headers, core.Header{Name: string(name), Value: headerText(v)})
		return true
	})
	number(wire.HasDeliveryMode, nameDeliveryMode, uint64(p.DeliveryMode))
	number(wire.HasPriority, namePriority, uint64(p.Priority))
	text(wire.HasCorrelationID, nameCorrelationID, p.CorrelationID)
	text(wire.HasReplyTo, nameReplyTo, p.ReplyTo)
	text(wire.HasExpiration, nameExpiration, p.Expiration)
	text(wire.HasMessageID, nameMessageID, p.MessageID)
	number(wire.HasTimestamp, nameTimestamp, p.Timestamp)
	text(wire.HasType, nameType, p.Type)
	text(wire.HasUserID, nameUserID, p.UserID)
	text(wire.HasAppID, nameAppID, p.AppID)
	if p.Flags&wire.HasReplyTo != 0 {
		m.Reply = string(p.ReplyTo)
	}
	return m
}

// headerText is a header's value for a protocol whose headers are text.
func headerText(v wire.Value) []byte {
	if b, ok := v.Text(); ok {
		return b
	}
	if n, ok := v.Int(); ok {
		return strconv.AppendInt(nil, n, 10)
	}
	if f, ok := v.Float(); ok {
		return strconv.AppendFloat(nil, f, 'g', -1, 64)
	}
	if b, ok := v.Bool(); ok {
		return strconv.AppendBool(nil, b)
	}
	if t, ok := v.Time(); ok {
		return strconv.AppendUint(nil, t, 10)
	}
	switch v.Type {
	case wire.TypeVoid:
		return []byte{}
	case wire.TypeDecimal:
		return []byte(decimalText(v))
	}
	b, err := json.Marshal(jsonValue(v))
	if err != nil { // cannot be: jsonValue makes only what JSON has
		return nil
	}
	return b
}

// decimalText writes a decimal, an unsigned number and how many of its digits come
// after the point.
func decimalText(v wire.Value) string {
	scale := int(v.Raw[0])
	n := uint64(v.Raw[1])<<24 | uint64(v.Raw[2])<<16 | uint64(v.Raw[3])<<8 | uint64(v.Raw[4])
	s := strconv.FormatUint(n, 10)
	if scale == 0 {
		return s
	}
	for len(s) <= scale {
		s = "0" + s
	}
	return s[:len(s)-scale] + "." + s[len(s)-scale:]
}

// jsonValue is a value as encoding/json takes it. Of repeated names the last one counts.
func jsonValue(v wire.Value) any {
	if t, ok := v.Table(); ok {
		m := map[string]any{}
		t.Each(func(name []byte, v wire.Value) bool { m[string(name)] = jsonValue(v); return true })
		return m
	}
	if a, ok := v.Array(); ok {
		l := []any{}
		a.Each(func(v wire.Value) bool { l = append(l, jsonValue(v)); return true })
		return l
	}
	if b, ok := v.Text(); ok {
		if utf8.Valid(b) {
			return string(b)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	if n, ok := v.Int(); ok {
		return n
	}
	if f, ok := v.Float(); ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return f
	}
	if b, ok := v.Bool(); ok {
		return b
	}
	if t, ok := v.Time(); ok {
		return t
	}
	if v.Type == wire.TypeVoid {
		return nil
	}
	return string(headerText(v))
}

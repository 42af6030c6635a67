package amqp

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"trivium/amqp/wire"
	"trivium/core"
)

// foreign is another format's message as an AMQP client sees it.
type foreign struct {
	key, props, body []byte
	dropped          int // headers that AMQP cannot carry
}

// maxForeignHeaders is the most octets of another format's headers that are shown: all
// properties go into one frame, which clients bound to 128 KiB as a rule.
const maxForeignHeaders = 120 << 10

// maxShort is the longest short string: a routing key, a property.
const maxShort = 255

// translate makes properties, routing key and body of a neutral message. Headers that
// are named like a property become it, if their text is valid for it.
func translate(m *core.Message) foreign {
	var p wire.Properties
	dropped := 0
	for _, h := range m.Headers {
		switch {
		case setProperty(&p, h):
		case len(h.Name) > maxShort || len(p.Headers)+len(h.Name)+len(h.Value) > maxForeignHeaders:
			dropped++
		default:
			p.Headers = p.Headers.Str(h.Name, string(h.Value))
			p.Flags |= wire.HasHeaders
		}
	}
	if m.Reply != "" {
		if key := core.ReplyKey(m.Reply); len(key) <= maxShort {
			p.ReplyTo = []byte(key)
			p.Flags |= wire.HasReplyTo
		}
	}
	return foreign{key: routingKey(m.Key), props: p.Append(nil), body: m.Value, dropped: dropped}
}

// routingKey is another protocol's key as a routing key: what AMQP cannot carry is shown as _.
func routingKey(key []byte) []byte {
	if !utf8.Valid(key) {
		key = []byte(strings.ToValidUTF8(string(key), "_"))
	}
	if len(key) > maxShort {
		key = bytes.ToValidUTF8(key[:maxShort], nil)
	}
	return key
}

// setProperty sets the property that h is named after, if there is one, it is not set yet, and
// h is valid for it.
func setProperty(p *wire.Properties, h core.Header) bool {
	short := func(flag uint16, to *[]byte) bool {
		if p.Flags&flag != 0 || len(h.Value) > maxShort || !utf8.Valid(h.Value) {
			return false
		}
		*to = h.Value
		p.Flags |= flag
		return true
	}
	octet := func(flag uint16, to *uint8, max uint64) bool {
		n, err := strconv.ParseUint(string(h.Value), 10, 8)
		if p.Flags&flag != 0 || err != nil || n > max {
			return false
		}
		*to = uint8(n)
		p.Flags |= flag
		return true
	}
	switch h.Name {
	case nameContentType:
		return short(wire.HasContentType, &p.ContentType)
	case nameContentEncoding:
		return short(wire.HasContentEncoding, &p.ContentEncoding)
	case nameDeliveryMode:
		return octet(wire.HasDeliveryMode, &p.DeliveryMode, wire.Persistent)
	case namePriority:
		return octet(wire.HasPriority, &p.Priority, 255)
	case nameCorrelationID:
		return short(wire.HasCorrelationID, &p.CorrelationID)
	case nameReplyTo:
		return short(wire.HasReplyTo, &p.ReplyTo)
	case nameExpiration:
		if _, err := parseExpiration(h.Value); err != nil {
			return false
		}
		return short(wire.HasExpiration, &p.Expiration)
	case nameMessageID:
		return short(wire.HasMessageID, &p.MessageID)
	case nameTimestamp:
		n, err := strconv.ParseUint(string(h.Value), 10, 64)
		if p.Flags&wire.HasTimestamp != 0 || err != nil {
			return false
		}
		p.Timestamp = n
		p.Flags |= wire.HasTimestamp
		return true
	case nameType:
		return short(wire.HasType, &p.Type)
	case nameUserID:
		return short(wire.HasUserID, &p.UserID)
	case nameAppID:
		return short(wire.HasAppID, &p.AppID)
	}
	return false
}

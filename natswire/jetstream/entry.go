package jetstream

import (
	"encoding/base64"

	"trivium/core"
	"trivium/natswire/wire"
)

// Format is the format of entries that NATS clients write; natswire.Format is the same.
const Format core.Format = 3

// translated caches the messages of one entry of another format: a batch is
// translated once for all the messages in it.
type translated struct {
	offset core.Offset
	msgs   []core.Message
}

// read fills in m with the message at o, which e holds, and returns its time. What it
// sets aliases e where it can. cache may be nil.
func (s *stream) read(e *core.Entry, o core.Offset, m *wire.Msg, cache *translated) (nanos int64, err error) {
	if e.Format == Format {
		m.Subject = e.Key
		if s.view != nil {
			m.Subject = s.view.subject(e.Key)
		}
		_, m.Header, m.Payload, err = wire.SplitEntry(e.Data)
		return e.Time, err
	}
	if cache == nil {
		cache = new(translated)
	}
	n, err := s.translate(e, o, cache)
	if err != nil {
		return 0, err
	}
	m.Subject = n.Key
	if s.view != nil {
		m.Subject = s.view.subject(n.Key)
	}
	h, dropped := HeaderOf(n.Headers)
	if dropped > 0 {
		s.a.e.dropped.Add(int64(dropped))
	}
	m.Header, m.Payload = h, n.Value
	return n.Time, nil
}

// translate returns the message at o, which e holds, in neutral form; NotFound if there is none at
// that place.
func (s *stream) translate(e *core.Entry, o core.Offset, cache *translated) (_ *core.Message, err error) {
	if cache.msgs == nil || cache.offset != e.Offset {
		codec := s.a.e.broker.Codec(e.Format)
		if codec == nil {
			return nil, &core.Error{Code: core.Corrupt, Op: "read", Name: s.name}
		}
		if cache.msgs, err = codec.Messages(e, cache.msgs[:0]); err != nil {
			cache.msgs = nil
			return nil, err
		}
		cache.offset = e.Offset
	}
	i := int(o - e.Offset)
	if i >= len(cache.msgs) || cache.msgs[i].Hidden {
		return nil, &core.Error{Code: core.NotFound, Op: "read", Name: s.name}
	}
	return &cache.msgs[i], nil
}

// BinarySuffix marks the name of a header whose value is base64, because it could not be
// carried as it is.
const BinarySuffix = ";base64"

// HeaderOf makes a header block of neutral headers, nil for none, and reports how many of
// them NATS cannot carry: names that are no header names. Values with line ends become
// base64.
func HeaderOf(hs []core.Header) (h wire.Header, dropped int) {
	if len(hs) == 0 {
		return nil, 0
	}
	h = wire.AppendHeader(nil, "", "")
	n := 0
	for _, f := range hs {
		switch {
		case !fieldName(f.Name):
			dropped++
			continue
		case !fieldValue(f.Value):
			h = wire.AppendField(h, f.Name+BinarySuffix, []byte(base64.StdEncoding.EncodeToString(f.Value)))
		default:
			h = wire.AppendField(h, f.Name, f.Value)
		}
		n++
	}
	if n == 0 {
		return nil, dropped
	}
	return wire.EndHeader(h), dropped
}

// HeadersDropped counts headers of other doors' messages that could not be carried.
func (e *Engine) HeadersDropped() int64 { return e.dropped.Load() }

func fieldName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == ':' || c == 0x7f {
			return false
		}
	}
	return s != ""
}

func fieldValue(v []byte) bool {
	for _, c := range v {
		if c == '\r' || c == '\n' {
			return false
		}
	}
	return true
}

package jetstream

import (
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

// read fills in m with the message at o, which e holds. What it sets aliases e
// where it can. cache may be nil.
func (s *stream) read(e *core.Entry, o core.Offset, m *wire.Msg, cache *translated) (err error) {
	if e.Format == Format {
		m.Subject = e.Key
		if s.view != nil {
			m.Subject = s.view.subject(e.Key)
		}
		_, m.Header, m.Payload, err = wire.SplitEntry(e.Data)
		return err
	}
	if cache == nil {
		cache = new(translated)
	}
	if cache.msgs == nil || cache.offset != e.Offset {
		codec := s.a.e.broker.Codec(e.Format)
		if codec == nil {
			return &core.Error{Code: core.Corrupt, Op: "read", Name: s.name}
		}
		if cache.msgs, err = codec.Messages(e, cache.msgs[:0]); err != nil {
			cache.msgs = nil
			return err
		}
		cache.offset = e.Offset
	}
	i := int(o - e.Offset)
	if i >= len(cache.msgs) || cache.msgs[i].Hidden {
		return &core.Error{Code: core.NotFound, Op: "read", Name: s.name}
	}
	n := &cache.msgs[i]
	m.Subject = n.Key
	if s.view != nil {
		m.Subject = s.view.subject(n.Key)
	}
	m.Header, m.Payload = headerOf(n.Headers), n.Value
	return nil
}

// headerOf makes a header block of neutral headers, nil for none. What a line cannot
// hold is left out.
func headerOf(hs []core.Header) wire.Header {
	if len(hs) == 0 {
		return nil
	}
	h := wire.AppendHeader(nil, "", "")
	n := 0
	for _, f := range hs {
		if !fieldName(f.Name) || !fieldValue(f.Value) {
			continue
		}
		h = wire.AppendField(h, f.Name, f.Value)
		n++
	}
	if n == 0 {
		return nil
	}
	return wire.EndHeader(h)
}

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

package natswire

import (
	"bytes"
	"encoding/base64"
	"strings"
	"time"

	"trivium/core"
	"trivium/natswire/jetstream"
	"trivium/natswire/wire"
)

// Codec reads the entries that NATS clients wrote.
func Codec() core.Codec { return codec{} }

type codec struct{}

func (codec) Format() core.Format { return Format }

// Messages turns an entry into its neutral form (mapping.md, Messages). A status line is no header. The
// deletion of a key of a bucket has no value, so that it is a tombstone elsewhere.
func (codec) Messages(e *core.Entry, dst []core.Message) ([]core.Message, error) {
	reply, h, payload, err := wire.SplitEntry(e.Data)
	if err != nil {
		return dst, &core.Error{Code: core.Corrupt, Op: "read a NATS entry", Err: err}
	}
	m := core.Message{Key: e.Key, Value: payload, Time: e.Time, Reply: string(reply)}
	if m.Value == nil {
		m.Value = []byte{}
	}
	m.Headers = neutralHeaders(h, nil)
	if len(payload) == 0 && bytes.HasPrefix(e.Key, bucketPrefix) && deletes(h) {
		m.Value = nil
	}
	return append(dst, m), nil
}

// bucketPrefix begins the subjects of key-value buckets.
var bucketPrefix = []byte("$KV.")

// deletes reports whether a bucket's message removes its key: by a client, or as the
// server's marker of an expired one.
func deletes(h wire.Header) bool {
	switch string(h.Get("KV-Operation")) {
	case "DEL", "PURGE":
		return true
	}
	_, marker := h.Lookup("Nats-Marker-Reason")
	return marker
}

// neutralHeaders appends the fields of a block to dst.
func neutralHeaders(h wire.Header, dst []core.Header) []core.Header {
	h.Each(func(name, value []byte) bool {
		n := string(name)
		if plain, ok := strings.CutSuffix(n, jetstream.BinarySuffix); ok {
			if v, err := base64.StdEncoding.DecodeString(string(value)); err == nil {
				dst = append(dst, core.Header{Name: plain, Value: v})
				return true
			}
		}
		dst = append(dst, core.Header{Name: n, Value: value})
		return true
	})
	return dst
}

// headers is a block as other doors' bindings see it.
type headers struct{ h wire.Header }

// Header looks a field up; its canonical form is a text's.
func (h *headers) Header(name string) ([]byte, bool) {
	v, ok := h.h.Lookup(name)
	return append([]byte{core.HeaderText}, v...), ok
}

// ID implements core.Identified: the header that is named, or else the one that NATS has for it.
func (h *headers) ID(header string) (id []byte, ttl time.Duration) {
	v := h.h.Get(header)
	if len(v) == 0 {
		v = h.h.Get(msgID)
	}
	if len(v) == 0 {
		return nil, 0
	}
	return append([]byte{core.HeaderText}, v...), 0
}

// neutralOf is m for another door's receiver, valid until the next call.
func (p *producer) neutralOf(m *wire.Msg) *core.Message {
	n := &p.neutral
	*n = core.Message{
		Key: m.Subject, Value: m.Payload, Time: p.s.now(), Reply: string(m.Reply),
		Headers: neutralHeaders(m.Header, n.Headers[:0]),
	}
	return n
}

// Receive takes a message that another door published into the subject space.
func (u *sub) Receive(subject []byte, n *core.Message) bool {
	if !u.take() {
		return false
	}
	c := u.c
	h, dropped := jetstream.HeaderOf(n.Headers)
	if dropped > 0 {
		c.s.count.dropped.Add(int64(dropped))
	}
	m := wire.Msg{Subject: subject, Header: h, Payload: n.Value}
	if n.Reply != "" {
		m.Reply = []byte(n.Reply)
	}
	c.out.mu.Lock()
	if c.out.mu.closed || u.left.Load() {
		c.out.mu.Unlock()
		return false
	}
	c.out.appendLocked(&m, u.sid)
	slow := c.boundLocked()
	c.out.mu.Unlock()
	if slow {
		c.slow()
		return true
	}
	c.s.later.add(c)
	return true
}

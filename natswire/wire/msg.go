package wire

// Msg is one published message. A nil Header means that it has none; otherwise
// Header is the whole block, from "NATS/1.0" to the empty line.
type Msg struct {
	Subject, Reply []byte
	Header         Header
	Payload        []byte
}

// Size is what the payload limit counts: the header block and the payload.
func (m *Msg) Size() int { return len(m.Header) + len(m.Payload) }

// Clone returns a copy that shares nothing with the buffer m was read from.
func (m *Msg) Clone() Msg {
	b := make([]byte, 0, len(m.Subject)+len(m.Reply)+m.Size())
	cut := func(p []byte) []byte {
		if p == nil {
			return nil
		}
		n := len(b)
		b = append(b, p...)
		return b[n:len(b):len(b)]
	}
	return Msg{Subject: cut(m.Subject), Reply: cut(m.Reply), Header: cut(m.Header), Payload: cut(m.Payload)}
}

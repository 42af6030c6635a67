package wire

import (
	"encoding/binary"
	"errors"
)

// An entry of the NATS format keeps the subject as its key, and as its data:
//
//	uvarint  header block length << 1 | 1 if a reply subject follows
//	[uvarint reply length, reply]       only for what went to a queue
//	header block
//	payload
//
// The header block and the payload are the publisher's bytes.

// ErrEntry reports data that is not of the NATS format.
var ErrEntry = errors.New("wire: malformed entry")

// AppendEntry appends the data of an entry to dst. Streams keep no reply: pass nil.
func AppendEntry(dst []byte, reply []byte, h Header, payload []byte) []byte {
	n := uint64(len(h)) << 1
	if len(reply) > 0 {
		dst = binary.AppendUvarint(dst, n|1)
		dst = binary.AppendUvarint(dst, uint64(len(reply)))
		dst = append(dst, reply...)
	} else {
		dst = binary.AppendUvarint(dst, n)
	}
	return append(append(dst, h...), payload...)
}

// SplitEntry is the inverse of AppendEntry; what it returns aliases data. An empty
// header block is nil.
func SplitEntry(data []byte) (reply []byte, h Header, payload []byte, err error) {
	n, k := binary.Uvarint(data)
	if k <= 0 {
		return nil, nil, nil, ErrEntry
	}
	data = data[k:]
	if n&1 != 0 {
		r, k := binary.Uvarint(data)
		if k <= 0 || r > uint64(len(data)-k) {
			return nil, nil, nil, ErrEntry
		}
		reply, data = data[k:k+int(r)], data[k+int(r):]
	}
	n >>= 1
	if n > uint64(len(data)) {
		return nil, nil, nil, ErrEntry
	}
	if n > 0 {
		h = Header(data[:n:n])
	}
	return reply, h, data[n:], nil
}

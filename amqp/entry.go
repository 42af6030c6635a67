package amqp

import (
	"encoding/binary"

	"trivium/amqp/wire"
	"trivium/core"
)

// Format of the entries that this door writes; Realm of its names.
const (
	Format core.Format = 1
	Realm  core.Realm  = "amqp"
)

// The Data of an entry of Format:
//
//	version and flags   1 octet: entryVersion, entryDied, entryOneKey, entryOwnKey, entryBCC
//	exchange            1 octet length, then the exchange it was published to
//	routing key         1 octet length, then the key; only with entryOwnKey, otherwise it is Entry.Key
//	blind copies        uvarint length, then the elements of header BCC's array; only with entryBCC
//	properties          uvarint length, then the flags word and the property list as the publisher sent them, without BCC
//	body                the rest
//
// So a delivery copies properties and body as they are.
const (
	entryVersion     = 1
	entryVersionMask = 0x0f
	// entryDied: header x-death was written by this broker, not by a client.
	entryDied = 0x10
	// entryOneKey: it was dead-lettered with a key of the queue's, so that header CC no longer counts.
	entryOneKey = 0x40
	// entryOwnKey: the routing key is in Data, because Entry.Key is another one.
	entryOwnKey = 0x20
	// entryBCC: it was published with header BCC, which counts when it is routed and is shown to nobody.
	entryBCC = 0x80
)

// content is a view of an entry's Data.
type content struct {
	died     bool
	oneKey   bool
	exchange []byte
	key      []byte
	bcc      wire.Array
	props    []byte
	body     []byte
}

var errEntry = &core.Error{Code: core.Corrupt, Op: "read amqp entry"}

// appendContentHead appends what comes before the body.
func appendContentHead(dst []byte, flags byte, exchange, ownKey []byte, bcc wire.Array, props []byte) []byte {
	if len(bcc) > 0 {
		flags |= entryBCC
	}
	dst = append(dst, entryVersion|flags, byte(len(exchange)))
	dst = append(dst, exchange...)
	if flags&entryOwnKey != 0 {
		dst = append(append(dst, byte(len(ownKey))), ownKey...)
	}
	if len(bcc) > 0 {
		dst = append(binary.AppendUvarint(dst, uint64(len(bcc))), bcc...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(props)))
	return append(dst, props...)
}

// open reads an entry of Format.
func (c *content) open(e *core.Entry) error {
	b := e.Data
	if len(b) < 2 || b[0]&entryVersionMask != entryVersion {
		return errEntry
	}
	flags := b[0]
	c.died, c.oneKey = flags&entryDied != 0, flags&entryOneKey != 0
	short := func(b []byte) (s, rest []byte, ok bool) {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return nil, nil, false
		}
		n := 1 + int(b[0])
		return b[1:n:n], b[n:], true
	}
	var ok bool
	if c.exchange, b, ok = short(b[1:]); !ok {
		return errEntry
	}
	c.key = e.Key
	if flags&entryOwnKey != 0 {
		if c.key, b, ok = short(b); !ok {
			return errEntry
		}
	}
	long := func(b []byte) (s, rest []byte, ok bool) {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			return nil, nil, false
		}
		end := k + int(n)
		return b[k:end:end], b[end:], true
	}
	c.bcc = nil
	if flags&entryBCC != 0 {
		if c.bcc, b, ok = long(b); !ok {
			return errEntry
		}
	}
	if c.props, c.body, ok = long(b); !ok {
		return errEntry
	}
	return nil
}

// appendProps appends encoded properties with the fields extra added to their
// headers, in place of those of the names in drop. expiration is left out if
// dropTTL is set.
func appendProps(dst, raw []byte, extra wire.Table, dropTTL bool, drop ...string) ([]byte, error) {
	var p wire.Properties
	if err := p.Parse(raw); err != nil {
		return dst, err
	}
	headers := p.Headers
	for _, name := range drop {
		if headers.Has(name) {
			headers = headers.Without(nil, drop...)
			break
		}
	}
	p.Headers = append(extra[:len(extra):len(extra)], headers...)
	p.Flags |= wire.HasHeaders
	if dropTTL {
		p.Flags &^= wire.HasExpiration
	}
	return p.Append(dst), nil
}

// BodyLen is of core.Weigher: limits of queues count bodies alone.
func (codec) BodyLen(e *core.Entry) int {
	var c content
	if c.open(e) != nil {
		return len(e.Data)
	}
	return len(c.body)
}

var _ core.Weigher = codec{}

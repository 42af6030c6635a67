package core

import (
	"encoding/binary"
	"time"
)

// settings are what queues with different names have in common: of many queues most have equal ones,
// and those share them. Guarded by the sequencer.
type settings struct {
	QueueConfig // without a Name
	encoded     string
	queues      int // that have them
}

// share returns the settings that are encoded like this, for one more queue; nil if they are damaged.
// Requires: the sequencer, or loading.
func (b *Broker) share(encoded []byte) *settings {
	s := b.settings[string(encoded)]
	if s == nil {
		c, ok := decodeSettings(encoded)
		if !ok {
			return nil
		}
		s = &settings{QueueConfig: c, encoded: string(encoded)}
		b.settings[s.encoded] = s
	}
	s.queues++
	return s
}

// unshare ends the use of settings by one queue.
func (b *Broker) unshare(s *settings) {
	if s.queues--; s.queues == 0 {
		delete(b.settings, s.encoded)
	}
}

// encode appends all but the name, in this order:
//
//	realm, owner, dead-letter exchange and key, id header, doc: each a uvarint length and the bytes;
//	flags byte (1 durable, 2 auto-delete, 4 TTL, 8 max messages, 16 max bytes, 32 dead letter,
//	64 dead-letter key, 128 dead-letter what is rejected),
//	flags byte (1 weighted, 2 single active, 4 return first, 8 dedup), overflow byte;
//	varints: TTL, expires after, max messages, max bytes, priorities, max attempts, size and TTL of
//	dedup; times in nanoseconds
func (c *QueueConfig) encode(b []byte) []byte {
	b = appendBytes(b, c.Realm)
	for _, s := range [...]string{c.Owner, c.DeadLetter, c.DeadLetterKey, c.IDHeader} {
		b = appendBytes(b, s)
	}
	b = appendBytes(b, c.Doc)
	b = append(b,
		flags(c.Durable, c.AutoDelete, c.HasTTL, c.HasMaxMessages, c.HasMaxBytes, c.HasDeadLetter, c.HasDeadLetterKey, c.DeadLetterRejected),
		flags(c.Weighted, c.SingleActive, c.ReturnFirst, c.Dedup.On), byte(c.Overflow))
	for _, n := range [...]int64{
		int64(c.TTL), int64(c.ExpiresAfter), c.MaxMessages, c.MaxBytes, int64(c.Priorities), int64(c.MaxAttempts),
		int64(c.Dedup.Size), int64(c.Dedup.TTL),
	} {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func decodeSettings(b []byte) (c QueueConfig, ok bool) {
	r := fields{rest: b}
	c.Realm = Realm(r.text())
	for _, s := range [...]*string{&c.Owner, &c.DeadLetter, &c.DeadLetterKey, &c.IDHeader} {
		*s = r.text()
	}
	if doc := r.bytes(); len(doc) > 0 {
		c.Doc = doc
	}
	f := r.byte()
	c.Durable, c.AutoDelete, c.HasTTL, c.HasMaxMessages = f&1 != 0, f&2 != 0, f&4 != 0, f&8 != 0
	c.HasMaxBytes, c.HasDeadLetter, c.HasDeadLetterKey, c.DeadLetterRejected = f&16 != 0, f&32 != 0, f&64 != 0, f&128 != 0
	f = r.byte()
	c.Weighted, c.SingleActive, c.ReturnFirst, c.Dedup.On = f&1 != 0, f&2 != 0, f&4 != 0, f&8 != 0
	c.Overflow = Overflow(r.byte())
	c.TTL, c.ExpiresAfter = time.Duration(r.varint()), time.Duration(r.varint())
	c.MaxMessages, c.MaxBytes = r.varint(), r.varint()
	c.Priorities, c.MaxAttempts = int(r.varint()), int(r.varint())
	c.Dedup.Size, c.Dedup.TTL = int(r.varint()), time.Duration(r.varint())
	return c, !r.short && len(r.rest) == 0
}

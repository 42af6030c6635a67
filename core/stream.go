package core

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"trivium/storage"
)

// Retention says what makes a stream forget a message before its limits do.
type Retention uint8

const (
	// KeepLimits keeps messages until a limit removes them.
	KeepLimits Retention = iota
	// KeepInterest keeps a message until every Cursor has acked it.
	KeepInterest
	// KeepWork keeps a message until one Cursor has acked it.
	KeepWork
)

// Overflow says what happens to a message that exceeds a limit.
type Overflow uint8

const (
	// DropOldest makes room.
	DropOldest Overflow = iota
	// RejectNew refuses it with Full.
	RejectNew
)

// StreamConfig describes a Stream. Limits of 0 mean none.
type StreamConfig struct {
	Realm      Realm  `json:",omitzero"`
	Name       string `json:",omitzero"`
	Partitions int    `json:",omitzero"`
	Volatile   bool   `json:",omitzero"` // memory only
	// Internal streams are their door's own business: other doors do not show them.
	Internal  bool      `json:",omitzero"`
	Sealed    bool      `json:",omitzero"` // takes no messages any more
	Retention Retention `json:",omitzero"`
	Overflow  Overflow  `json:",omitzero"`
	// OverflowPerKey applies Overflow to MaxMessagesPerKey too; otherwise that
	// limit always drops the oldest.
	OverflowPerKey bool `json:",omitzero"`

	MaxMessages, MaxBytes, MaxMessagesPerKey int64         `json:",omitzero"` // per partition
	MaxMessageSize                           int64         `json:",omitzero"`
	MaxAge                                   time.Duration `json:",omitzero"`
	// Expiring heeds the Expires of entries; what has one is exempt from MaxAge.
	Expiring bool       `json:",omitzero"`
	Compact  Compaction `json:",omitzero"`
	// DedupWindow is how long an ID is remembered; 0 means that IDs are ignored.
	DedupWindow time.Duration `json:",omitzero"`
	// IDHeader is the header that holds the ID in the stream's own realm; its door looks.
	IDHeader string `json:",omitzero"`
	// TellExpired, with Expiring and KeyIndex: StreamEvents hear of each message that
	// expires as the last one of its key; until they are set, nothing expires.
	TellExpired bool `json:",omitzero"`
	// KeyIndex maintains Keys, LastByKey and NextByKey.
	KeyIndex bool `json:",omitzero"`
	// First is the offset of the first message.
	First Offset `json:",omitzero"`
	// Doc is the door's own view of the stream, kept with it.
	Doc []byte `json:",omitzero"`
}

// Stream is a named set of 1..n Logs.
type Stream struct {
	b       *Broker
	ns      *Namespace
	id      uint64
	created int64
	queue   *Queue // whose messages these are, or nil
	cfg     atomic.Pointer[StreamConfig]
	gone    bool // guarded by the sequencer
	*equipment
}

// equipment is what a stream has that is not a queue's.
type equipment struct {
	// parts is replaced, never changed, under the sequencer.
	parts atomic.Pointer[[]*partition]
	// Guarded by the sequencer.
	state   *streamState
	inbound *bindings // that end here
	waiting []*Cursor // all cursors, for retention and for counting what is pending

	// cursors by name; changed under the sequencer.
	mu struct {
		sync.RWMutex
		cursors map[string]*Cursor
	}

	events  atomic.Pointer[StreamEvents]
	janitor *janitor
	turn    atomic.Uint64 // of partitions, for messages without a key
}

// StreamEvents are told to a stream's owner.
type StreamEvents interface {
	// Expired: the message at o, which e holds, the last one of its key, has had its time
	// and was removed in tx, in which more may be done. Requires: it must not block.
	Expired(tx *Tx, e *Entry, o Offset)
}

// SetEvents says who is told.
func (s *Stream) SetEvents(ev StreamEvents) {
	s.events.Store(&ev)
	s.b.workers.wake(s.janitor)
}

// partition is one of a Stream's Logs.
type partition struct {
	s     *Stream
	index int
	log   *Log
	// next is the offset that the next Append gets; written under the sequencer.
	next atomic.Int64
	// start is the first offset that is not deleted, decided: nothing below it is
	// live. Guarded by the sequencer.
	start Offset
	keys  *keyIndex // nil without KeyIndex
	*upkeep
}

// upkeep is what a partition has that is not a queue's.
type upkeep struct {
	// cleaned is up to where the log is compacted. The janitor's.
	cleaned Offset
	// expiry is used if the Stream is Expiring.
	expiry expiry
	// interest remembers which cursors want a key. Guarded by the sequencer.
	interest map[string][]*Cursor
	// held are messages that MaxMessagesPerKey does not remove yet, and how often: see Last. Guarded by the sequencer.
	held map[Offset]int
}

// streamRecord is a Stream in the index store.
type streamRecord struct {
	Config  StreamConfig
	Created int64
	Logs    []storage.LogID
}

func (s *Stream) Namespace() *Namespace { return s.ns }

// ID is never reused.
func (s *Stream) ID() uint64 { return s.id }

// Created is when the stream was made, in unix nanoseconds.
func (s *Stream) Created() int64        { return s.created }
func (s *Stream) Config() StreamConfig  { return *s.cfg.Load() }
func (s *Stream) config() *StreamConfig { return s.cfg.Load() }

// label names the stream, or its queue, for the log.
func (s *Stream) label() string {
	if s.queue != nil {
		return s.queue.name
	}
	return s.config().Name
}

func (s *Stream) Partitions() int { return len(s.partitions()) }

func (s *Stream) partitions() []*partition {
	if s.queue != nil {
		return s.queue.parts[:]
	}
	return *s.parts.Load()
}

// Log returns a partition's Log, or nil.
func (s *Stream) Log(partition int) *Log {
	if p := s.partition(partition); p != nil {
		return p.log
	}
	return nil
}

func (s *Stream) partition(i int) *partition {
	if parts := s.partitions(); i >= 0 && i < len(parts) {
		return parts[i]
	}
	return nil
}

// newStream makes the object; its Logs are added by addLog.
func newStream(ns *Namespace, id uint64, c *StreamConfig, created int64) *Stream {
	s := new(Stream)
	s.init(ns, id, c, created)
	s.equipment = &equipment{state: &streamState{s: s}, janitor: new(janitor)}
	s.parts.Store(&[]*partition{})
	s.janitor.init(s)
	return s
}

func (s *Stream) init(ns *Namespace, id uint64, c *StreamConfig, created int64) {
	s.b, s.ns, s.id, s.created = ns.b, ns, id, created
	s.cfg.Store(c)
}

// addLog adds a partition. Requires: the sequencer, or loading.
func (s *Stream) addLog(l *Log, next Offset) *partition {
	parts := s.partitions()
	p := &partition{upkeep: new(upkeep)}
	p.init(s, len(parts), l, next)
	if s.config().KeyIndex {
		p.keys = p.newKeys()
	}
	parts = append(parts[:len(parts):len(parts)], p)
	s.parts.Store(&parts)
	return p
}

func (p *partition) init(s *Stream, index int, l *Log, next Offset) {
	p.s, p.index, p.log, p.start = s, index, l, l.Start()
	p.next.Store(int64(next))
	if s.b.loading != nil {
		s.b.loading.logs[l.ID()] = p
	}
}

// CreateStream makes a stream. Error codes: Exists.
func (ns *Namespace) CreateStream(tx *Tx, c StreamConfig) (*Stream, error) {
	if ns.Stream(c.Realm, c.Name) != nil {
		return nil, &Error{Code: Exists, Op: "create stream", Name: c.Name}
	}
	if err := tx.writable("create stream", c.Name); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	s := newStream(ns, tx.newID(), &c, tx.Now())
	for range c.Partitions {
		s.addLog(tx.CreateLog(storage.LogOptions{Volatile: c.Volatile, First: c.First}), c.First)
	}
	if !c.Volatile {
		s.b.register(s.state, s.id)
		s.save(tx)
	}
	ns.objects.streams.set(nil, name{c.Realm, c.Name}, s)
	return s, nil
}

// check completes and validates a configuration.
func (c *StreamConfig) check() error {
	c.Partitions = max(c.Partitions, 1)
	if c.KeyIndex && c.Partitions > 1 {
		return &Error{Code: Invalid, Op: "configure stream", Name: c.Name, Want: "one partition with a key index"}
	}
	if c.MaxMessagesPerKey > 0 {
		c.KeyIndex = true
	}
	return nil
}

// save writes the stream's record.
func (s *Stream) save(tx *Tx) {
	r := streamRecord{Config: s.Config(), Created: s.created}
	for _, p := range s.partitions() {
		r.Logs = append(r.Logs, p.log.ID())
	}
	tx.Set(key(keyStream, s.ns.id, s.id), mustJSON(r))
}

// mustJSON encodes one of our own records.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("core: encode record: %v", err))
	}
	return b
}

// loadStreams makes the streams that the index store holds.
func (b *Broker) loadStreams() error {
	return b.scan([]byte{keyStream}, func(k, v []byte) error {
		var nsID, id uint64
		var r streamRecord
		if _, ok := keyIDs(k, &nsID, &id); !ok {
			return fmt.Errorf("stream key %x", k)
		}
		if err := json.Unmarshal(v, &r); err != nil {
			return fmt.Errorf("stream %d: %w", id, err)
		}
		ns := b.namespaceByID(nsID)
		if ns == nil {
			return fmt.Errorf("stream %d: no namespace %d", id, nsID)
		}
		s := newStream(ns, id, &r.Config, r.Created)
		for _, l := range r.Logs {
			log := b.store.Log(l)
			if log == nil {
				return fmt.Errorf("stream %q: no log %d", r.Config.Name, l)
			}
			s.addLog(log, log.End())
		}
		b.register(s.state, id)
		b.loading.streams[id] = s
		ns.objects.streams.set(ns.loading, name{r.Config.Realm, r.Config.Name}, s)
		return nil
	})
}

// Update replaces the configuration; Realm, Name and Volatile must not change. A
// larger Partitions adds Logs, a smaller one is refused. New limits apply at once.
func (s *Stream) Update(tx *Tx, c StreamConfig) error {
	old := s.config()
	if s.gone {
		return &Error{Code: Gone, Op: "update stream", Name: old.Name}
	}
	c.Partitions = max(c.Partitions, 1)
	c.KeyIndex = c.KeyIndex || c.MaxMessagesPerKey > 0
	if c.Realm != old.Realm || c.Name != old.Name || c.Volatile != old.Volatile ||
		c.Partitions < old.Partitions || c.KeyIndex != old.KeyIndex {
		return &Error{Code: Invalid, Op: "update stream", Name: old.Name}
	}
	if err := c.check(); err != nil {
		return err
	}
	s.cfg.Store(&c)
	for range c.Partitions - old.Partitions {
		s.addLog(tx.CreateLog(storage.LogOptions{Volatile: c.Volatile, First: c.First}), c.First)
	}
	if !c.Volatile {
		s.save(tx)
	}
	for _, p := range s.partitions() {
		p.limit(tx)
		p.limitKeys(tx)
		if c.Expiring && (!old.Expiring || c.MaxAge != old.MaxAge) {
			p.restartExpiry()
		}
		if c.Retention == KeepInterest && old.Retention != KeepInterest {
			p.release(tx)
		}
	}
	tx.wakeAfter(s.janitor)
	return nil
}

// Delete removes the stream with all it holds, and its cursors: their
// subscriptions hear Gone.
func (s *Stream) Delete(tx *Tx) {
	if s.gone {
		return
	}
	s.gone = true
	c := s.config()
	for _, cur := range slices.Clone(s.waiting) {
		cur.Delete(tx)
	}
	s.ns.objects.streams.remove(name{c.Realm, c.Name})
	s.ns.streamGone(tx, s)
	if !c.Volatile {
		tx.Unset(key(keyStream, s.ns.id, s.id))
	}
	tx.forget(s.state)
	s.janitor.close()
	for _, p := range s.partitions() {
		tx.DropLog(p.log)
	}
}

package core

import "errors"

// Expect are conditions on an Append. The zero value expects nothing.
type Expect struct {
	// Last is the offset that must be the stream's last one (First-1 = none yet).
	HasLast bool
	Last    Offset
	// KeyLast is the offset that must be the last live one for the keys that match
	// KeyPattern (a subject pattern; the message's own key if ""); NoOffset = no such message.
	HasKeyLast bool
	KeyLast    Offset
	KeyPattern string
	// LastID must be the ID of the last message.
	LastID []byte
}

// Append stores e at the end of a partition if the stream's rules and x allow
// it, applying limits. e.Offset is set.
//
// Errors, all *Error: Full (Want says which limit: "messages", "bytes" or
// "messages per key"), TooLarge, WrongLast (Got holds the actual last
// offset), WrongLastID, OutOfSequence, Fenced, Unwritable. Duplicate (by ID or Producer) is
// an error too, whose Got is the offset of the first copy; Durable says if that
// one is on disk yet: if not, wait for tx's Completion before answering. Invalid: the stream
// is Sealed.
func (s *Stream) Append(tx *Tx, partition int, e *Entry, x *Expect) (Offset, error) {
	p := s.partition(partition)
	switch {
	case tx.refused:
		return NoOffset, tx.writable("append", s.config().Name)
	case s.gone:
		return NoOffset, s.refuse(Gone, "")
	case p == nil:
		return NoOffset, s.refuse(NotFound, "partition")
	}
	e.Count = max(e.Count, 1)
	c := s.config()
	if c.MaxMessageSize > 0 && int64(len(e.Data)) > c.MaxMessageSize {
		return NoOffset, s.refuse(TooLarge, "")
	}
	if c.Sealed {
		return NoOffset, s.refuse(Invalid, "a stream that is not sealed")
	}
	if err := p.unique(tx, e, c); err != nil {
		var dup *Error
		if errors.As(err, &dup) && dup.Code == Duplicate && !dup.Durable {
			// The first copy is on its way to disk in an earlier transaction. This one is
			// made to follow it there, so that its completion tells of both.
			tx.Note(0, nil)
		}
		return NoOffset, err
	}
	if x != nil {
		if err := p.expected(e, x); err != nil {
			return NoOffset, err
		}
	}
	var keys []Message
	if p.keys != nil && e.Count > 1 {
		var err error
		if keys, err = s.b.messages(e, nil); err != nil {
			return NoOffset, err
		}
	}
	if err := p.room(e, c, nil); err != nil {
		return NoOffset, err
	}
	o := p.append(tx, e)
	p.note(tx, e, keys)
	p.limit(tx)
	return o, nil
}

func (s *Stream) refuse(code Code, want string) error {
	return &Error{Code: code, Op: "append", Name: s.config().Name, Want: want}
}

// append stores e and remembers its sender.
func (p *partition) append(tx *Tx, e *Entry) Offset {
	o := tx.Append(p.log, e)
	e.Offset = o
	p.next.Store(int64(o) + int64(e.Count))
	if e.Producer.Set || len(e.ID) > 0 || len(p.s.state.lastID) > 0 {
		p.s.state.stored(p.index, e, tx.Now())
	}
	if c := p.s.config(); c.Expiring {
		p.addExpiry(e, c)
	} else if c.MaxAge > 0 {
		p.s.janitor.aging(after(tx.Now(), c.MaxAge))
	}
	if c := p.s.config(); c.Compact.On {
		p.s.janitor.aging(after(tx.Now(), compactDelay))
	}
	return o
}

// unique refuses what was stored before.
func (p *partition) unique(tx *Tx, e *Entry, c *StreamConfig) error {
	var err error
	if e.Producer.Set {
		err = p.s.state.producersOf(p.index).check(&e.Producer)
	}
	if err == nil && c.DedupWindow > 0 && len(e.ID) > 0 {
		if r, ok := p.s.state.dedup.find(e.ID, tx.Now(), c.DedupWindow); ok {
			first := p.s.partition(int(r.partition))
			return &Error{Code: Duplicate, Op: "append", Name: c.Name, Got: r.offset, Durable: r.offset < first.log.End()}
		}
	}
	if err, ok := err.(*Error); ok {
		err.Name = c.Name
		err.Durable = err.Code == Duplicate && err.Got < p.log.End()
	}
	return err
}

// expected checks the conditions of an Append.
func (p *partition) expected(e *Entry, x *Expect) error {
	if x.HasLast {
		if last := Offset(p.next.Load()) - 1; last != x.Last {
			return &Error{Code: WrongLast, Op: "append", Name: p.s.config().Name, Got: last}
		}
	}
	if x.LastID != nil && string(x.LastID) != string(p.s.state.lastID) {
		return &Error{Code: WrongLastID, Op: "append", Name: p.s.config().Name, Want: string(p.s.state.lastID)}
	}
	if x.HasKeyLast {
		if p.keys == nil {
			return p.s.refuse(Invalid, "a key index")
		}
		pattern := x.KeyPattern
		if pattern == "" {
			pattern = string(e.Key)
		}
		if last := p.keys.lastOf([]string{pattern}); last != x.KeyLast {
			return &Error{Code: WrongLast, Op: "append", Name: p.s.config().Name, Got: last}
		}
	}
	return nil
}

// size is what an entry adds to Log.Bytes.
func size(e *Entry) int64 { return int64(len(e.Key) + len(e.ID) + len(e.Data)) }

// room refuses what a limit leaves no room for, after what is staged.
func (p *partition) room(e *Entry, c *StreamConfig, before *staged) error {
	if c.Overflow != RejectNew {
		return nil
	}
	if before == nil {
		before = &staged{}
	}
	replaces := false
	if c.MaxMessagesPerKey > 0 && p.keys != nil && e.Count == 1 {
		if st, _ := p.keys.state(e.Key, maxOffset); st.Messages+before.keys[string(e.Key)] >= c.MaxMessagesPerKey {
			if c.OverflowPerKey {
				return p.s.refuse(Full, "messages per key")
			}
			replaces = true
		}
	}
	if replaces {
		return nil
	}
	if c.MaxMessages > 0 && p.log.Messages()+before.messages+int64(e.Count) > c.MaxMessages {
		return p.s.refuse(Full, "messages")
	}
	if c.MaxBytes > 0 && p.log.Bytes()+before.bytes+size(e) > c.MaxBytes {
		return p.s.refuse(Full, "bytes")
	}
	return nil
}

// note adds e's messages to the key index and tells the cursors that count or hold them.
func (p *partition) note(tx *Tx, e *Entry, messages []Message) {
	for i := range e.Count {
		k := e.Key
		if messages != nil && int(i) < len(messages) {
			k = messages[i].Key
		}
		o := e.Offset + Offset(i)
		if p.keys != nil {
			p.keys.add(o, k)
			p.s.b.changed(p.s.state)
		}
		wanted := p.wantedBy(k)
		for _, c := range wanted {
			c.appended(o)
		}
		if len(wanted) == 0 && p.s.config().Retention == KeepInterest {
			p.remove(tx, o)
			continue
		}
		p.limitKey(tx, k)
	}
}

// messages are an entry's messages in neutral form.
func (b *Broker) messages(e *Entry, dst []Message) ([]Message, error) {
	codec := b.Codec(e.Format)
	if codec == nil {
		return nil, &Error{Code: Invalid, Op: "read entry", Want: "a known format"}
	}
	return codec.Messages(e, dst)
}

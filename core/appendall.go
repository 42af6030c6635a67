package core

// staged is what AppendAll has found good so far.
type staged struct {
	messages, bytes int64
	keys            map[string]int64 // messages of each
	ids             map[string]struct{}
}

// AppendAll stores es, in order, at the end of a partition: all of them, or, if one is
// refused, none; at is the refused one's index. Entries hold one message each.
//
// Conditions, one for each entry, hold for what was there before: Last can be expected by the
// first entry only, KeyLast only for keys that no earlier one of es has (else WrongLast,
// with Want saying so), LastID by none. An ID that an earlier one of es has is a
// Duplicate whose Got is NoOffset.
func (s *Stream) AppendAll(tx *Tx, partition int, es []Entry, xs []Expect) (at int, err error) {
	p := s.partition(partition)
	switch {
	case s.gone:
		return 0, s.refuse(Gone, "")
	case p == nil:
		return 0, s.refuse(NotFound, "partition")
	}
	c := s.config()
	before := staged{keys: map[string]int64{}, ids: map[string]struct{}{}}
	for i := range es {
		es[i].Count = 1
		if err := p.admit(tx, &es[i], &xs[i], c, &before); err != nil {
			return i, err
		}
	}
	for i := range es {
		p.append(tx, &es[i])
		p.note(tx, &es[i], nil)
	}
	p.limit(tx)
	return len(es), nil
}

// admit checks an entry that comes after what is staged, and stages it.
func (p *partition) admit(tx *Tx, e *Entry, x *Expect, c *StreamConfig, before *staged) error {
	if c.MaxMessageSize > 0 && int64(len(e.Data)) > c.MaxMessageSize {
		return p.s.refuse(TooLarge, "")
	}
	if c.DedupWindow > 0 && len(e.ID) > 0 {
		if _, ok := before.ids[string(e.ID)]; ok {
			return &Error{Code: Duplicate, Op: "append", Name: c.Name, Got: NoOffset}
		}
		before.ids[string(e.ID)] = struct{}{}
	}
	if err := p.unique(tx, e, c); err != nil {
		return err
	}
	if err := p.expectedAfter(e, x, before); err != nil {
		return err
	}
	if err := p.room(e, c, before); err != nil {
		return err
	}
	before.messages++
	before.bytes += size(e)
	before.keys[string(e.Key)]++
	return nil
}

// expectedAfter is expected for an entry that comes after what is staged.
func (p *partition) expectedAfter(e *Entry, x *Expect, before *staged) error {
	if x.HasLast && before.messages > 0 {
		err := &Error{Code: WrongLast, Op: "append", Name: p.s.config().Name, Got: Offset(p.next.Load()-1) + Offset(before.messages)}
		if err.Got == x.Last {
			err.Want = "the first entry of the batch"
		}
		return err
	}
	if x.LastID != nil {
		return p.s.refuse(Invalid, "no expected last id in a batch")
	}
	if x.HasKeyLast {
		pattern := x.KeyPattern
		if pattern == "" {
			pattern = string(e.Key)
		}
		for k := range before.keys {
			if k == pattern || SubjectMatches(pattern, k) {
				return &Error{Code: WrongLast, Op: "append", Name: p.s.config().Name, Want: "a key that the batch has not written yet"}
			}
		}
	}
	return p.expected(e, x)
}

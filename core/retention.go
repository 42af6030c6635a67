package core

import "math"

// maxOffset is above every offset.
const maxOffset Offset = math.MaxInt64

// first is the first live offset as decided, next if there is none. Requires: the
// sequencer.
func (p *partition) first() Offset {
	p.start = max(p.start, p.log.Start())
	if p.keys != nil {
		if o := p.log.NextRetained(p.start); o != NoOffset {
			p.start = o
		} else {
			p.start = Offset(p.next.Load())
		}
	}
	return p.start
}

// limit drops the oldest messages that exceed the partition's limits.
func (p *partition) limit(tx *Tx) {
	c := p.s.config()
	if tx.refused {
		return
	}
	if c.MaxMessages > 0 {
		for n := p.log.Messages() - c.MaxMessages; n > 0; n = p.log.Messages() - c.MaxMessages {
			from := p.first()
			if p.keys != nil {
				if !p.remove(tx, from) {
					break
				}
				continue
			}
			next := Offset(p.next.Load())
			if from >= next {
				break
			}
			p.trim(tx, min(from+Offset(n), next))
		}
	}
	if c.MaxBytes > 0 && p.log.Bytes() > c.MaxBytes {
		if p.keys == nil {
			// Entries' borders are not known here, and must not be read under the sequencer.
			tx.Then(p.s.janitor)
			return
		}
		for p.log.Bytes() > c.MaxBytes && p.remove(tx, p.first()) {
		}
	}
}

// limitKey drops the oldest messages of a key that has too many.
func (p *partition) limitKey(tx *Tx, k []byte) {
	most := p.s.config().MaxMessagesPerKey
	if most <= 0 || p.keys == nil || tx.refused {
		return
	}
	for {
		st, ok := p.keys.state(k, maxOffset)
		if !ok || st.Messages <= most {
			return
		}
		first := p.keys.first(k)
		if p.held[first] > 0 {
			return // whoever holds it comes back here
		}
		p.removeOf(tx, k, first)
	}
}

// limitKeys applies a new limit to all keys.
func (p *partition) limitKeys(tx *Tx) {
	most := p.s.config().MaxMessagesPerKey
	if most <= 0 || p.keys == nil || tx.refused {
		return
	}
	var over []string
	p.keys.mu.RLock()
	p.keys.match("", func(id uint32) bool {
		if p.keys.info(id).messages > most {
			over = append(over, p.keys.names.Name(id))
		}
		return true
	})
	p.keys.mu.RUnlock()
	for _, k := range over {
		p.limitKey(tx, raw(k))
	}
}

// remove deletes one message, and reports whether it may have been there.
func (p *partition) remove(tx *Tx, o Offset) bool {
	if tx.refused {
		return false
	}
	if p.keys == nil {
		if o < p.start || o >= Offset(p.next.Load()) {
			return false
		}
		before := p.log.Messages()
		tx.Delete(p.log, o, o+1)
		return p.log.Messages() < before
	}
	k, ok := p.keys.remove(o)
	switch {
	case ok:
		p.forget(tx, raw(k), o)
	case p.log.Retains(o): // the key index lacks it, since it could not be read
		tx.Delete(p.log, o, o+1)
		p.keys.removed(o, o+1)
	default:
		return false
	}
	return true
}

// removeOf deletes a message that is there and has that key. Requires: a key index.
func (p *partition) removeOf(tx *Tx, k []byte, o Offset) {
	p.keys.removeOf(k, o)
	p.forget(tx, k, o)
}

// forget deletes what the key index knows no more.
func (p *partition) forget(tx *Tx, k []byte, o Offset) {
	p.s.b.changed(p.s.state)
	tx.Delete(p.log, o, o+1)
	for _, c := range p.wantedBy(k) {
		c.removed(tx, o, k)
	}
	p.keys.removed(o, o+1)
}

// indexStep is how many messages are looked up in the key index at once.
const indexStep = 1 << 16

// trim deletes everything below before, and counts it.
func (p *partition) trim(tx *Tx, before Offset) int64 {
	before = min(before, Offset(p.next.Load()))
	from := p.first()
	if before <= from || tx.refused {
		return 0
	}
	if p.keys != nil {
		p.s.b.changed(p.s.state)
		for at := from; at < before; at += indexStep {
			for _, o := range p.keys.offsets(nil, at, min(at+indexStep, before)) {
				k, _ := p.keys.remove(o)
				for _, c := range p.wantedBy(raw(k)) {
					c.removed(tx, o, raw(k))
				}
			}
		}
	}
	n := p.log.Messages()
	tx.Delete(p.log, from, before)
	p.start = before
	if p.keys != nil {
		p.keys.removed(from, before)
	}
	return n - p.log.Messages()
}

// Rollup removes what came before the message at o: all of it, or with the same
// key.
func (s *Stream) Rollup(tx *Tx, partition int, o Offset, sameKey bool) {
	p := s.partition(partition)
	if !sameKey {
		p.trim(tx, o)
		return
	}
	if p.keys == nil {
		return
	}
	if k, ok := p.keys.key(o); ok {
		for _, old := range p.keys.offsetsOf(k, o) {
			p.remove(tx, old)
		}
	}
}

// Remove deletes a message and reports whether it was there. Trim removes all
// before an offset, and counts what it removed.
func (s *Stream) Remove(tx *Tx, partition int, o Offset) bool {
	p := s.partition(partition)
	return p != nil && p.remove(tx, o)
}

func (s *Stream) Trim(tx *Tx, partition int, before Offset) (n int64) {
	if p := s.partition(partition); p != nil {
		n = p.trim(tx, before)
	}
	return n
}

// Purge removes the messages whose key matches pattern ("" = all), below before
// (NoOffset = all) and keeping the last keep of them; it counts what it removed. Needs
// KeyIndex if pattern or keep is set.
func (s *Stream) Purge(tx *Tx, pattern string, before Offset, keep int64) (n int64, err error) {
	if before == NoOffset {
		before = maxOffset
	}
	defer func() {
		if n > 0 {
			for _, c := range s.waiting {
				c.purged(tx, c.p.first())
			}
		}
	}()
	if pattern == "" && keep == 0 {
		for _, p := range s.partitions() {
			n += p.trim(tx, before)
		}
		return n, nil
	}
	p := s.partition(0)
	if p.keys == nil {
		return 0, &Error{Code: Invalid, Op: "purge", Name: s.config().Name, Want: "a key index"}
	}
	var patterns []string
	if pattern != "" {
		patterns = []string{pattern}
	}
	all := p.keys.offsets(patterns, 0, before)
	if int64(len(all)) <= keep {
		return 0, nil
	}
	for _, o := range all[:int64(len(all))-keep] {
		if p.remove(tx, o) {
			n++
		}
	}
	return n, nil
}

// Keys calls f for each key that matches pattern (a subject pattern, "" = all) and has messages below end, those on
// their way to disk included, which are those that it hears of, in the order of the keys, until f returns false. f hears
// of a key as it is when it is passed: of one that has such messages all the time once, of others perhaps. f runs
// with the key index locked, which is let go every now and then: it must not block, call the stream, or keep the key.
// These need KeyIndex and one partition.
func (s *Stream) Keys(pattern string, end Offset, f func(key []byte, k KeyState) bool) {
	p := s.partition(0)
	if p.keys == nil {
		return
	}
	p.keys.walk(pattern, func(id uint32) bool {
		st, ok := p.keys.stateOf(id, end)
		return !ok || f(raw(p.keys.names.Name(id)), st)
	})
}

// KeyCount is how many keys have live messages, those on their way to disk included. It
// needs KeyIndex and one partition.
func (s *Stream) KeyCount() int {
	p := s.partition(0)
	if p.keys == nil {
		return 0
	}
	return p.keys.count()
}

// LastByKey is the offset of the last visible message whose key is key (see Last); NextByKey of
// the first one at or after from whose key matches pattern. NoOffset = none.
func (s *Stream) LastByKey(key string) Offset {
	p := s.partition(0)
	if p.keys == nil {
		return NoOffset
	}
	st, _ := p.keys.state(raw(key), p.log.End())
	return st.Last
}

func (s *Stream) NextByKey(pattern string, from Offset) (Offset, error) {
	p := s.partition(0)
	if p.keys == nil {
		return NoOffset, &Error{Code: Invalid, Op: "search", Name: s.config().Name, Want: "a key index"}
	}
	return p.keys.nextMatch(pattern, from, p.log.End()), nil
}

// CountByKey counts the live messages at or after from whose key matches one of the
// patterns (none = all).
func (s *Stream) CountByKey(patterns []string, from Offset) (int64, error) {
	p := s.partition(0)
	if p.keys != nil {
		return p.keys.messages(patterns, from, p.log.End()), nil
	}
	if len(patterns) > 0 {
		return 0, &Error{Code: Invalid, Op: "count", Name: s.config().Name, Want: "a key index"}
	}
	return p.liveFrom(from), nil
}

// liveFrom counts the visible messages at or after from.
func (p *partition) liveFrom(from Offset) int64 {
	return p.log.Count(from, p.log.End())
}

// Get returns the entry that holds the message at o; NotFound if it is not there.
func (s *Stream) Get(partition int, o Offset) (*Entry, error) {
	p := s.partition(partition)
	if p == nil {
		return nil, &Error{Code: NotFound, Op: "get", Name: s.config().Name, Got: o}
	}
	return p.get(o)
}

func (p *partition) get(o Offset) (*Entry, error) {
	missing := &Error{Code: NotFound, Op: "get", Name: p.s.config().Name, Got: o}
	if o < 0 || o >= p.log.End() {
		return nil, missing
	}
	if p.keys != nil && !p.log.Retains(o) {
		return nil, missing
	}
	es, _, err := p.log.Read(o, Limit{Entries: 1}, make([]Entry, 0, 1))
	if err != nil {
		return nil, readError(p.s.config().Name, err)
	}
	if len(es) == 0 || o < es[0].Offset || o >= es[0].Next() || es[0].Count > 1 && !p.log.Live(o) {
		return nil, missing
	}
	return &es[0], nil
}

// ProducerState answers what is known of an idempotent producer on a partition:
// the last sequence number it stored, false if nothing. Requires: a Tx is open.
func (s *Stream) ProducerState(partition int, id int64) (epoch int16, last int32, ok bool) {
	if partition < 0 || partition >= len(s.state.producers) {
		return 0, 0, false
	}
	st := s.state.producers[partition][id]
	if st == nil {
		return 0, 0, false
	}
	if st.n == 0 {
		return st.epoch, -1, true
	}
	return st.epoch, st.batches[st.n-1].last, true
}

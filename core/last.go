package core

import "errors"

// lastTries bounds how often Last looks again since what it found was replaced before it was read.
const lastTries = 1 << 10

// Last returns the last message of the keys that match pattern, a subject pattern or a key: the entry that holds it,
// and its offset. A message that is on its way to disk has had the one removed already whose place it takes, if its
// stream keeps only so many of a key: then Last waits for it, as long as a commit takes, so that a key that always
// has a message is always found, and what one call finds is not older than what another one found before. It needs
// KeyIndex and one partition. Error codes: NotFound, Unwritable.
func (s *Stream) Last(pattern string) (*Entry, Offset, error) {
	p := s.partition(0)
	missing := &Error{Code: NotFound, Op: "get", Name: s.config().Name, Got: NoOffset}
	if p.keys == nil {
		return nil, NoOffset, missing
	}
	for range lastTries {
		o := NoOffset
		if !wild(pattern) {
			o = p.keys.last(raw(pattern), p.log.End())
		}
		if o == NoOffset {
			o = p.keys.lastOf([]string{pattern})
		}
		if o == NoOffset {
			break
		}
		end, err := func() {}, error(nil)
		if o >= p.log.End() {
			if o, end, err = p.await(o, pattern); err != nil {
				end()
				return nil, NoOffset, err
			}
		}
		e, err := p.get(o)
		end()
		var known *Error
		if !errors.As(err, &known) || known.Code != NotFound {
			return e, o, err
		}
	}
	return nil, NoOffset, missing
}

// await waits until the last message that matches pattern, which was at o, is on disk, and holds it there until end is
// called, though others take its place meanwhile: else there would be none to be read as long as more come.
func (p *partition) await(o Offset, pattern string) (_ Offset, end func(), err error) {
	var key string
	held := false
	err = p.s.b.Committed(func(tx *Tx) error {
		if !wild(pattern) {
			o = p.keys.last(raw(pattern), maxOffset)
		}
		if key, held = p.keys.key(o); held {
			if p.held == nil {
				p.held = map[Offset]int{}
			}
			p.held[o]++
			tx.Note(0, nil) // so that its completion tells of all before it
		}
		return nil
	})
	return o, func() {
		if !held {
			return
		}
		tx := p.s.b.Begin()
		defer tx.Commit()
		if p.held[o]--; p.held[o] == 0 {
			delete(p.held, o)
		}
		if !p.s.gone {
			p.limitKey(tx, raw(key))
		}
	}, err
}

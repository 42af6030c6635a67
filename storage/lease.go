package storage

// Lease says how long entries that were read from memory are used: until End. The zero value is ready. It is used by
// one goroutine at a time.
type Lease struct {
	c    *cache
	blk  *block // the last of all
	last []byte
	all  []*held
	kept bool
}

// Keep says that somebody has, or will have, what was read for good.
func (l *Lease) Keep() { l.kept = true }

// End says that nothing of what was read is used any more, unless it was kept. The lease is ready for its next use.
func (l *Lease) End() {
	for i, h := range l.all {
		if l.kept {
			h.kept.Store(true)
		}
		l.c.giveBack(h)
		l.all[i] = nil
	}
	*l = Lease{c: l.c, all: l.all[:0]}
}

// bytes returns a block's bytes if they are in memory.
func (l *Lease) bytes(s *Store, b *block) []byte {
	if l.blk == b {
		return l.last
	}
	h := b.borrow()
	if h == nil {
		return nil
	}
	l.c, l.blk, l.last = &s.cache, b, h.b
	l.all = append(l.all, h)
	return h.b
}

// load returns a block's bytes, from the journal if they are not in memory; nil if they are gone because nothing
// in them is live.
func (l *Lease) load(s *Store, b *block) ([]byte, error) {
	if buf := l.bytes(s, b); buf != nil || b.volatile {
		return buf, nil
	}
	buf := s.cache.free.Take(b.place.len)[:b.place.len]
	if err := s.journal.read(b.pos, b.place, buf); err != nil {
		s.cache.free.Give(buf)
		return nil, err
	}
	h := &held{b: buf}
	h.users.Store(1)
	if b.live.Load() > 0 {
		s.cache.hold(b, h)
	}
	l.c, l.blk, l.last = &s.cache, b, buf
	l.all = append(l.all, h)
	return buf, nil
}

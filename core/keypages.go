package core

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
)

const (
	// pageLen is how many messages share a page of the key index, a multiple of 64.
	pageLen = 256
	// far is a distance that does not fit: the neighbour is found by searching.
	far = ^uint32(0)
	// cachedMessages is how many messages all pages that are at hand, besides those that are written to, may
	// have together, eight bytes each: half of them were used lately.
	cachedMessages = 2 << 20
)

// keyRef is what a page knows of a message: its key's id, 0 if there is no message, and how far before it the one
// is that was the key's last when it was added, 0 if there was none. It stays when the message is
// removed. Once all messages of a key are gone its id may be given to another one.
type keyRef struct{ id, back uint32 }

// keyPage are the messages of a page, up to the last one that was added. Only the tail of an index changes.
//
// In the index store a page is a row: for each message its id's distance from the id before it, zigzag, and
// back; both uvarints.
type keyPage struct {
	refs  []keyRef
	dirty bool // in pages.changed
}

// pageStore reads a page's row; nil if there is none, or if it cannot be read.
type pageStore func(no Offset) []byte

// pages are those of one index. Numbers are of type Offset: a page's messages begin at number * pageLen.
type pages struct {
	store pageStore // nil: pages stay in memory
	cache *pageCache
	index uint64 // its number in the cache

	held struct {
		sync.Mutex
		// pages are those that are not in the store yet, and the tail.
		pages map[Offset]*keyPage
		// tail is the number of the last page, -1 if there is none. What that holds is changed with keyIndex.mu, too.
		tail Offset
	}

	// For the checkpoint; only the sequencer looks at it. Pages that changed, ascending; that the last checkpoint
	// took; that died; and the first one that was never written.
	changed, taken, dead []Offset
	unwritten            Offset
}

var noPage = &keyPage{}

func (ps *pages) init(store pageStore, cache *pageCache) {
	if ps.store, ps.cache = store, cache; cache != nil {
		ps.index = cache.indexes.Add(1)
	}
	ps.held.tail, ps.held.pages = -1, map[Offset]*keyPage{}
}

func distance(d Offset) uint32 { return uint32(min(d, Offset(far))) }

// page returns a page, which may be empty.
func (ps *pages) page(no Offset) *keyPage {
	ps.held.Lock()
	p, tail := ps.held.pages[no], ps.held.tail
	ps.held.Unlock()
	if p != nil {
		return p
	}
	if ps.store == nil || no < 0 || no >= tail {
		return noPage
	}
	k := pageKey{ps.index, no}
	if p := ps.cache.get(k); p != nil {
		return p
	}
	v := ps.store(no)
	if v == nil {
		return noPage
	}
	p = decodePage(v)
	ps.cache.put(k, p)
	return p
}

// at is what is known of o.
func (ps *pages) at(o Offset) keyRef { return ps.page(o / pageLen).at(o) }

func (p *keyPage) at(o Offset) keyRef {
	if i := int(o % pageLen); o >= 0 && i < len(p.refs) {
		return p.refs[i]
	}
	return keyRef{}
}

// put adds a message behind all others. If that begins a page it returns the number of the one before, else -1.
func (ps *pages) put(o Offset, r keyRef) (passed Offset) {
	no := o / pageLen
	passed = -1
	ps.held.Lock()
	defer ps.held.Unlock()
	if no != ps.held.tail {
		passed, ps.held.tail = ps.held.tail, no
		if p := ps.held.pages[passed]; p != nil && !p.dirty && ps.store != nil {
			ps.taken = append(ps.taken, passed) // it was kept as the tail only
		}
	}
	p := ps.held.pages[no]
	if p == nil {
		p = &keyPage{}
		ps.held.pages[no] = p
	}
	for len(p.refs) < int(o%pageLen) {
		p.refs = append(p.refs, keyRef{})
	}
	p.refs = append(p.refs, r)
	if !p.dirty && ps.store != nil {
		p.dirty = true
		ps.changed = append(ps.changed, no)
	}
	return passed
}

// drop forgets a page of which nothing is live. Requires: it is not the tail.
func (ps *pages) drop(no Offset) {
	ps.held.Lock()
	delete(ps.held.pages, no)
	ps.held.Unlock()
	if ps.store != nil && no < ps.unwritten {
		ps.dead = append(ps.dead, no)
	}
}

// written lets go of the pages that the last checkpoint took: they are in the store.
func (ps *pages) written() {
	for _, no := range ps.taken {
		ps.held.Lock()
		p := ps.held.pages[no]
		kept := p == nil || p.dirty || no == ps.held.tail
		if !kept {
			delete(ps.held.pages, no)
		}
		ps.held.Unlock()
		if !kept {
			ps.cache.put(pageKey{ps.index, no}, p)
		}
	}
	ps.taken = nil
}

// take hands over up to most pages that changed, for a checkpoint.
func (ps *pages) take(most int, set func(no Offset, v []byte)) {
	for _, no := range ps.dead {
		set(no, nil)
	}
	ps.dead = nil
	n := min(most, len(ps.changed))
	for _, no := range ps.changed[:n] {
		if p := ps.held.pages[no]; p != nil {
			p.dirty = false
			set(no, p.encode())
			ps.taken = append(ps.taken, no)
			ps.unwritten = max(ps.unwritten, no+1)
		}
	}
	if ps.changed = ps.changed[n:]; len(ps.changed) == 0 {
		ps.changed = nil
	}
}

func (p *keyPage) encode() []byte {
	v := make([]byte, 0, 3*len(p.refs))
	last := uint32(0)
	for _, r := range p.refs {
		v = binary.AppendVarint(v, int64(r.id)-int64(last))
		v = binary.AppendUvarint(v, uint64(r.back))
		last = r.id
	}
	return v
}

// decodePage reads what it can of a row.
func decodePage(v []byte) *keyPage {
	p := &keyPage{refs: make([]keyRef, 0, min(pageLen, len(v)/2))}
	d := &fields{rest: v}
	last := int64(0)
	for len(d.rest) > 0 && len(p.refs) < pageLen {
		last += d.varint()
		back := d.uvarint()
		if d.short || last != int64(uint32(last)) || back != uint64(uint32(back)) {
			break
		}
		p.refs = append(p.refs, keyRef{uint32(last), uint32(back)})
	}
	return p
}

// pageCache keeps pages at hand that are in the index store, for all indexes: what was used since the last time
// that half of the room was filled, and what was used in the time before.
type pageCache struct {
	indexes    atomic.Uint64 // numbers given to them, so that none is kept in memory by its pages
	mu         sync.Mutex
	young, old map[pageKey]*keyPage
	n          int // messages in young
}

type pageKey struct {
	index uint64
	no    Offset
}

func (c *pageCache) get(k pageKey) *keyPage {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.young[k]; p != nil {
		return p
	}
	p := c.old[k]
	if p != nil {
		c.add(k, p)
	}
	return p
}

func (c *pageCache) put(k pageKey, p *keyPage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(k, p)
}

// Requires: mu.
func (c *pageCache) add(k pageKey, p *keyPage) {
	if c.n+len(p.refs) > cachedMessages/2 {
		c.old, c.young, c.n = c.young, nil, 0
	}
	if c.young == nil {
		c.young = map[pageKey]*keyPage{}
	}
	if c.young[k] == nil {
		c.n += len(p.refs)
	}
	c.young[k] = p
}

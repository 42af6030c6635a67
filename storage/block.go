package storage

import (
	"sync"
	"sync/atomic"

	"trivium/internal/slab"
)

// block is the bytes of one frame, or of a run of volatile entries, as Logs refer
// to them. A frame's bytes are kept while the cache has room and some entry in it is
// live; after that they are read from the journal again.
type block struct {
	pos      Position // 0 if volatile
	place    place
	volatile bool
	// maxTime is the largest Time of a frame's entries.
	maxTime int64
	// live counts the entries that Logs still refer to, plus one while the
	// block is being filled.
	live atomic.Int32
	held atomic.Pointer[held]
}

// held is a block's bytes in memory. They are lent again when nobody uses them any more, unless somebody
// was given them for good.
type held struct {
	b     []byte
	users atomic.Int32 // the block is one of them while it has them
	kept  atomic.Bool
}

// borrow returns the block's bytes if they are in memory. They are valid until cache.giveBack.
func (b *block) borrow() *held {
	h := b.held.Load()
	for h != nil {
		n := h.users.Load()
		if n == 0 {
			return nil // dropped meanwhile
		}
		if h.users.CompareAndSwap(n, n+1) {
			break
		}
	}
	return h
}

// cache bounds the memory of blocks: first in, first out.
type cache struct {
	free  slab.Pool
	limit int64
	size  atomic.Int64
	mu    struct {
		sync.Mutex
		fifo []*block
		head int
		live int // blocks in fifo that hold bytes, about
	}
}

// put makes b a user of h, unless it has bytes already.
func (b *block) put(h *held) bool {
	h.users.Add(1)
	if b.held.CompareAndSwap(nil, h) {
		return true
	}
	h.users.Add(-1) // Requires: the caller is a user too, or nobody
	return false
}

// giveBack ends the use of what borrow returned.
func (c *cache) giveBack(h *held) {
	if h.users.Add(-1) == 0 && !h.kept.Load() {
		c.free.Give(h.b)
	}
}

// hold keeps h for b, evicting older blocks, unless b has got its bytes from somebody else.
func (c *cache) hold(b *block, h *held) {
	if !b.put(h) {
		return
	}
	c.size.Add(int64(cap(h.b)))
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.mu
	q.fifo = append(q.fifo, b)
	for q.head < len(q.fifo)-1 && (c.size.Load() > c.limit || q.fifo[q.head].held.Load() == nil) {
		c.drop(q.fifo[q.head])
		q.fifo[q.head] = nil
		q.head++
	}
	if q.head > 64 && q.head > len(q.fifo)/2 {
		n := copy(q.fifo, q.fifo[q.head:])
		clear(q.fifo[n:])
		q.fifo, q.head = q.fifo[:n], 0
	}
	// Blocks that died in the middle leave husks: sweep when they may be most of it.
	if len(q.fifo)-q.head > 2*q.live+256 {
		n := q.head
		for _, b := range q.fifo[q.head:] {
			if b.held.Load() != nil {
				q.fifo[n] = b
				n++
			}
		}
		clear(q.fifo[n:])
		q.fifo = q.fifo[:n]
		q.live = n - q.head
	}
}

// drop forgets the bytes of b.
func (c *cache) drop(b *block) {
	if h := b.held.Swap(nil); h != nil {
		if !b.volatile {
			c.size.Add(-int64(cap(h.b)))
		}
		c.giveBack(h)
	}
}

// release takes away one reference to b; without any its bytes go.
func (c *cache) release(b *block) {
	if b.live.Add(-1) == 0 {
		c.drop(b)
	}
}

// volatileChunk is how much memory volatile entries of several transactions share.
const volatileChunk = 32 << 10

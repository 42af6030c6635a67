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
	// maxTime is the largest Time of its entries.
	maxTime int64
	// live counts the entries that Logs still refer to, plus one while the
	// block is being filled.
	live atomic.Int32
	buf  atomic.Pointer[[]byte]
	// A buffer is used again only if nobody was given it for good (shared) or has it
	// pinned. Both are said before buf is loaded, and looked at when it is taken away.
	shared atomic.Bool
	pins   atomic.Int32
}

// bytes returns the block's bytes if they are in memory. They stay valid.
func (b *block) bytes() []byte {
	if !b.shared.Load() {
		b.shared.Store(true)
	}
	return b.peek()
}

// pin returns the block's bytes if they are in memory. They are valid until unpin.
func (b *block) pin() []byte {
	b.pins.Add(1)
	return b.peek()
}

func (b *block) unpin() { b.pins.Add(-1) }

func (b *block) peek() []byte {
	if p := b.buf.Load(); p != nil {
		return *p
	}
	return nil
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

// hold keeps buf for b, evicting older blocks.
func (c *cache) hold(b *block, buf []byte) {
	if !b.buf.CompareAndSwap(nil, &buf) {
		return
	}
	c.size.Add(int64(cap(buf)))
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.mu
	q.fifo = append(q.fifo, b)
	for q.head < len(q.fifo)-1 && (c.size.Load() > c.limit || q.fifo[q.head].buf.Load() == nil) {
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
			if b.buf.Load() != nil {
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
	if p := b.buf.Swap(nil); p != nil {
		c.size.Add(-int64(cap(*p)))
		if !b.shared.Load() && b.pins.Load() == 0 {
			c.free.Give(*p)
		}
	}
}

// release takes away one reference to b; without any its bytes go.
func (c *cache) release(b *block) {
	if b.live.Add(-1) == 0 {
		if b.volatile {
			b.buf.Store(nil)
		} else {
			c.drop(b)
		}
	}
}

// volatileChunk is how much memory volatile entries of several transactions share.
const volatileChunk = 32 << 10

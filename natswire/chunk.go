package natswire

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"trivium/internal/race"
)

// The sizes of pooled buffers. A connection holds none while it is idle. A bulk chunk is for reading what has large
// messages in it: fewer of them end in the middle of a read, and have to be moved.
const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10
	bulkChunk  = 256 << 10
)

// chunk is a buffer that goes from owner to owner: read into, or appended to and
// written out. What was read may be in several outputs as it is: then the chunk has
// several owners, and what is in it does not change.
type chunk struct {
	b      []byte
	owners atomic.Int32
}

var (
	smallChunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, smallChunk)} }}
	largeChunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, largeChunk)} }}
	bulkChunks  = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, bulkChunk)} }}
)

// newChunk returns an empty chunk with room for at least n bytes, and one owner.
func newChunk(n int) (c *chunk) {
	switch {
	case n <= smallChunk:
		c = smallChunks.Get().(*chunk)
	case n <= largeChunk:
		c = largeChunks.Get().(*chunk)
	case n > bulkChunk/2 && n <= bulkChunk:
		c = bulkChunks.Get().(*chunk)
	default:
		c = &chunk{b: make([]byte, 0, n)}
	}
	c.owners.Store(1)
	return c
}

// share adds an owner. Requires: the caller is one.
func (c *chunk) share() { c.owners.Add(1) }

// shared reports whether somebody else owns c too.
func (c *chunk) shared() bool { return c.owners.Load() > 1 }

// free is what each owner calls in the end. The last one gives c back; larger ones are left to the collector.
func (c *chunk) free() {
	if c.owners.Add(-1) > 0 {
		return
	}
	race.Spoil(c.b[:cap(c.b)])
	c.b = c.b[:0]
	switch cap(c.b) {
	case smallChunk:
		smallChunks.Put(c)
	case largeChunk:
		largeChunks.Put(c)
	case bulkChunk:
		bulkChunks.Put(c)
	}
}

// holds reports whether b is a part of c.
func (c *chunk) holds(b []byte) bool {
	from, at := uintptr(unsafe.Pointer(unsafe.SliceData(c.b))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return at >= from && at+uintptr(len(b)) <= from+uintptr(len(c.b))
}

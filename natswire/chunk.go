package natswire

import "sync"

// The sizes of pooled buffers. A connection holds none while it is idle.
const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10
)

// chunk is a buffer that goes from owner to owner: read into, or appended to and
// written out.
type chunk struct{ b []byte }

var (
	smallChunks = sync.Pool{New: func() any { return &chunk{make([]byte, 0, smallChunk)} }}
	largeChunks = sync.Pool{New: func() any { return &chunk{make([]byte, 0, largeChunk)} }}
)

// newChunk returns an empty chunk with room for at least n bytes.
func newChunk(n int) *chunk {
	switch {
	case n <= smallChunk:
		return smallChunks.Get().(*chunk)
	case n <= largeChunk:
		return largeChunks.Get().(*chunk)
	default:
		return &chunk{make([]byte, 0, n)}
	}
}

// free gives c back; larger ones are left to the collector.
func (c *chunk) free() {
	c.b = c.b[:0]
	switch cap(c.b) {
	case smallChunk:
		smallChunks.Put(c)
	case largeChunk:
		largeChunks.Put(c)
	}
}

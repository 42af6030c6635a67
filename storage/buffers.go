package storage

import (
	"math/bits"
	"sync"
)

const (
	// Buffers from 1<<minBuffer to 1<<maxBuffer bytes are used again.
	minBuffer, maxBuffer = 15, 25
)

// buffers are those of frames that nobody looks at any more, to be filled again. The
// garbage collector takes what stays unused.
type buffers struct {
	pools [maxBuffer + 1]sync.Pool // of *[]byte with a capacity of at least 1<<index
}

// take returns an empty buffer with room for n bytes.
func (p *buffers) take(n int) []byte {
	k := bits.Len(uint(max(n, 1) - 1))
	if k < minBuffer || k > maxBuffer {
		return make([]byte, 0, n)
	}
	if b, _ := p.pools[k].Get().(*[]byte); b != nil {
		return (*b)[:0]
	}
	return make([]byte, 0, 1<<k)
}

// give takes back a buffer that its owner has no use for.
func (p *buffers) give(b []byte) {
	if k := bits.Len(uint(cap(b))) - 1; k >= minBuffer && k <= maxBuffer {
		p.pools[k].Put(&b)
	}
}

// grow returns b with room for n more bytes.
func (p *buffers) grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	to := append(p.take(max(2*cap(b), len(b)+n)), b...)
	p.give(b)
	return to
}

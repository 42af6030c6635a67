// Package slab lends buffers in classes of sizes. What is lent holds whatever its last borrower left in it: only
// what is appended may be looked at.
package slab

import (
	"math/bits"
	"strings"
	"sync"
	"unsafe"

	"trivium/internal/race"
)

// Buffers from 1<<minClass to 1<<maxClass bytes are used again.
const minClass, maxClass = 12, 25

// MinSize is the smallest buffer that is used again; smaller ones are made to measure.
const MinSize = 1 << minClass

// Pool is where buffers wait for their next use; the garbage collector takes what stays unused. The zero
// value is ready. All its methods may be called from any goroutine.
type Pool struct {
	classes [maxClass + 1]sync.Pool // of *byte, the first of at least 1<<index
}

// Take returns an empty buffer with room for n bytes.
func (p *Pool) Take(n int) []byte {
	k := bits.Len(uint(max(n, 1) - 1))
	if k < minClass || k > maxClass {
		return uncleared(n)
	}
	if b, _ := p.classes[k].Get().(*byte); b != nil {
		return unsafe.Slice(b, 1<<k)[:0]
	}
	return uncleared(1 << k)
}

// Give takes back a buffer that its owner has no use for, nor anybody else.
func (p *Pool) Give(b []byte) {
	race.Spoil(b[:cap(b)])
	if k := bits.Len(uint(cap(b))) - 1; k >= minClass && k <= maxClass {
		p.classes[k].Put(unsafe.SliceData(b))
	}
}

// Grow returns b with room for n more bytes; b itself is given back if they do not fit in it.
func (p *Pool) Grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	to := append(p.Take(max(2*cap(b), len(b)+n)), b...)
	p.Give(b)
	return to
}

// uncleared makes an empty buffer with room for n bytes that are not cleared first, as only strings.Builder
// can: clearing a large buffer takes as long as filling it.
func uncleared(n int) []byte {
	var b strings.Builder
	b.Grow(n)
	b.WriteByte(0) // an empty string would not say where it is
	return unsafe.Slice(unsafe.StringData(b.String()), b.Cap())[:0]
}

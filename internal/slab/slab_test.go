package slab

import (
	"bytes"
	"testing"

	"trivium/internal/race"
)

func TestPool(t *testing.T) {
	var p Pool
	for _, n := range []int{0, 1, MinSize, MinSize + 1, 100_000, 1 << maxClass, 1<<maxClass + 1} {
		b := p.Take(n)
		if len(b) != 0 || cap(b) < n {
			t.Errorf("take %d: length %d, capacity %d", n, len(b), cap(b))
		}
		b = append(b, make([]byte, n)...)
		p.Give(b)
	}
	p.Give(nil)
	p.Give(make([]byte, 3, MinSize-1))
	// What is given back odd serves those for whom it is large enough.
	p.Give(make([]byte, 0, 3*MinSize))
	for range 3 {
		if b := p.Take(2*MinSize + 1); cap(b) < 2*MinSize+1 {
			t.Fatalf("capacity %d", cap(b))
		}
	}
}

func TestGrow(t *testing.T) {
	var p Pool
	var b, want []byte
	for i := range 40 {
		part := bytes.Repeat([]byte{byte(i)}, i*100)
		b = append(p.Grow(b, len(part)), part...)
		want = append(want, part...)
	}
	if !bytes.Equal(b, want) {
		t.Error("the content changed")
	}
	if n := testing.AllocsPerRun(10, func() { b = p.Grow(b, 0) }); n != 0 {
		t.Errorf("%v allocations without need", n)
	}
}

// Lending costs no allocation once there is something to lend.
func TestAllocations(t *testing.T) {
	var p Pool
	p.Give(p.Take(100_000))
	if n := testing.AllocsPerRun(100, func() { p.Give(p.Take(100_000)) }); n >= 1 && !race.Enabled {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	var p Pool
	b.ReportAllocs()
	for b.Loop() {
		p.Give(p.Take(64 << 10))
	}
}

package names

import (
	"hash/maphash"
	"math/bits"
)

// table finds the number of a name by the name's hash: four bytes a slot. It grows by splitting one
// segment at a time (extendible hashing), so that no change is much longer than another.
type table struct {
	dir  []*segment // by the hash's highest bits
	bits uint       // how many
}

// segment is a hash table with linear probing. Its names have the highest depth bits of their hashes in common.
type segment struct {
	depth uint
	n     int
	slots []uint32 // 0 is free; a power of two of them
}

const (
	slotsMin = 8
	slotsMax = 4096
)

var seed = maphash.MakeSeed()

func hash(name string) uint64 { return maphash.String(seed, name) }

func (t *table) segment(h uint64) *segment { return t.dir[h>>(64-t.bits)] }

// reserve makes room for n names in an empty table.
func (t *table) reserve(n int) {
	const full = slotsMax * 5 / 8 // of a segment, so that few overflow
	if n <= full {
		return
	}
	t.bits = uint(bits.Len(uint((n - 1) / full)))
	t.dir = make([]*segment, 1<<t.bits)
	for i := range t.dir {
		t.dir[i] = &segment{depth: t.bits, slots: make([]uint32, slotsMax)}
	}
}

// slot is where a name with that hash is, or would be. is says whether a number is the name's.
func (g *segment) slot(h uint64, is func(id uint32) bool) int {
	i := int(h) & (len(g.slots) - 1)
	for g.slots[i] != 0 && !is(g.slots[i]) {
		i = (i + 1) & (len(g.slots) - 1)
	}
	return i
}

func never(uint32) bool { return false }

// enter has Find find a name.
func (s *Set) enter(id uint32, name string) {
	t := &s.table
	if t.dir == nil {
		t.dir = []*segment{{slots: make([]uint32, slotsMin)}}
	}
	h := hash(name)
	g := t.segment(h)
	for (g.n+1)*4 > len(g.slots)*3 {
		s.grow(g, h)
		g = t.segment(h)
	}
	g.slots[g.slot(h, never)] = id
	g.n++
}

// grow makes room in the segment of h: more slots, or another segment that takes half of its names.
func (s *Set) grow(g *segment, h uint64) {
	t := &s.table
	old := g.slots
	if len(old) < slotsMax {
		g.slots = make([]uint32, 2*len(old))
		for _, id := range old {
			if id != 0 {
				g.slots[g.slot(hash(s.Name(id)), never)] = id
			}
		}
		return
	}
	if g.depth == t.bits {
		dir := make([]*segment, 0, 2*len(t.dir))
		for _, g := range t.dir {
			dir = append(dir, g, g)
		}
		t.dir, t.bits = dir, t.bits+1
	}
	g.depth++
	high := &segment{depth: g.depth, slots: make([]uint32, slotsMax)}
	g.slots, g.n = make([]uint32, slotsMax), 0
	span := uint64(1) << (t.bits - g.depth) // how many places of the directory each of the two has
	from := h >> (64 - t.bits) / (2 * span) * (2 * span)
	for i := range span {
		t.dir[from+span+i] = high
	}
	for _, id := range old {
		if id != 0 {
			h := hash(s.Name(id))
			to := t.segment(h)
			to.slots[to.slot(h, never)] = id
			to.n++
		}
	}
}

// leave takes a number out, and closes the gap: what was put behind it for want of its place moves up.
func (s *Set) leave(id uint32, name string) {
	h := hash(name)
	g := s.table.segment(h)
	mask := len(g.slots) - 1
	gap := g.slot(h, func(other uint32) bool { return other == id })
	for i := (gap + 1) & mask; g.slots[i] != 0; i = (i + 1) & mask {
		home := int(hash(s.Name(g.slots[i]))) & mask
		if (i-home)&mask >= (i-gap)&mask {
			g.slots[gap] = g.slots[i]
			gap = i
		}
	}
	g.slots[gap] = 0
	g.n--
}

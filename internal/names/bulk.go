package names

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Put keeps a name under a number, from 1 to MaxID, for Build, before which nothing but Put may be called. Neither
// the number may be there, nor two names that are equal and wanted.
func (s *Set) Put(id uint32, name string) { s.texts.put(id, name) }

// Has reports whether there is a name with that number.
func (s *Set) Has(id uint32) bool { return id <= s.texts.refs.n && *s.texts.refs.at(id) != gone }

// Build makes a set of the names that were Put and are wanted, and drops the others. It takes a fraction of
// the time of adding each: the tree is built from the leaves up.
func (s *Set) Build(wanted func(id uint32) bool) {
	type leaf struct {
		head uint64 // bytes behind those that all have in common, in their order
		id   uint32
	}
	var leaves []leaf
	common, first := "", true
	for id := uint32(1); id <= s.texts.refs.n; id++ {
		switch {
		case !s.Has(id):
			continue
		case !wanted(id):
			s.texts.drop(id)
			continue
		}
		name := s.Name(id)
		if first {
			common, first = name, false
		}
		common = common[:shared(common, name)]
		s.n++
	}
	if s.n == 0 {
		return
	}
	s.table.reserve(s.n)
	leaves = make([]leaf, 0, s.n)
	for id := uint32(1); id <= s.texts.refs.n; id++ {
		if s.Has(id) {
			name := s.Name(id)
			var head [8]byte
			copy(head[:], name[len(common):])
			leaves = append(leaves, leaf{binary.BigEndian.Uint64(head[:]), id})
			s.enter(id, name)
		}
	}
	slices.SortFunc(leaves, func(a, b leaf) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return cmp.Compare(s.Name(a.id), s.Name(b.id))
	})
	// open are the nodes on the way to the last leaf that wait for their right side.
	var open []link
	below := nameBit | link(leaves[0].id)
	last := s.Name(leaves[0].id)
	// climb closes the nodes that are below one at that place.
	climb := func(at uint32) {
		for len(open) > 0 && s.nodes.at(uint32(open[len(open)-1])).at > at {
			up := open[len(open)-1]
			open = open[:len(open)-1]
			s.nodes.at(uint32(up)).kids[1] = below
			below = up
		}
	}
	for _, l := range leaves[1:] {
		name := s.Name(l.id)
		at := differ(last, name)
		climb(at)
		open = append(open, s.newNode(node{at: at, kids: [2]link{below}}))
		below, last = nameBit|link(l.id), name
	}
	climb(0)
	s.root = below
	if len(open) > 0 { // a node at place 0 is the root
		s.nodes.at(uint32(open[0])).kids[1] = below
		s.root = open[0]
	}
}

// shared is the length of what two names begin with.
func shared(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

// Package names is a set of names that are known by small numbers, in order. It is made
// for tens of millions: besides a name's own bytes it takes about forty bytes, and
// nothing in it is a pointer that the garbage collector would have to follow.
//
// The order is kept by a crit-bit tree: each inner node names the first bit in
// which the names below it differ. For that a name is a string of bits in which
// each byte is preceded by a 1, and the end is a 0: so a name sorts before those
// that it begins.
package names

import (
	"math/bits"
	"strings"
)

// Set is a set of names. Its zero value is empty. It does no locking.
type Set struct {
	root  link // 0 if there are no names
	nodes pages[node]
	free  uint32 // a node that is not in use, linked through kids[0]; 0 = none
	texts texts
	table table
	n     int
}

// link is a number with a bit that tells a name from a node. Numbers of names and nodes begin with 1.
type link uint32

const nameBit link = 1 << 31

// MaxID is the largest number that a name can have.
const MaxID = uint32(nameBit - 1)

// node is an inner node: byte and bit in which those in kids[1] have a 1. The bit is 0 for the one
// before the byte, and 1..8 for the byte's own, the highest first.
type node struct {
	at   uint32 // byte<<4 | bit
	kids [2]link
}

// bit is the bit of name at a node's place.
func bit(name string, at uint32) int {
	i, b := int(at>>4), at&15
	switch {
	case i >= len(name):
		return 0
	case b == 0:
		return 1
	}
	return int(name[i]>>(8-b)) & 1
}

// Len is how many names there are.
func (s *Set) Len() int { return s.n }

// Name is the name with that number, which must be there. It stays valid.
func (s *Set) Name(id uint32) string { return s.texts.get(id) }

// Find returns the number of name, 0 if it is not there.
func (s *Set) Find(name string) uint32 {
	if s.table.dir == nil {
		return 0
	}
	h := hash(name)
	g := s.table.segment(h)
	for i := int(h) & (len(g.slots) - 1); ; i = (i + 1) & (len(g.slots) - 1) {
		if id := g.slots[i]; id == 0 || s.Name(id) == name {
			return id
		}
	}
}

// near is the only name that may be equal to name. Requires: there are names.
func (s *Set) near(name string) uint32 {
	l := s.root
	for l&nameBit == 0 {
		n := s.nodes.at(uint32(l))
		l = n.kids[bit(name, n.at)]
	}
	return uint32(l &^ nameBit)
}

// Add adds a name under a number, from 1 to MaxID. Neither may be there.
func (s *Set) Add(id uint32, name string) {
	leaf := nameBit | link(id)
	if s.root == 0 {
		s.root = leaf
	} else {
		at := differ(name, s.Name(s.near(name)))
		l := &s.root
		for *l&nameBit == 0 {
			n := s.nodes.at(uint32(*l))
			if n.at > at {
				break
			}
			l = &n.kids[bit(name, n.at)]
		}
		n := node{at: at}
		side := bit(name, at)
		n.kids[side], n.kids[1-side] = leaf, *l
		*l = s.newNode(n)
	}
	s.texts.put(id, name)
	s.enter(id, name)
	s.n++
}

// differ is the place of the first bit in which two different names differ.
func differ(a, b string) uint32 {
	i := shared(a, b)
	at := uint32(i) << 4
	if i < len(a) && i < len(b) {
		at += 1 + uint32(bits.LeadingZeros8(a[i]^b[i]))
	}
	return at
}

func (s *Set) newNode(n node) link {
	i := s.free
	if i != 0 {
		s.free = uint32(s.nodes.at(i).kids[0])
	} else {
		i = s.nodes.more()
	}
	*s.nodes.at(i) = n
	return link(i)
}

// Remove takes the name with that number out. It must be there.
func (s *Set) Remove(id uint32) {
	name := s.Name(id)
	var up *link // what leads to the node that l belongs to
	l := &s.root
	side := 0
	for *l&nameBit == 0 {
		n := s.nodes.at(uint32(*l))
		side = bit(name, n.at)
		up, l = l, &n.kids[side]
	}
	if up == nil {
		s.root = 0
	} else {
		i := uint32(*up)
		n := s.nodes.at(i)
		*up = n.kids[1-side]
		n.kids[0], s.free = link(s.free), i
	}
	s.leave(id, name)
	s.texts.drop(id)
	s.n--
}

// Each calls f for the numbers of the names that begin with prefix and are not before from, in order. f returns how
// many of the name's first bytes are enough to know that no other name with them is wanted either, which then are
// passed over: 0 for none, and less than 0 to stop. The set must not be changed meanwhile. Requires: from
// begins with prefix, or is empty.
func (s *Set) Each(prefix, from string, f func(id uint32) (pass int)) {
	l, ok := s.under(prefix)
	switch {
	case !ok:
	case len(from) <= len(prefix):
		s.each(l, f)
	default:
		at := ^uint32(0)
		if near := s.Name(s.near(from)); near != from {
			at = differ(from, near)
		}
		s.eachFrom(l, from, at, f)
	}
}

// under is what all names that begin with prefix, and no others, are below.
func (s *Set) under(prefix string) (l link, ok bool) {
	if s.root == 0 {
		return 0, false
	}
	l = s.root
	for l&nameBit == 0 {
		n := s.nodes.at(uint32(l))
		if int(n.at>>4) >= len(prefix) {
			break
		}
		l = n.kids[bit(prefix, n.at)]
	}
	return l, strings.HasPrefix(s.Name(s.first(l)), prefix)
}

// first is the first name below l.
func (s *Set) first(l link) uint32 {
	for l&nameBit == 0 {
		l = s.nodes.at(uint32(l)).kids[0]
	}
	return uint32(l &^ nameBit)
}

// Any reports whether a name begins with prefix.
func (s *Set) Any(prefix string) bool { _, ok := s.under(prefix); return ok }

// All reports whether all names, of which there is one, begin with prefix.
func (s *Set) All(prefix string) bool {
	l, ok := s.under(prefix)
	return ok && l == s.root
}

func (s *Set) each(l link, f func(id uint32) int) (pass int) {
	if l&nameBit != 0 {
		return f(uint32(l &^ nameBit))
	}
	n := s.nodes.at(uint32(l))
	pass = s.each(n.kids[0], f)
	if pass < 0 || pass > 0 && pass <= int(n.at>>4) {
		return pass // all names below n begin with these bytes
	}
	return s.each(n.kids[1], f)
}

// eachFrom is each for the names that are not before from. Requires: at is the place of the first bit in which from and
// all names that are nearest to it differ, and above all places if from is one of them.
func (s *Set) eachFrom(l link, from string, at uint32, f func(id uint32) int) (pass int) {
	var n node
	if l&nameBit == 0 {
		n = *s.nodes.at(uint32(l))
	}
	if l&nameBit != 0 || n.at > at { // all names below l agree up to there
		if at == ^uint32(0) || bit(from, at) == 0 {
			return s.each(l, f)
		}
		return 0
	}
	if bit(from, n.at) == 1 {
		return s.eachFrom(n.kids[1], from, at, f)
	}
	pass = s.eachFrom(n.kids[0], from, at, f)
	if pass < 0 || pass > 0 && pass <= int(n.at>>4) {
		return pass
	}
	return s.each(n.kids[1], f)
}

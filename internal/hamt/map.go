// Package hamt is a persistent hash map: a change returns a new Map that shares
// all but one path with the old one, so a reader may keep using what it has
// while a writer goes on. It serves routing, where reads take no lock and a
// change among 100,000 entries must not copy them.
package hamt

import "hash/maphash"

const (
	bucketMax  = 8 // entries that are searched one by one, without hashing
	fanoutBits = 4
	fanout     = 1 << fanoutBits
	depthMax   = 64 / fanoutBits // below it there are no hash bits left to tell entries apart
)

var seed = maphash.MakeSeed()

// Edit marks the nodes that one writer made in one batch of changes: they are
// nobody else's yet and are changed in place. It must not be used again once a
// Map that it made was shown to a reader. A nil *Edit always copies.
type Edit struct{ _ byte }

// Map is an immutable map. The zero value is empty. Copying it is cheap.
type Map[K comparable, V any] struct {
	root *node[K, V]
	n    int
}

// node is a branch (kids set) or a bucket of entries.
type node[K comparable, V any] struct {
	edit    *Edit
	kids    *[fanout]*node[K, V]
	entries []entry[K, V]
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// Len is the number of entries.
func (m Map[K, V]) Len() int { return m.n }

// Get returns the value of key, and whether it has one.
func (m Map[K, V]) Get(key K) (value V, ok bool) {
	n := m.root
	if n != nil && n.kids != nil {
		for h := maphash.Comparable(seed, key); n != nil && n.kids != nil; h >>= fanoutBits {
			n = n.kids[h%fanout]
		}
	}
	if n == nil {
		return value, false
	}
	for i := range n.entries {
		if n.entries[i].key == key {
			return n.entries[i].value, true
		}
	}
	return value, false
}

// Each calls f for every entry, in no particular order, until f returns false.
func (m Map[K, V]) Each(f func(key K, value V) bool) { m.root.each(f) }

func (n *node[K, V]) each(f func(key K, value V) bool) bool {
	if n == nil {
		return true
	}
	if n.kids != nil {
		for _, k := range n.kids {
			if !k.each(f) {
				return false
			}
		}
		return true
	}
	for i := range n.entries {
		if !f(n.entries[i].key, n.entries[i].value) {
			return false
		}
	}
	return true
}

// Set returns a map in which key has value.
func (m Map[K, V]) Set(edit *Edit, key K, value V) Map[K, V] {
	root, added := m.root.set(edit, maphash.Comparable(seed, key), 0, key, value)
	m.root = root
	if added {
		m.n++
	}
	return m
}

func (n *node[K, V]) set(edit *Edit, h uint64, depth int, key K, value V) (_ *node[K, V], added bool) {
	if n == nil {
		return &node[K, V]{edit: edit, entries: []entry[K, V]{{key, value}}}, true
	}
	n = n.own(edit, 1)
	if n.kids != nil {
		i := h >> (depth * fanoutBits) % fanout
		n.kids[i], added = n.kids[i].set(edit, h, depth+1, key, value)
		return n, added
	}
	for i := range n.entries {
		if n.entries[i].key == key {
			n.entries[i].value = value
			return n, false
		}
	}
	n.entries = append(n.entries, entry[K, V]{key, value})
	if len(n.entries) > bucketMax && depth < depthMax {
		n.split(edit, depth)
	}
	return n, true
}

// own returns n if edit made it, else a copy with room for extra entries.
func (n *node[K, V]) own(edit *Edit, extra int) *node[K, V] {
	if edit != nil && n.edit == edit {
		return n
	}
	c := &node[K, V]{edit: edit}
	if n.kids != nil {
		kids := *n.kids
		c.kids = &kids
	} else {
		c.entries = append(make([]entry[K, V], 0, len(n.entries)+extra), n.entries...)
	}
	return c
}

func (n *node[K, V]) split(edit *Edit, depth int) {
	n.kids = new([fanout]*node[K, V])
	for _, e := range n.entries {
		i := maphash.Comparable(seed, e.key) >> (depth * fanoutBits) % fanout
		k := n.kids[i]
		if k == nil {
			k = &node[K, V]{edit: edit}
			n.kids[i] = k
		}
		k.entries = append(k.entries, e)
	}
	n.entries = nil
}

// Delete returns a map without key.
func (m Map[K, V]) Delete(edit *Edit, key K) Map[K, V] {
	if _, ok := m.Get(key); !ok {
		return m
	}
	m.root = m.root.remove(edit, maphash.Comparable(seed, key), 0, key)
	m.n--
	return m
}

// remove requires that key is there. It returns nil when nothing is left.
func (n *node[K, V]) remove(edit *Edit, h uint64, depth int, key K) *node[K, V] {
	n = n.own(edit, 0)
	if n.kids == nil {
		for i := range n.entries {
			if n.entries[i].key == key {
				last := len(n.entries) - 1
				n.entries[i] = n.entries[last]
				clear(n.entries[last:])
				n.entries = n.entries[:last]
				break
			}
		}
		if len(n.entries) == 0 {
			return nil
		}
		return n
	}
	i := h >> (depth * fanoutBits) % fanout
	n.kids[i] = n.kids[i].remove(edit, h, depth+1, key)
	return n.join()
}

// join undoes a split when what is left fits well into one bucket.
func (n *node[K, V]) join() *node[K, V] {
	left := 0
	for _, k := range n.kids {
		if k == nil {
			continue
		}
		if k.kids != nil {
			return n
		}
		left += len(k.entries)
	}
	if left == 0 {
		return nil
	}
	if left > bucketMax/2 {
		return n
	}
	entries := make([]entry[K, V], 0, bucketMax)
	for _, k := range n.kids {
		if k != nil {
			entries = append(entries, k.entries...)
		}
	}
	n.kids, n.entries = nil, entries
	return n
}

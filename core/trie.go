package core

import (
	"strings"

	"trivium/internal/hamt"
)

// trie maps patterns to values and finds all that match a key. It is immutable:
// update returns a changed one that shares all but one path with it. The zero
// trie is empty. V is a pointer; nil is no value.
type trie[V comparable] struct{ root *trieNode[V] }

type trieNode[V comparable] struct {
	edit *hamt.Edit
	// words are the literal next words; star and hash the wildcard ones.
	words      hamt.Map[string, *trieNode[V]]
	star, hash *trieNode[V]
	// value is of the pattern that ends here, tail of the one that ends in > here.
	// Invariant: below a hash node there is neither a tail nor, at once, another
	// hash node. See pattern.next.
	value, tail V
}

func (n *trieNode[V]) empty() bool {
	var none V
	return n.words.Len() == 0 && n.star == nil && n.hash == nil && n.value == none && n.tail == none
}

// update returns a trie in which f was applied to the value of the pattern s: f
// gets nil if it has none, and returns nil to remove it.
func (t trie[V]) update(edit *hamt.Edit, s string, d dialect, f func(V) V) trie[V] {
	return trie[V]{t.root.update(edit, newPattern(s, d), f)}
}

// update returns nil when nothing is left at and below n.
func (n *trieNode[V]) update(edit *hamt.Edit, p pattern, f func(V) V) *trieNode[V] {
	if n == nil {
		n = &trieNode[V]{edit: edit}
	} else if edit == nil || n.edit != edit {
		c := *n
		c.edit = edit
		n = &c
	}
	switch kind, w := p.next(); kind {
	case noWord:
		n.value = f(n.value)
	case tailWord:
		n.tail = f(n.tail)
	case starWord:
		n.star = n.star.update(edit, p, f)
	case hashWord:
		n.hash = n.hash.update(edit, p, f)
	case literalWord:
		old, ok := n.words.Get(w)
		next := old.update(edit, p, f)
		switch {
		case next == nil:
			n.words = n.words.Delete(edit, w)
		case !ok:
			n.words = n.words.Set(edit, strings.Clone(w), next) // do not keep the whole pattern
		case next != old:
			n.words = n.words.Set(edit, w, next)
		}
	}
	if n.empty() {
		return nil
	}
	return n
}

// match appends to dst the values of all patterns that match key, each once. A
// key's words stand between its dots; the empty key has none.
//
// It walks word by word with the set of nodes that the words so far lead to. A
// node has one parent, so a word leads to it once; only a hash node can be met
// again, and once met it stays: it goes into loops instead. So the time is
// bounded by words × nodes, where following each path alone could take
// exponentially long.
func (t trie[V]) match(key string, dst []V) []V {
	if t.root == nil {
		return dst
	}
	var none V
	var a, b, c [16]*trieNode[V]
	cur, next := append(a[:0], t.root), b[:0]
	loops, known := addLoop(c[:0], nil, t.root.hash)
	for w, more := "", key != ""; more; {
		w, key, more = strings.Cut(key, ".")
		next = next[:0]
		for _, n := range cur {
			if n.tail != none {
				dst = append(dst, n.tail)
			}
			next = n.step(w, next)
		}
		for _, n := range loops {
			next = n.step(w, next)
		}
		for _, n := range next {
			loops, known = addLoop(loops, known, n.hash)
		}
		cur, next = next, cur
		if len(cur)+len(loops) == 0 {
			return dst
		}
	}
	for _, n := range cur {
		if n.value != none {
			dst = append(dst, n.value)
		}
	}
	for _, n := range loops {
		if n.value != none {
			dst = append(dst, n.value)
		}
	}
	return dst
}

func (n *trieNode[V]) step(w string, to []*trieNode[V]) []*trieNode[V] {
	if k, ok := n.words.Get(w); ok {
		to = append(to, k)
	}
	if n.star != nil {
		to = append(to, n.star)
	}
	return to
}

// loopScanMax is how many nodes are searched one by one.
const loopScanMax = 32

// addLoop adds n to a list of hash nodes, if it is one and not there yet. known
// is the same as a set, when there are many.
func addLoop[V comparable](loops []*trieNode[V], known map[*trieNode[V]]struct{}, n *trieNode[V]) (
	[]*trieNode[V], map[*trieNode[V]]struct{},
) {
	if n == nil {
		return loops, known
	}
	if len(loops) <= loopScanMax {
		for _, l := range loops {
			if l == n {
				return loops, known
			}
		}
		return append(loops, n), known
	}
	if known == nil {
		known = make(map[*trieNode[V]]struct{}, 2*len(loops))
		for _, l := range loops {
			known[l] = struct{}{}
		}
	}
	if _, ok := known[n]; ok {
		return loops, known
	}
	known[n] = struct{}{}
	return append(loops, n), known
}

// overlaps reports whether some key matches both p and a pattern whose value
// counts.
func (t trie[V]) overlaps(p pattern, counts func(V) bool) bool {
	if t.root == nil {
		return false
	}
	o := overlap[V]{counts: counts}
	return o.at(t.root, p)
}

type overlap[V comparable] struct {
	counts func(V) bool
	// tried holds what was entered through a # and led nowhere.
	tried map[overlapStep[V]]struct{}
}

type overlapStep[V comparable] struct {
	n    *trieNode[V]
	rest pattern
}

// at reports whether what is below n overlaps with p.
func (o *overlap[V]) at(n *trieNode[V], p pattern) bool {
	var none V
	if n.hash != nil && o.loop(n.hash, p) {
		return true
	}
	rest := p
	kind, w := rest.next()
	if kind == noWord {
		return n.value != none && o.counts(n.value)
	}
	if n.tail != none && o.counts(n.tail) {
		return true
	}
	if kind == tailWord {
		// Anything that has one more word: let > be *, or * followed by more.
		if n.star != nil && o.any(n.star) {
			return true
		}
		found := false
		n.words.Each(func(_ string, k *trieNode[V]) bool { found = o.any(k); return !found })
		return found
	}
	if n.star != nil && o.at(n.star, rest) {
		return true
	}
	if kind == literalWord {
		k, ok := n.words.Get(w)
		return ok && o.at(k, rest)
	}
	found := false
	n.words.Each(func(_ string, k *trieNode[V]) bool { found = o.at(k, rest); return !found })
	return found
}

// loop is at for a hash node, which may take any number of p's words first.
func (o *overlap[V]) loop(h *trieNode[V], p pattern) bool {
	for {
		step := overlapStep[V]{h, p}
		if _, ok := o.tried[step]; ok {
			return false
		}
		if o.at(h, p) {
			return true
		}
		if o.tried == nil {
			o.tried = map[overlapStep[V]]struct{}{}
		}
		o.tried[step] = struct{}{}
		switch kind, _ := p.next(); kind {
		case noWord:
			return false
		case tailWord:
			// The # takes as much of the > as leaves the rest what it needs.
			return o.any(h)
		}
	}
}

// any reports whether there is a value at or below n that counts.
func (o *overlap[V]) any(n *trieNode[V]) bool {
	var none V
	if n.value != none && o.counts(n.value) || n.tail != none && o.counts(n.tail) {
		return true
	}
	if n.star != nil && o.any(n.star) || n.hash != nil && o.any(n.hash) {
		return true
	}
	found := false
	n.words.Each(func(_ string, k *trieNode[V]) bool { found = o.any(k); return !found })
	return found
}

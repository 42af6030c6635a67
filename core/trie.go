package core

import (
	"strings"

	"trivium/internal/hamt"
)

// trie maps patterns to values and finds all that match a key. It is immutable:
// update returns a changed one that shares all but one path with it. The zero
// trie is empty. V is a pointer, to what keeps its pattern in memory; nil is no value.
type trie[V comparable] struct{ root *trieNode[V] }

type trieNode[V comparable] struct {
	edit *hamt.Edit
	// rest is what must follow for value, in a node that no other pattern leads through: so most patterns
	// cost one node, however many words they have. Invariant: there is none in a node with a branch, in the
	// root and in wildcards' nodes.
	rest   ending
	value  V // of the pattern that ends here
	branch *branch[V]
}

// branch is what goes on from a node.
type branch[V comparable] struct {
	// words are the literal next words; star and hash the wildcard ones.
	words      hamt.Map[string, *trieNode[V]]
	star, hash *trieNode[V]
	// tail is of the pattern that ends in > here.
	// Invariant: below a hash node there is neither a tail nor, at once, another
	// hash node. See pattern.next.
	tail V
}

// ending is what is left of a key, or of a pattern without wildcards. some tells no words from
// one that is empty.
type ending struct {
	words string
	some  bool
}

func (b *branch[V]) empty() bool {
	var none V
	return b.words.Len() == 0 && b.star == nil && b.hash == nil && b.tail == none
}

// hash is the node of the # after n.
func (n *trieNode[V]) hash() *trieNode[V] {
	if n.branch == nil {
		return nil
	}
	return n.branch.hash
}

// update returns a trie in which f was applied to the value of the pattern s: f
// gets nil if it has none, and returns nil to remove it.
func (t trie[V]) update(edit *hamt.Edit, s string, d dialect, f func(V) V) trie[V] {
	return trie[V]{t.root.update(edit, newPattern(s, d), f)}
}

// own returns n if edit made it, else a copy; a new node if it is nil.
func (n *trieNode[V]) own(edit *hamt.Edit) *trieNode[V] {
	if n == nil {
		return &trieNode[V]{edit: edit}
	}
	if edit != nil && n.edit == edit {
		return n
	}
	c := *n
	c.edit = edit
	if n.branch != nil {
		b := *n.branch
		c.branch = &b
	}
	return &c
}

// update returns nil when nothing is left at and below n.
func (n *trieNode[V]) update(edit *hamt.Edit, p pattern, f func(V) V) *trieNode[V] {
	var none V
	n = n.own(edit)
	kind, w := p.next()
	if kind == noWord {
		n.value = f(n.value)
	} else {
		if n.branch == nil {
			n.branch = &branch[V]{}
		}
		n.branch.update(edit, kind, w, p, f)
		if n.branch.empty() {
			n.branch = nil
		}
	}
	if n.branch == nil && n.value == none {
		return nil
	}
	return n
}

func (b *branch[V]) update(edit *hamt.Edit, kind wordKind, w string, p pattern, f func(V) V) {
	switch kind {
	case tailWord:
		b.tail = f(b.tail)
	case starWord:
		b.star = b.star.update(edit, p, f)
	case hashWord:
		b.hash = b.hash.update(edit, p, f)
	case literalWord:
		old, ok := b.words.Get(w)
		next := old.follow(edit, p, f)
		switch {
		case next == nil:
			b.words = b.words.Delete(edit, w)
		case !ok:
			b.words = b.words.Set(edit, strings.Clone(w), next) // do not keep the whole pattern
		case next != old:
			b.words = b.words.Set(edit, w, next)
		}
	}
}

// follow is update for the node of a literal word, which may have a rest.
func (n *trieNode[V]) follow(edit *hamt.Edit, p pattern, f func(V) V) *trieNode[V] {
	var none V
	if n == nil || n.branch == nil {
		if rest, ok := p.literal(); ok && (n == nil || n.rest == rest) {
			if n == nil {
				n = &trieNode[V]{edit: edit, rest: rest}
			}
			n = n.own(edit)
			if n.value = f(n.value); n.value == none {
				return nil
			}
			return n
		}
	}
	return n.spread(edit).update(edit, p, f).gather(edit)
}

// spread returns n with its rest's first word in a branch.
func (n *trieNode[V]) spread(edit *hamt.Edit) *trieNode[V] {
	if n == nil || !n.rest.some {
		return n
	}
	w, rest, more := strings.Cut(n.rest.words, ".")
	last := &trieNode[V]{edit: edit, rest: ending{rest, more}, value: n.value}
	return &trieNode[V]{edit: edit, branch: &branch[V]{words: hamt.Map[string, *trieNode[V]]{}.Set(edit, w, last)}}
}

// gather is the reverse of spread, if only one pattern is left at and below n.
func (n *trieNode[V]) gather(edit *hamt.Edit) *trieNode[V] {
	var none V
	if n == nil || n.branch == nil || n.value != none {
		return n
	}
	b := n.branch
	if b.words.Len() != 1 || b.star != nil || b.hash != nil || b.tail != none {
		return n
	}
	b.words.Each(func(w string, last *trieNode[V]) bool {
		if last.branch == nil {
			rest := ending{w, true}
			if last.rest.some {
				rest.words += "." + last.rest.words
			}
			n = &trieNode[V]{edit: edit, rest: rest, value: last.value}
		}
		return false
	})
	return n
}

// each calls f for every value.
func (n *trieNode[V]) each(f func(V)) {
	var none V
	if n == nil {
		return
	}
	if n.value != none {
		f(n.value)
	}
	if b := n.branch; b != nil {
		if b.tail != none {
			f(b.tail)
		}
		b.words.Each(func(_ string, k *trieNode[V]) bool { k.each(f); return true })
		b.star.each(f)
		b.hash.each(f)
	}
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
	loops, known := addLoop(c[:0], nil, t.root.hash())
	for w, more := "", key != ""; more; {
		w, key, more = strings.Cut(key, ".")
		next = next[:0]
		for _, n := range cur {
			if n.branch != nil && n.branch.tail != none {
				dst = append(dst, n.branch.tail)
			}
			next, dst = n.step(w, ending{key, more}, next, dst)
		}
		for _, n := range loops {
			next, dst = n.step(w, ending{key, more}, next, dst)
		}
		for _, n := range next {
			loops, known = addLoop(loops, known, n.hash())
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

// step appends to to the nodes that w leads to, and to dst the value of a pattern that ends after w and
// what is left of the key.
func (n *trieNode[V]) step(w string, left ending, to []*trieNode[V], dst []V) ([]*trieNode[V], []V) {
	b := n.branch
	if b == nil {
		return to, dst
	}
	if k, ok := b.words.Get(w); ok {
		switch {
		case k.branch != nil:
			to = append(to, k)
		case k.rest == left:
			dst = append(dst, k.value)
		}
	}
	if b.star != nil {
		to = append(to, b.star)
	}
	return to, dst
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
	if h := n.hash(); h != nil && o.loop(h, p) {
		return true
	}
	rest := p
	kind, w := rest.next()
	if kind == noWord {
		return n.value != none && !n.rest.some && o.counts(n.value)
	}
	b := n.spread(nil).branch
	if b == nil {
		return false
	}
	if b.tail != none && o.counts(b.tail) {
		return true
	}
	if kind == tailWord {
		// Anything that has one more word: let > be *, or * followed by more.
		if b.star != nil && o.any(b.star) {
			return true
		}
		found := false
		b.words.Each(func(_ string, k *trieNode[V]) bool { found = o.any(k); return !found })
		return found
	}
	if b.star != nil && o.at(b.star, rest) {
		return true
	}
	if kind == literalWord {
		k, ok := b.words.Get(w)
		return ok && o.at(k, rest)
	}
	found := false
	b.words.Each(func(_ string, k *trieNode[V]) bool { found = o.at(k, rest); return !found })
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
	if n.value != none && o.counts(n.value) {
		return true
	}
	b := n.branch
	if b == nil {
		return false
	}
	if b.tail != none && o.counts(b.tail) || b.star != nil && o.any(b.star) || b.hash != nil && o.any(b.hash) {
		return true
	}
	found := false
	b.words.Each(func(_ string, k *trieNode[V]) bool { found = o.any(k); return !found })
	return found
}

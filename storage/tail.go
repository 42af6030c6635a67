package storage

import "sort"

// item is an entry that has not settled: in memory, in the journal or both.
type item struct {
	offset Offset
	blk    *block // nil: every message is deleted
	at     uint32 // of its operation in the block
	bytes  uint32 // of key, id and data
	count  int32
}

func (i *item) next() Offset { return i.offset + Offset(i.count) }

// tailChunk is how many items are allocated together: a tail of millions grows without being copied.
const tailChunk = 512

// tail is a Log's entries that have not settled, in offset order. Between them
// there may be gaps, which are holes of the Log.
type tail struct {
	chunks [][]item // of tailChunk items each, the last one of fewer
	head   int      // how many of the first one were dropped
	n      int
	spare  []item // an empty chunk
}

func (t *tail) len() int { return t.n }

// at is item i of those that are there. It is valid until the next push or drop.
func (t *tail) at(i int) *item {
	i += t.head
	return &t.chunks[i/tailChunk][i%tailChunk]
}

// all calls f for each item, in order, until it returns false.
func (t *tail) all(f func(*item) bool) {
	for i := range t.n {
		if !f(t.at(i)) {
			return
		}
	}
}

func (t *tail) push(i item) {
	last := len(t.chunks) - 1
	switch {
	case last < 0:
		t.chunks, last = append(t.chunks, nil), 0
	case len(t.chunks[last]) == tailChunk:
		if t.spare == nil {
			t.spare = make([]item, 0, tailChunk)
		}
		t.chunks, t.spare = append(t.chunks, t.spare), nil
		last++
	}
	t.chunks[last] = append(t.chunks[last], i)
	t.n++
}

// search returns the index of the first item for which f is true, as sort.Search does.
func (t *tail) search(f func(*item) bool) int {
	return sort.Search(t.n, func(i int) bool { return f(t.at(i)) })
}

// find returns the index of the first item that ends after o.
func (t *tail) find(o Offset) int {
	if t.n == 0 || t.at(0).next() > o {
		return 0
	}
	// Dense single messages are the rule: guess first.
	if g := o - t.at(0).offset; g < Offset(t.n) && t.at(int(g)).offset == o {
		return int(g)
	}
	return t.search(func(i *item) bool { return i.next() > o })
}

// drop forgets the first n items.
func (t *tail) drop(n int) {
	t.n -= n
	for n > 0 {
		first := t.chunks[0]
		k := min(n, len(first)-t.head)
		clear(first[t.head : t.head+k])
		t.head += k
		if n -= k; t.head < len(first) {
			return
		}
		t.head = 0
		if len(t.chunks) == 1 {
			t.chunks[0], t.spare = first[:0], nil
			return
		}
		t.chunks[0] = nil
		t.chunks, t.spare = t.chunks[1:], first[:0]
	}
}

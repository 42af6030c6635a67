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

// tail is a Log's entries that have not settled, in offset order. Between them
// there may be gaps, which are holes of the Log.
type tail struct {
	items []item
	head  int
}

func (t *tail) all() []item { return t.items[t.head:] }

func (t *tail) push(i item) {
	if t.head > 0 && len(t.items) == cap(t.items) && t.head >= len(t.items)/2 {
		n := copy(t.items, t.items[t.head:])
		clear(t.items[n:])
		t.items, t.head = t.items[:n], 0
	}
	t.items = append(t.items, i)
}

// find returns the index in all() of the first item that ends after o.
func (t *tail) find(o Offset) int {
	all := t.all()
	if len(all) == 0 || all[0].next() > o {
		return 0
	}
	// Dense single messages are the rule: guess first.
	if g := o - all[0].offset; g < Offset(len(all)) && all[g].offset == o {
		return int(g)
	}
	return sort.Search(len(all), func(i int) bool { return all[i].next() > o })
}

// drop forgets the first n items.
func (t *tail) drop(n int) {
	clear(t.items[t.head : t.head+n])
	t.head += n
	switch {
	case t.head == len(t.items):
		if cap(t.items) > 1024 {
			t.items = nil
		} else {
			t.items = t.items[:0]
		}
		t.head = 0
	case cap(t.items) > 4096 && len(t.items)-t.head < cap(t.items)/8:
		t.items = append([]item(nil), t.items[t.head:]...)
		t.head = 0
	}
}

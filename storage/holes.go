package storage

import (
	"math/bits"
	"slices"
	"sort"
)

// holes is a set of offsets: the messages that are gone between a Log's start
// and its end. It is complete and costs about a bit per offset where holes are
// dense, nothing where there are none.
//
// Offsets are grouped into pages; a page without holes is absent, one that is
// all holes has no bitmap. Most Logs have none: a nil *holes can be read.
type holes struct {
	pages []page
	n     int64
	gone  []int64 // numbers of removed pages that the index still has
}

const (
	pageOffsets = 4096
	pageWords   = pageOffsets / 64
)

type page struct {
	no     int64
	n      int32
	dirty  bool               // changed since the index has it
	stored bool               // the index has it
	bits   *[pageWords]uint64 // nil: all of them
}

func (p *page) count() {
	p.n = 0
	for _, w := range p.bits {
		p.n += int32(bits.OnesCount64(w))
	}
}

func (h *holes) none() bool { return h == nil || len(h.pages) == 0 }

func (h *holes) len() int64 {
	if h == nil {
		return 0
	}
	return h.n
}

// search returns the index of the first page with number >= no.
func (h *holes) search(no int64) int {
	if n := len(h.pages); n > 0 && h.pages[n-1].no <= no {
		if h.pages[n-1].no == no {
			return n - 1
		}
		return n
	}
	return sort.Search(len(h.pages), func(i int) bool { return h.pages[i].no >= no })
}

// at returns the page with that number, made if it is missing.
func (h *holes) at(no int64) *page {
	i := h.search(no)
	if i == len(h.pages) || h.pages[i].no != no {
		h.pages = append(h.pages, page{})
		copy(h.pages[i+1:], h.pages[i:])
		h.pages[i] = page{no: no, bits: new([pageWords]uint64)}
	}
	return &h.pages[i]
}

// add puts from <= o < to into the set and returns how many were new.
func (h *holes) add(from, to Offset) int64 {
	var added int64
	for from < to {
		no := int64(from) / pageOffsets
		end := min(to, Offset((no+1)*pageOffsets))
		p := h.at(no)
		if p.bits != nil {
			lo, hi := int(int64(from)-no*pageOffsets), int(int64(end)-no*pageOffsets)
			var new int32
			for w := lo / 64; w*64 < hi; w++ {
				m := mask(lo-w*64, hi-w*64)
				new += int32(bits.OnesCount64(m &^ p.bits[w]))
				p.bits[w] |= m
			}
			if new > 0 {
				p.n += new
				p.dirty = true
				added += int64(new)
			}
			if p.n == pageOffsets {
				p.bits = nil
			}
		}
		from = end
	}
	h.n += added
	return added
}

// mask has the bits lo <= b < hi, both clipped to a word.
func mask(lo, hi int) uint64 {
	lo, hi = max(lo, 0), min(hi, 64)
	if lo >= hi {
		return 0
	}
	return (^uint64(0) << lo) & (^uint64(0) >> (64 - hi))
}

func (h *holes) has(o Offset) bool {
	if h.none() {
		return false
	}
	no := int64(o) / pageOffsets
	i := h.search(no)
	if i == len(h.pages) || h.pages[i].no != no {
		return false
	}
	b := int(int64(o) - no*pageOffsets)
	return h.pages[i].bits == nil || h.pages[i].bits[b/64]&(1<<(b%64)) != 0
}

// word has a bit for each of the 64 offsets from o on, a multiple of 64, that is in the set.
func (h *holes) word(o Offset) uint64 {
	if h.none() {
		return 0
	}
	no := int64(o) / pageOffsets
	i := h.search(no)
	switch {
	case i == len(h.pages) || h.pages[i].no != no:
		return 0
	case h.pages[i].bits == nil:
		return ^uint64(0)
	}
	return h.pages[i].bits[(int64(o)-no*pageOffsets)/64]
}

// count returns how many of from <= o < to are in the set.
func (h *holes) count(from, to Offset) int64 {
	var n int64
	if h.none() || from >= to {
		return 0
	}
	for i := h.search(int64(from) / pageOffsets); i < len(h.pages); i++ {
		p := &h.pages[i]
		base := Offset(p.no * pageOffsets)
		if base >= to {
			break
		}
		lo, hi := int(max(from-base, 0)), int(min(to-base, pageOffsets))
		switch {
		case p.bits == nil:
			n += int64(hi - lo)
		case lo == 0 && hi == pageOffsets:
			n += int64(p.n)
		default:
			for w := lo / 64; w*64 < hi; w++ {
				n += int64(bits.OnesCount64(p.bits[w] & mask(lo-w*64, hi-w*64)))
			}
		}
	}
	return n
}

// next returns the first offset >= o that is in the set (in) or not in it.
// Looking for a member, it returns limit if there is none below it.
func (h *holes) next(o Offset, in bool, limit Offset) Offset {
	if h.none() {
		if in {
			return limit
		}
		return min(o, limit)
	}
	i := h.search(int64(o) / pageOffsets)
	for o < limit {
		no := int64(o) / pageOffsets
		for i < len(h.pages) && h.pages[i].no < no {
			i++
		}
		if i == len(h.pages) {
			if in {
				return limit
			}
			return o
		}
		p := &h.pages[i]
		if p.no > no {
			if !in {
				return o
			}
			o = Offset(p.no * pageOffsets)
			continue
		}
		base := Offset(no * pageOffsets)
		if p.bits == nil {
			if in {
				return o
			}
			o = base + pageOffsets
			continue
		}
		b := int(o - base)
		for w := b / 64; w < pageWords; w++ {
			v := p.bits[w]
			if !in {
				v = ^v
			}
			v &= mask(b-w*64, 64)
			if v != 0 {
				return min(limit, base+Offset(w*64+bits.TrailingZeros64(v)))
			}
		}
		o = base + pageOffsets
	}
	return limit
}

// trim removes all below o.
func (h *holes) trim(o Offset) {
	if h.none() {
		return
	}
	no := int64(o) / pageOffsets
	i := 0
	for i < len(h.pages) && h.pages[i].no < no {
		h.remove(&h.pages[i])
		i++
	}
	if i > 0 {
		h.pages = h.pages[i:]
		if len(h.pages) == 0 {
			h.pages = nil
			return
		}
	}
	p := &h.pages[0]
	b := int(int64(o) - no*pageOffsets)
	if p.no != no || b == 0 {
		return
	}
	if p.bits == nil {
		p.bits = new([pageWords]uint64)
		for w := range p.bits {
			p.bits[w] = ^uint64(0)
		}
	}
	for w := 0; w*64 < b; w++ {
		m := mask(0, b-w*64)
		gone := int32(bits.OnesCount64(p.bits[w] & m))
		p.bits[w] &^= m
		p.n -= gone
		h.n -= int64(gone)
	}
	if p.n == 0 {
		h.remove(p)
		h.pages = h.pages[1:]
	}
}

// load takes in a page that was stored, in addition to what is there.
func (h *holes) load(p page) {
	i := h.search(p.no)
	if i < len(h.pages) && h.pages[i].no == p.no {
		old := h.pages[i]
		if p.bits != nil && old.bits != nil {
			for w := range p.bits {
				p.bits[w] |= old.bits[w]
			}
			p.count()
		} else {
			p.bits, p.n = nil, pageOffsets
		}
		p.dirty = old.dirty
		h.n += int64(p.n - old.n)
		h.pages[i] = p
		return
	}
	h.pages = slices.Insert(h.pages, i, p)
	h.n += int64(p.n)
}

// remove accounts for a page that goes.
func (h *holes) remove(p *page) {
	h.n -= int64(p.n)
	if p.stored {
		h.gone = append(h.gone, p.no)
	}
}

// ranges calls f for each run of members within from <= o < to.
func (h *holes) ranges(from, to Offset, f func(from, to Offset)) {
	for from < to {
		a := h.next(from, true, to)
		if a >= to {
			return
		}
		b := h.next(a, false, to)
		f(a, b)
		from = b
	}
}

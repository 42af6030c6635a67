package names

// pageLen is how many elements are allocated together.
const pageLen = 1024

// pages is an array that grows without copying what it holds. Elements are numbered from 1.
type pages[T any] struct {
	pages []*[pageLen]T
	n     uint32
}

func (p *pages[T]) at(i uint32) *T { return &p.pages[i/pageLen][i%pageLen] }

// more adds an element and returns its number.
func (p *pages[T]) more() uint32 {
	p.reach(p.n + 1)
	return p.n
}

// reach makes elements up to number i.
func (p *pages[T]) reach(i uint32) {
	for int(i/pageLen) >= len(p.pages) {
		p.pages = append(p.pages, new([pageLen]T))
	}
	p.n = max(p.n, i)
}

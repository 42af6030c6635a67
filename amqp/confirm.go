package amqp

import (
	"slices"

	"trivium/amqp/wire"
)

// confirms are a channel's publishes that wait for the disk, in the order of their
// numbers, one span for each read. They are answered in that order: so an ack with
// multiple=true never covers what is not settled.
type confirms struct {
	spans []span // from head on
	head  int
	base  uint64 // the id of spans[0]
}

// span is the numbers [from, to] of one read.
type span struct {
	from, to uint64
	nacks    []uint64 // in order
	done     bool
	failed   bool // all of them
}

// open adds a span and returns its id.
func (c *confirms) open(from, to uint64) uint64 {
	if len(c.spans) == cap(c.spans) && c.head*2 >= len(c.spans) {
		c.base += uint64(c.head)
		c.spans = slices.Delete(c.spans, 0, c.head)
		c.head = 0
	}
	c.spans = append(c.spans, span{from: from, to: to})
	return c.base + uint64(len(c.spans)) - 1
}

// settle marks a span, and appends the answers that are due by it.
func (c *confirms) settle(id uint64, nacks []uint64, failed bool, dst []byte, channel uint16, m *counters) []byte {
	s := &c.spans[id-c.base]
	s.done, s.failed, s.nacks = true, failed, nacks
	first := c.head
	for c.head < len(c.spans) && c.spans[c.head].done {
		c.head++
	}
	if c.head == first {
		return dst
	}
	dst = appendConfirms(dst, channel, c.spans[first:c.head], m)
	if c.head == len(c.spans) {
		clear(c.spans) // lets go of the nacks
		c.base += uint64(c.head)
		c.spans, c.head = c.spans[:0], 0
	}
	return dst
}

// appendConfirms answers consecutive spans: what comes before the first nack with one
// cumulative ack, the rest one by one, as RabbitMQ does.
func appendConfirms(dst []byte, channel uint16, spans []span, m *counters) []byte {
	from, to := spans[0].from, spans[len(spans)-1].to
	first := to + 1 // the first nack
	for _, s := range spans {
		if s.failed {
			first = min(first, s.from)
		} else if len(s.nacks) > 0 {
			first = min(first, s.nacks[0])
		}
	}
	if first > from {
		dst = wire.AppendConfirm(dst, channel, first-1, first-1 > from, false)
		m.confirmed.Add(int64(first - from))
	}
	for _, s := range spans {
		next := 0
		for n := max(s.from, first); n <= s.to; n++ {
			for next < len(s.nacks) && s.nacks[next] < n {
				next++
			}
			nack := s.failed || next < len(s.nacks) && s.nacks[next] == n
			dst = wire.AppendConfirm(dst, channel, n, false, nack)
			if nack {
				m.nacked.Add(1)
			} else {
				m.confirmed.Add(1)
			}
		}
	}
	return dst
}

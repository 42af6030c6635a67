package amqp

import "trivium/amqp/wire"

// lendFrom is the smallest body that is written to the socket from where it lies.
const lendFrom = 8 << 10

// loan is output that is written at once by whoever found the socket free, and of which the large bodies lie
// elsewhere: they are lent to it until write returns.
type loan struct {
	bodies []lent
	bufs   [][]byte // what is written, in order
}

// lent is octets that belong behind the first at of those that are not lent.
type lent struct {
	at int
	b  []byte
}

// begin returns the buffer that all but the bodies are appended to.
func (l *loan) begin() []byte { return buffers.Take(firstBuffer) }

// body appends a body to dst, in frames of at most max octets, and borrows it.
func (l *loan) body(dst []byte, channel uint16, body []byte, max int) []byte {
	for len(body) > 0 {
		n := min(len(body), max-wire.FrameExtra)
		dst = wire.AppendBodyHead(dst, channel, n)
		l.bodies = append(l.bodies, lent{len(dst), body[:n]})
		dst = wire.AppendFrameEnd(dst)
		body = body[n:]
	}
	return dst
}

// arrange puts heads and bodies in the order in which they are written, behind what is in flight.
func (l *loan) arrange(flight [][]byte, heads []byte) [][]byte {
	bufs, at := append(l.bufs[:0], flight...), 0
	for _, x := range l.bodies {
		bufs = append(bufs, heads[at:x.at], x.b)
		at = x.at
	}
	l.bufs = append(bufs, heads[at:])
	return l.bufs
}

// end lets go of everything.
func (l *loan) end() {
	clear(l.bodies)
	clear(l.bufs)
	*l = loan{bodies: l.bodies[:0], bufs: l.bufs[:0]}
}

// claim makes the caller the one who writes, unless somebody does or the socket cannot be written to in place. write
// must follow.
func (o *out) claim() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.raw == nil || o.mu.busy || o.mu.err != nil {
		return false
	}
	o.mu.busy = true
	if o.waitingLocked() > 0 {
		o.takeLocked()
	}
	return true
}

// write writes heads and l's bodies behind what waited when the output was claimed, and then what came meanwhile. What the socket
// does not take at once is copied, so that the bodies are free when write returns.
func (o *out) write(l *loan, heads []byte) {
	ahead := len(o.flight)
	bufs := l.arrange(o.flight, heads)
	total, err := o.try(bufs)
	n := o.land(total)
	bufs = bufs[ahead:]
	if len(o.flight) > 0 {
		o.flight = append(o.flight, copied(bufs, 0)...)
	} else if rest := copied(bufs, n); len(rest) > 0 {
		o.flight, n = append(o.flight, rest...), 0
	}
	l.end()
	release(heads)
	o.mu.Lock()
	if o.wroteLocked(total, n, err) {
		o.writeLocked(briefly)
	}
}

// copied copies what follows the first n octets of bufs.
func copied(bufs [][]byte, n int) [][]byte {
	left := -n
	for _, b := range bufs {
		left += len(b)
	}
	if left == 0 {
		return nil
	}
	to := buffers.Take(left)
	for _, b := range bufs {
		skip := min(n, len(b))
		to = append(to, b[skip:]...)
		n -= skip
	}
	return [][]byte{to}
}

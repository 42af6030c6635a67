package natswire

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"trivium/internal/writev"
	"trivium/natswire/wire"
)

// output is what a connection has still to send. Producers append to it under its
// lock, once per read of theirs; whoever finds nobody writing writes, in place, as
// long as the socket takes it without blocking. Only when it does not, a goroutine
// takes over until all is sent.
type output struct {
	mu struct {
		sync.Mutex
		// ready, then tail from cut on, are in sending order after what is in flight.
		ready []piece
		tail  *chunk
		cut   int
		// pending counts the bytes not yet taken by the socket, in flight included; pinned those of the
		// read buffers that they are in, of which shared is the last.
		pending, pinned int
		shared          *chunk
		// writing: somebody owns flight and off below.
		writing bool
		// closed: nothing is appended any more; dead: nothing is written either.
		closed, dead bool
		// headers: the client takes header blocks.
		headers bool
		// stall is closed when a client that fell behind has caught up.
		stall       chan struct{}
		msgs, bytes int64
		// idle is closed when writing ends, if somebody waits for it.
		idle chan struct{}
	}
	// flight is what is being written, its first piece from off on. It belongs to
	// whoever set writing, and so does bufs, which is what is written at once.
	flight []piece
	off    int
	bufs   net.Buffers
	unpin  int // what is not pinned any more
}

// piece is bytes to be sent, and the chunk that is freed when they are: of a chunk's pieces, the last.
type piece struct {
	b   []byte
	k   *chunk // or nil
	pin int    // the size of a read buffer, in the first piece of it
}

// shareFrom is the smallest payload that is sent out of the producer's read buffer instead of being copied.
const shareFrom = 16 << 10

// sharePinned is how many times MaxPending the buffers may have, about, that are kept from being used again by what waits for
// a client: beyond that it is copied.
const sharePinned = 4

// maxLine bounds what a control line has besides subject, sid and reply.
const maxLine = 64

// inPlace is how many times a producer goes on writing what others appended meanwhile
// before a goroutine takes over, so that no producer serves a busy client for ever.
const inPlace = 4

// linger is how long a connection that is being closed may take to send what is pending,
// and to hear why.
const linger = time.Second

// roomLocked makes tail a chunk with room for n more bytes.
func (o *output) roomLocked(n int) {
	t := o.mu.tail
	if t != nil {
		if cap(t.b)-len(t.b) >= n {
			return
		}
		o.closeTailLocked()
		// A second chunk means that there is more to come.
		n = max(n, smallChunk+1)
	}
	o.mu.tail = newChunk(n)
}

// closeTailLocked makes the rest of tail ready to be sent.
func (o *output) closeTailLocked() {
	o.mu.ready = append(o.mu.ready, piece{b: o.mu.tail.b[o.mu.cut:], k: o.mu.tail})
	o.mu.tail, o.mu.cut = nil, 0
}

// appendLocked adds one delivery.
func (o *output) appendLocked(m *wire.Msg, sid []byte) {
	o.roomLocked(len(m.Subject) + len(sid) + len(m.Reply) + m.Size() + maxLine)
	t := o.mu.tail
	n := len(t.b)
	t.b = wire.AppendMsg(t.b, m, sid, o.mu.headers)
	o.mu.pending += len(t.b) - n
	o.mu.msgs++
	o.mu.bytes += int64(m.Size())
}

// appendSharedLocked is appendLocked for a large payload, which is sent as it lies in k.
func (o *output) appendSharedLocked(m *wire.Msg, sid []byte, k *chunk) {
	o.roomLocked(len(m.Subject) + len(sid) + len(m.Reply) + len(m.Header) + maxLine)
	t := o.mu.tail
	n := len(t.b)
	t.b = wire.AppendMsgHead(t.b, m, sid, o.mu.headers)
	k.share()
	pin := 0
	if o.mu.shared != k {
		o.mu.shared, pin = k, cap(k.b)
		o.mu.pinned += pin
	}
	o.mu.ready = append(o.mu.ready, piece{b: t.b[o.mu.cut:len(t.b):len(t.b)]}, piece{m.Payload, k, pin})
	o.mu.cut = len(t.b)
	t.b = wire.AppendMsgEnd(t.b)
	o.mu.pending += len(t.b) - n + len(m.Payload)
	o.mu.msgs++
	o.mu.bytes += int64(m.Size())
}

// appendRawLocked adds bytes as they are.
func (o *output) appendRawLocked(b []byte) {
	o.roomLocked(len(b))
	o.mu.tail.b = append(o.mu.tail.b, b...)
	o.mu.pending += len(b)
}

// takeLocked moves all that is appended into flight and reports whether there is anything.
// Requires: writing, and flight is empty.
func (o *output) takeLocked() bool {
	if o.mu.tail == nil {
		return false
	}
	o.closeTailLocked()
	o.flight, o.mu.ready = o.mu.ready, o.flight
	return true
}

// wroteLocked accounts for n bytes that the socket took. Who waits for the connection goes on when it has less
// than behind to take.
func (o *output) wroteLocked(n, behind int) {
	o.mu.pending -= n
	o.mu.pinned -= o.unpin
	o.unpin = 0
	if o.mu.pinned == 0 {
		o.mu.shared = nil
	}
	if o.mu.pending < behind {
		o.unstallLocked()
	}
}

// unstallLocked lets waiting producers go on.
func (o *output) unstallLocked() {
	if o.mu.stall != nil {
		close(o.mu.stall)
		o.mu.stall = nil
	}
}

// releaseLocked frees all buffers of a closed connection that nobody writes to.
func (o *output) releaseLocked() {
	if o.mu.tail != nil {
		o.closeTailLocked()
	}
	for _, p := range o.mu.ready {
		p.free()
	}
	for _, p := range o.flight {
		p.free()
	}
	o.mu.ready, o.flight, o.off = nil, nil, 0
	o.mu.pending, o.mu.pinned, o.mu.shared = 0, 0, nil
	o.unstallLocked()
}

// flush writes what is pending unless somebody is at it already. It does not block.
func (c *conn) flush() {
	o := &c.out
	o.mu.Lock()
	if o.mu.writing || o.mu.tail == nil {
		o.mu.Unlock()
		return
	}
	o.mu.writing = true
	for range inPlace {
		if !o.takeLocked() {
			c.restLocked()
			return
		}
		o.mu.Unlock()
		n, err := c.writeFlight(c.tryWrite)
		o.mu.Lock()
		o.wroteLocked(n, c.s.behind())
		if err != nil {
			c.failedLocked(err)
			return
		}
		if len(o.flight) > 0 {
			break
		}
	}
	if len(o.flight) == 0 && o.mu.tail == nil || !c.s.start(c.drain) {
		c.restLocked()
		return
	}
	o.mu.Unlock()
}

// pending is how much the socket has still to take.
func (c *conn) pending() int {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.mu.pending
}

// restLocked ends writing, and unlocks.
func (c *conn) restLocked() {
	o := &c.out
	o.mu.writing = false
	if o.mu.dead {
		o.releaseLocked()
	}
	if o.mu.idle != nil {
		close(o.mu.idle)
		o.mu.idle = nil
	}
	o.mu.Unlock()
}

// finish sends what is pending, as far as the socket takes it within the linger time,
// and lets nothing be appended any more.
func (c *conn) finish() {
	o := &c.out
	c.nc.SetWriteDeadline(time.Now().Add(linger))
	o.mu.Lock()
	o.mu.closed = true
	for o.mu.writing {
		if o.mu.idle == nil {
			o.mu.idle = make(chan struct{})
		}
		idle := o.mu.idle
		o.mu.Unlock()
		<-idle
		o.mu.Lock()
	}
	if o.mu.dead || !o.takeLocked() {
		o.mu.Unlock()
		return
	}
	o.mu.writing = true
	o.mu.Unlock()
	n, _ := c.writeFlight(c.write)
	o.mu.Lock()
	o.wroteLocked(n, c.s.behind())
	o.mu.dead = true
	c.restLocked()
}

// failedLocked ends writing after an error, and unlocks.
func (c *conn) failedLocked(err error) {
	c.out.mu.closed, c.out.mu.dead = true, true
	c.restLocked()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.s.count.slow.Add(1)
		c.close(SlowConsumerWrite)
	} else {
		c.close(WriteError)
	}
}

// drain writes until nothing is pending, waiting for the socket. Requires: writing.
func (c *conn) drain() {
	o := &c.out
	for {
		n, err := c.writeFlight(c.blockingWrite)
		o.mu.Lock()
		o.wroteLocked(n, c.s.behind())
		if err != nil {
			c.failedLocked(err)
			return
		}
		if len(o.flight) == 0 && !o.takeLocked() {
			c.nc.SetWriteDeadline(time.Time{})
			c.restLocked()
			return
		}
		o.mu.Unlock()
	}
}

// maxPieces bounds what is written at once, so that producers who wait for a client hear
// soon of what it took.
const maxPieces = 64

// writeFlight hands the pieces in flight to write and drops those that it took
// whole. It stops when it did not take all that it was given, and returns what is not accounted
// for yet.
func (c *conn) writeFlight(write func(net.Buffers) (int, error)) (total int, err error) {
	o := &c.out
	done := 0
	for more := true; more && err == nil && done < len(o.flight); {
		want := -o.off
		bufs := o.bufs[:0]
		for _, p := range o.flight[done:min(len(o.flight), done+maxPieces)] {
			bufs = append(bufs, p.b)
			want += len(p.b)
		}
		bufs[0] = bufs[0][o.off:]
		o.bufs = bufs
		var n int
		n, err = write(bufs)
		clear(bufs)
		total += n
		more = n == want
		for n += o.off; done < len(o.flight) && n >= len(o.flight[done].b); done++ {
			n -= len(o.flight[done].b)
			o.unpin += o.flight[done].pin
			o.flight[done].free()
		}
		o.off = n
		if more && err == nil && done < len(o.flight) {
			o.mu.Lock()
			o.wroteLocked(total, c.s.behind())
			o.mu.Unlock()
			total = 0
		}
	}
	left := copy(o.flight, o.flight[done:])
	clear(o.flight[left:])
	o.flight = o.flight[:left]
	return total, err
}

func (p *piece) free() {
	if p.k != nil {
		p.k.free()
	}
}

// tryWrite writes what the socket takes at once; 0 and no error means nothing.
func (c *conn) tryWrite(bufs net.Buffers) (int, error) {
	if c.raw == nil {
		return 0, nil
	}
	c.try.bufs, c.try.n, c.try.err = bufs, 0, nil
	if err := c.raw.Write(c.try.f); err != nil {
		return 0, err
	}
	c.try.bufs = nil
	if c.try.err == syscall.EAGAIN {
		return 0, nil
	}
	return c.try.n, c.try.err
}

// rawWrite is what tryWrite has RawConn.Write call; it never asks to wait.
func (c *conn) rawWrite(fd uintptr) bool {
	for {
		n, err := writev.Write(int(fd), c.try.bufs)
		if err == syscall.EINTR {
			continue
		}
		c.try.n, c.try.err = max(n, 0), err
		return true
	}
}

func (c *conn) blockingWrite(bufs net.Buffers) (int, error) {
	d := c.s.o.WriteDeadline
	if c.closed.Load() {
		d = linger
	}
	c.nc.SetWriteDeadline(time.Now().Add(d))
	return c.write(bufs)
}

// write writes all of bufs, and uses them up.
func (c *conn) write(bufs net.Buffers) (int, error) {
	if len(bufs) == 1 {
		return c.nc.Write(bufs[0])
	}
	n, err := bufs.WriteTo(c.nc)
	return int(n), err
}

// rawConn returns the raw side of a socket, nil if nc is none.
func rawConn(nc net.Conn) syscall.RawConn {
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

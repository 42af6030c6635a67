package natswire

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"trivium/natswire/wire"
)

// output is what a connection has still to send. Producers append to it under its
// lock, once per read of theirs; whoever finds nobody writing writes, in place, as
// long as the socket takes it without blocking. Only when it does not, a goroutine
// takes over until all is sent.
type output struct {
	mu struct {
		sync.Mutex
		// full chunks, then tail, are in sending order after what is in flight.
		full []*chunk
		tail *chunk
		// pending counts the bytes not yet taken by the socket, in flight included.
		pending int
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
	// flight is what is being written, its first chunk from off on. It belongs to
	// whoever set writing.
	flight []*chunk
	off    int
}

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
		o.mu.full = append(o.mu.full, t)
		// A second chunk means that there is more to come.
		n = max(n, smallChunk+1)
	}
	o.mu.tail = newChunk(n)
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
	o.flight, o.mu.full = o.mu.full, o.flight
	o.flight = append(o.flight, o.mu.tail)
	o.mu.tail = nil
	return true
}

// wroteLocked accounts for n bytes that the socket took.
func (o *output) wroteLocked(n, maxPending int) {
	o.mu.pending -= n
	if o.mu.pending < maxPending/4*3 {
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
	for _, c := range o.mu.full {
		c.free()
	}
	for _, c := range o.flight {
		c.free()
	}
	if o.mu.tail != nil {
		o.mu.tail.free()
	}
	o.mu.full, o.flight, o.mu.tail, o.off = nil, nil, nil, 0
	o.mu.pending = 0
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
		o.wroteLocked(n, c.s.o.MaxPending)
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
	n, _ := c.writeFlight(c.nc.Write)
	o.mu.Lock()
	o.wroteLocked(n, c.s.o.MaxPending)
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
		o.wroteLocked(n, c.s.o.MaxPending)
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

// writeFlight hands the chunks in flight to write and drops those that it took
// whole. It stops at the first that it did not.
func (c *conn) writeFlight(write func([]byte) (int, error)) (total int, err error) {
	o := &c.out
	done := 0
	for _, k := range o.flight {
		var n int
		n, err = write(k.b[o.off:])
		total += n
		if o.off += n; err != nil || o.off < len(k.b) {
			break
		}
		o.off = 0
		done++
		k.free()
	}
	left := copy(o.flight, o.flight[done:])
	clear(o.flight[left:])
	o.flight = o.flight[:left]
	return total, err
}

// tryWrite writes what the socket takes at once; 0 and no error means nothing.
func (c *conn) tryWrite(b []byte) (int, error) {
	if c.raw == nil {
		return 0, nil
	}
	c.try.b, c.try.n, c.try.err = b, 0, nil
	if err := c.raw.Write(c.try.f); err != nil {
		return 0, err
	}
	c.try.b = nil
	if c.try.err == syscall.EAGAIN {
		return 0, nil
	}
	return c.try.n, c.try.err
}

// rawWrite is what tryWrite has RawConn.Write call; it never asks to wait.
func (c *conn) rawWrite(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), c.try.b)
		if err == syscall.EINTR {
			continue
		}
		c.try.n, c.try.err = max(n, 0), err
		return true
	}
}

func (c *conn) blockingWrite(b []byte) (int, error) {
	d := c.s.o.WriteDeadline
	if c.closed.Load() {
		d = linger
	}
	c.nc.SetWriteDeadline(time.Now().Add(d))
	return c.nc.Write(b)
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

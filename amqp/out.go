package amqp

import (
	"net"
	"sync"
	"syscall"

	"trivium/internal/slab"
)

const (
	// keepOut is the largest output buffer that is kept for reuse.
	keepOut = 1 << 20
	// maxOut is how much output may wait before the connection's reader stops reading, so
	// that a client that asks and never listens cannot fill the memory.
	maxOut = 1 << 20
)

// out is a connection's output: whoever has something to say appends to it, and
// whoever found it idle writes it, in place, as far as the socket takes it. What the
// socket does not take is left to a goroutine that lives until it is written.
type out struct {
	conn net.Conn
	raw  syscall.RawConn // nil if the connection can only be written to blockingly
	// drained is called when a stalled socket took everything.
	drained func()
	wg      sync.WaitGroup

	mu struct {
		sync.Mutex
		room    sync.Cond
		buf     []byte // to be written; from buffers, nil if there is nothing
		busy    bool   // somebody is writing
		stalled bool   // that somebody is drain
		err     error  // nothing will be written any more
		written uint64 // octets, for heartbeats
	}
}

func newOut(c net.Conn, drained func()) *out {
	o := &out{conn: c, drained: drained}
	o.mu.room.L = &o.mu
	if sc, ok := c.(syscall.Conn); ok {
		o.raw, _ = sc.SyscallConn()
	}
	return o
}

// buffers lends what all connections write from, and what they gather messages in, so that an idle one holds none.
var buffers slab.Pool

// lock gives access to mu.buf; unlock and flush must follow. After an error what is appended is dropped.
func (o *out) lock() {
	o.mu.Lock()
	if o.mu.buf == nil {
		o.mu.buf = buffers.Take(firstBuffer)
	}
}

func (o *out) unlock() {
	if o.mu.err != nil {
		o.mu.buf = nil
	}
	o.mu.Unlock()
}

// stalled reports whether the socket takes nothing at the moment.
func (o *out) stalled() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.stalled
}

// failed reports whether nothing will be written any more.
func (o *out) failed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.err != nil
}

// written counts the octets that went to the socket.
func (o *out) written() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.written
}

// flush writes what is buffered unless somebody is at it already. It does not block.
func (o *out) flush() {
	o.mu.Lock()
	if o.mu.busy || o.mu.err != nil {
		o.mu.Unlock()
		return
	}
	for len(o.mu.buf) > 0 && o.mu.err == nil {
		o.mu.busy = true
		w := o.mu.buf
		o.mu.buf = nil
		o.mu.Unlock()
		n, err := o.try(w)
		o.mu.Lock()
		o.mu.written += uint64(n)
		if err != nil {
			o.failLocked(err)
		} else if n < len(w) {
			o.mu.stalled = true
			o.wg.Add(1)
			go o.drain(w, n)
			o.mu.Unlock()
			return
		}
		release(w)
	}
	o.mu.busy = false
	o.mu.room.Broadcast()
	o.mu.Unlock()
}

// release gives a buffer back.
func release(b []byte) {
	if cap(b) <= keepOut {
		buffers.Give(b)
	}
}

func (o *out) failLocked(err error) {
	if o.mu.err == nil {
		o.mu.err = err
	}
	o.mu.buf = nil
	o.mu.room.Broadcast()
}

// fail makes an end of all output.
func (o *out) fail(err error) {
	o.mu.Lock()
	o.failLocked(err)
	o.mu.Unlock()
}

// try writes as much as the socket takes at once.
func (o *out) try(w []byte) (n int, err error) {
	if o.raw == nil {
		return 0, nil
	}
	werr := o.raw.Write(func(fd uintptr) bool {
		for n < len(w) {
			m, e := syscall.Write(int(fd), w[n:])
			if m > 0 {
				n += m
			}
			switch {
			case e == syscall.EINTR:
			case e == syscall.EAGAIN:
				return true
			case e != nil:
				err = e
				return true
			}
		}
		return true
	})
	if err == nil {
		err = werr
	}
	return n, err
}

// drain writes w from n on, and all that comes meanwhile, waiting for the socket. It ends when
// everything is written, or with the connection.
func (o *out) drain(w []byte, n int) {
	defer o.wg.Done()
	for {
		m, err := o.conn.Write(w[n:])
		o.mu.Lock()
		o.mu.written += uint64(m)
		if err != nil {
			o.failLocked(err)
		}
		release(w)
		if len(o.mu.buf) == 0 {
			o.mu.busy, o.mu.stalled = false, false
			failed := o.mu.err != nil
			o.mu.room.Broadcast()
			o.mu.Unlock()
			if !failed {
				o.drained()
			}
			return
		}
		w, n = o.mu.buf, 0
		o.mu.buf = nil
		if len(o.mu.buf) < maxOut {
			o.mu.room.Broadcast()
		}
		o.mu.Unlock()
	}
}

// wait blocks while too much output waits for a stalled socket.
func (o *out) wait() {
	o.mu.Lock()
	for len(o.mu.buf) > maxOut && o.mu.err == nil {
		o.mu.room.Wait()
	}
	o.mu.Unlock()
}

// waitIdle blocks until all is written or the connection broke: whoever is at it,
// stalled or not, may hold a buffer that was taken before the last words came.
func (o *out) waitIdle() {
	o.mu.Lock()
	for o.mu.busy && o.mu.err == nil {
		o.mu.room.Wait()
	}
	o.mu.Unlock()
}

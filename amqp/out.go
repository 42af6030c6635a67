package amqp

import (
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"trivium/internal/slab"
	"trivium/internal/writev"
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
	// flight is what is being written, from at on. It belongs to whoever set busy.
	flight [][]byte
	at     int

	mu struct {
		sync.Mutex
		less    sync.Cond
		full    [][]byte // to be written before buf
		fullLen int      // of all of them
		buf     []byte   // to be written; from buffers, nil if there is nothing
		busy    bool     // somebody is writing
		stalled bool     // that somebody is drain
		err     error    // nothing will be written any more
		written uint64   // octets, for heartbeats
	}
}

func newOut(c net.Conn, drained func()) *out {
	o := &out{conn: c, drained: drained}
	o.mu.less.L = &o.mu
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

// room makes mu.buf have room for n more octets. What is in it is set aside, if it is more than a little, and the more
// waits the larger is the next one. Requires: lock.
func (o *out) room(n int) {
	b := o.mu.buf
	if cap(b)-len(b) >= n {
		return
	}
	if len(b) <= firstBuffer {
		o.mu.buf = append(buffers.Take(len(b)+n), b...)
		release(b)
		return
	}
	o.mu.full = append(o.mu.full, b)
	o.mu.fullLen += len(b)
	o.mu.buf = buffers.Take(max(n, min(2*cap(b), deliverAtOnce)))
}

func (o *out) unlock() {
	if o.mu.err != nil {
		o.dropLocked()
	}
	o.mu.Unlock()
}

// waitingLocked is how much nobody has begun to write.
func (o *out) waitingLocked() int { return o.mu.fullLen + len(o.mu.buf) }

// takeLocked moves all that waits into flight. Requires: busy, and nothing is in flight.
func (o *out) takeLocked() {
	o.flight, o.mu.full = append(o.mu.full, o.mu.buf), o.flight[:0]
	o.mu.fullLen, o.mu.buf = 0, nil
}

func (o *out) dropLocked() { o.mu.full, o.mu.fullLen, o.mu.buf = nil, 0, nil }

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

// briefly is how many times whoever writes goes on with what others appended meanwhile.
const briefly = 4

// flush writes what is buffered unless somebody is at it already. It does not block, nor does it serve a busy
// client for as long as that is busy: the journal, or the other clients of a queue, would wait.
func (o *out) flush() {
	o.mu.Lock()
	if o.mu.busy || o.mu.err != nil {
		o.mu.Unlock()
		return
	}
	o.mu.busy = true
	o.writeLocked(briefly)
}

// writeLocked writes what waits as far as the socket takes it, and unlocks; after so many rounds a goroutine does.
// Requires: busy, and nothing is in flight.
func (o *out) writeLocked(rounds int) {
	for o.waitingLocked() > 0 && o.mu.err == nil {
		if rounds--; rounds < 0 {
			o.wg.Go(func() {
				o.mu.Lock()
				o.writeLocked(math.MaxInt)
			})
			break
		}
		o.takeLocked()
		o.mu.Unlock()
		total, err := o.try(o.flight)
		n := o.land(total)
		o.mu.Lock()
		if !o.wroteLocked(total, n, err) {
			return
		}
	}
	if rounds >= 0 {
		o.mu.busy = false
		o.mu.less.Broadcast()
	}
	o.mu.Unlock()
}

// wroteLocked accounts for what the socket took: total octets, n of them of the first buffer that is still in flight.
// If there is one, somebody else goes on, and it unlocks and reports false.
func (o *out) wroteLocked(total, n int, err error) bool {
	o.mu.written += uint64(total)
	if err != nil {
		o.failLocked(err)
		o.flight, o.at = nil, 0
	} else if len(o.flight) > 0 {
		o.mu.stalled = true
		o.wg.Add(1)
		go o.drain(n)
		o.mu.Unlock()
		return false
	}
	return true
}

// land releases the buffers in flight that n octets fill, and returns how many are of the one after them.
func (o *out) land(n int) int {
	for len(o.flight) > 0 && n >= len(o.flight[o.at]) {
		n -= len(o.flight[o.at])
		o.landed()
	}
	return n
}

// landed releases the buffer in flight that is written now.
func (o *out) landed() {
	release(o.flight[o.at])
	o.flight[o.at] = nil
	if o.at++; o.at == len(o.flight) {
		o.flight, o.at = o.flight[:0], 0
	}
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
	o.dropLocked()
	o.mu.less.Broadcast()
}

// fail makes an end of all output.
func (o *out) fail(err error) {
	o.mu.Lock()
	o.failLocked(err)
	o.mu.Unlock()
}

// maxVector is how many buffers the kernel takes at once.
const maxVector = 1024

// try writes as much of bufs as the socket takes at once.
func (o *out) try(bufs [][]byte) (total int, err error) {
	if o.raw == nil {
		return 0, nil
	}
	werr := o.raw.Write(func(fd uintptr) bool {
		for len(bufs) > 0 {
			some, want := bufs[:min(len(bufs), maxVector)], 0
			for _, b := range some {
				want += len(b)
			}
			n, e := writev.Write(int(fd), some)
			total += max(n, 0)
			switch {
			case e == syscall.EINTR:
				continue
			case e != nil && e != syscall.EAGAIN:
				err = e
			}
			if e != nil || n < want {
				return true
			}
			bufs = bufs[len(some):]
		}
		return true
	})
	if err == nil {
		err = werr
	}
	return total, err
}

// drain writes what is in flight, of its buffer from n on, and all that comes meanwhile, waiting for the socket.
// It ends when everything is written, or with the connection.
func (o *out) drain(n int) {
	defer o.wg.Done()
	for {
		m, err := o.conn.Write(o.flight[o.at][n:])
		n = 0
		o.landed()
		o.mu.Lock()
		o.mu.written += uint64(m)
		if err != nil {
			o.failLocked(err)
			o.flight, o.at = nil, 0
		}
		if len(o.flight) > 0 {
			o.mu.Unlock()
			continue
		}
		if o.waitingLocked() == 0 {
			o.mu.busy, o.mu.stalled = false, false
			failed := o.mu.err != nil
			o.mu.less.Broadcast()
			o.mu.Unlock()
			if !failed {
				o.drained()
			}
			return
		}
		o.takeLocked()
		o.mu.less.Broadcast()
		o.mu.Unlock()
	}
}

// wait blocks while too much output waits for a stalled socket; waits is set meanwhile.
func (o *out) wait(waits *atomic.Bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waitingLocked() <= maxOut {
		return
	}
	waits.Store(true)
	defer waits.Store(false)
	for o.waitingLocked() > maxOut && o.mu.err == nil {
		o.mu.less.Wait()
	}
}

// waitIdle blocks until all is written or the connection broke: whoever is at it,
// stalled or not, may hold a buffer that was taken before the last words came.
func (o *out) waitIdle() {
	o.mu.Lock()
	for o.mu.busy && o.mu.err == nil {
		o.mu.less.Wait()
	}
	o.mu.Unlock()
}

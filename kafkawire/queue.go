package kafkawire

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/wire"
)

// slot is the place of one answer in a connection's queue.
type slot struct {
	c *conn
	h wire.Header // without ClientID
	// buf is the whole answer. Owned by who makes the slot ready, then by who writes.
	buf *[]byte
	// fetch is set for a fetch, which is evaluated when the slot is first.
	fetch *fetch
	// parts counts what must happen before the slot is ready.
	parts atomic.Int32
	// hangup closes the connection instead of answering.
	hangup bool
	// held slots wait for other clients, and are given up at shutdown.
	held bool
	err  error

	ready bool // guarded by queue.mu
}

// queue keeps the slots of a connection in the order of its requests.
type queue struct {
	mu struct {
		sync.Mutex
		slots   []*slot // [head:] wait
		head    int
		writing bool
		closed  bool // no more slots, nothing more is written
		stopped bool // held slots are given up
	}
	room *sync.Cond // len < limit, or closed
	// wake tells the writer that the first slot is ready.
	wake chan struct{}
}

// waits reports whether other clients decide when the slot is answered.
func (s *slot) waits() bool { return s.held || s.fetch != nil }

// bufs are answer buffers; larger ones than keepBuf are left to the collector.
var bufs = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

const keepBuf = 64 << 10

func freeBuf(b *[]byte) {
	if b != nil && cap(*b) <= keepBuf {
		*b = (*b)[:0]
		bufs.Put(b)
	}
}

// reserve adds a slot, waiting for room; nil if the connection has ended.
func (c *conn) reserve(h wire.Header) *slot {
	s := &slot{c: c, h: h}
	s.h.ClientID = nil
	s.parts.Store(1)
	q := &c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.mu.slots)-q.mu.head >= c.s.o.MaxInFlight && !q.mu.closed {
		q.room.Wait()
	}
	if q.mu.closed {
		return nil
	}
	if q.mu.head > 64 && q.mu.head*2 > len(q.mu.slots) {
		n := copy(q.mu.slots, q.mu.slots[q.mu.head:])
		clear(q.mu.slots[n:])
		q.mu.slots, q.mu.head = q.mu.slots[:n], 0
	}
	q.mu.slots = append(q.mu.slots, s)
	return s
}

// full reports whether reserve would wait.
func (c *conn) full() bool {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return len(c.queue.mu.slots)-c.queue.mu.head >= c.s.o.MaxInFlight
}

// answer encodes the response and makes the slot ready. Any goroutine, once.
func (s *slot) answer(resp kmsg.Response) {
	b := bufs.Get().(*[]byte)
	*b = wire.BeginResponse(*b, s.h)
	*b = resp.AppendTo(*b)
	wire.EndResponse(*b, 0, 0)
	s.buf = b
	s.done()
}

// done counts down the slot's parts; the last makes it ready.
func (s *slot) done() {
	if s.parts.Add(-1) != 0 {
		return
	}
	q := &s.c.queue
	q.mu.Lock()
	s.ready = true
	wake := !q.mu.writing && q.mu.head < len(q.mu.slots) && q.mu.slots[q.mu.head] == s
	q.mu.Unlock()
	if wake {
		q.poke()
	}
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// poll makes a held fetch be looked at again.
func (s *slot) poll() {
	q := &s.c.queue
	q.mu.Lock()
	s.ready = true
	wake := !q.mu.writing && !q.mu.closed && q.mu.head < len(q.mu.slots) && q.mu.slots[q.mu.head] == s
	q.mu.Unlock()
	if wake {
		q.poke()
	}
}

// drain writes the answers that are ready, unless somebody does so already:
// then that one will see them.
func (c *conn) drain() {
	q := &c.queue
	q.mu.Lock()
	if q.mu.writing || q.mu.closed {
		q.mu.Unlock()
		return
	}
	q.mu.writing = true
	for {
		s := c.firstLocked()
		if s == nil {
			break
		}
		s.ready = false
		q.mu.Unlock()
		ok, err := true, error(nil)
		switch {
		case s.hangup:
			err = errHangup
		case s.fetch != nil:
			ok = c.emitFetch(s)
		case s.err != nil:
			failProduce(s)
			c.out.add(s.buf)
		default:
			c.out.add(s.buf)
		}
		if err == nil && c.out.size >= gather {
			err = c.out.flush()
		}
		q.mu.Lock()
		if err != nil {
			c.endLocked(err)
			break
		}
		if ok {
			q.mu.slots[q.mu.head] = nil
			q.mu.head++
			q.room.Signal()
		}
		if c.firstLocked() == nil {
			q.mu.Unlock()
			err := c.out.flush()
			q.mu.Lock()
			if err != nil {
				c.endLocked(err)
				break
			}
		}
	}
	q.mu.writing = false
	if q.mu.closed || q.mu.stopped {
		q.room.Broadcast()
	}
	q.mu.Unlock()
}

// firstLocked is the first slot, if it is ready.
func (c *conn) firstLocked() *slot {
	q := &c.queue
	if q.mu.closed || q.mu.head == len(q.mu.slots) {
		return nil
	}
	if s := q.mu.slots[q.mu.head]; s.ready {
		return s
	}
	return nil
}

// endLocked gives up the connection.
func (c *conn) endLocked(err error) {
	q := &c.queue
	if q.mu.closed {
		return
	}
	q.mu.closed = true
	c.why = err
	q.room.Broadcast()
	c.nc.Close()
}

// cut ends the connection whatever it waits for.
func (c *conn) cut(err error) {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	c.endLocked(err)
}

// settle waits until everything that was stored is answered, then ends the
// connection. The reader calls it when nothing more comes in.
func (c *conn) settle(err error) {
	q := &c.queue
	q.mu.Lock()
	q.mu.stopped = true
	for !q.mu.closed && err == errStopping {
		pending := q.mu.writing
		for _, s := range q.mu.slots[q.mu.head:] {
			pending = pending || !s.waits()
		}
		// A held slot in front of a stored one keeps it from being answered.
		if !pending || !q.mu.writing && q.mu.head < len(q.mu.slots) && q.mu.slots[q.mu.head].waits() {
			break
		}
		q.room.Wait()
	}
	c.endLocked(err)
	for q.mu.writing {
		q.room.Wait()
	}
	slots := q.mu.slots[q.mu.head:]
	q.mu.slots, q.mu.head = nil, 0
	q.mu.Unlock()
	for _, s := range slots {
		if s.fetch != nil {
			s.fetch.cancel()
		}
	}
	close(c.ended)
}

// write is the connection's writer: it writes when an answer became ready
// elsewhere than in the reader.
func (c *conn) write() {
	for {
		select {
		case <-c.queue.wake:
			c.drain()
		case <-c.ended:
			return
		}
	}
}

// writeDeadline is set before each write.
func (c *conn) writeDeadline() error {
	return c.nc.SetWriteDeadline(time.Now().Add(c.s.o.WriteTimeout))
}

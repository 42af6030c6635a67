package kafkawire

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/wire"
)

// Read buffer sizes: a connection at rest keeps the small one.
const (
	smallRead = 2 << 10
	largeRead = 64 << 10
	keepRead  = 4 << 20 // larger ones are left to the collector
)

// maxClassicBytes bounds a request of the old encoding: its decoder makes room
// for as many elements as there are bytes, a hundred times their size.
const maxClassicBytes = 1 << 20

var (
	errHangup   = errors.New("kafka: the protocol wants the connection closed")
	errStopping = errors.New("kafka: shutting down")
	errFrame    = errors.New("kafka: frame size out of range")
	errRequest  = errors.New("kafka: request that cannot be served")
)

// conn is one client's connection. Its reader goroutine owns in, r, w, produces
// and clientID; the queue and out have their own rules.
type conn struct {
	s  *Server
	nc net.Conn
	// host and port are where the client reached this server, and so what it is
	// told to connect to.
	host string
	port int32
	peer string

	in       []byte // [r:w] is unread; in is small or *large
	r, w     int
	small    [smallRead]byte
	large    *[]byte
	produces produceBatch
	clientID string

	queue queue
	out   output
	why   error
	ended chan struct{}
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, ended: make(chan struct{})}
	c.in = c.small[:]
	c.queue.room = sync.NewCond(&c.queue.mu)
	c.queue.wake = make(chan struct{}, 1)
	c.out.c = c
	c.produces.c = c
	c.host = "127.0.0.1"
	if a, ok := nc.LocalAddr().(*net.TCPAddr); ok {
		c.host, c.port = a.IP.String(), int32(a.Port)
	} else if h, p, err := net.SplitHostPort(nc.LocalAddr().String()); err == nil {
		n, _ := strconv.ParseUint(p, 10, 16)
		c.host, c.port = h, int32(n)
	}
	if h, _, err := net.SplitHostPort(nc.RemoteAddr().String()); err == nil {
		c.peer = h
	}
	return c
}

// stop makes the reader end.
func (c *conn) stop() {
	c.queue.mu.Lock()
	c.queue.mu.stopped = true
	c.queue.mu.Unlock()
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// serve reads requests until the connection ends.
func (c *conn) serve() {
	err := c.read()
	if errors.Is(err, errFrame) || errors.Is(err, errRequest) || errors.Is(err, wire.ErrShort) {
		c.s.metrics.errors.Add(1)
		c.s.log.Debug("kafka: connection closed", "peer", c.nc.RemoteAddr(), "err", err)
	}
	c.produces.flush()
	c.drain()
	c.r, c.w = 0, 0
	c.swap(nil)
	c.settle(err)
}

func (c *conn) read() error {
	for {
		for {
			frame, err := c.next()
			if err != nil {
				return err
			}
			if frame == nil {
				break
			}
			if err := c.handle(frame); err != nil {
				return err
			}
		}
		c.produces.flush()
		c.drain()
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// next returns the next whole frame in the buffer, without its size, or nil.
func (c *conn) next() ([]byte, error) {
	have := c.w - c.r
	if have < 4 {
		return nil, nil
	}
	n := int(int32(binary.BigEndian.Uint32(c.in[c.r:])))
	limit := c.s.o.MaxControlBytes
	if have < 6 || binary.BigEndian.Uint16(c.in[c.r+4:]) == wire.Produce {
		limit = c.s.o.MaxRequestBytes
	}
	if n < 8 || n > limit {
		return nil, errFrame
	}
	if have < 4+n {
		return nil, nil
	}
	frame := c.in[c.r+4 : c.r+4+n : c.r+4+n]
	c.r += 4 + n
	return frame, nil
}

// fill reads more. Frames that next returned are no longer valid.
func (c *conn) fill() error {
	c.makeRoom()
	if err := c.nc.SetReadDeadline(time.Now().Add(c.s.o.IdleTimeout)); err != nil {
		return err
	}
	if c.stopping() {
		return errStopping
	}
	n, err := c.nc.Read(c.in[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	if c.stopping() {
		return errStopping
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// larges are read buffers of at least largeRead.
var larges = sync.Pool{New: func() any { b := make([]byte, largeRead); return &b }}

// makeRoom makes space behind c.w: a small buffer while nothing is there, a large
// one once a frame or a flood has begun. A new one is never larger than twice
// what has come.
func (c *conn) makeRoom() {
	have := c.w - c.r
	full := c.w == len(c.in)
	if have == 0 {
		switch {
		case full && c.large == nil:
			c.swap(larges.Get().(*[]byte))
		case !full && c.large != nil:
			c.swap(nil)
		}
		c.r, c.w = 0, 0
		return
	}
	size := have + 1
	if have >= 4 {
		size = 4 + int(binary.BigEndian.Uint32(c.in[c.r:]))
	}
	switch {
	case size <= len(c.in)-c.r:
		return
	case size <= len(c.in):
		copy(c.in, c.in[c.r:c.w])
		c.r, c.w = 0, have
	case c.large == nil:
		c.swap(larges.Get().(*[]byte))
	case have == len(c.in):
		b := make([]byte, min(size, 2*have))
		c.swap(&b)
	default: // there is room, and the rest may never come
		copy(c.in, c.in[c.r:c.w])
		c.r, c.w = 0, have
	}
}

// swap moves what is unread to another large buffer, or to the small one.
func (c *conn) swap(to *[]byte) {
	in := c.small[:]
	if to != nil {
		in = *to
	}
	c.w = copy(in, c.in[c.r:c.w])
	c.r = 0
	if c.large != nil && cap(*c.large) <= keepRead {
		larges.Put(c.large)
	}
	c.large, c.in = to, in
}

func (c *conn) stopping() bool {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.queue.mu.stopped
}

// handle serves one request. An error ends the connection without an answer.
func (c *conn) handle(frame []byte) error {
	h, body, err := wire.ParseHeader(frame)
	if err != nil {
		return err
	}
	c.s.metrics.requests.Add(1)
	if string(h.ClientID) != c.clientID {
		c.clientID = string(h.ClientID)
	}
	if h.Key == wire.Produce {
		return c.produces.add(h, body)
	}
	c.produces.flush()
	if h.Key == wire.Fetch {
		return c.handleFetch(h, body)
	}
	if int(h.Key) < 0 || int(h.Key) >= len(handlers) || handlers[h.Key].serve == nil {
		return errRequest
	}
	hd := &handlers[h.Key]
	if h.Version < hd.min || h.Version > hd.max {
		if h.Key != wire.ApiVersions {
			return errRequest
		}
		return c.refuseApiVersions(h)
	}
	if err := wire.CheckFlexible(h.Key, h.Version, body); err != nil {
		return err
	}
	if len(body) > maxClassicBytes && !wire.Flexible(h.Key, h.Version) {
		return errFrame
	}
	q := kmsg.RequestForKey(h.Key)
	q.SetVersion(h.Version)
	// What kmsg returns refers to the body, which the next read overwrites.
	if err := q.ReadFrom(append([]byte(nil), body...)); err != nil {
		return wire.ErrShort
	}
	s := c.reserve(h)
	if s == nil {
		return errHangup
	}
	if resp := hd.serve(c, s, q); resp != nil {
		resp.SetVersion(h.Version)
		s.answer(resp)
	}
	return nil
}

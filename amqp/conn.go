package amqp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"trivium/amqp/wire"
	"trivium/auth"
	"trivium/core"
)

const (
	// firstBuffer is the read buffer of an idle connection; it grows up to
	// fullBuffer while reads fill it, and beyond that to hold one frame.
	firstBuffer = 4 << 10
	fullBuffer  = 64 << 10
	// smallReads is how many reads in a row must leave most of a grown buffer empty for it to shrink.
	smallReads = 64
	// frameMinSize is the smallest frame size that may be negotiated, and the largest frame before
	// that.
	frameMinSize = 8192
	// closeWait is the longest wait for a close-ok.
	closeWait = 30 * time.Second
	// lostWait is how long a client has to read why its frames made no sense.
	lostWait = 3 * time.Second
)

// state is how far a connection is.
type state uint8

const (
	stStart   state = iota // connection.start is sent
	stTune                 // connection.tune is sent
	stOpen                 // tune-ok came
	stRunning              // open-ok is sent
	stClosing              // connection.close is sent
	stDone                 // nothing more is to be read
)

// conn is one connection. Its fields belong to the goroutine of serve, unless they say otherwise.
type conn struct {
	s    *Server
	nc   net.Conn
	out  *out
	log  *slog.Logger
	id   string // names it as an owner of queues
	user *auth.Identity
	// release ends the session of user, if there is one.
	release func()

	state      state
	frameMax   int
	channelMax int
	heartbeat  time.Duration
	caps       capabilities
	vhost      string
	ns         *core.Namespace

	channels map[uint16]*channel
	last     *channel // the one that the last frame was for
	// shut are the channels that the client closed: what it sent on them just before may still come.
	shut map[uint16]struct{}
	// exclusive are the queues that end with the connection.
	exclusive map[string]*core.Queue

	buf        []byte
	start, end int // what of buf was read and not parsed
	small      int
	// part is a body frame of which only the beginning has come; with partOf nil there is none.
	part   wire.Frame
	partOf *channel
	left   int // of part's payload

	work  batch // the operations of this read
	pub   publisher
	entry core.Entry // what is being stored
	boxes flight

	reads   atomic.Uint64 // for the heartbeat
	running atomic.Bool
	closing atomic.Bool // connection.close was sent
	ended   atomic.Bool // no more timers
	holding atomic.Bool // something was delivered that must be settled
	audit   atomic.Bool // the reader is to look for deliveries that are held too long
	aborted atomic.Bool
	deaf    atomic.Bool // the reader waits for something else than the client's words
	blocked blocked
	beat    *time.Timer
	patrol  *time.Timer
}

// capabilities are those of the client that matter here.
type capabilities struct{ cancelNotify, authFailureClose, blocked bool }

func newConn(s *Server, nc net.Conn) *conn {
	n := s.next.Add(1)
	c := &conn{
		s: s, nc: nc, id: fmt.Sprintf("amqp-%d", n), frameMax: frameMinSize,
		channels: map[uint16]*channel{}, shut: map[uint16]struct{}{}, exclusive: map[string]*core.Queue{},
		log: s.Log.With("connection", fmt.Sprintf("%s -> %s", nc.RemoteAddr(), nc.LocalAddr())),
	}
	c.boxes.init()
	c.blocked.init()
	c.out = newOut(nc, c.resume)
	return c
}

// abort ends the connection from any goroutine.
func (c *conn) abort() {
	c.aborted.Store(true)
	_ = c.nc.Close()
	c.blocked.nudge()
}

// force tells the client that the connection is closed, from any goroutine.
func (c *conn) force(text string) {
	if !c.running.Load() || !c.closing.CompareAndSwap(false, true) {
		c.abort()
		return
	}
	c.sendClose(refuse(codeConnectionForced, "%s", text), 0)
	c.out.flush()
	_ = c.nc.SetReadDeadline(time.Now().Add(closeWait))
	c.blocked.nudge()
}

// serve runs the connection to its end. A panic is not to finish it: what it would wait for
// may be held by the goroutine that panics.
func (c *conn) serve() {
	c.read()
	c.finish()
}

// read handles what the client sends, until there is no more.
func (c *conn) read() {
	_ = c.nc.SetReadDeadline(time.Now().Add(c.s.HandshakeTimeout))
	if err := c.hello(); err != nil {
		c.log.Debug("no AMQP client", "err", err)
		return
	}
	c.buf = make([]byte, firstBuffer)
	for c.state != stDone {
		n, err := c.nc.Read(c.buf[c.end:])
		if n > 0 {
			c.reads.Add(1)
			c.end += n
			c.parse(n)
		}
		if err != nil && c.running.Load() && errors.Is(err, os.ErrDeadlineExceeded) && !c.closing.Load() {
			_ = c.nc.SetReadDeadline(time.Time{})
			c.patrolled()
			continue
		}
		if err != nil {
			if c.state != stDone && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				c.log.Info("connection lost", "err", err)
			}
			return
		}
	}
}

// parse handles every whole frame in the buffer, then does what they asked for.
func (c *conn) parse(n int) {
	full := c.end == len(c.buf)
	need := 0
	alarm := c.s.Broker.Alarm() != nil
	for c.state != stDone {
		if c.partOf != nil && !c.continueBody() {
			break
		}
		f, size, more, err := wire.ParseFrame(c.buf[c.start:c.end], c.frameMax)
		if err != nil {
			c.lost(err)
			break
		}
		if size == 0 {
			if !c.beginBody(f, more) {
				need = more
			}
			break
		}
		if alarm && publishes(f) && !c.block() {
			break
		}
		c.start += size
		c.frame(f)
	}
	c.commit()
	c.work.carry()
	c.out.flush()
	c.fit(need, full, n)
	c.boxes.wait(inFlightBytes, &c.deaf)
	c.out.wait(&c.deaf)
}

// partFrom is the smallest body frame that is taken as it comes.
const partFrom = firstBuffer

// beginBody takes what has come of a large body frame, so that the buffer need not hold all of it. It reports
// whether it did: what is to be refused is left to be seen whole.
func (c *conn) beginBody(f wire.Frame, size int) bool {
	if size < partFrom || f.Type != wire.FrameBody || c.state != stRunning || c.closing.Load() {
		return false
	}
	ch, payload := c.channels[f.Channel], size-wire.FrameExtra
	if ch == nil || ch.closing || ch.pub.stage != wantBody || uint64(payload) > ch.pub.left {
		return false
	}
	c.part, c.partOf, c.left = f, ch, payload
	c.start += wire.FrameHead
	c.takeBody()
	return true
}

// takeBody takes what is in the buffer of a frame that ends beyond it.
func (c *conn) takeBody() {
	p := c.buf[c.start:c.end]
	c.start, c.left = c.end, c.left-len(p)
	if !c.partOf.closing && !c.closing.Load() {
		c.partOf.bodyPart(p)
	}
}

// continueBody takes more of the frame that has begun, and reports whether it is whole now.
func (c *conn) continueBody() bool {
	if c.end-c.start <= c.left {
		c.takeBody()
		return false
	}
	f := c.part
	f.Payload = c.buf[c.start : c.start+c.left]
	if err := f.CheckEnd(c.buf[c.start+c.left]); err != nil {
		c.lost(err)
		return false
	}
	c.start += c.left + 1
	c.partOf = nil
	c.frame(f)
	return true
}

// fit moves what is left to the front of the buffer, and gives it the size that the traffic asks for.
func (c *conn) fit(need int, full bool, n int) {
	left := c.end - c.start
	size := len(c.buf)
	if full && size < fullBuffer || need > size {
		size *= 2
		c.small = 0
	} else if size > firstBuffer && n < size/8 {
		if c.small++; c.small >= smallReads && left <= firstBuffer {
			size, c.small = firstBuffer, 0
		}
	} else {
		c.small = 0
	}
	if size != len(c.buf) {
		b := make([]byte, size)
		copy(b, c.buf[c.start:c.end])
		c.buf = b
	} else if left > 0 && c.start > 0 {
		copy(c.buf, c.buf[c.start:c.end])
	}
	c.start, c.end = 0, left
}

// frame handles one frame.
func (c *conn) frame(f wire.Frame) {
	switch {
	case c.closing.Load():
		c.frameClosing(f)
	case f.Channel == 0:
		c.frameZero(f)
	case c.state != stRunning:
		c.fail(unexpectedFrame(f), 0)
	default:
		if err := c.frameChannel(f); err != nil {
			c.fail(err, 0)
		}
	}
}

// unexpectedFrame is the refusal of a frame that must not come now.
func unexpectedFrame(f wire.Frame) *refusal {
	which, octets := "all", f.Payload
	if len(octets) > 16 {
		which, octets = "first 16", octets[:16]
	}
	return refuse(codeUnexpectedFrame, "type %d, %s octets = %s", f.Type, which, erlangBytes(octets))
}

// frameClosing waits for the end of the connection.
func (c *conn) frameClosing(f wire.Frame) {
	if f.Channel != 0 || f.Type != wire.FrameMethod {
		return
	}
	switch wire.MethodID(f.Payload) {
	case (*wire.ConnectionClose)(nil).ID():
		c.send(0, &wire.ConnectionCloseOk{})
	case (*wire.ConnectionCloseOk)(nil).ID():
		c.state = stDone
	}
}

// frameZero handles a frame of the connection itself.
func (c *conn) frameZero(f wire.Frame) {
	switch f.Type {
	case wire.FrameHeartbeat:
		return
	case wire.FrameMethod:
	case wire.FrameHeader, wire.FrameBody:
		c.fail(unexpectedFrame(f), 0)
		return
	default:
		c.fail(unknownFrame(f), 0)
		return
	}
	m, id, err := wire.ReadMethod(f.Payload)
	if err == nil {
		err = c.method(m)
	}
	if err != nil {
		c.fail(err, id)
	}
}

func unknownFrame(f wire.Frame) *refusal {
	r := unexpectedFrame(f)
	r.code, r.text = codeFrameError, r.text+": unknown_frame"
	return r
}

// frameChannel handles a frame of a channel. An error ends the connection.
func (c *conn) frameChannel(f wire.Frame) error {
	switch f.Type {
	case wire.FrameMethod, wire.FrameHeader, wire.FrameBody:
	case wire.FrameHeartbeat:
		return unexpectedFrame(f)
	default:
		return unknownFrame(f)
	}
	ch := c.last
	if ch == nil || ch.id != f.Channel {
		if ch = c.channels[f.Channel]; ch == nil {
			return c.openChannel(f)
		}
		c.last = ch
	}
	return ch.frame(f)
}

// send appends a method; it is flushed when the buffer is parsed.
func (c *conn) send(channel uint16, m wire.Method) {
	c.out.lock()
	c.out.mu.buf = wire.AppendMethod(c.out.mu.buf, channel, m)
	c.out.unlock()
}

func (c *conn) sendClose(r *refusal, id wire.ID) {
	c.s.metrics.refusals.Add(1)
	c.send(0, &wire.ConnectionClose{ReplyCode: r.code, ReplyText: r.reply(), ClassID: id.Class(), MethodID: id.Method()})
}

// fail ends the connection with an error, as far as the client may know of it. id is the method that failed.
func (c *conn) fail(err error, id wire.ID) {
	r := asRefusal(err)
	c.log.Info("connection refused", "err", r.reply())
	if c.state == stStart && !(r.code == codeAccessRefused && c.caps.authFailureClose) {
		// Who did not log in is not told; and waits, so that passwords are not tried fast.
		c.discard(c.s.RefusalDelay)
		c.state = stDone
		return
	}
	if !c.closing.CompareAndSwap(false, true) {
		return
	}
	c.commit()
	c.closeChannels()
	c.sendClose(r, id)
	c.state = stClosing
	wait := closeWait
	if c.heartbeat > 0 {
		wait = min(wait, c.heartbeat)
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(wait))
}

// lost ends a connection whose octets make no sense any more.
func (c *conn) lost(err error) {
	if !c.closing.Load() {
		c.fail(err, 0)
	}
	c.out.flush()
	if c.state != stDone {
		c.discard(lostWait)
		c.state = stDone
	}
}

// discard reads and forgets until the client goes, at most for d, so that what was written reaches it: a socket
// closed with unread input resets the connection.
func (c *conn) discard(d time.Duration) {
	c.out.flush()
	if t, ok := c.nc.(interface{ CloseWrite() error }); ok && c.state != stStart {
		_ = c.nc.SetWriteDeadline(time.Now().Add(d))
		c.out.waitIdle()
		_ = t.CloseWrite()
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(d))
	var b [512]byte
	for {
		if _, err := c.nc.Read(b[:]); err != nil {
			return
		}
	}
}

// finish releases everything that the connection holds.
func (c *conn) finish() {
	c.ended.Store(true)
	if c.release != nil {
		c.release()
	}
	for _, t := range []*time.Timer{c.beat, c.patrol} {
		if t != nil {
			t.Stop()
		}
	}
	c.commit()
	c.closeChannels()
	c.dropExclusive()
	c.out.flush()
	if c.state == stDone {
		_ = c.nc.SetWriteDeadline(time.Now().Add(lostWait))
		c.out.waitIdle()
	}
	_ = c.nc.Close()
	c.out.fail(net.ErrClosed)
	c.out.wg.Wait()
}

// closeChannels ends every channel: deliveries go back to their queues.
func (c *conn) closeChannels() {
	for id, ch := range c.channels {
		ch.end()
		delete(c.channels, id)
	}
	c.last = nil
}

// dropExclusive deletes the connection's own queues.
func (c *conn) dropExclusive() {
	if len(c.exclusive) == 0 {
		return
	}
	err := c.s.Broker.Committed(func(tx *core.Tx) error {
		for name, q := range c.exclusive {
			if c.ns.Queue(Realm, name) == q {
				q.Delete(tx)
			}
		}
		return nil
	})
	if err != nil {
		c.log.Warn("exclusive queues are left behind", "err", err)
	}
	clear(c.exclusive)
}

// resume gives consumers that waited for the socket their credit. Any goroutine.
func (c *conn) resume() {
	// Channels are the reader's; the list of paused consumers is guarded by itself.
	for _, k := range c.pub.paused.take() {
		k.credit()
	}
}

package natswire

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"trivium/core"
	"trivium/natswire/jetstream"
	"trivium/natswire/wire"
)

// conn is one client's connection. Its reader goroutine parses whole read buffers
// and owns all fields that say nothing else.
type conn struct {
	s     *Server
	nc    net.Conn
	raw   syscall.RawConn // nil if nc is no socket
	id    uint64
	host  string
	start time.Time

	opts connectOptions
	lim  wire.Limits
	ns   *core.Namespace
	subj *core.Subjects
	user string
	// release ends the session of user, if there is one.
	release func()
	// client is what JetStream knows of this connection.
	client *jetstream.Client
	// connected: CONNECT was seen; refusing: nothing but CONNECT is accepted;
	// ponged: the first PING was answered.
	connected, refusing, ponged bool

	in   input
	op   wire.Op // being handled
	prod producer
	out  output
	// try is the state of a write in place; it belongs to whoever set out.mu.writing.
	try struct {
		bufs net.Buffers
		n    int
		err  error
		f    func(fd uintptr) bool
	}

	subs struct {
		mu struct {
			sync.Mutex
			bySid map[string]*sub
		}
	}

	ping struct {
		mu struct {
			sync.Mutex
			timer, auth *time.Timer
			out         int
			first       bool // the first ping is sent whatever happened
		}
		active   atomic.Bool // something arrived since the timer last fired
		answered atomic.Bool // the first PONG is on its way
	}

	closed    atomic.Bool
	queued    atomic.Bool // in Server.later
	asyncInfo atomic.Bool // the client takes INFO at any time
	reason    atomic.Value
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, raw: rawConn(nc), id: s.ids.Add(1), start: time.Now()}
	c.opts = defaultConnect
	c.lim = wire.Limits{ControlLine: s.o.MaxControlLine, Payload: s.o.MaxPayload}
	c.ns = s.o.Broker.Namespace(core.DefaultNamespace)
	c.subj = c.ns.Subjects()
	c.refusing = s.o.RequireAuth
	c.subs.mu.bySid = make(map[string]*sub)
	c.try.f = c.rawWrite
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.host = a.IP.String()
	}
	c.prod.init(s, c, c.ns)
	return c
}

// serve runs the connection until it ends. A panic is not to end it: what that would wait for
// may be held by the goroutine that panics.
func (c *conn) serve(full bool) {
	c.s.count.total.Add(1)
	c.s.count.connections.Add(1)
	i := c.info()
	c.say(appendInfo(nil, &i))
	if full {
		c.refuse(errMaxConnections, MaxConnectionsReached)
	} else {
		c.startTimers()
		c.read()
	}
	c.end()
}

// read handles all that the client sends, until the connection is over.
func (c *conn) read() {
	var err error
	if c.raw != nil {
		if err = c.raw.Read(c.readable); err == nil {
			err = c.in.err
		}
	} else {
		for err == nil {
			if err = c.in.read(c.nc); err == nil && !c.received() {
				return
			}
		}
	}
	switch {
	case err == nil || c.closed.Load():
	case errors.Is(err, io.EOF):
		c.close(ClientClosed)
	default:
		c.close(ReadError)
	}
}

// readable is called whenever the socket may have something, and returns false to wait
// for more. All of the connection's reading is one RawConn.Read. It reads until there is
// nothing left, even after a read that did not fill the buffer: the poller tells of
// data and of the end behind it only once if both came before it looked, and who left
// would never be missed.
func (c *conn) readable(fd uintptr) bool {
	for {
		n, err := c.in.readFD(int(fd))
		switch {
		case err == syscall.EAGAIN:
			return false
		case err == nil && n == 0:
			err = io.EOF
			fallthrough
		case err != nil:
			c.in.err = err
			return true
		}
		if !c.received() || c.closed.Load() {
			return true
		}
	}
}

// received handles a read buffer; false means that the connection is over.
func (c *conn) received() bool {
	if !c.ping.active.Load() {
		c.ping.active.Store(true)
	}
	ok := c.handle()
	c.prod.finish()
	c.in.keep()
	if c.ponged && !c.ping.answered.Load() {
		c.ping.answered.Store(true)
	}
	return ok
}

// handle runs the operations in the read buffer, all of them, and reports false when the
// connection is over.
func (c *conn) handle() bool {
	op := &c.op
	for {
		b := c.in.unread()
		if len(b) == 0 {
			c.in.need = 0
			return true
		}
		if c.refusing && b[0]|0x20 != 'c' {
			return c.refuse(errAuthViolation, AuthenticationFailure)
		}
		n, err := wire.Parse(b, &c.lim, op)
		if err != nil {
			return c.broken(err)
		}
		if n == 0 {
			c.in.need = op.Need
			return true
		}
		c.in.from += n
		if !c.do(op) {
			return false
		}
	}
}

func (c *conn) do(op *wire.Op) bool {
	switch op.Verb {
	case wire.Pub:
		c.publish(&op.Msg)
		return true
	case wire.Sub:
		c.subscribe(op)
		return true
	case wire.Unsub:
		c.unsubscribe(op)
		return true
	case wire.Ping:
		c.gotPing()
		return true
	case wire.Pong:
		c.gotPong()
		return true
	case wire.Connect:
		return c.connect(op.Arg)
	case wire.Err:
		c.s.o.Log.Info("natswire: client error", "id", c.id, "err", string(op.Arg))
		c.close(ParseError)
		return false
	default: // INFO and +OK mean nothing from a client
		return true
	}
}

// broken ends the connection after what cannot be parsed.
func (c *conn) broken(err error) bool {
	switch {
	case errors.Is(err, wire.ErrPayload):
		return c.refuse(err.Error(), MaxPayloadExceeded)
	case errors.Is(err, wire.ErrControlLine):
		return c.refuse(err.Error(), MaxControlLine)
	case errors.Is(err, wire.ErrUnknown):
		return c.refuse(err.Error(), ParseError)
	}
	c.close(ParseError)
	return false
}

// refuse says why and closes; it returns false.
func (c *conn) refuse(text string, why Reason) bool {
	c.reply(wire.AppendErr(nil, text))
	c.prod.finish()
	c.close(why)
	return false
}

// reply queues bytes for the client itself, in order with what this read delivers to it.
// Reader only.
func (c *conn) reply(b []byte) { c.prod.own(b) }

// say sends bytes to the client; from any goroutine.
func (c *conn) say(b []byte) {
	c.out.mu.Lock()
	if c.out.mu.closed {
		c.out.mu.Unlock()
		return
	}
	c.out.appendRawLocked(b)
	c.out.mu.Unlock()
	c.flush()
}

// close ends the connection; the first reason counts. The reader then sends what is pending, unless that is
// pointless, and cleans up.
func (c *conn) close(why Reason) {
	if !c.closed.CompareAndSwap(false, true) {
		return
	}
	c.reason.Store(why)
	if why.abrupt() {
		// It waits for who reads and writes, of whom the caller may be one (read).
		c.s.start(func() { c.nc.Close() })
		return
	}
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// end is the last thing that the reader does.
func (c *conn) end() {
	why, _ := c.reason.Load().(Reason)
	c.stopTimers()
	c.logOut()
	c.dropSubs()
	c.in.release()
	c.finish()
	c.prod.forget()
	if !why.abrupt() && why != ServerShutdown {
		c.hangUp()
	}
	c.nc.Close()
	c.s.forget(c)
	c.s.count.connections.Add(-1)
	c.out.mu.Lock()
	c.s.count.outMsgs.Add(c.out.mu.msgs)
	c.s.count.outBytes.Add(c.out.mu.bytes)
	c.out.mu.msgs, c.out.mu.bytes = 0, 0
	c.out.mu.Unlock()
	c.s.o.Log.Debug("natswire: closed", "id", c.id, "host", c.host, "reason", string(why))
}

// lingerBytes is how much is read and dropped after an error.
const lingerBytes = 1 << 20

// hangUp closes the sending side and reads on for a moment: closing a socket with unread
// bytes would make the peer lose the error that it was just sent.
func (c *conn) hangUp() {
	if w, ok := c.nc.(interface{ CloseWrite() error }); !ok || w.CloseWrite() != nil {
		return
	}
	c.nc.SetReadDeadline(time.Now().Add(linger))
	io.CopyN(io.Discard, c.nc, lingerBytes)
}

// append503 appends the answer to a request that nobody takes.
func append503(dst []byte, reply, sid, subject []byte) []byte {
	n := len("NATS/1.0 503\r\nNats-Subject: \r\n\r\n") + len(subject)
	dst = append(append(dst, "HMSG "...), reply...)
	dst = append(append(append(dst, ' '), sid...), ' ')
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = strconv.AppendInt(append(dst, ' '), int64(n), 10)
	dst = append(append(dst, "\r\nNATS/1.0 503\r\nNats-Subject: "...), subject...)
	return append(dst, "\r\n\r\n\r\n"...)
}

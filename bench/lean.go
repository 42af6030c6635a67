package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"trivium/amqp/wire"
)

// lean is an AMQP connection that does nothing but move frames: what it sends is
// encoded once, of what it receives only the frames' heads are looked at.
type lean struct {
	c   net.Conn
	r   *bufio.Reader
	buf []byte
}

const leanFrameMax = 131072

func dialLean(addr string) (*lean, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	l := &lean{c: c, r: bufio.NewReaderSize(c, 256<<10)}
	steps := []struct {
		send []byte
		want wire.Method
	}{
		{wire.ProtocolHeader[:], &wire.ConnectionStart{}},
		{wire.AppendMethod(nil, 0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"}), &wire.ConnectionTune{}},
		{append(wire.AppendMethod(nil, 0, &wire.ConnectionTuneOk{ChannelMax: 16, FrameMax: leanFrameMax}),
			wire.AppendMethod(nil, 0, &wire.ConnectionOpen{VHost: "/"})...), &wire.ConnectionOpenOk{}},
		{wire.AppendMethod(nil, 1, &wire.ChannelOpen{}), &wire.ChannelOpenOk{}},
	}
	for _, s := range steps {
		if err := l.call(s.send, s.want.ID()); err != nil {
			c.Close()
			return nil, err
		}
	}
	return l, nil
}

func (l *lean) close() { l.c.Close() }

// call sends a request and awaits the method that answers it.
func (l *lean) call(request []byte, want wire.ID) error {
	if _, err := l.c.Write(request); err != nil {
		return err
	}
	f, err := l.frame()
	if err != nil {
		return err
	}
	if id := wire.MethodID(f.Payload); f.Type != wire.FrameMethod || id != want {
		return fmt.Errorf("got method %d.%d (%q), want %d.%d", id.Class(), id.Method(), f.Payload, want.Class(), want.Method())
	}
	return nil
}

// frame reads the next frame; it is valid until the next call.
func (l *lean) frame() (wire.Frame, error) {
	head, err := l.r.Peek(wire.FrameHead)
	if err != nil {
		return wire.Frame{}, err
	}
	_, _, need, _ := wire.ParseFrame(head, 0)
	if cap(l.buf) < need {
		l.buf = make([]byte, need)
	}
	b := l.buf[:need]
	for n := 0; n < need; {
		m, err := l.r.Read(b[n:])
		if err != nil {
			return wire.Frame{}, err
		}
		n += m
	}
	f, _, _, err := wire.ParseFrame(b, 0)
	return f, err
}

// consume subscribes to the queues.
func (l *lean) consume(queues []string, ack bool) error {
	if err := l.call(wire.AppendMethod(nil, 1, &wire.BasicQos{PrefetchCount: prefetch}), (&wire.BasicQosOk{}).ID()); err != nil {
		return err
	}
	for _, q := range queues {
		if err := l.call(wire.AppendMethod(nil, 1, &wire.BasicConsume{Queue: q, NoAck: !ack}), (&wire.BasicConsumeOk{}).ID()); err != nil {
			return err
		}
	}
	return nil
}

// drain receives n messages, and acks each of them, together with those that the
// same read brought.
func (l *lean) drain(n int, ack bool) error {
	var acks []byte
	tag := uint64(0)
	for tag < uint64(n) {
		f, err := l.frame()
		if err != nil {
			return err
		}
		if f.Type == wire.FrameMethod {
			switch id := wire.MethodID(f.Payload); id {
			case wire.IDDeliver:
				tag++
				if ack {
					acks = wire.AppendConfirm(acks, 1, tag, false, false)
				}
			default:
				return fmt.Errorf("got method %d.%d while consuming: %q", id.Class(), id.Method(), f.Payload)
			}
		}
		if len(acks) > 0 && (l.r.Buffered() == 0 || len(acks) > 32<<10) {
			if _, err := l.c.Write(acks); err != nil {
				return err
			}
			acks = acks[:0]
		}
	}
	// The last message's header and body may be left unread: the connection ends here.
	if len(acks) > 0 {
		_, err := l.c.Write(acks)
		return err
	}
	return nil
}

// publish sends load's messages to the keys in turn, and returns how long each
// confirm took, sampled.
func (l *lean) publish(o load, exchange string, keys []string) ([]time.Duration, error) {
	messages := make([]publication, len(keys))
	for i, key := range keys {
		messages[i] = message(o, exchange, key)
	}
	if !o.persistent {
		return nil, l.pour(messages, o.n)
	}
	if err := l.call(wire.AppendMethod(nil, 1, &wire.ConfirmSelect{}), (&wire.ConfirmSelectOk{}).ID()); err != nil {
		return nil, err
	}
	c := confirms{sent: make([]time.Time, o.n+1)}
	c.cond.L = &c.mu
	var wg sync.WaitGroup
	wg.Go(func() { c.receive(l, uint64(o.n)) })
	out := make([]byte, 0, 64<<10)
	for i := 0; i < o.n; {
		room, err := c.room(uint64(i))
		if err != nil {
			return nil, err
		}
		out = out[:0]
		now := time.Now()
		for ; room > 0 && i < o.n && len(out) < 32<<10; room-- {
			out = messages[i%len(messages)].append(out, i)
			i++
			c.sent[i] = now
		}
		if _, err := l.c.Write(out); err != nil {
			return nil, err
		}
	}
	wg.Wait()
	return c.took, c.err
}

// pour sends n messages that nobody confirms.
func (l *lean) pour(messages []publication, n int) error {
	out := make([]byte, 0, 64<<10)
	for i := range n {
		out = messages[i%len(messages)].append(out, i)
		if len(out) >= 32<<10 || i == n-1 {
			if _, err := l.c.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	return nil
}

// publication is a publish with its content, ready to be sent.
type publication struct {
	frames []byte
	body   int // where the body begins
}

// append adds the i-th message to b. No two bodies are the same: what is might be stored once.
func (p publication) append(b []byte, i int) []byte {
	at := len(b) + p.body
	b = append(b, p.frames...)
	binary.BigEndian.PutUint64(b[at:], uint64(i))
	return b
}

func message(o load, exchange, key string) publication {
	mode := byte(1)
	if o.persistent {
		mode = wire.Persistent
	}
	b := wire.AppendMethod(nil, 1, &wire.BasicPublish{Exchange: exchange, RoutingKey: key})
	header := []byte{0, wire.ClassBasic, 0, 0, 0, 0, 0, 0, byte(o.size >> 24), byte(o.size >> 16), byte(o.size >> 8), byte(o.size),
		wire.HasDeliveryMode >> 8, wire.HasDeliveryMode & 0xff, mode}
	b = wire.AppendFrame(b, wire.FrameHeader, 1, header)
	const end = 1 // of a frame, in octets
	return publication{wire.AppendBody(b, 1, make([]byte, o.size), leanFrameMax), len(b) + wire.FrameExtra - end}
}

// confirms is what a publisher awaits.
type confirms struct {
	sent []time.Time // by sequence number; written before the message is sent

	mu   sync.Mutex
	cond sync.Cond
	done uint64 // messages confirmed
	err  error

	took []time.Duration
}

// room waits until another message may be sent, and says how many.
func (c *confirms) room(sent uint64) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && sent-c.done >= publishWindow {
		c.cond.Wait()
	}
	return int(publishWindow - (sent - c.done)), c.err
}

// receive counts confirms until there are n.
func (c *confirms) receive(l *lean, n uint64) {
	settled := make([]bool, n+1)
	floor := uint64(0) // all up to here are settled
	for done := uint64(0); done < n; {
		f, err := l.frame()
		var tag uint64
		var multiple bool
		if err == nil && wire.MethodID(f.Payload) != wire.IDAck {
			err = fmt.Errorf("got %q instead of a confirm", f.Payload)
		}
		if err == nil {
			tag, multiple, err = wire.ParseAck(f.Payload)
		}
		if err == nil && tag > n {
			err = errors.New("a confirm for a message that was not sent")
		}
		now := time.Now()
		first := tag
		if multiple {
			first = floor + 1
		}
		for t := first; err == nil && t <= tag; t++ {
			if !settled[t] {
				settled[t] = true
				done++
				c.took = append(c.took, now.Sub(c.sent[t]))
			}
		}
		for floor < n && settled[floor+1] {
			floor++
		}
		c.mu.Lock()
		c.done, c.err = done, err
		c.mu.Unlock()
		c.cond.Signal()
		if err != nil {
			return
		}
	}
}

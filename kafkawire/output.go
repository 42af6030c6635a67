package kafkawire

import (
	"errors"
	"io"
	"net"

	"trivium/core"
)

// gather is how much is collected before it is written; copyBelow is the size of
// a file range below which copying it beats a system call of its own.
const (
	gather    = 256 << 10
	copyBelow = 32 << 10
)

// output collects answers and writes them, memory by writev and file ranges by
// sendfile. Owned by who has queue.mu.writing.
type output struct {
	c     *conn
	items []item
	size  int
	vec   net.Buffers // while writing
	owned []*[]byte
	spans []*core.Spans
}

// item is memory or a file range.
type item struct {
	mem  []byte
	file core.Span
}

// add takes an answer over.
func (o *output) add(b *[]byte) {
	o.owned = append(o.owned, b)
	o.mem(*b)
}

// mem adds bytes that stay valid until the flush; file a range of a file that
// stays open until then.
func (o *output) mem(b []byte) {
	if len(b) > 0 {
		o.items = append(o.items, item{mem: b})
		o.size += len(b)
	}
}

func (o *output) file(s *core.Span) {
	o.items = append(o.items, item{file: *s})
	o.size += int(s.Len)
}

// keep closes s after the next flush.
func (o *output) keep(s *core.Spans) { o.spans = append(o.spans, s) }

// flush writes what was collected.
func (o *output) flush() error {
	var err error
	for i := range o.items {
		it := &o.items[i]
		switch tcp, ok := o.c.nc.(*net.TCPConn); {
		case err != nil:
		case it.mem != nil:
			o.vec = append(o.vec, it.mem)
		case ok && it.file.Len >= copyBelow && canSendfile:
			err = o.sendfile(tcp, &it.file)
		default:
			err = o.copy(&it.file)
		}
	}
	if err == nil {
		err = o.writeVec()
	}
	o.release()
	return err
}

// release ends what is held.
func (o *output) release() {
	clear(o.items)
	for i, b := range o.owned {
		freeBuf(b)
		o.owned[i] = nil
	}
	for i, s := range o.spans {
		s.Close()
		o.spans[i] = nil
	}
	o.items, o.owned, o.spans, o.size = o.items[:0], o.owned[:0], o.spans[:0], 0
}

func (o *output) writeVec() error {
	if len(o.vec) == 0 {
		return nil
	}
	if err := o.c.writeDeadline(); err != nil {
		return err
	}
	var err error
	if len(o.vec) == 1 {
		_, err = o.c.nc.Write(o.vec[0])
	} else {
		v := o.vec // WriteTo consumes it
		_, err = v.WriteTo(o.c.nc)
	}
	clear(o.vec)
	o.vec = o.vec[:0]
	return err
}

// copy writes a file range through memory, in bounded pieces.
func (o *output) copy(s *core.Span) error {
	for pos, end := s.Pos, s.Pos+s.Len; pos < end; {
		b := make([]byte, min(end-pos, gather))
		if n, err := s.File.ReadAt(b, pos); n < len(b) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		pos += int64(len(b))
		o.vec = append(o.vec, b)
		if s.Len > copyBelow {
			if err := o.writeVec(); err != nil {
				return err
			}
		}
	}
	return nil
}

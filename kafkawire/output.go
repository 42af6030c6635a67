package kafkawire

import (
	"errors"
	"io"
	"net"
	"slices"
	"syscall"

	"trivium/core"
)

// gather is how much is collected before it is written; copyBelow is the size of
// a file range below which copying it beats a system call of its own. That size is
// smaller for what comes from the disk, whose pages no processor has at hand, than for
// what has just been written (docs/speed.md).
const (
	gather    = 256 << 10
	copyBelow = 8 << 10
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

// flush writes what was collected: as one run of segments if ranges of files are sent with it.
func (o *output) flush() error {
	defer o.release()
	var to syscall.RawConn // that they are sent to; nil if all is copied
	if tcp, ok := o.c.nc.(*net.TCPConn); ok && canSendfile && slices.ContainsFunc(o.items, item.sent) {
		var err error
		if to, err = tcp.SyscallConn(); err != nil {
			return err
		}
		cork(to, 1)
		defer cork(to, 0)
	}
	for rest := o.items; len(rest) > 0; {
		it, n, err := &rest[0], 1, error(nil)
		switch {
		case it.mem != nil:
			o.vec = append(o.vec, it.mem)
		case to != nil && it.sent():
			for n < len(rest) && rest[n].sent() {
				n++
			}
			if err = o.writeVec(); err == nil {
				err = o.sendfile(to, rest[:n])
			}
		default:
			err = o.copy(&it.file)
		}
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return o.writeVec()
}

// sent says that the item is better sent from its file than copied.
func (it item) sent() bool { return it.mem == nil && it.file.Len >= copyBelow }

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
	b := bufs.Get().(*[]byte)
	o.owned = append(o.owned, b)
	*b = slices.Grow((*b)[:0], int(min(s.Len, keepBuf)))
	for pos, end := s.Pos, s.Pos+s.Len; pos < end; {
		piece := (*b)[:min(end-pos, keepBuf)]
		if n, err := s.File.ReadAt(piece, pos); n < len(piece) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		pos += int64(len(piece))
		o.vec = append(o.vec, piece)
		if pos < end {
			if err := o.writeVec(); err != nil { // the next piece takes the place of this one
				return err
			}
		}
	}
	return nil
}

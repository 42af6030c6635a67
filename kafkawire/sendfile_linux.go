package kafkawire

import (
	"errors"
	"io"
	"net"

	"golang.org/x/sys/unix"

	"trivium/core"
)

const canSendfile = true

// sendfile writes what was collected and then the range, as one run of segments.
func (o *output) sendfile(tcp *net.TCPConn, s *core.Span) error {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	cork := func(on int) {
		// Without it, there is one more packet.
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, on) })
	}
	cork(1)
	defer cork(0)
	if err := o.writeVec(); err != nil {
		return err
	}
	if err := o.c.writeDeadline(); err != nil {
		return err
	}
	// The file's own position is left alone: others share it.
	pos, left := s.Pos, s.Len
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for left > 0 {
			n, err := unix.Sendfile(int(fd), int(s.File.Fd()), &pos, int(min(left, 1<<30)))
			switch {
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false
			case err != nil:
				failed = err
				return true
			case n == 0:
				failed = io.ErrUnexpectedEOF
				return true
			}
			left -= int64(max(n, 0))
		}
		return true
	})
	return errors.Join(failed, err)
}

package kafkawire

import (
	"errors"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

const canSendfile = true

// cork(to, 1) has the system collect what is written until cork(to, 0): without it, there are more packets.
func cork(to syscall.RawConn, on int) {
	_ = to.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, on) })
}

// sendfile writes ranges of files.
func (o *output) sendfile(to syscall.RawConn, ranges []item) error {
	if err := o.c.writeDeadline(); err != nil {
		return err
	}
	var failed error
	done := int64(0) // of the first range
	err := to.Write(func(fd uintptr) bool {
		for len(ranges) > 0 {
			// The file's own position is left alone: others share it.
			r := &ranges[0].file
			pos := r.Pos + done
			n, err := unix.Sendfile(int(fd), int(r.File.Fd()), &pos, int(min(r.Len-done, 1<<30)))
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
			if done += int64(max(n, 0)); done == r.Len {
				ranges, done = ranges[1:], 0
			}
		}
		return true
	})
	return errors.Join(failed, err)
}

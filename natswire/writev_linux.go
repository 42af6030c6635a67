package natswire

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// writev writes what fd takes of bufs at once.
func writev(fd int, bufs [][]byte) (int, error) {
	if len(bufs) == 1 {
		return syscall.Write(fd, bufs[0])
	}
	n, err := unix.Writev(fd, bufs)
	return n, err
}

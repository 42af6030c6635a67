//go:build !linux

package writev

import "syscall"

// Write writes what fd takes of bufs at once.
func Write(fd int, bufs [][]byte) (total int, err error) {
	for _, b := range bufs {
		n, err := syscall.Write(fd, b)
		total += max(n, 0)
		if n == len(b) && err == nil {
			continue
		}
		if total > 0 {
			err = nil
		}
		return total, err
	}
	return total, nil
}

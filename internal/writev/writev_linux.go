// Package writev writes several buffers to a file descriptor at once.
package writev

import (
	"runtime"
	"syscall"
	"unsafe"
)

// Write writes what fd takes of bufs at once.
func Write(fd int, bufs [][]byte) (int, error) {
	if len(bufs) == 1 {
		return syscall.Write(fd, bufs[0])
	}
	var some [64]syscall.Iovec
	vec := some[:0]
	for _, b := range bufs {
		if len(b) > 0 {
			v := syscall.Iovec{Base: unsafe.SliceData(b)}
			v.SetLen(len(b))
			vec = append(vec, v)
		}
	}
	if len(vec) == 0 {
		return 0, nil
	}
	n, _, err := syscall.Syscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&vec[0])), uintptr(len(vec)))
	runtime.KeepAlive(bufs)
	if err != 0 {
		return 0, err
	}
	return int(n), nil
}

package natswire

import (
	"net"
	"syscall"
)

// input is a connection's read buffer. While nothing is unread and nothing arrives, it
// holds no memory: the buffer is taken from the pool when the socket has something.
type input struct {
	k    *chunk
	from int // first unread byte of k.b
	need int // length of the operation at from, if known
	err  error
}

func (i *input) unread() []byte {
	if i.k == nil {
		return nil
	}
	return i.k.b[i.from:]
}

// bulkFrom is the smallest operation behind whose beginning there is room for many.
const bulkFrom = 8 << 10

// keep moves what is unread to the front of a buffer that has room for more. A large
// operation's buffer grows with what was sent, not with what was claimed.
func (i *input) keep() {
	rest := i.unread()
	if len(rest) == 0 {
		if i.k != nil {
			i.k.free()
		}
		i.k, i.from = nil, 0
		return
	}
	if i.need > 0 && i.from+i.need <= cap(i.k.b) {
		return
	}
	if len(rest)*2 <= cap(i.k.b) && cap(i.k.b) <= largeChunk && !i.k.shared() {
		copy(i.k.b, rest)
		i.k.b, i.from = i.k.b[:len(rest)], 0
		return
	}
	size := max(largeChunk, 2*len(rest))
	switch {
	case i.need > bulkChunk:
		size = min(max(size, bulkChunk), i.need)
	case i.need >= bulkFrom:
		size = bulkChunk
	}
	k := newChunk(size)
	k.b = append(k.b, rest...)
	i.k.free()
	i.k, i.from = k, 0
}

func (i *input) release() {
	if i.k != nil {
		i.k.free()
	}
	i.k, i.from = nil, 0
}

// read reads once from what is no socket.
func (i *input) read(nc net.Conn) error {
	if i.k == nil {
		i.k = newChunk(largeChunk)
	}
	n, err := nc.Read(i.k.b[len(i.k.b):cap(i.k.b)])
	i.k.b = i.k.b[:len(i.k.b)+n]
	if n > 0 {
		return nil
	}
	return err
}

// readFD reads once from a socket that does not block.
func (i *input) readFD(fd int) (n int, err error) {
	if i.k == nil {
		i.k = newChunk(largeChunk)
	}
	for {
		n, err = syscall.Read(fd, i.k.b[len(i.k.b):cap(i.k.b)])
		if err != syscall.EINTR {
			break
		}
	}
	if n > 0 {
		i.k.b = i.k.b[:len(i.k.b)+n]
	} else if len(i.k.b) == 0 {
		i.release()
	}
	return n, err
}

package wire

import (
	"encoding/binary"
	"fmt"
)

// Frame types.
const (
	FrameMethod    = 1
	FrameHeader    = 2
	FrameBody      = 3
	FrameHeartbeat = 8

	frameEnd = 0xCE
)

const (
	// FrameHead is the length of what precedes a frame's payload, FrameExtra of all
	// that surrounds it.
	FrameHead  = 7
	FrameExtra = 8
	// FrameSlack is how far a payload may exceed the negotiated size: clients that
	// forget to count FrameExtra are common, and RabbitMQ lets them.
	FrameSlack = FrameExtra
)

// ProtocolHeader opens a connection; a server answers with it when it refuses
// another version.
var ProtocolHeader = [8]byte{'A', 'M', 'Q', 'P', 0, 0, 9, 1}

// Frame is a view of one frame in a buffer.
type Frame struct {
	Type    uint8
	Channel uint16
	Payload []byte
}

// FrameError is a frame that cannot be read; the stream behind it is lost.
type FrameError struct {
	Type    uint8
	Channel uint16
	Reason  string
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("type %d, all octets = <<>>: %s", e.Type, e.Reason)
}

// ParseFrame reads the frame at the start of b. n is its whole length, or 0 if b
// holds only a part of it: then need is how long b must be at least. max is the
// negotiated frame size, 0 for none.
func ParseFrame(b []byte, max int) (f Frame, n, need int, err error) {
	if len(b) < FrameHead {
		return f, 0, FrameHead, nil
	}
	size := uint64(binary.BigEndian.Uint32(b[3:]))
	f.Type, f.Channel = b[0], binary.BigEndian.Uint16(b[1:])
	if max > 0 && size > uint64(max-FrameExtra+FrameSlack) {
		return f, 0, 0, &FrameError{f.Type, f.Channel, fmt.Sprintf("{frame_too_large,%d,%d}", size, max-FrameExtra)}
	}
	total := int(size) + FrameExtra
	if len(b) < total {
		return f, 0, total, nil
	}
	f.Payload = b[FrameHead : total-1]
	if err := f.CheckEnd(b[total-1]); err != nil {
		return f, 0, 0, err
	}
	return f, total, 0, nil
}

// CheckEnd says whether end, the octet after the payload, is what it must be.
func (f *Frame) CheckEnd(end byte) error {
	if end == frameEnd {
		return nil
	}
	return &FrameError{f.Type, f.Channel, fmt.Sprintf("{invalid_frame_end_marker,%d}", end)}
}

// beginFrame appends a frame's head with a size to be filled in by endFrame.
func beginFrame(dst []byte, typ uint8, channel uint16) []byte {
	return append(dst, typ, byte(channel>>8), byte(channel), 0, 0, 0, 0)
}

// endFrame completes the frame that begins at dst[at].
func endFrame(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at+3:], uint32(len(dst)-at-FrameHead))
	return append(dst, frameEnd)
}

// AppendFrame appends a whole frame.
func AppendFrame(dst []byte, typ uint8, channel uint16, payload []byte) []byte {
	at := len(dst)
	dst = beginFrame(dst, typ, channel)
	dst = append(dst, payload...)
	return endFrame(dst, at)
}

// AppendHeartbeat appends a heartbeat frame.
func AppendHeartbeat(dst []byte) []byte { return AppendFrame(dst, FrameHeartbeat, 0, nil) }

// AppendBodyHead and AppendFrameEnd append what surrounds the n octets of a body frame that are sent from elsewhere.
func AppendBodyHead(dst []byte, channel uint16, n int) []byte {
	dst = beginFrame(dst, FrameBody, channel)
	binary.BigEndian.PutUint32(dst[len(dst)-4:], uint32(n))
	return dst
}

func AppendFrameEnd(dst []byte) []byte { return append(dst, frameEnd) }

// AppendBody appends body, split into frames of at most max octets (0: one frame).
func AppendBody(dst []byte, channel uint16, body []byte, max int) []byte {
	part := len(body)
	if max > 0 {
		part = max - FrameExtra
	}
	for len(body) > 0 {
		n := min(part, len(body))
		dst = AppendFrame(dst, FrameBody, channel, body[:n])
		body = body[n:]
	}
	return dst
}

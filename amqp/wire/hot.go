package wire

import "encoding/binary"

// The ids of the methods that every message needs.
const (
	IDPublish ID = ClassBasic<<16 | 40
	IDDeliver ID = ClassBasic<<16 | 60
	IDAck     ID = ClassBasic<<16 | 80
)

// Publish is BasicPublish as views of the payload it was read from.
type Publish struct {
	Exchange, RoutingKey []byte
	Mandatory, Immediate bool
}

// ParsePublish reads the payload of a basic.publish frame.
func ParsePublish(payload []byte) (p Publish, err error) {
	r := reader{b: payload[4:]}
	r.take(2)
	p.Exchange = r.short()
	p.RoutingKey = r.short()
	bits := r.u8()
	p.Mandatory, p.Immediate = bits&1 != 0, bits&2 != 0
	if r.err == nil && len(r.b) > 0 {
		r.err = errTrailing
	}
	return p, r.err
}

// ParseAck reads the payload of a basic.ack frame.
func ParseAck(payload []byte) (tag uint64, multiple bool, err error) {
	if len(payload) != 13 {
		return 0, false, errShort
	}
	return binary.BigEndian.Uint64(payload[4:]), payload[12]&1 != 0, nil
}

// AppendDeliver appends a basic.deliver method frame. Requires: strings fit in 255 octets.
func AppendDeliver(dst []byte, channel uint16, consumer string, tag uint64, redelivered bool, exchange, key []byte) []byte {
	at := len(dst)
	dst = beginFrame(dst, FrameMethod, channel)
	dst = append(dst, 0, ClassBasic, 0, 60, byte(len(consumer)))
	dst = append(dst, consumer...)
	dst = binary.BigEndian.AppendUint64(dst, tag)
	var bits byte
	if redelivered {
		bits = 1
	}
	dst = append(dst, bits, byte(len(exchange)))
	dst = append(dst, exchange...)
	dst = append(dst, byte(len(key)))
	dst = append(dst, key...)
	return endFrame(dst, at)
}

// AppendConfirm appends a basic.ack or basic.nack method frame, as a publisher's confirm.
func AppendConfirm(dst []byte, channel uint16, tag uint64, multiple, nack bool) []byte {
	at := len(dst)
	method, bits := byte(80), byte(0)
	if nack {
		method = 120
	}
	if multiple {
		bits = 1
	}
	dst = append(beginFrame(dst, FrameMethod, channel), 0, ClassBasic, 0, method)
	dst = binary.BigEndian.AppendUint64(dst, tag)
	return endFrame(append(dst, bits), at)
}

package wire

import "encoding/binary"

// The append functions mirror Reader's methods.

func appendInt16(dst []byte, v int16) []byte { return binary.BigEndian.AppendUint16(dst, uint16(v)) }
func appendInt32(dst []byte, v int32) []byte { return binary.BigEndian.AppendUint32(dst, uint32(v)) }
func appendInt64(dst []byte, v int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(v)) }

func appendString(dst []byte, flexible bool, s string) []byte {
	if flexible {
		return append(binary.AppendUvarint(dst, uint64(len(s))+1), s...)
	}
	return append(appendInt16(dst, int16(len(s))), s...)
}

// appendNullable writes "" as null.
func appendNullable(dst []byte, flexible bool, s string) []byte {
	switch {
	case s != "":
		return appendString(dst, flexible, s)
	case flexible:
		return append(dst, 0)
	}
	return append(dst, 0xff, 0xff)
}

func appendCount(dst []byte, flexible bool, n int) []byte {
	if flexible {
		return binary.AppendUvarint(dst, uint64(n)+1)
	}
	return appendInt32(dst, int32(n))
}

// appendNoTags ends a struct of a flexible message.
func appendNoTags(dst []byte, flexible bool) []byte {
	if flexible {
		return append(dst, 0)
	}
	return dst
}

func appendVarintBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 1) // zigzag -1
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

func varintBytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

func varintSize(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	n := 1
	for u >= 0x80 {
		u >>= 7
		n++
	}
	return n
}

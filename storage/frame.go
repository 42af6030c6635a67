package storage

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame is what one cycle wrote:
//
//	 0  magic     u32  "TVJF"
//	 4  crc       u32  crc32c of epoch, position, then bytes 8.. to the end
//	 8  length    u32  of the body
//	12  version   u8   1
//	13  -         3 zero bytes
//	16  position  u64
//	24  epoch     u64  grows with every Open of the store
//	32  synced    u64  the last position known to be on disk at the time
//	40  body           operations, see op.go
//
// All integers are little-endian. Frames begin at multiples of 8; zeros fill the
// gap. What is written is filled up to a multiple of 4096 with zeros, which the
// next frame overwrites.
const (
	frameHeader  = 40
	frameAlign   = 8
	frameVersion = 1
	frameMagic   = 0x464a5654 // "TVJF"
	blockSize    = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32              { return crc32.Checksum(b, castagnoli) }
func checksum2(sum uint32, b []byte) uint32 { return crc32.Update(sum, castagnoli, b) }

type frame struct {
	pos    Position
	epoch  uint64
	synced Position
	length int // of the body
}

func frameSum(epoch uint64, pos Position, b []byte) uint32 {
	var seed [16]byte
	binary.LittleEndian.PutUint64(seed[0:], epoch)
	binary.LittleEndian.PutUint64(seed[8:], uint64(pos))
	return crc32.Update(checksum(seed[:]), castagnoli, b[8:])
}

// sealFrame fills in the header of b, which has room for it before the body.
func sealFrame(b []byte, f frame) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], frameMagic)
	le.PutUint32(b[8:], uint32(len(b)-frameHeader))
	le.PutUint32(b[12:], frameVersion)
	le.PutUint64(b[16:], uint64(f.pos))
	le.PutUint64(b[24:], f.epoch)
	le.PutUint64(b[32:], uint64(f.synced))
	le.PutUint32(b[4:], frameSum(f.epoch, f.pos, b))
}

// parseFrameHeader reads a header. It proves nothing before checkFrame.
func parseFrameHeader(b []byte) (f frame, ok bool) {
	le := binary.LittleEndian
	if len(b) < frameHeader || le.Uint32(b) != frameMagic || le.Uint32(b[12:]) != frameVersion {
		return f, false
	}
	f.length = int(le.Uint32(b[8:]))
	f.pos = Position(le.Uint64(b[16:]))
	f.epoch = le.Uint64(b[24:])
	f.synced = Position(le.Uint64(b[32:]))
	return f, true
}

// checkFrame reports whether b, header and body, is the frame that f says.
func checkFrame(b []byte, f frame) bool {
	return len(b) == frameHeader+f.length &&
		binary.LittleEndian.Uint32(b[4:]) == frameSum(f.epoch, f.pos, b)
}

func alignUp(n, to int64) int64 { return (n + to - 1) / to * to }

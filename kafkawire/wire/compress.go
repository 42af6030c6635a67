package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is how a batch's records are compressed.
type Codec uint8

const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
	codecEnd
)

// ErrInflated reports a payload that would inflate beyond the limit.
var ErrInflated = errors.New("kafka: records inflate beyond the limit")

// xerial is what Java clients put in front of chunked snappy: magic, version,
// compatible version.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

// plausible looks at the first bytes of a compressed payload.
func plausible(c Codec, p []byte) bool {
	switch c {
	case Gzip:
		return len(p) >= 18 && p[0] == 0x1f && p[1] == 0x8b
	case Snappy:
		if bytes.HasPrefix(p, xerial) {
			return len(p) >= xerialHeader+4
		}
		_, err := s2.DecodedLen(p)
		return err == nil
	case LZ4:
		return len(p) >= 7 && binary.LittleEndian.Uint32(p) == 0x184d2204
	case Zstd:
		return len(p) >= 5 && binary.LittleEndian.Uint32(p) == 0xfd2fb528
	}
	return false
}

// Payload returns the records of b, inflated into dst if they are compressed;
// otherwise it refers to b. It never makes more than limit bytes.
func (b Batch) Payload(dst []byte, limit int) ([]byte, error) {
	src := b[BatchHeader:]
	switch b.Codec() {
	case None:
		return src, nil
	case Gzip:
		return inflate(&gzips, src, dst, limit)
	case Snappy:
		return inflateSnappy(src, dst, limit)
	case LZ4:
		return inflate(&lz4s, src, dst, limit)
	case Zstd:
		return inflate(&zstds, src, dst, limit)
	}
	return nil, corrupt("Unknown compression codec")
}

// resetter is a decompressor that can be used again.
type resetter interface {
	io.Reader
	Reset(io.Reader) error
}

type lz4Reader struct{ *lz4.Reader }

func (r lz4Reader) Reset(src io.Reader) error { r.Reader.Reset(src); return nil }

// zstdWindow bounds what a zstd frame may make its reader keep: the largest
// window of level 22.
const zstdWindow = 128 << 20

var (
	gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	lz4s  = sync.Pool{New: func() any { return lz4Reader{lz4.NewReader(nil)} }}
	zstds = sync.Pool{New: func() any {
		// One goroutine's worth: a pooled decoder must not own goroutines.
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			panic("kafka: zstd options: " + err.Error())
		}
		return d
	}}
)

func inflate(pool *sync.Pool, src, dst []byte, limit int) ([]byte, error) {
	r := pool.Get().(resetter)
	defer pool.Put(r)
	if err := r.Reset(bytes.NewReader(src)); err != nil {
		return nil, corrupt("Records cannot be decompressed")
	}
	dst = dst[:0]
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, max(4*len(src), 512))...)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > limit:
			return nil, ErrInflated
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return nil, corrupt("Records cannot be decompressed")
		}
	}
}

// inflateSnappy reads a bare block, or blocks with big-endian sizes after a
// xerial header.
func inflateSnappy(src, dst []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) {
		return snappyBlock(src, dst[:0], limit)
	}
	if len(src) < xerialHeader {
		return nil, corrupt("Records cannot be decompressed")
	}
	dst = dst[:0]
	for r := NewReader(src[xerialHeader:]); len(r.Rest()) > 0; {
		block := r.Span(int(r.Int32()))
		if r.Err() != nil {
			return nil, corrupt("Records cannot be decompressed")
		}
		var err error
		if dst, err = snappyBlock(block, dst, limit); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func snappyBlock(src, dst []byte, limit int) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	switch {
	case err != nil:
		return nil, corrupt("Records cannot be decompressed")
	case n > limit-len(dst):
		return nil, ErrInflated
	case n > 64*len(src): // no element of the format yields more per byte
		return nil, corrupt("Records cannot be decompressed")
	}
	at := len(dst)
	dst = append(dst, make([]byte, n)...)
	if _, err := s2.Decode(dst[at:], src); err != nil {
		return nil, corrupt("Records cannot be decompressed")
	}
	return dst, nil
}

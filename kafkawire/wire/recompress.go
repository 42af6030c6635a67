package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Recompress returns a copy of b whose records are compressed with c at a level
// in the codec's own terms; records inflate to at most limit bytes on the way.
func (b Batch) Recompress(c Codec, level, limit int) (Batch, error) {
	payload, err := b.Payload(nil, limit)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(slices.Clone(b[:BatchHeader]))
	if err := compress(out, c, level, payload); err != nil {
		return nil, err
	}
	nb := Batch(out.Bytes())
	binary.BigEndian.PutUint32(nb[8:], uint32(len(nb)-batchPrefix))
	binary.BigEndian.PutUint16(nb[21:], uint16(b.Attributes())&^CodecMask|uint16(c))
	nb.seal()
	return nb, nil
}

// lz4Levels are the library's; Kafka's go on to 17 without compressing better.
var lz4Levels = [...]lz4.CompressionLevel{
	lz4.Fast, lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5, lz4.Level6, lz4.Level7, lz4.Level8, lz4.Level9,
}

func compress(out *bytes.Buffer, c Codec, level int, payload []byte) error {
	var w io.WriteCloser
	switch c {
	case Gzip:
		g, err := gzip.NewWriterLevel(out, level)
		if err != nil {
			return err
		}
		w = g
	case LZ4:
		l := lz4.NewWriter(out)
		if err := l.Apply(lz4.CompressionLevelOption(lz4Levels[min(max(level, 0), len(lz4Levels)-1)])); err != nil {
			return err
		}
		w = l
	case Zstd:
		z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		w = z
	case Snappy:
		_, err := out.Write(s2.EncodeSnappy(nil, payload))
		return err
	default:
		_, err := out.Write(payload)
		return err
	}
	if _, err := w.Write(payload); err != nil {
		return err
	}
	return w.Close()
}

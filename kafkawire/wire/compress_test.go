package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// compressed are all compressed forms of a batch; the last is snappy as Java writes it.
func compressed(plain Batch) (bs []Batch) {
	records := plain[BatchHeader:]
	add := func(c Codec, payload []byte) {
		b := append(bytes.Clone(plain[:BatchHeader]), payload...)
		binary.BigEndian.PutUint32(b[8:], uint32(len(b)-batchPrefix))
		b[22] = b[22]&^CodecMask | byte(c)
		Batch(b).seal()
		bs = append(bs, b)
	}
	var buf bytes.Buffer
	g := gzip.NewWriter(&buf)
	g.Write(records)
	g.Close()
	add(Gzip, bytes.Clone(buf.Bytes()))
	add(Snappy, s2.EncodeSnappy(nil, records))
	buf.Reset()
	l := lz4.NewWriter(&buf)
	l.Write(records)
	l.Close()
	add(LZ4, bytes.Clone(buf.Bytes()))
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	add(Zstd, z.EncodeAll(records, nil))
	z.Close()
	x := append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1)
	for _, part := range [][]byte{records[:len(records)/2], records[len(records)/2:]} {
		e := s2.EncodeSnappy(nil, part)
		x = append(binary.BigEndian.AppendUint32(x, uint32(len(e))), e...)
	}
	add(Snappy, x)
	return bs
}

func TestPayload(t *testing.T) {
	var w Writer
	w.Begin(nil, 0, 1)
	w.Add(&Record{Value: bytes.Repeat([]byte("Trivium"), 100_000)})
	plain := Batch(w.End(1))
	var buf []byte
	for _, b := range compressed(plain) {
		k, err := ParseProduced(b)
		if err != nil {
			t.Fatalf("codec %d: %v", b.Codec(), err)
		}
		for range 2 { // pooled readers start afresh
			buf, err = k.Payload(buf, 1<<20)
			if err != nil || !bytes.Equal(buf, plain[BatchHeader:]) {
				t.Fatalf("codec %d: %d bytes, %v", b.Codec(), len(buf), err)
			}
		}
		if _, err := k.Payload(nil, 100_000); !errors.Is(err, ErrInflated) {
			t.Errorf("codec %d beyond the limit: %v", b.Codec(), err)
		}
		for c := None; c < codecEnd; c++ {
			nb, err := k.Recompress(c, map[Codec]int{Gzip: -1, LZ4: 9, Zstd: 3}[c], 1<<20)
			if err != nil || nb.Codec() != c {
				t.Fatalf("codec %d to %d: %v", b.Codec(), c, err)
			}
			if nb, err = ParseProduced(nb); err != nil {
				t.Fatalf("codec %d to %d: %v", b.Codec(), c, err)
			}
			if p, err := nb.Payload(nil, 1<<20); err != nil || !bytes.Equal(p, plain[BatchHeader:]) {
				t.Fatalf("codec %d to %d: %d bytes, %v", b.Codec(), c, len(p), err)
			}
		}
		cut := k[:len(k)-len(k)/4]
		if _, err := cut.Payload(nil, 1<<20); err == nil {
			t.Errorf("codec %d: half a payload is whole", b.Codec())
		}
	}
}

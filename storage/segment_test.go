package storage

import (
	"bytes"
	"testing"
)

// The blocks of a long segment are written piece by piece, and found again.
func TestLongSegment(t *testing.T) {
	var buf bytes.Buffer
	b := segmentBuilder{w: &buf, f: footer{log: 5}}
	const n = 20_000
	key := bytes.Repeat([]byte("k"), 30)
	for i := range n {
		e := Entry{Offset: Offset(i), Count: 1, Key: key, Data: []byte{byte(i)}}
		size := b.size()
		if err := b.add(&stored{Entry: e, len: 1, crc: checksum(e.Data)}); err != nil {
			t.Fatal(err)
		}
		if b.size() <= size {
			t.Fatalf("entry %d takes no room", i)
		}
	}
	size := b.size()
	if len(b.full) < 4 {
		t.Fatalf("%d pieces", len(b.full))
	}
	if err := b.finish(); err != nil {
		t.Fatal(err)
	}
	if int64(buf.Len()) != size {
		t.Errorf("%d bytes instead of %d", buf.Len(), size)
	}
	s, err := openSegment(bytes.NewReader(buf.Bytes()), size)
	if err != nil {
		t.Fatal(err)
	}
	var es []stored
	for i := range s.index {
		if es, err = s.envelopes(i, es); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.load(es); err != nil {
		t.Fatal(err)
	}
	for i, e := range es {
		if e.Offset != Offset(i) || e.Data[0] != byte(i) {
			t.Fatalf("entry %d: offset %d, %v", i, e.Offset, e.Data)
		}
	}
	if len(es) != n {
		t.Errorf("%d entries", len(es))
	}
}

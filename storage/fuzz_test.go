package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sample is a frame with one of each operation.
func sample() []byte {
	b := make([]byte, frameHeader)
	var d sharedData
	blk := &block{}
	data := []byte("some data")
	e := Entry{Count: 1, Time: 5, Data: data}
	b = d.append(b, blk, 7, &e)
	e = Entry{
		Offset: 1 << 40, Count: 300, Format: 2, Priority: 9, Time: -1, Expires: 1 << 60, Key: []byte("key"), ID: []byte{},
		Producer: Producer{Set: true, ID: 1 << 50, Epoch: -1, First: 3, Last: -4, Control: true}, Data: data,
	}
	b = d.append(b, blk, 300, &e)
	num := func(kind byte, vs ...uint64) {
		b = append(b, kind)
		for _, v := range vs {
			b = binary.AppendUvarint(b, v)
		}
	}
	num(opDelete, 7, 0, 1<<62)
	num(opCreate, 8, 5)
	num(opDrop, 8)
	num(opOffsets, 7, 4096)
	num(opLogs, 1024)
	b = appendBytes(appendBytes(append(b, opSet), []byte("k")), []byte("v"))
	b = appendBytes(append(b, opUnset), []byte("k"))
	b = appendBytes(appendBytes(append(b, opUnsetRange), []byte("a")), []byte("b"))
	num(opNote, 3)
	b = appendBytes(b, []byte("note"))
	sealFrame(b, frame{pos: 1, epoch: 1})
	return b
}

// FuzzOps decodes the body of a frame.
func FuzzOps(f *testing.F) {
	f.Add(sample()[frameHeader:])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(make([]byte, frameHeader), body...)
		r := reader{b: b, at: frameHeader}
		var o op
		for at := r.at; r.next(&o); at = r.at {
			if r.at <= at {
				t.Fatal("no progress")
			}
			if o.kind != opAppend && o.kind != opAppendRef {
				continue
			}
			var e Entry
			if _, err := decodeEntry(b, uint32(at), &e); err != nil {
				t.Fatal(err)
			}
			if e.Count < 1 || e.Offset < 0 || e.Next() < e.Offset {
				t.Fatalf("impossible entry %+v", e)
			}
			// What was decoded is encoded to something that decodes to the same.
			var d sharedData
			again := d.append(make([]byte, frameHeader), &block{}, o.log, &e)
			var x Entry
			if _, err := decodeEntry(again, frameHeader, &x); err != nil || !equalEntry(&e, &x) {
				t.Fatalf("%+v became %+v, %v", e, x, err)
			}
		}
	})
}

// FuzzJournal replays a journal file.
func FuzzJournal(f *testing.F) {
	jf := journalFile{epoch: 1, first: 1}
	one := append(jf.header(), sample()...)
	f.Add(one, true)
	f.Add(one[blockSize:], false)
	f.Add(append(one, one[blockSize:]...), true)
	f.Fuzz(func(t *testing.T, file []byte, seal bool) {
		if seal && len(file) >= blockSize {
			// With checksums that fit, so that something happens.
			copy(file, jf.header())
			for at, pos := int64(blockSize), Position(1); at+frameHeader <= int64(len(file)); pos++ {
				n := int64(binary.LittleEndian.Uint32(file[at+8:]))
				if at+frameHeader+n > int64(len(file)) {
					break
				}
				sealFrame(file[at:at+frameHeader+n], frame{pos: pos, epoch: 1, synced: pos - 1})
				at = alignUp(at+frameHeader+n, frameAlign)
			}
		}
		fs := vfs.NewMem()
		fs.MkdirAll("data/journal", 0o755)
		w, _ := fs.Create("data/journal/000001.journal", vfs.WriteCategoryUnspecified)
		w.Write(bytes.Clone(file))
		w.Close()
		o := testOptions(fs)
		o.JournalFileBytes = 1 << 20
		j, err := openJournal(&o, "data/journal", nil, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		defer j.close()
		last := Position(0)
		_, err = j.replay(1, true, func(pos Position, p place, b []byte) error {
			if pos <= last {
				return fmt.Errorf("frame %d after %d", pos, last)
			}
			last = pos
			again := make([]byte, p.len)
			err := j.read(pos, p, again)
			if err != nil || !bytes.Equal(again, b) {
				return fmt.Errorf("frame %d is read differently: %w", pos, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func sampleSegment() []byte {
	var buf bytes.Buffer
	b := segmentBuilder{w: &buf, f: footer{log: 5}}
	for i := range 200 {
		e := Entry{Offset: Offset(i * 2), Count: 1 + int32(i%2), Time: int64(i), Data: bytes.Repeat([]byte{byte(i)}, i)}
		if i%3 == 0 {
			e.Key = []byte("key")
		}
		b.add(&stored{Entry: e, len: len(e.Data), crc: checksum(e.Data)})
	}
	b.finish()
	return buf.Bytes()
}

// FuzzSegment reads a segment.
func FuzzSegment(f *testing.F) {
	f.Add(sampleSegment(), true)
	f.Add(sampleSegment(), false)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if n := len(b); seal && n >= footerSize {
			foot := b[n-footerSize:]
			le := binary.LittleEndian
			le.PutUint64(foot, segmentMagic)
			le.PutUint32(foot[12:], segmentVersion)
			if blocks := le.Uint64(foot[56:]); blocks <= uint64(n-footerSize)/indexEntrySize {
				index := b[n-footerSize-int(blocks)*indexEntrySize : n-footerSize]
				for i := range int(blocks) {
					x := index[i*indexEntrySize:]
					at, size := le.Uint64(x[16:]), uint64(le.Uint32(x[24:]))
					if at <= uint64(n) && size <= uint64(n)-at {
						le.PutUint32(x[28:], checksum(b[at:at+size]))
					}
				}
				le.PutUint32(foot[8:], footerSum(index, foot))
			}
		}
		s, err := openSegment(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for i := range s.index {
			es, err := s.envelopes(i, nil)
			if err != nil {
				continue
			}
			if n, err := s.load(es); err == nil && n != len(es) {
				t.Fatalf("%d of %d entries and no error", n, len(es))
			}
		}
	})
}

// TestSegment reads back what was built, whole and from the middle.
func TestSegment(t *testing.T) {
	b := sampleSegment()
	s, err := openSegment(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if s.entries != 200 || s.first != 0 || s.next != 400 || s.log != 5 || s.maxTime != 199 {
		t.Fatalf("%+v", s.footer)
	}
	n := 0
	for i := range s.index {
		if s.block(s.index[i].first) != i {
			t.Fatal("block of its own first entry")
		}
		es, err := s.envelopes(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.load(es); err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			if e.Offset != Offset(n*2) || len(e.Data) != n || n > 0 && e.Data[0] != byte(n) || (e.Key != nil) != (n%3 == 0) {
				t.Fatalf("entry %d: %+v", n, e.Entry)
			}
			n++
		}
	}
	if n != 200 {
		t.Fatal(n)
	}
}

package storage

import "github.com/cockroachdb/pebble/v2/vfs"

// sink takes a segment's bytes: in memory as long as they are few, then in a file.
type sink struct {
	s    *Store
	buf  []byte
	n    int64 // bytes so far
	num  uint64
	file vfs.File
	name string
	pace *pace
}

const (
	// maxChunk is the largest segment that lives in the index instead of a file.
	maxChunk = 64 << 10
	// sinkBuffer is what is written to a file at once, and then sent towards the disk.
	sinkBuffer = 512 << 10
)

func (k *sink) Write(b []byte) (int, error) {
	k.buf = append(k.buf, b...)
	k.n += int64(len(b))
	if k.file == nil && len(k.buf) > k.s.o.chunkBytes || len(k.buf) >= sinkBuffer {
		return len(b), k.spill()
	}
	return len(b), nil
}

// spill writes what is buffered to the file, making it if need be.
func (k *sink) spill() error {
	if k.file == nil {
		k.num = k.s.segments.next.Add(1) - 1
		k.name = k.s.segments.name(k.num)
		f, err := k.s.o.FS.Create(k.name, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		k.file = f
		if cap(k.buf) < sinkBuffer {
			k.buf = append(make([]byte, 0, sinkBuffer+maxChunk), k.buf...)
		}
		if len(k.buf) < sinkBuffer {
			return nil
		}
	}
	n := len(k.buf)
	if _, err := k.file.Write(k.buf); err != nil {
		return err
	}
	k.buf = k.buf[:0]
	// Begin writing back now, so that the sync at the end has little to do and the
	// journal's syncs do not wait behind it.
	if _, err := k.file.SyncTo(k.n); err != nil {
		return err
	}
	k.pace.wrote(n)
	return nil
}

// finish ends the segment: its bytes are in the file, to be synced, or in buf.
func (k *sink) finish() error {
	if k.file == nil {
		return nil
	}
	if len(k.buf) > 0 {
		if _, err := k.file.Write(k.buf); err != nil {
			return err
		}
	}
	return nil
}

// abandon removes what there is of a file.
func (k *sink) abandon() {
	if k.file != nil {
		k.file.Close()
		k.s.o.FS.Remove(k.name)
	}
}

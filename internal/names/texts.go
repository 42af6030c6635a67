package names

import (
	"encoding/binary"
	"unsafe"
)

// texts holds the bytes of names, in chunks that are only ever appended to: so what was read stays
// valid. Of a chunk of which little is still used, that is moved to another one.
//
// In a chunk each name is preceded by its number and its length (little endian), and begins at
// a multiple of 8.
type texts struct {
	refs   pages[ref]
	chunks []chunk
	spare  []uint32 // numbers of chunks that are not in use
	last   uint32   // the chunk that is being filled, if there is one
}

// ref is where a name is: chunk<<offBits | offset/8.
type ref uint32

const (
	offBits   = 13
	chunkSize = 8 << offBits // a longer name has a chunk of its own
	headSize  = 8
)

// gone is the ref of a number without a name.
const gone = ^ref(0)

// chunk is one of the chunks; b is nil when its number is not in use.
type chunk struct {
	b    []byte
	live int // bytes in use
}

func padded(n int) int { return (headSize + n + 7) &^ 7 }

func (t *texts) get(id uint32) string {
	r := *t.refs.at(id)
	b := t.chunks[r>>offBits].b[r&(1<<offBits-1)<<3:]
	n := binary.LittleEndian.Uint32(b[4:])
	return unsafe.String(unsafe.SliceData(b[headSize:]), n)
}

func (t *texts) put(id uint32, name string) {
	size := padded(len(name))
	if len(t.chunks) == 0 {
		t.newChunk(max(size, chunkSize))
	} else if b := t.chunks[t.last].b; cap(b)-len(b) < size {
		defer t.tidy(t.last)
		t.newChunk(max(size, chunkSize))
	}
	c := &t.chunks[t.last]
	at := len(c.b)
	c.b = binary.LittleEndian.AppendUint32(c.b, id)
	c.b = binary.LittleEndian.AppendUint32(c.b, uint32(len(name)))
	c.b = append(c.b, name...)
	c.b = c.b[:at+size]
	c.live += size
	for t.refs.n < id {
		*t.refs.at(t.refs.more()) = gone
	}
	*t.refs.at(id) = ref(t.last<<offBits | uint32(at>>3))
}

// newChunk makes another chunk the one that is being filled.
func (t *texts) newChunk(size int) {
	if n := len(t.spare); n > 0 {
		t.last, t.spare = t.spare[n-1], t.spare[:n-1]
	} else {
		t.last = uint32(len(t.chunks))
		t.chunks = append(t.chunks, chunk{})
	}
	t.chunks[t.last].b = make([]byte, 0, size)
}

func (t *texts) drop(id uint32) {
	i := uint32(*t.refs.at(id) >> offBits)
	t.chunks[i].live -= padded(len(t.get(id)))
	*t.refs.at(id) = gone
	if i != t.last {
		t.tidy(i)
	}
}

// tidy moves what is still used of a chunk if it is little. Requires: it is not being filled.
func (t *texts) tidy(i uint32) {
	c := t.chunks[i]
	if c.live > len(c.b)/4 {
		return
	}
	for at := 0; at < len(c.b); {
		id, n := binary.LittleEndian.Uint32(c.b[at:]), binary.LittleEndian.Uint32(c.b[at+4:])
		if *t.refs.at(id) == ref(i<<offBits|uint32(at>>3)) {
			t.put(id, unsafe.String(unsafe.SliceData(c.b[at+headSize:]), n))
		}
		at += padded(int(n))
	}
	t.chunks[i] = chunk{}
	t.spare = append(t.spare, i)
}

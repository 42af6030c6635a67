package core

import (
	"encoding/binary"
	"math/bits"

	"trivium/internal/names"
)

const (
	// namesLen is how many ids' names share a row.
	namesLen = 64
	// longName is the longest name that shares one.
	longName = 1 << 10
	// snapshotRows is how many rows of names, and of pages, one snapshot hands over at most.
	snapshotRows = 1 << 10
)

// snapshot hands over up to most rows of names, and of pages, that changed: unfinished tells if there are more. All
// names of a page's ids come before it, and pages in order, so that what a crash has left of a
// checkpoint fits together: what a row lacks is replayed, and what is live in it the Log tells.
//
// A row of names holds, for each of its ids, the name's length plus one, uvarint, and the name; 0 if there is
// none, or it has a row of its own. Requires: the sequencer.
func (x *keyIndex) snapshot(most int, set func(part, value []byte)) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := 0
	for group := range x.newNames {
		if n++; n > most {
			return
		}
		delete(x.newNames, group)
		set(binary.BigEndian.AppendUint32([]byte{partNames}, group), x.encodeNames(group, set))
	}
	x.take(most, func(no Offset, v []byte) {
		set(binary.BigEndian.AppendUint64([]byte{partKeyPage}, uint64(no)), v)
	})
}

// unfinished reports whether a snapshot has left something. Requires: the sequencer.
func (x *keyIndex) unfinished() bool { return len(x.newNames)+len(x.changed) > 0 }

// encodeNames makes a row of names, and those of long ones. Requires: mu.
func (x *keyIndex) encodeNames(group uint32, set func(part, value []byte)) (v []byte) {
	v = make([]byte, 0, 16*namesLen)
	for id := group * namesLen; id < (group+1)*namesLen; id++ {
		name, there := "", x.holds(id)
		if there {
			name = x.names.Name(id)
		}
		_, was := x.long[id]
		is := len(name) > longName
		switch part := binary.BigEndian.AppendUint32([]byte{partLongName}, id); {
		case is:
			x.long[id] = struct{}{}
			set(part, []byte(name))
		case was:
			delete(x.long, id)
			set(part, nil)
		}
		if is || !there {
			v = append(v, 0)
			continue
		}
		v = binary.AppendUvarint(v, uint64(len(name)+1))
		v = append(v, name...)
	}
	return v
}

// restore takes over one part. Names come before pages, pages in order. What does
// not fit together is noticed by the number of messages.
func (x *keyIndex) restore(part, v []byte) {
	switch {
	case part[0] == partNames && len(part) == 5:
		group := binary.BigEndian.Uint32(part[1:])
		if group > names.MaxID/namesLen {
			return
		}
		d := &fields{rest: v}
		for id := group * namesLen; id < (group+1)*namesLen; id++ {
			n := d.uvarint()
			if n == 0 || n-1 > uint64(len(d.rest)) {
				continue
			}
			x.restoreName(id, d.rest[:n-1])
			d.rest = d.rest[n-1:]
		}
	case part[0] == partLongName && len(part) == 5:
		if id := binary.BigEndian.Uint32(part[1:]); id <= names.MaxID {
			x.long[id] = struct{}{}
			x.restoreName(id, v)
		}
	case part[0] == partKeyPage && len(part) == 9:
		x.restorePage(Offset(binary.BigEndian.Uint64(part[1:])), decodePage(v))
	}
}

func (x *keyIndex) restoreName(id uint32, name []byte) {
	if id > 0 && !x.names.Has(id) {
		x.reach(id)
		x.names.Put(id, text(name))
	}
}

// restorePage counts what is live of a page, and keeps the last one, which grows.
func (x *keyIndex) restorePage(no Offset, p *keyPage) {
	if no <= x.held.tail {
		return
	}
	clear(x.held.pages)
	x.held.pages[no], x.held.tail, x.unwritten = p, no, no+1
	first := no * pageLen
	x.end = first + Offset(len(p.refs))
	var live [pageLen / 64]uint64
	x.log.Bitmap(first, live[:])
	if live == [pageLen / 64]uint64{} {
		x.dead = append(x.dead, no)
	}
	for w, b := range live {
		for ; b != 0; b &= b - 1 {
			i := 64*w + bits.TrailingZeros64(b)
			if i >= len(p.refs) {
				return
			}
			if id := p.refs[i].id; id > 0 && id < x.ids && x.names.Has(id) {
				k := x.info(id)
				if k.messages == 0 {
					k.first = first + Offset(i)
				}
				k.last = first + Offset(i)
				k.messages++
				x.total++
			}
		}
	}
}

// restored completes an index once all its parts are restored: ids without messages are free.
func (x *keyIndex) restored() {
	for id := x.ids - 1; id > 0; id-- {
		if !x.holds(id) {
			x.free = append(x.free, id)
		}
	}
	x.names.Build(x.holds)
	if n := len(x.dead); n > 0 && x.dead[n-1] == x.held.tail {
		x.dead = x.dead[:n-1] // it grows yet
	}
}

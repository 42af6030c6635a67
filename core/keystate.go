package core

import (
	"encoding/binary"

	"trivium/internal/names"
)

// snapshot hands over the names and pages that changed. A page is its messages'
// key ids; everything else about a key follows from the pages. Requires: the
// sequencer.
func (x *keyIndex) snapshot(set func(part, value []byte)) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.newKeys)+len(x.newPages) == 0 {
		return
	}
	for id := range x.newKeys {
		part := binary.BigEndian.AppendUint32([]byte{partKey}, id)
		if x.info(id).Messages > 0 {
			set(part, []byte(x.names.Name(id)))
		} else {
			set(part, nil)
		}
	}
	clear(x.newKeys)
	for _, no := range x.newPages {
		part := binary.BigEndian.AppendUint64([]byte{partKeyPage}, uint64(no))
		p := x.page(no)
		if p == nil {
			set(part, nil)
			continue
		}
		p.dirty = false
		v := make([]byte, 0, 2*pageLen)
		for i := range p.refs {
			v = binary.AppendUvarint(v, uint64(p.refs[i].id))
		}
		set(part, v)
	}
	x.newPages = nil
	set([]byte{partKeyEnd}, binary.BigEndian.AppendUint64(nil, uint64(x.end)))
}

// page returns a page by its number, nil if it holds nothing. Requires: mu.
func (x *keyIndex) page(no int64) *keyPage {
	if i := no - int64(x.base/pageLen); x.base >= 0 && i >= 0 && i < int64(len(x.pages)) {
		return x.pages[i]
	}
	return nil
}

// restore takes over one part. Names come before pages, pages in order. What does
// not fit together is noticed by the number of messages.
func (x *keyIndex) restore(part, v []byte) {
	switch {
	case part[0] == partKey && len(part) == 5:
		id := binary.BigEndian.Uint32(part[1:])
		if id > 0 && id <= names.MaxID && x.id(v) == 0 {
			x.name(id, text(v))
		}
	case part[0] == partKeyPage && len(part) == 9:
		o := Offset(binary.BigEndian.Uint64(part[1:])) * pageLen
		for i := range Offset(pageLen) {
			id, n := binary.Uvarint(v)
			if n <= 0 {
				return
			}
			v = v[n:]
			if id > 0 && id < uint64(x.ids) && x.known(uint32(id)) {
				x.addID(o+i, uint32(id))
			}
		}
	case part[0] == partKeyEnd && len(v) == 8:
		x.end = Offset(binary.BigEndian.Uint64(v))
		for _, no := range x.newPages { // what was just read is written already
			if p := x.page(no); p != nil {
				p.dirty = false
			}
		}
		x.newPages = nil
	}
}

// known reports whether an id has a name, while the index is restored. Requires: id was given out.
func (x *keyIndex) known(id uint32) bool { return *x.info(id) != KeyState{} }

// settle completes a restored index: ids without messages are free.
func (x *keyIndex) settle() {
	x.free = x.free[:0]
	for id := x.ids - 1; id > 0; id-- {
		k := x.info(id)
		if k.Messages > 0 {
			continue
		}
		if x.known(id) {
			x.names.Remove(id)
			x.newKeys[id] = struct{}{}
			*k = KeyState{}
		}
		x.free = append(x.free, id)
	}
}

// renew returns an empty index whose next checkpoint removes all that x left in
// earlier ones.
func (x *keyIndex) renew() *keyIndex {
	y := newKeyIndex()
	y.keys, y.ids = make([]*keysPage, len(x.keys)), x.ids
	for i := range y.keys {
		y.keys[i] = new(keysPage)
	}
	for id := uint32(1); id < x.ids; id++ {
		y.free = append(y.free, id)
		y.newKeys[id] = struct{}{}
	}
	for i := range x.pages {
		y.newPages = append(y.newPages, int64(x.base/pageLen)+int64(i))
	}
	return y
}

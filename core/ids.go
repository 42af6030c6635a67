package core

import "encoding/binary"

// idBlock is how many ids one index write reserves.
const idBlock = 1024

// ids gives out the ids of namespaces, streams, queues, cursors and groups.
// They are never reused, not even after a crash: what was reserved and not
// given out is skipped. Guarded by the sequencer.
type ids struct{ next, reserved uint64 }

// load starts from the stored value of keyNextID.
func (a *ids) load(v []byte) {
	a.next = 1
	if len(v) == 8 {
		a.next = binary.BigEndian.Uint64(v)
	}
	a.reserved = a.next
}

// newID returns an id that was never given out before.
func (tx *Tx) newID() uint64 {
	a := &tx.b.ids
	if a.next == a.reserved {
		a.reserved += idBlock
		tx.Set([]byte{keyNextID}, binary.BigEndian.AppendUint64(nil, a.reserved))
	}
	a.next++
	return a.next - 1
}

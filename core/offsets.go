package core

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
)

// Position is a group's committed place in one partition.
type Position struct {
	Offset   Offset
	Epoch    int32
	Metadata string
	Time     int64 // of the commit, unix nanoseconds
}

// Place names a partition of a stream; Stream is its ID, so that a stream made anew under an
// old name has no positions.
type Place struct {
	Stream    uint64
	Partition int
}

// Offsets are the committed positions of a group: no state per message. A commit is
// a Note; the positions that changed are checkpointed one by one.
type Offsets struct {
	ns    *Namespace
	name  name
	state durableState

	mu struct {
		sync.RWMutex
		places map[Place]*placed
		dirty  []Place // changed since the last checkpoint
	}
}

// placed is what is known of one place: decided by the transactions so far, and
// shown, what is durable of it. A nil one is none.
type placed struct {
	decided, shown *Position
	dirty          bool
}

// Offsets returns the group's positions, nil if it has none.
func (ns *Namespace) Offsets(r Realm, group string) *Offsets {
	o, _ := ns.groups.Load().Get(name{r, group})
	return o
}

// CreateOffsets returns the group's positions, making them if there are none.
func (ns *Namespace) CreateOffsets(tx *Tx, r Realm, group string) *Offsets {
	if o := ns.Offsets(r, group); o != nil {
		return o
	}
	id := tx.newID()
	tx.Set(key(keyOffsets, ns.id, id), appendBytes(appendBytes(nil, r), group))
	return ns.newOffsets(name{r, group}, id)
}

func (ns *Namespace) newOffsets(n name, id uint64) *Offsets {
	o := &Offsets{ns: ns, name: n}
	o.mu.places = map[Place]*placed{}
	ns.b.register(o, id)
	all := ns.groups.Load().Set(ns.loading, n, o)
	ns.groups.Store(&all)
	return o
}

// loadOffsets makes a stored group known. Its value is realm and name, each a uvarint length
// and the bytes.
func (ns *Namespace) loadOffsets(rest, v []byte) error {
	r := fields{rest: v}
	n := name{Realm(r.text()), r.text()}
	if r.short || len(rest) != 8 {
		return fmt.Errorf("group record %x", v)
	}
	ns.newOffsets(n, binary.BigEndian.Uint64(rest))
	return nil
}

// Groups calls f for each group of the realm, in name order, until f returns false.
func (ns *Namespace) Groups(r Realm, f func(o *Offsets) bool) {
	var all []*Offsets
	ns.groups.Load().Each(func(n name, o *Offsets) bool {
		if n.realm == r {
			all = append(all, o)
		}
		return true
	})
	slices.SortFunc(all, func(a, b *Offsets) int { return cmp.Compare(a.name.name, b.name.name) })
	for _, o := range all {
		if !f(o) {
			return
		}
	}
}

// Group returns the group's name.
func (o *Offsets) Group() string { return o.name.name }

// Commit and Forget change positions; Position and Each see durable ones.
func (o *Offsets) Commit(tx *Tx, p Place, pos Position) {
	tx.note(o, encodePosition(appendPlace([]byte{noteCommit}, p), &pos))
	o.decide(tx, p, &pos)
}

// Forget removes the position at p, if there is one.
func (o *Offsets) Forget(tx *Tx, p Place) {
	o.mu.RLock()
	x := o.mu.places[p]
	o.mu.RUnlock()
	if x == nil || x.decided == nil { // decided is written under the sequencer only
		return
	}
	tx.note(o, appendPlace([]byte{noteForget}, p))
	o.decide(tx, p, nil)
}

func (o *Offsets) decide(tx *Tx, p Place, pos *Position) {
	o.mu.Lock()
	o.placeLocked(p).decided = pos
	o.mu.Unlock()
	tx.Then(&commit{o, p, pos})
}

// placeLocked returns p's entry, which will be in the next checkpoint.
func (o *Offsets) placeLocked(p Place) *placed {
	x := o.mu.places[p]
	if x == nil {
		x = &placed{}
		o.mu.places[p] = x
	}
	if !x.dirty {
		x.dirty = true
		o.mu.dirty = append(o.mu.dirty, p)
	}
	return x
}

// commit shows a position when it is durable.
type commit struct {
	o   *Offsets
	p   Place
	pos *Position
}

func (c *commit) Durable(err error) {
	if err != nil {
		return
	}
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	if x := c.o.mu.places[c.p]; x != nil {
		x.shown = c.pos
		c.o.tidyLocked(c.p, x)
	}
}

func (o *Offsets) tidyLocked(p Place, x *placed) {
	if x.decided == nil && x.shown == nil && !x.dirty {
		delete(o.mu.places, p)
	}
}

// Position returns the committed position at p, and whether there is one.
func (o *Offsets) Position(p Place) (Position, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if x := o.mu.places[p]; x != nil && x.shown != nil {
		return *x.shown, true
	}
	return Position{}, false
}

// Each calls f for each position, in order of place, until f returns false.
func (o *Offsets) Each(f func(p Place, pos Position) bool) {
	type at struct {
		p   Place
		pos Position
	}
	var all []at
	o.mu.RLock()
	for p, x := range o.mu.places {
		if x.shown != nil {
			all = append(all, at{p, *x.shown})
		}
	}
	o.mu.RUnlock()
	slices.SortFunc(all, func(a, b at) int {
		return cmp.Or(cmp.Compare(a.p.Stream, b.p.Stream), cmp.Compare(a.p.Partition, b.p.Partition))
	})
	for _, a := range all {
		if !f(a.p, a.pos) {
			return
		}
	}
}

// Delete removes the group.
func (o *Offsets) Delete(tx *Tx) {
	if o.ns.Offsets(o.name.realm, o.name.name) != o {
		return
	}
	tx.Unset(key(keyOffsets, o.ns.id, o.state.owner))
	tx.forget(o)
	all := o.ns.groups.Load().Delete(nil, o.name)
	o.ns.groups.Store(&all)
}

// forgetStream removes all positions in a stream that is being deleted.
func (ns *Namespace) forgetStream(tx *Tx, id uint64, partitions int) {
	ns.groups.Load().Each(func(_ name, o *Offsets) bool {
		for i := range partitions {
			o.Forget(tx, Place{id, i})
		}
		return true
	})
}

// The Notes of Offsets: a kind byte and a place (stream id and partition, 8 and 4 bytes, big
// endian), and for noteCommit the position. The parts of a checkpoint are places,
// with a position as their value:
//
//	uvarint offset, uvarint epoch+1, 8 bytes time, metadata to the end
const (
	noteCommit = 'c'
	noteForget = 'f'
	placeLen   = 12
)

func appendPlace(b []byte, p Place) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Stream)
	return binary.BigEndian.AppendUint32(b, uint32(p.Partition))
}

func encodePosition(b []byte, p *Position) []byte {
	b = binary.AppendVarint(b, int64(p.Offset))
	b = binary.AppendVarint(b, int64(p.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Time))
	return append(b, p.Metadata...)
}

func decodePlace(b []byte) (p Place, rest []byte, ok bool) {
	if len(b) < placeLen {
		return p, nil, false
	}
	return Place{binary.BigEndian.Uint64(b), int(binary.BigEndian.Uint32(b[8:]))}, b[placeLen:], true
}

func decodePosition(b []byte) (*Position, bool) {
	r := fields{rest: b}
	p := &Position{Offset: Offset(r.varint()), Epoch: int32(r.varint())}
	if r.short || len(r.rest) < 8 {
		return nil, false
	}
	p.Time = int64(binary.BigEndian.Uint64(r.rest))
	p.Metadata = string(r.rest[8:])
	return p, true
}

func (o *Offsets) durableState() *durableState { return &o.state }

func (o *Offsets) replay(note []byte) {
	if len(note) == 0 {
		return
	}
	p, rest, ok := decodePlace(note[1:])
	if !ok {
		return
	}
	var pos *Position
	if note[0] == noteCommit {
		if pos, ok = decodePosition(rest); !ok {
			return
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.placeLocked(p)
	x.decided, x.shown = pos, pos
}

func (o *Offsets) snapshot(set func(part, value []byte)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.mu.dirty {
		x := o.mu.places[p]
		x.dirty = false
		if x.decided == nil {
			set(appendPlace(nil, p), nil)
		} else {
			set(appendPlace(nil, p), encodePosition(nil, x.decided))
		}
		o.tidyLocked(p, x)
	}
	o.mu.dirty = o.mu.dirty[:0]
}

func (o *Offsets) restore(part, value []byte) error {
	p, rest, ok := decodePlace(part)
	pos, valid := decodePosition(value)
	if !ok || len(rest) > 0 || !valid {
		return fmt.Errorf("position of group %q: %x %x", o.name.name, part, value)
	}
	o.mu.places[p] = &placed{decided: pos, shown: pos}
	return nil
}

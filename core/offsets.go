package core

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

// Offsets are the committed positions of a group: no state per message.
type Offsets struct{}

// Offsets returns the group's positions, nil if it has none. CreateOffsets makes it.
func (ns *Namespace) Offsets(r Realm, group string) *Offsets { panic("core: Offsets") }
func (ns *Namespace) CreateOffsets(tx *Tx, r Realm, group string) *Offsets {
	panic("core: CreateOffsets")
}
func (ns *Namespace) Groups(r Realm, f func(o *Offsets) bool) { panic("core: Groups") }

func (o *Offsets) Group() string { panic("core") }

// Commit and Forget change positions; Position and Each see durable ones.
func (o *Offsets) Commit(tx *Tx, p Place, pos Position)    { panic("core: Commit") }
func (o *Offsets) Forget(tx *Tx, p Place)                  { panic("core: Forget") }
func (o *Offsets) Position(p Place) (Position, bool)       { panic("core: Position") }
func (o *Offsets) Each(f func(p Place, pos Position) bool) { panic("core: Each") }
func (o *Offsets) Delete(tx *Tx)                           { panic("core: Delete") }

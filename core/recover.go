package core

import (
	"encoding/binary"
	"fmt"

	"trivium/internal/hamt"
	"trivium/storage"
)

// durable is state that Notes change and checkpoints keep.
//
// A checkpoint carries the position that it certainly reflects, but it may
// reflect some of what came right after it; so replaying a Note on a state that
// knows it already must change nothing once all later Notes are replayed too.
type durable interface {
	durableState() *durableState
	// replay applies a Note.
	replay(data []byte)
	// snapshot calls set for each part of the state that changed since the last
	// call; a nil value removes the part. It is called under the sequencer.
	snapshot(set func(part, value []byte))
	// restore takes over one part of the last checkpoint.
	restore(part, value []byte) error
}

// large is a durable whose snapshot leaves parts for the next one if they are many.
type large interface{ unfinished() bool }

// durableState is the bookkeeping of one durable.
type durableState struct {
	owner uint64
	dirty bool // in Broker.dirty
}

// loading is what is needed to load and to replay.
type loading struct {
	owners  map[uint64]durable          // whose Notes are replayed
	at      map[uint64]storage.Position // of the checkpoints that were restored, by owner
	logs    map[storage.LogID]logOwner  // whose appends and deletes are replayed
	streams map[uint64]*Stream
	orphans []uint64 // owners that are gone, of which something is stored
}

// logOwner hears replayed appends and deletes of its Log.
type logOwner interface {
	replayAppend(e *Entry)
	replayDelete(from, to Offset)
}

// changed has d written by the next checkpoint. Requires: the sequencer.
func (b *Broker) changed(d durable) {
	if st := d.durableState(); !st.dirty && st.owner != 0 {
		st.dirty = true
		b.dirty = append(b.dirty, d)
	}
}

// note records a change of d.
func (tx *Tx) note(d durable, data []byte) {
	tx.Note(d.durableState().owner, data)
	tx.b.changed(d)
}

// register gives d the name that its Notes and checkpoints go by. Requires: the sequencer, or loading.
func (b *Broker) register(d durable, owner uint64) {
	d.durableState().owner = owner
	if b.loading != nil {
		b.loading.owners[owner] = d
	}
}

// forget ends d's durable state. What a checkpoint under way writes of it yet is removed by the next start.
func (tx *Tx) forget(d durable) {
	st := d.durableState()
	if st.owner == 0 {
		return
	}
	k := key(keyState, st.owner)
	tx.UnsetRange(k, keyEnd(k))
	st.owner = 0
}

// load reads everything that checkpoints and the index hold. What one step
// reads may refer to what earlier ones made.
func (b *Broker) load() error {
	v, err := b.store.Get([]byte{keyNextID})
	if err != nil {
		return err
	}
	b.ids.load(v)
	if v, err = b.store.Get([]byte{keyClean}); err != nil {
		return err
	}
	b.clean = len(v) > 0
	err = b.scan([]byte{keyNamespace}, func(k, v []byte) error {
		var id uint64
		if _, ok := keyIDs(k, &id); !ok {
			return fmt.Errorf("namespace key %x", k)
		}
		ns := newNamespace(b, id, string(v))
		ns.loading = new(hamt.Edit)
		b.addNamespace(ns)
		return nil
	})
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		b.loadStreams, b.loadQueues, b.loadCursors, b.loadTopology, b.loadStates,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, s := range b.loading.streams {
		if p := s.partition(0); p != nil && p.keys != nil {
			p.keys.restored()
		}
	}
	return nil
}

// scan is Store.Scan with a function that can fail.
func (b *Broker) scan(prefix []byte, f func(k, v []byte) error) error {
	var failed error
	err := b.store.Scan(prefix, func(k, v []byte) bool {
		failed = f(k, v)
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

// namespaceByID is for loading.
func (b *Broker) namespaceByID(id uint64) *Namespace {
	for _, ns := range *b.namespaces.Load() {
		if ns.id == id {
			return ns
		}
	}
	return nil
}

func (b *Broker) loadStates() error {
	return b.scan([]byte{keyState}, func(k, v []byte) error {
		var owner uint64
		part, ok := keyIDs(k, &owner)
		d := b.loading.owners[owner]
		if ok && d == nil { // left by a checkpoint that overlapped with a deletion
			if n := len(b.loading.orphans); n == 0 || b.loading.orphans[n-1] != owner {
				b.loading.orphans = append(b.loading.orphans, owner)
			}
		}
		if d == nil || len(v) < 8 {
			return nil
		}
		at := storage.Position(binary.BigEndian.Uint64(v))
		if other, ok := b.loading.at[owner]; !ok || at < other {
			b.loading.at[owner] = at
		}
		return d.restore(part, v[8:])
	})
}

// recovery is the Broker as storage.StateMachine.
type recovery struct{ b *Broker }

func (r recovery) ReplayAppend(pos storage.Position, log storage.LogID, e *Entry) {
	if o := r.b.loading.logs[log]; o != nil {
		o.replayAppend(e)
	}
}

func (r recovery) ReplayDelete(pos storage.Position, log storage.LogID, from, to Offset) {
	if o := r.b.loading.logs[log]; o != nil {
		o.replayDelete(from, to)
	}
}

func (r recovery) ReplayNote(pos storage.Position, owner uint64, data []byte) {
	if d := r.b.loading.owners[owner]; d != nil && pos > r.b.loading.at[owner] {
		d.replay(data)
		r.b.changed(d)
	}
}

const (
	// checkpointBatch is how many owners are encoded while holding the sequencer
	// once.
	checkpointBatch = 128
	// checkpointBytes is how much is encoded before it is handed over.
	checkpointBytes = 4 << 20
)

// Checkpoint encodes what changed, waits until all that the encodings reflect is
// durable, and only then hands them over: a checkpoint never holds what a crash
// could take back.
func (r recovery) Checkpoint(at storage.Position, set func(key, value []byte)) error {
	b := r.b
	type change struct{ key, value []byte }
	var changes []change
	size := 0
	tx := b.Begin()
	dirty := b.dirty // what changes from now on is replayed, and is for the next one
	b.dirty = nil
	for _, x := range b.indexed { // what was handed over last time is in the index store
		x.written()
	}
	b.indexed = nil
	for ; ; tx = b.Begin() {
		var c committed
		c.wg.Add(1)
		batch := dirty[:min(len(dirty), checkpointBatch)]
		dirty = dirty[len(batch):]
		pos := binary.BigEndian.AppendUint64(nil, uint64(b.store.Applied()))
		for i, d := range batch {
			st := d.durableState()
			st.dirty = false
			if st.owner == 0 {
				continue
			}
			d.snapshot(func(part, value []byte) {
				c := change{key: append(key(keyState, st.owner), part...)}
				if value != nil {
					c.value = append(pos[:8:8], value...)
				}
				changes = append(changes, c)
				size += len(c.key) + len(value)
			})
			if l, ok := d.(large); ok && l.unfinished() {
				st.dirty = true
				dirty = append(dirty, d)
			}
			if size > checkpointBytes {
				dirty = append(dirty, batch[i+1:]...)
				break
			}
		}
		last := len(dirty) == 0
		wait := last || size > checkpointBytes
		if wait {
			if len(changes) > 0 {
				tx.Note(0, nil) // so that its completion tells of all before it
			}
			tx.Then(&c)
		}
		tx.Commit()
		if !wait {
			continue
		}
		c.wg.Wait()
		if c.err != nil {
			return c.err
		}
		for _, c := range changes {
			set(c.key, c.value)
		}
		clear(changes)
		changes, size = changes[:0], 0
		if last {
			return nil
		}
	}
}

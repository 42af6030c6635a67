package core

import "encoding/binary"

// recovered finishes what needs the replayed state, transactions or workers, and removes the state of orphans.
func (b *Broker) recovered(orphans []uint64) error {
	for _, ns := range *b.namespaces.Load() {
		ns.Streams(func(s *Stream) bool {
			s.recovered()
			return true
		})
		ns.Queues(func(q *Queue) bool {
			q.c.recovered()
			return true
		})
	}
	return b.Committed(func(tx *Tx) error {
		for _, owner := range orphans {
			k := key(keyState, owner)
			tx.UnsetRange(k, keyEnd(k))
		}
		tx.Unset([]byte{keyClean})
		b.CreateNamespace(tx, DefaultNamespace)
		return nil
	})
}

// recovered builds what is derived from the stored messages.
func (s *Stream) recovered() {
	for _, p := range s.partitions() {
		if p.keys == nil || p.keys.total+s.state.unknown == p.log.Messages() {
			continue
		}
		s.b.log.Warn("the key index does not fit the log and is built anew", "stream", s.config().Name)
		p.reindex()
	}
	for _, c := range s.waiting {
		c.recovered()
	}
	if s.config().Expiring {
		for _, p := range s.partitions() {
			p.restartExpiry()
		}
	}
	if s.config().MaxAge > 0 || s.config().MaxBytes > 0 || s.config().Expiring {
		s.b.workers.wake(s.janitor)
	}
}

// reindexStep bounds what reindex holds in memory at once.
const reindexStep = 1024

// reindex builds the key index anew from the Log.
func (p *partition) reindex() {
	p.keys = p.newKeys()
	p.indexLog()
	b, st := p.s.b, p.s.state
	st.unknown = p.log.Messages() - p.keys.total
	part := func(p byte) []byte { return append(key(keyState, st.ds.owner), p) }
	pos := binary.BigEndian.AppendUint64(nil, uint64(b.store.Applied()))
	tx := b.Begin()
	tx.UnsetRange(part(partNames), part(partKeyPage+1))
	tx.Set(part(partUnknown), binary.AppendUvarint(pos, uint64(st.unknown)))
	b.changed(st)
	tx.Commit()
}

// indexLog adds what the Log holds, as far as it can be read, to an empty key index.
func (p *partition) indexLog() {
	var es []Entry
	var ms []Message
	for o, end := p.log.Start(), p.log.End(); o < end; {
		var next Offset
		var err error
		es, next, err = p.log.Read(o, Limit{Entries: reindexStep, Bytes: readAheadBytes}, es[:0])
		if err != nil {
			p.s.b.log.Error("a damaged message is left out of the key index", "stream", p.s.config().Name, "err", err)
		}
		for i := range es {
			e := &es[i]
			if e.Count > 1 {
				if ms, err = p.s.b.messages(e, ms[:0]); err != nil {
					p.s.b.log.Error("a message that cannot be read is left out of the key index", "stream", p.s.config().Name, "err", err)
					continue
				}
			}
			for k := range e.Count {
				if e.Count == 1 {
					p.keys.add(e.Offset, e.Key)
				} else if int(k) < len(ms) && p.log.Live(e.Offset+Offset(k)) {
					p.keys.add(e.Offset+Offset(k), ms[k].Key)
				}
			}
		}
		if next <= o {
			next = o + 1
		}
		o = next
	}
}

// newKeys makes an empty key index.
func (p *partition) newKeys() *keyIndex {
	if p.s.config().Volatile {
		return newKeyIndex(p.log, nil, nil)
	}
	b := p.s.b
	return newKeyIndex(p.log, func(no Offset) []byte {
		// The stream's id is the owner of its state, and stays when that is gone.
		v, err := b.store.Get(binary.BigEndian.AppendUint64(append(key(keyState, p.s.id), partKeyPage), uint64(no)))
		if err != nil {
			b.log.Error("cannot read a page of a key index", "stream", p.s.config().Name, "page", no, "err", err)
		}
		if len(v) < 8 {
			return nil
		}
		return v[8:] // behind the position
	}, &b.pages)
}

// replayAppend is logOwner. What the checkpoint of the key index knows of already
// is passed over, and what was removed since.
func (p *partition) replayAppend(e *Entry) {
	if p.s.queue != nil {
		return
	}
	p.s.state.stored(p.index, e, e.Time)
	if p.keys == nil || e.Next() <= p.keys.end {
		return
	}
	p.s.b.changed(p.s.state)
	if e.Count == 1 {
		if p.log.Retains(e.Offset) {
			p.keys.add(e.Offset, e.Key)
		}
		return
	}
	ms, err := p.s.b.messages(e, nil)
	for i := range e.Count {
		if o := e.Offset + Offset(i); err == nil && int(i) < len(ms) && o >= p.keys.end && p.log.Retains(o) {
			p.keys.add(o, ms[i].Key)
		}
	}
}

// replayDelete is logOwner. The Log has deleted it already, so it was not counted.
func (p *partition) replayDelete(from, to Offset) {
	if p.keys == nil {
		return
	}
	p.keys.removed(from, to)
}

// markClean says that nothing was delivered that the last checkpoint does not
// know of. Handing out is no change of its own; but what is in flight stays in
// flight over an orderly restart, so that who has it can still settle it.
// Requires: the sequencer, and no deliveries any more.
func (b *Broker) markClean(tx *Tx) {
	mark := func(c *Cursor) {
		if c.touched() {
			b.changed(c)
		}
	}
	b.Namespaces(func(ns *Namespace) bool {
		ns.Queues(func(q *Queue) bool { mark(&q.c); return true })
		ns.Streams(func(s *Stream) bool {
			for _, c := range s.waiting {
				mark(c)
			}
			return true
		})
		return true
	})
	tx.Set([]byte{keyClean}, []byte{1})
}

// touched reports whether the cursor knows anything that its Log does not tell.
func (c *Cursor) touched() bool {
	c.lock()
	defer c.unlock()
	return c.mu.delivered != NoOffset || len(c.mu.past) > 0
}

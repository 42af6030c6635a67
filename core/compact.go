package core

import (
	"time"

	"github.com/minio/highwayhash"
)

const (
	// compactDelay is how long after an append a log is compacted.
	compactDelay = 15 * time.Second
	// compactSmall is how many messages a log may have to be compacted whenever there is
	// something new, whatever Compaction.Dirty says.
	compactSmall = 1 << 16
	// compactKeys bounds the keys that one pass holds in memory, 24 bytes each.
	compactKeys = 1 << 20
	// compactAgain is how long after a pass that left messages below MinAge the next one is.
	compactAgain = time.Second
)

// Compaction keeps only the last message of each key, in the background. Ages are counted from the
// time of the message.
type Compaction struct {
	On bool `json:",omitzero"`
	// MinAge is how long a message stays in any case.
	MinAge time.Duration `json:",omitzero"`
	// Dirty is how much of a large log must be new for a pass to be worth it: 0 to 1. MaxAge is how
	// old a new message may get before there is one all the same; 0 = there need not be.
	Dirty  float64       `json:",omitzero"`
	MaxAge time.Duration `json:",omitzero"`
	// TombstoneAge is how long a message without a value stays, so that readers hear of it.
	TombstoneAge time.Duration `json:",omitzero"`
}

// compact keeps only the last message of each key, and reports whether another
// pass is due. It belongs to the janitor.
func (p *partition) compact() (more bool) {
	c, end := p.s.config(), p.log.End()
	from := max(p.cleaned, p.log.Start())
	now := p.s.b.now()
	if !c.Compact.On || from >= end || p.s.queue != nil || !p.worth(&c.Compact, from, end, now) {
		return false
	}
	last := map[idHash]Offset{} // of the keys of what is new
	to := end
	p.eachMessage(from, end, func(e *Entry, o Offset, m *Message) bool {
		if ripe := after(e.Time, c.Compact.MinAge); ripe > now {
			p.s.janitor.aging(max(ripe, after(now, compactAgain)))
			to = o
			return false
		}
		if m.Key != nil && !m.Hidden && !e.Producer.Transactional {
			if len(last) == compactKeys {
				to, more = o, true
				return false
			}
			last[highwayhash.Sum128(m.Key, dedupKey)] = o
		}
		return true
	})
	if to <= from {
		return false
	}
	var gone []Offset
	p.eachMessage(p.log.Start(), to, func(e *Entry, o Offset, m *Message) bool {
		if m.Key == nil || m.Hidden || e.Producer.Transactional {
			return true
		}
		newest, known := last[highwayhash.Sum128(m.Key, dedupKey)]
		if known && newest > o || m.Value == nil && after(e.Time, c.Compact.TombstoneAge) < now && (!known || newest == o) {
			gone = append(gone, o)
		}
		if len(gone) >= janitorStep {
			p.removeAll(gone)
			gone = gone[:0]
		}
		return true
	})
	p.removeAll(gone)
	p.cleaned = to
	return more
}

// worth reports whether a pass over what is new, [from, end), is due; else the janitor comes
// again when it will be.
func (p *partition) worth(c *Compaction, from, end Offset, now int64) bool {
	live := p.log.Messages()
	if live <= compactSmall || float64(end-from) >= c.Dirty*float64(live) {
		return true
	}
	if c.MaxAge == 0 {
		return false
	}
	due := now
	p.eachMessage(from, end, func(e *Entry, _ Offset, _ *Message) bool {
		due = after(e.Time, c.MaxAge)
		return false
	})
	if due > now {
		p.s.janitor.aging(due)
	}
	return due <= now
}

// eachMessage calls f for the visible live messages in [from, to), until it
// returns false. What cannot be read is passed over.
func (p *partition) eachMessage(from, to Offset, f func(e *Entry, o Offset, m *Message) bool) {
	var es []Entry
	var ms []Message
	for from < to {
		var err error
		var next Offset
		es, next, err = p.log.Read(from, Limit{Entries: readAheadEntries, Bytes: readAheadBytes}, es[:0])
		if err != nil {
			p.s.b.log.Error("a damaged message is left as it is", "stream", p.s.config().Name, "err", err)
		}
		for i := range es {
			e := &es[i]
			if ms, err = p.s.b.messages(e, ms[:0]); err != nil || len(ms) < int(e.Count) {
				continue
			}
			for k := range e.Count {
				o := e.Offset + Offset(k)
				if o < from || o >= to || e.Count > 1 && !p.log.Live(o) {
					continue
				}
				if !f(e, o, &ms[k]) {
					return
				}
			}
		}
		from = max(next, from+1)
	}
}

// removeAll deletes messages in one transaction.
func (p *partition) removeAll(os []Offset) {
	if len(os) == 0 {
		return
	}
	tx := p.s.b.Begin()
	defer tx.Commit()
	if p.s.gone || tx.refused {
		return
	}
	if p.keys == nil {
		deleteRanges(tx, p.log, os)
		return
	}
	for _, o := range os {
		p.remove(tx, o)
	}
}

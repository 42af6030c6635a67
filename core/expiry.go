package core

import (
	"container/heap"
	"errors"
	"slices"
	"time"

	"trivium/storage"
)

// NeverExpires is the Expires of a message that outlives even MaxAge.
const NeverExpires int64 = forever

// expiry knows when the messages of a partition end, if its Stream is Expiring: by
// their own Expires, else by MaxAge. It is derived: after a restart, and after a
// change of MaxAge, the janitor reads the Log again. Guarded by the sequencer.
type expiry struct {
	ends expiryHeap
	// Messages from read up to known are not in ends yet.
	read, known Offset
}

// tellRetry is when to look again for a message that ended before it was on disk.
const tellRetry = 10 * time.Millisecond

// expires is one message's end.
type expires struct {
	at int64
	o  Offset
}

// add notes when e ends. Requires: the sequencer.
func (p *partition) addExpiry(e *Entry, c *StreamConfig) {
	at := e.Expires
	if at == 0 && c.MaxAge > 0 {
		at = after(e.Time, c.MaxAge)
	}
	if at == 0 || at == NeverExpires {
		return
	}
	for o := e.Offset; o < e.Next(); o++ {
		heap.Push(&p.expiry.ends, expires{at, o})
	}
	p.s.janitor.aging(at)
}

// restartExpiry makes the janitor read everything again that can be read; what is on
// its way to disk is kept. Requires: the sequencer.
func (p *partition) restartExpiry() {
	x, end := &p.expiry, p.log.End()
	x.read, x.known = p.log.Start(), end
	x.ends = slices.DeleteFunc(x.ends, func(e expires) bool { return e.o < end })
	heap.Init(&x.ends)
}

// expire removes what has ended, one step of it.
func (p *partition) expire() (more bool) {
	b, c := p.s.b, p.s.config()
	if !c.Expiring {
		return false
	}
	if c.TellExpired && p.s.events.Load() == nil {
		return false // SetEvents comes back here
	}
	if p.readExpiry(c) {
		return true
	}
	tx := b.Begin()
	lasts, more := p.removeExpired(tx, c)
	tx.Commit()
	p.tellExpired(lasts)
	return more
}

// removeExpired removes what has ended, but for those that are the last of their key and
// are to be told of: they have to be read first. Requires: the sequencer.
func (p *partition) removeExpired(tx *Tx, c *StreamConfig) (lasts []Offset, more bool) {
	x := &p.expiry
	now := p.s.b.now()
	for n := 0; !p.s.gone && len(x.ends) > 0; n++ {
		if x.ends[0].at > now {
			p.s.janitor.aging(x.ends[0].at)
			break
		}
		if n == janitorStep {
			return lasts, true
		}
		if c.TellExpired && x.ends[0].o >= p.log.End() {
			p.s.janitor.aging(after(now, tellRetry)) // it is on its way to disk: not to be read yet
			break
		}
		o := heap.Pop(&x.ends).(expires).o
		if c.TellExpired && p.lastOfKey(o) {
			lasts = append(lasts, o)
			continue
		}
		p.remove(tx, o)
	}
	if int64(len(x.ends)) > 2*p.log.Messages()+janitorStep {
		p.restartExpiry() // most were removed before their time
		return lasts, true
	}
	return lasts, false
}

// lastOfKey reports whether the message at o is the only one left of its key.
func (p *partition) lastOfKey(o Offset) bool {
	if p.keys == nil {
		return false
	}
	k, ok := p.keys.key(o)
	if !ok {
		return false
	}
	st, _ := p.keys.state(raw(k), maxOffset)
	return st.Messages == 1
}

// tellExpired removes messages that have ended, and tells of each that still is the
// last of its key.
func (p *partition) tellExpired(lasts []Offset) {
	if len(lasts) == 0 {
		return
	}
	entries := make([]*Entry, len(lasts))
	for i, o := range lasts {
		var err error
		var known *Error
		if entries[i], err = p.get(o); err != nil && !(errors.As(err, &known) && known.Code == NotFound) {
			p.s.b.log.Error("cannot read what expires", "stream", p.s.config().Name, "offset", o, "err", err)
		}
	}
	tx := p.s.b.Begin()
	defer tx.Commit()
	if p.s.gone {
		return
	}
	for i, o := range lasts {
		last := p.lastOfKey(o)
		if p.remove(tx, o) && last && entries[i] != nil {
			(*p.s.events.Load()).Expired(tx, entries[i], o)
		}
	}
}

// readExpiry reads a step of what was stored before the restart, and reports
// whether it had to.
func (p *partition) readExpiry(c *StreamConfig) (more bool) {
	b, x := p.s.b, &p.expiry
	tx := b.Begin()
	read, known := x.read, x.known
	tx.Commit()
	if read >= known {
		return false
	}
	es, next, err := p.log.Read(read, Limit{Entries: janitorStep, Bytes: 1 << 20}, nil)
	switch {
	case err == nil && len(es) == 0:
		next = known
	case err != nil && !storage.IsCorrupt(err):
		b.log.Error("cannot read a log to find what expires", "stream", c.Name, "err", err)
		next = known
	}
	tx = b.Begin()
	defer tx.Commit()
	if x.read != read || x.known != known {
		return true // restarted meanwhile
	}
	for i := range es {
		if es[i].Offset < known {
			p.addExpiry(&es[i], c)
		}
	}
	x.read = max(next, read+1)
	return true
}

// expiryHeap implements heap.Interface: what ends first is first.
type expiryHeap []expires

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h expiryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *expiryHeap) Push(x any)        { *h = append(*h, x.(expires)) }

// Pop is heap's.
func (h *expiryHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

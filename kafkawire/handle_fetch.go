package kafkawire

import (
	"time"

	"trivium/core"
	"trivium/kafkawire/wire"
)

// Fetch (1), versions 4 to 18. Deviation: only whole batches are sent, never the
// cut-off beginning of one. Source: Kafka 4.3.1; spec 2.4, KIP-74, KIP-227, KIP-516.

// fetch is one request while it waits for its turn or for data. Its fields are
// set by the reader, then owned by whoever writes; its session's parts are
// guarded by the session.
type fetch struct {
	c       *conn
	slot    *slot
	version int16
	// What was asked for.
	minBytes, maxBytes int
	committed          bool
	follower           bool
	deadline           time.Time
	// session is nil for a fetch without one. full: every partition is in the
	// answer, not only what changed.
	session *session
	full    bool
	err     int16
	parts   []*fetchPart // without a session

	timer   *time.Timer
	watched []*core.Log
}

// handleFetch puts a fetch in the queue.
func (c *conn) handleFetch(h wire.Header, body []byte) error {
	if h.Version < wire.FetchMin || h.Version > wire.FetchMax {
		return errRequest
	}
	var q wire.FetchRequest
	if err := q.Decode(h.Version, body); err != nil {
		return err
	}
	now := time.Now()
	f := &fetch{
		c: c, version: h.Version, committed: q.ReadCommitted, follower: q.ReplicaID >= 0,
		maxBytes: min(max(int(q.MaxBytes), 0), c.s.o.MaxFetchBytes),
		deadline: now.Add(time.Duration(q.MaxWait) * time.Millisecond),
	}
	f.minBytes = min(int(q.MinBytes), f.maxBytes)
	f.err = c.openSession(f, &q, now)
	s := c.reserve(h)
	if s == nil {
		return errHangup
	}
	f.slot, s.fetch = s, f
	s.poll()
	return nil
}

// openSession finds or makes the fetch's session and applies what the request
// changes in it.
func (c *conn) openSession(f *fetch, q *wire.FetchRequest, now time.Time) int16 {
	byID := f.version >= 13
	switch {
	case q.SessionEpoch <= 0:
		if q.SessionID != 0 {
			c.s.sessions.remove(q.SessionID)
		}
		f.full = true
		parts := c.fetchParts(f.version, q)
		if q.SessionEpoch == 0 {
			f.session = c.s.sessions.create(byID, now)
		}
		if f.session == nil {
			f.parts = parts
			return 0
		}
		for _, p := range parts {
			f.session.set(p)
		}
		return 0
	default:
		ses := c.s.sessions.find(q.SessionID, now)
		if ses == nil {
			return errSessionNotFound
		}
		ses.mu.Lock()
		defer ses.mu.Unlock()
		if q.SessionEpoch != ses.epoch {
			return errSessionEpoch
		}
		if ses.byID != byID {
			return errSessionTopicID
		}
		ses.epoch = nextEpoch(ses.epoch)
		for i := range q.Forgotten {
			t := &q.Forgotten[i]
			for _, p := range q.ForgottenPartitions[t.From:t.To] {
				ses.drop(partKey{string(t.Name), t.ID, p.Partition})
			}
		}
		for _, p := range c.fetchParts(f.version, q) {
			ses.set(p)
		}
		f.session = ses
		return 0
	}
}

// fetchParts are the partitions of a request.
func (c *conn) fetchParts(version int16, q *wire.FetchRequest) []*fetchPart {
	all := make([]fetchPart, len(q.Partitions))
	parts := make([]*fetchPart, len(q.Partitions))
	for i := range q.Topics {
		t := &q.Topics[i]
		k := partKey{name: string(t.Name), id: t.ID}
		tp := c.s.resolve(version, k)
		for j := t.From; j < t.To; j++ {
			w := &q.Partitions[j]
			k.partition = w.Partition
			all[j] = fetchPart{partKey: k, topic: tp, offset: w.Offset, maxBytes: w.MaxBytes, leaderEpoch: w.LeaderEpoch}
			parts[j] = &all[j]
		}
	}
	return parts
}

func (s *Server) resolve(version int16, k partKey) *topic {
	if version >= 13 {
		return s.topics.byID(k.id)
	}
	return s.topics.byName(k.name)
}

// each calls f for the fetch's partitions in order. Requires: the session's lock.
func (f *fetch) each(do func(p *fetchPart)) {
	if f.session == nil {
		for _, p := range f.parts {
			do(p)
		}
		return
	}
	for e := f.session.parts.Front(); e != nil; e = e.Next() {
		do(e.Value.(*fetchPart))
	}
}

// Advanced is called when a partition that the fetch waits for has more.
func (f *fetch) Advanced(*core.Log) { f.slot.poll() }

// emitFetch answers the fetch that is first in the queue, if it is complete; if
// not, it has it wait.
func (c *conn) emitFetch(s *slot) bool {
	f := s.fetch
	if ses := f.session; ses != nil {
		ses.mu.Lock()
		defer ses.mu.Unlock()
	}
	if f.err == 0 && !f.gather() {
		if f.watched != nil {
			return false
		}
		f.watch()
		if !f.gather() { // what came between reading and watching
			return false
		}
	}
	f.unwatch()
	f.emit()
	return true
}

func (f *fetch) watch() {
	f.watched = make([]*core.Log, 0, 1)
	f.each(func(p *fetchPart) {
		if p.got.err == 0 && p.got.log != nil {
			p.got.log.Watch(f)
			f.watched = append(f.watched, p.got.log)
		}
	})
	f.timer = time.AfterFunc(time.Until(f.deadline), f.slot.poll)
}

func (f *fetch) unwatch() {
	for _, l := range f.watched {
		l.Unwatch(f)
	}
	f.watched = nil
	if f.timer != nil {
		f.timer.Stop()
	}
}

// cancel gives the fetch up, with its connection.
func (f *fetch) cancel() {
	f.unwatch()
	if ses := f.session; ses != nil {
		ses.mu.Lock()
		defer ses.mu.Unlock()
	}
	if f.err == 0 {
		f.each(func(p *fetchPart) { p.got.close() })
	}
}

// gather reads on where it stopped before, and reports whether there is an answer.
func (f *fetch) gather() bool {
	var (
		total, valid int
		now          = !time.Now().Before(f.deadline)
		checked      *topic // is current
	)
	f.each(func(p *fetchPart) {
		if p.topic != nil && p.topic != checked {
			if !f.c.s.topics.current(p.topic) {
				f.c.s.topics.forget(p.topic)
				p.topic = nil
			}
		}
		if p.topic == nil {
			p.topic = f.c.s.resolve(f.version, p.partKey)
		}
		checked = p.topic
		g := &p.got
		if g.err = f.checkPart(p); g.err != 0 {
			g.close()
			if g.log != nil {
				now = true
			}
			return
		}
		valid++
		limit := min(int(p.maxBytes), f.maxBytes-total)
		f.c.s.readPart(f, p, limit, total == 0)
		if g.err != 0 {
			now = true
		}
		total += g.size
	})
	return now || valid == 0 || total >= f.minBytes
}

// checkPart says why a partition cannot be read. got.log is set if that is for a
// reason that a reader must hear of at once.
func (f *fetch) checkPart(p *fetchPart) int16 {
	g := &p.got
	if p.topic == nil {
		g.log = nil
		if f.version >= 13 {
			return errUnknownTopicID
		}
		return errUnknownTopic
	}
	l := p.topic.log(p.partition)
	if l != g.log {
		g.close()
		g.log = l
	}
	switch {
	case l == nil:
		return errUnknownTopic
	case f.follower:
		return errNotLeader
	case p.leaderEpoch > leaderEpoch:
		return errUnknownEpoch
	case core.Offset(p.offset) < l.Start() || core.Offset(p.offset) > l.End():
		return errOffsetOutOfRange
	}
	return 0
}

// leaderEpoch is every partition's: there is one replica, and it always leads.
const leaderEpoch = 0

// emit hands the answer to the connection's output.
func (f *fetch) emit() {
	s, v := f.slot, f.version
	var id int32
	if f.session != nil {
		id = f.session.id
	}
	// Partitions that are in the answer, in runs of one topic.
	var in []*fetchPart
	size := 0
	if f.err == 0 {
		f.each(func(p *fetchPart) {
			if p.changed(f) {
				in = append(in, p)
				size += p.got.size
			} else {
				p.got.close()
			}
		})
	}
	topics := 0
	for i, p := range in {
		if i == 0 || !p.sameTopic(in[i-1]) {
			topics++
		}
	}
	bp := bufs.Get().(*[]byte)
	b := wire.BeginResponse(*bp, s.h)
	b = wire.AppendFetchHead(b, v, f.err, id, topics)
	cuts := make([]int, len(in))
	for i, p := range in {
		if i == 0 || !p.sameTopic(in[i-1]) {
			n := 1
			for n < len(in)-i && in[i+n].sameTopic(p) {
				n++
			}
			b = wire.AppendFetchTopic(b, v, p.name, p.id, n)
		}
		r := wire.FetchResult{Partition: p.partition, Err: p.got.err, HighWatermark: -1, Stable: -1, Start: -1}
		if r.Err == 0 {
			r.HighWatermark, r.Stable, r.Start = p.hw, p.hw, p.start
		}
		b = wire.AppendFetchPartition(b, v, &r, f.committed, p.got.size)
		cuts[i] = len(b)
		b = wire.AppendFetchEnd(b, v)
		if i == len(in)-1 || !in[i+1].sameTopic(p) {
			b = wire.AppendFetchEnd(b, v)
		}
	}
	b = wire.AppendFetchEnd(b, v)
	wire.EndResponse(b, 0, int64(size))
	*bp = b

	out := &f.c.out
	out.owned = append(out.owned, bp)
	f.c.s.metrics.fetchedBytes.Add(int64(size))
	from := 0
	for i, p := range in {
		if p.got.size > 0 {
			out.mem(b[from:cuts[i]])
			from = cuts[i]
			p.got.emit(out)
			f.c.s.metrics.fetched.Add(int64(p.got.next) - p.offset)
			if f.session != nil {
				f.session.parts.MoveToBack(p.elt) // others come first next time
			}
		}
		p.got.close()
	}
	out.mem(b[from:])
}

// changed notes what the client is told of p, and reports whether it is told.
func (p *fetchPart) changed(f *fetch) bool {
	g := &p.got
	if g.err != 0 {
		p.told = false
		return true
	}
	hw, start := int64(g.log.End()), int64(g.log.Start())
	hw = max(hw, int64(g.next))
	told := p.told && hw == p.hw && start == p.start
	p.told, p.hw, p.start = true, hw, start
	return f.full || !told || g.size > 0
}

func (p *fetchPart) sameTopic(o *fetchPart) bool { return p.name == o.name && p.id == o.id }

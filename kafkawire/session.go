package kafkawire

import (
	"container/list"
	"math/rand/v2"
	"sync"
	"time"
)

// Fetch sessions, KIP-227: a client names its partitions once, and then only what
// changes; the server answers only what changed. A session belongs to no
// connection.

// sessionIdle is how long a session must be unused before another may take its place.
const sessionIdle = 2 * time.Minute

// partKey names a partition as the client does: by name, or by id.
type partKey struct {
	name      string
	id        topicID
	partition int32
}

// fetchPart is a partition of a fetch, or of a session from one fetch to the next.
type fetchPart struct {
	partKey
	topic       *topic // nil if there is none such
	offset      int64
	maxBytes    int32
	leaderEpoch int32

	// What the client was last told, in a session.
	told      bool
	hw, start int64

	got partRead // by the fetch that is being answered
	elt *list.Element
}

// session is one fetch session. The fetch that is first in its connection's
// queue uses it.
type session struct {
	id   int32
	byID bool

	mu    sync.Mutex
	epoch int32 // of the next request
	parts *list.List
	index map[partKey]*fetchPart
}

// sessions are the sessions of all clients.
type sessions struct {
	max int
	mu  struct {
		sync.Mutex
		byID map[int32]*list.Element // of order
		// order has the least recently used first.
		order *list.List
	}
}

type sessionUse struct {
	*session
	at time.Time
}

func newSessions(max int) *sessions {
	s := &sessions{max: max}
	s.mu.byID = make(map[int32]*list.Element)
	s.mu.order = list.New()
	return s
}

func (s *sessions) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.byID)
}

// create makes a session, or returns nil if there is no room: then the client
// goes on without one.
func (s *sessions) create(byID bool, now time.Time) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.byID) >= s.max {
		oldest := s.mu.order.Front()
		if oldest == nil || now.Sub(oldest.Value.(*sessionUse).at) < sessionIdle {
			return nil
		}
		s.removeLocked(oldest)
	}
	id := rand.Int32N(1<<31-2) + 1
	for s.mu.byID[id] != nil {
		id = rand.Int32N(1<<31-2) + 1
	}
	ses := &session{id: id, byID: byID, epoch: 1, parts: list.New(), index: make(map[partKey]*fetchPart)}
	s.mu.byID[id] = s.mu.order.PushBack(&sessionUse{ses, now})
	return ses
}

// find returns the session and marks it as used.
func (s *sessions) find(id int32, now time.Time) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.mu.byID[id]
	if e == nil {
		return nil
	}
	u := e.Value.(*sessionUse)
	u.at = now
	s.mu.order.MoveToBack(e)
	return u.session
}

func (s *sessions) remove(id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.mu.byID[id]; e != nil {
		s.removeLocked(e)
	}
}

func (s *sessions) removeLocked(e *list.Element) {
	delete(s.mu.byID, e.Value.(*sessionUse).id)
	s.mu.order.Remove(e)
}

// nextEpoch is the epoch after e; it wraps to 1.
func nextEpoch(e int32) int32 {
	if e == 1<<31-1 {
		return 1
	}
	return e + 1
}

// set adds or changes a partition.
func (ses *session) set(p *fetchPart) {
	if old := ses.index[p.partKey]; old != nil {
		old.offset, old.maxBytes, old.leaderEpoch = p.offset, p.maxBytes, p.leaderEpoch
		return
	}
	p.elt = ses.parts.PushBack(p)
	ses.index[p.partKey] = p
}

// drop removes a partition.
func (ses *session) drop(k partKey) {
	if p := ses.index[k]; p != nil {
		p.got.close() // a fetch may be waiting with it
		ses.parts.Remove(p.elt)
		delete(ses.index, k)
	}
}

package kafkawire

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"trivium/core"
	"trivium/kafkawire/group"
)

// groupPrefix is the documents that keep groups.
const groupPrefix = "group/"

// retentionCheck is how often offsets are checked for expiry
// (offsets.retention.check.interval.ms).
const retentionCheck = 10 * time.Minute

// coordinator owns the groups.
type coordinator struct {
	s  *Server
	mu struct {
		sync.Mutex
		groups map[string]*held
		closed bool
		expiry *time.Timer
	}
}

// held is a group with its lock and timer.
type held struct {
	c    *coordinator
	name string
	mu   struct {
		sync.Mutex
		g     *group.Group
		timer *time.Timer
		armed time.Time // when timer fires; zero if it does not
		dead  bool
		saved bool // a document exists
	}
}

func newCoordinator(s *Server) *coordinator {
	c := &coordinator{s: s}
	c.mu.groups = make(map[string]*held)
	now := time.Now()
	err := s.ns.Docs(Realm, groupPrefix, func(key string, value []byte) bool {
		name := key[len(groupPrefix):]
		g, err := group.Restore(name, value, &s.o.Groups, now, uuid.NewString)
		if err != nil {
			s.log.Error("kafka: group not restored: its members will join anew", "err", err)
			return true
		}
		h := &held{c: c, name: name}
		h.mu.g, h.mu.saved = g, true
		c.mu.groups[name] = h
		h.mu.Lock()
		h.armLocked(now)
		h.mu.Unlock()
		return true
	})
	if err != nil {
		s.log.Error("kafka: groups not restored", "err", err)
	}
	c.mu.expiry = time.AfterFunc(retentionCheck, c.expire)
	return c
}

func (c *coordinator) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.groups)
}

// close stops the timers.
func (c *coordinator) close() {
	c.mu.Lock()
	c.mu.closed = true
	c.mu.expiry.Stop()
	var hs []*held
	for _, h := range c.mu.groups {
		hs = append(hs, h)
	}
	c.mu.Unlock()
	for _, h := range hs {
		h.mu.Lock()
		if h.mu.timer != nil {
			h.mu.timer.Stop()
		}
		h.mu.Unlock()
	}
}

// find returns a group, or nil; get makes it.
func (c *coordinator) find(name string) *held {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.groups[name]
}

func (c *coordinator) get(name string) *held {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.mu.groups[name]
	if h == nil {
		h = &held{c: c, name: name}
		h.mu.g = group.New(name, &c.s.o.Groups, time.Now(), uuid.NewString)
		c.mu.groups[name] = h
	}
	return h
}

// names are all groups that have members, a saved state or positions, sorted.
func (c *coordinator) names() []string {
	var names []string
	c.mu.Lock()
	for name := range c.mu.groups {
		names = append(names, name)
	}
	c.mu.Unlock()
	c.s.ns.Groups(Realm, func(o *core.Offsets) bool {
		names = append(names, o.Group())
		return true
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// with calls f on the group, then does what f caused. f reports false if the
// group is dead: then the caller looks it up again.
func (h *held) with(f func(now time.Time, g *group.Group)) bool {
	h.mu.Lock()
	if h.mu.dead {
		h.mu.Unlock()
		return false
	}
	now := time.Now()
	f(now, h.mu.g)
	e := h.mu.g.Take()
	h.armLocked(now)
	if _, idle := h.mu.g.Idle(); idle && h.mu.g.Generation() == 0 && !h.mu.saved {
		h.buryLocked() // nobody got in
	}
	h.mu.saved = h.mu.saved || e.Save
	h.mu.Unlock()
	if e.Save {
		h.save(e.Replies)
		return true
	}
	for _, f := range e.Replies {
		f()
	}
	return true
}

// buryLocked takes the group out of the map.
func (h *held) buryLocked() {
	h.mu.dead = true
	if h.mu.timer != nil {
		h.mu.timer.Stop()
	}
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	if h.c.mu.groups[h.name] == h {
		delete(h.c.mu.groups, h.name)
	}
}

// save makes the group's state durable, then sends the replies. The state is
// taken inside the Tx, so that a newer one is never overwritten by an older. A
// group between generations is saved when it is Stable.
func (h *held) save(replies []func()) {
	tx := h.c.s.broker.Begin()
	h.mu.Lock()
	if !h.mu.dead && h.mu.g.State() != group.Completing {
		tx.SetDoc(h.c.s.ns, Realm, groupPrefix+h.name, h.mu.g.Snapshot())
	}
	h.mu.Unlock()
	tx.Then(completion(func(err error) {
		if err != nil {
			h.c.s.log.Error("kafka: group not saved", "group", h.name, "err", err)
		}
		for _, f := range replies {
			f()
		}
	}))
	tx.Commit()
}

// completion is a Completion from a function.
type completion func(err error)

func (f completion) Durable(err error) { f(err) }

// armLocked sets the timer for the group's next deadline. A timer that fires too
// early is harmless, so it is only ever moved forward.
func (h *held) armLocked(now time.Time) {
	at := h.mu.g.Deadline()
	if at.IsZero() || !h.mu.armed.IsZero() && !at.Before(h.mu.armed) {
		return
	}
	h.mu.armed = at
	d := max(at.Sub(now), 0)
	if h.mu.timer == nil {
		h.mu.timer = time.AfterFunc(d, h.tick)
		return
	}
	h.mu.timer.Reset(d)
}

func (h *held) tick() {
	h.with(func(now time.Time, g *group.Group) {
		h.mu.armed = time.Time{}
		g.Tick(now)
	})
}

// use calls f on the named group, making it if it is not there.
func (c *coordinator) use(name string, f func(now time.Time, g *group.Group)) {
	for !c.get(name).with(f) {
	}
}

// useIf calls f on the named group if it is there, and reports whether it was.
func (c *coordinator) useIf(name string, f func(now time.Time, g *group.Group)) bool {
	for {
		h := c.find(name)
		if h == nil {
			return false
		}
		if h.with(f) {
			return true
		}
	}
}

// kill ends an empty group with its positions. It reports false if it has members.
func (c *coordinator) kill(tx *core.Tx, name string) bool {
	if h := c.find(name); h != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.mu.dead && !h.mu.g.Kill(time.Now()) {
			return false
		}
		h.buryLocked()
	}
	tx.SetDoc(c.s.ns, Realm, groupPrefix+name, nil)
	if o := c.s.ns.Offsets(Realm, name); o != nil {
		o.Delete(tx)
	}
	return true
}

// forgetTopic drops all groups' positions in a topic.
func (c *coordinator) forgetTopic(tx *core.Tx, t *topic) {
	c.s.ns.Groups(Realm, func(o *core.Offsets) bool {
		var ps []core.Place
		o.Each(func(p core.Place, _ core.Position) bool {
			if p.Stream == t.stream.ID() {
				ps = append(ps, p)
			}
			return true
		})
		for _, p := range ps {
			o.Forget(tx, p)
		}
		return true
	})
}

// expire forgets groups that have had no members, and whose positions nobody
// committed, for longer than the retention.
func (c *coordinator) expire() {
	c.expireAt(time.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mu.closed {
		c.mu.expiry.Reset(retentionCheck)
	}
}

func (c *coordinator) expireAt(now time.Time) {
	for _, name := range c.names() {
		since, ok := c.idleSince(name)
		if !ok || now.Sub(since) < c.s.o.OffsetsRetention {
			continue
		}
		err := c.s.broker.Committed(func(tx *core.Tx) error {
			c.kill(tx, name)
			return nil
		})
		if err != nil {
			c.s.log.Error("kafka: group not expired", "group", name, "err", err)
			return
		}
		c.s.log.Info("kafka: group expired", "group", name, "idle_since", since)
	}
}

// idleSince is when a group without members was last used, false if it has members.
func (c *coordinator) idleSince(name string) (since time.Time, ok bool) {
	ok = true
	c.useIf(name, func(_ time.Time, g *group.Group) { since, ok = g.Idle() })
	if o := c.s.ns.Offsets(Realm, name); o != nil && ok {
		o.Each(func(_ core.Place, p core.Position) bool {
			if t := time.Unix(0, p.Time); t.After(since) {
				since = t
			}
			return true
		})
	}
	return since, ok
}

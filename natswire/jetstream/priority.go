package jetstream

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nuid"

	"trivium/core"
)

// Priority groups (nats-server 2.15.2, consumer.go nextWaiting): the requests of a pull
// consumer are not all served in turn, but those of one pinned client only, the ones
// with a better priority first, or some only while there is much to do.

// pin says which client a consumer serves; id is empty if none.
type pin struct {
	id    string
	group string
	since time.Time
	due   time.Time // when it ends, unless its client asks again
}

// turn says what a message means for a waiting request.
type turn uint8

const (
	serve    turn = iota
	passOver      // it waits for other times
	wrongPin      // it is of a client that was pinned before
)

// turnOf says whose turn it is, if pending messages were never delivered and unacked ones are
// not acked. Requires: mu.
func (c *consumer) turnOf(cfg *server.ConsumerConfig, p *pullRequest, pending int64, unacked func() int) turn {
	switch cfg.PriorityPolicy {
	case server.PriorityPinnedClient:
		pinned := c.mu.pull.pin.id
		switch {
		case p.group.Id != "" && p.group.Id != pinned:
			return wrongPin
		case p.group.Id == "" && pinned != "":
			return passOver
		}
	case server.PriorityOverflow:
		least, most := p.group.MinPending, p.group.MinAckPending
		if (least > 0 || most > 0) && !(least > 0 && least <= pending) && !(most > 0 && most <= int64(unacked())) {
			return passOver
		}
	}
	return serve
}

// asked is how many messages requests ask for that may be served now. Requires: mu.
func (c *consumer) asked(cfg *server.ConsumerConfig) (n int) {
	w := &c.mu.pull
	if cfg.PriorityPolicy == server.PriorityNone || cfg.PriorityPolicy == server.PriorityPrioritized || len(w.waiting) == 0 {
		for _, p := range w.waiting {
			n += p.n
		}
		return n
	}
	st := c.cursor.State()
	unacked := func() int { return st.InFlight }
	later := false
	for _, p := range w.waiting {
		if c.turnOf(cfg, p, st.Pending, unacked) == passOver {
			later = later || p.group.MinPending > 0
		} else {
			n += p.n
		}
	}
	if later {
		c.watchAppends()
	}
	return n
}

// prioritized reports whether requests have to be chosen for each message. Requires: mu.
func (c *consumer) prioritized(cfg *server.ConsumerConfig) bool {
	switch cfg.PriorityPolicy {
	case server.PriorityPinnedClient:
		return c.mu.pull.pin.id == ""
	case server.PriorityOverflow:
		return slices.ContainsFunc(c.mu.pull.waiting, func(p *pullRequest) bool {
			return p.group.MinPending > 0 || p.group.MinAckPending > 0
		})
	}
	return false
}

// priority orders the requests of a prioritized consumer: lower ones come first.
func (p *pullRequest) priority() int {
	if !p.grouped {
		return math.MaxInt32
	}
	return p.group.Priority
}

// add lets p wait behind those of its priority.
func (w *pull) add(cfg *server.ConsumerConfig, p *pullRequest) {
	i := len(w.waiting)
	if cfg.PriorityPolicy == server.PriorityPrioritized {
		for i > 0 && w.waiting[i-1].priority() > p.priority() {
			i--
		}
	}
	w.waiting = slices.Insert(w.waiting, i, p)
}

// join checks the group of a request; it says why the request is refused, "" = it is not. A
// pinned client that asks again stays pinned. Requires: mu.
func (c *consumer) join(cfg *server.ConsumerConfig, p *pullRequest, now time.Time) (refused string) {
	g, pin := &p.group, &c.mu.pull.pin
	switch {
	case !p.grouped:
		return ""
	case (g.MinPending != 0 || g.MinAckPending != 0) && cfg.PriorityPolicy != server.PriorityOverflow:
		return "400 Bad Request - Not a Overflow Priority consumer"
	case g.Id != "" && cfg.PriorityPolicy != server.PriorityPinnedClient:
		return "400 Bad Request - Not a Pinned Client Priority consumer"
	case g.Priority < 0 || g.Priority > 9:
		return "400 Bad Request - Priority must be between 0 and 9"
	case cfg.PriorityPolicy == server.PriorityNone:
		return ""
	case g.Group == "":
		return "400 Bad Request - Priority Group missing"
	case !slices.Contains(cfg.PriorityGroups, g.Group):
		return "400 Bad Request - Invalid Priority Group"
	case pin.id == "" || g.Id == "":
		return ""
	case g.Id != pin.id:
		return "423 Nats-Pin-Id mismatch"
	}
	pin.due = now.Add(cfg.PinnedTTL)
	return ""
}

// pinTo pins the client of p. Requires: mu.
func (c *consumer) pinTo(cfg *server.ConsumerConfig, p *pullRequest, now time.Time) {
	p.group.Id = nuid.Next()
	c.mu.pull.pin = pin{id: p.group.Id, group: p.group.Group, since: now.UTC(), due: now.Add(cfg.PinnedTTL)}
}

// unpin lets another client be pinned. Requires: mu.
func (c *consumer) unpin(group, reason string) {
	c.mu.pull.pin = pin{}
	c.adviseUnpinned(group, reason)
	c.recredit()
}

// recredit looks again at who may be served. It may be called while a delivery is under way:
// what is delivered too much is given back. Requires: mu.
func (c *consumer) recredit() {
	if cfg := c.config(); c.mu.sub != nil && cfg.DeliverSubject == "" && !c.mu.closed {
		c.credit(cfg)
	}
}

// returning reports whether a message that none of the requests could take is on its way back:
// until then its cursor's state says nothing about whose turn it is. Requires: mu.
func (c *consumer) returning(cfg *server.ConsumerConfig) bool {
	if cfg.PriorityPolicy == server.PriorityNone {
		return false
	}
	c.back.Lock()
	defer c.back.Unlock()
	return c.back.running
}

// groups is what the API shows of the priority groups. Requires: mu.
func (c *consumer) groups(cfg *server.ConsumerConfig) []server.PriorityGroupState {
	if len(cfg.PriorityGroups) == 0 {
		return []server.PriorityGroupState{}
	}
	p := &c.mu.pull.pin
	return []server.PriorityGroupState{{Group: cfg.PriorityGroups[0], PinnedClientID: p.id, PinnedTS: p.since}}
}

// appends wakes a consumer whose requests wait until enough is pending. It implements
// core's Watcher.
type appends struct {
	c       *consumer
	looking atomic.Bool
}

// Advanced runs on the journal's goroutine.
func (w *appends) Advanced(*core.Log) {
	if w.looking.Swap(true) {
		return
	}
	if !w.c.a.e.background(func() {
		w.looking.Store(false)
		w.c.mu.Lock()
		defer w.c.mu.Unlock()
		w.c.recredit()
	}) {
		w.looking.Store(false)
	}
}

// watchAppends has recredit called when something is appended. Requires: mu.
func (c *consumer) watchAppends() {
	if c.mu.pull.appends == nil && !c.mu.closed {
		c.mu.pull.appends = &appends{c: c}
		c.stream.log.Watch(c.mu.pull.appends)
	}
}

// unwatchAppends ends that. Requires: mu.
func (c *consumer) unwatchAppends() {
	if w := c.mu.pull.appends; w != nil {
		c.mu.pull.appends = nil
		c.stream.log.Unwatch(w)
	}
}

func (c *consumer) advisePinned(p pin) {
	c.a.adviseLater(server.JSAdvisoryConsumerPinnedPre+"."+c.key, func() any {
		return &server.JSConsumerGroupPinnedAdvisory{
			TypedEvent: event(server.JSConsumerGroupPinnedAdvisoryType), Account: AccountName(c.a.ns),
			Stream: c.stream.name, Consumer: c.name, Group: p.group, PinnedClientId: p.id,
		}
	})
}

func (c *consumer) adviseUnpinned(group, reason string) {
	c.a.adviseLater(server.JSAdvisoryConsumerUnpinnedPre+"."+c.key, func() any {
		return &server.JSConsumerGroupUnpinnedAdvisory{
			TypedEvent: event(server.JSConsumerGroupUnpinnedAdvisoryType), Account: AccountName(c.a.ns),
			Stream: c.stream.name, Consumer: c.name, Group: group, Reason: reason,
		}
	})
}

package group

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// State of a group.
type State uint8

const (
	Empty State = iota
	Preparing
	Completing
	Stable
	Dead
)

var stateNames = [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}

// String is the name on the wire.
func (s State) String() string { return stateNames[s] }

// Limits of all groups.
type Limits struct {
	MinSession, MaxSession time.Duration
	// InitialDelay is how long the first rebalance of an empty group waits for more members.
	InitialDelay time.Duration
	// JoinTimeout is how long a new member that waits for its first rebalance is kept.
	JoinTimeout time.Duration
	// MaxMembers of one group.
	MaxMembers int
}

// DefaultLimits are Kafka's, but for the initial delay: three seconds help only
// where hundreds of members start at once.
func DefaultLimits() Limits {
	return Limits{
		MinSession: 6 * time.Second, MaxSession: 30 * time.Minute,
		InitialDelay: 250 * time.Millisecond, JoinTimeout: 5 * time.Minute, MaxMembers: 1 << 31,
	}
}

// Protocol is one way to assign that a member supports, with its metadata for it.
type Protocol struct {
	Name     string
	Metadata []byte
}

// Group is one group. It is not safe for concurrent use.
type Group struct {
	Name string

	limits       *Limits
	newID        func() string
	state        State
	protocolType string
	protocol     string // chosen for this generation
	generation   int32
	leader       string
	members      []*member // in the order of their first join
	pending      map[string]time.Time
	changed      time.Time // when it entered its state

	// While Preparing: when the wait for members ends; first is set during the
	// initial delay, which ends no later than latest and is extended while
	// members arrive.
	joinBy      time.Time
	first       bool
	latest      time.Time
	moreArrived bool
	// While Completing or Stable: when members that have not synced are removed.
	syncBy time.Time

	out Effects
}

// Effects are what is to be done after a call: if Save is set, first make the
// Snapshot durable; then call the Replies.
type Effects struct {
	Save    bool
	Replies []func()
}

// member is one member.
type member struct {
	id, instance         string
	clientID, clientHost string
	session, rebalance   time.Duration
	protocols            []Protocol
	assignment           []byte
	isNew                bool // has not got through its first rebalance
	synced               bool
	expires              time.Time
	join                 func(JoinResult)
	sync                 func(SyncResult)
}

// New makes an empty group. newID returns a new unique text, for member ids.
func New(name string, limits *Limits, now time.Time, newID func() string) *Group {
	return &Group{Name: name, limits: limits, newID: newID, pending: map[string]time.Time{}, changed: now}
}

func (g *Group) State() State         { return g.state }
func (g *Group) ProtocolType() string { return g.protocolType }
func (g *Group) Generation() int32    { return g.generation }
func (g *Group) Members() int         { return len(g.members) }

// Idle reports whether the group has no members, present or expected, and since when.
func (g *Group) Idle() (since time.Time, ok bool) {
	return g.changed, g.state == Empty && len(g.pending) == 0
}

// Take returns what the calls since the last Take want done.
func (g *Group) Take() Effects {
	e := g.out
	g.out = Effects{}
	return e
}

func (g *Group) reply(f func()) { g.out.Replies = append(g.out.Replies, f) }

func (g *Group) become(s State, now time.Time) {
	g.state, g.changed = s, now
	g.joinBy, g.syncBy, g.first = time.Time{}, time.Time{}, false
}

func (g *Group) find(id string) *member {
	for _, m := range g.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (g *Group) static(instance string) *member {
	if instance == "" {
		return nil
	}
	for _, m := range g.members {
		if m.instance == instance {
			return m
		}
	}
	return nil
}

// check finds the member that a request speaks for, or says why it may not.
func (g *Group) check(id, instance string) (*member, int16) {
	if instance != "" {
		switch m := g.static(instance); {
		case m == nil:
			return nil, kerr.UnknownMemberID.Code
		case m.id != id:
			return nil, kerr.FencedInstanceID.Code
		default:
			return m, 0
		}
	}
	if m := g.find(id); m != nil {
		return m, 0
	}
	return nil, kerr.UnknownMemberID.Code
}

// touch restarts the member's session.
func (m *member) touch(now time.Time) { m.expires = now.Add(m.session) }

func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

func (m *member) supports(protocol string) bool {
	return slices.ContainsFunc(m.protocols, func(p Protocol) bool { return p.Name == protocol })
}

func (m *member) sameProtocols(ps []Protocol) bool {
	return slices.EqualFunc(m.protocols, ps, func(a, b Protocol) bool {
		return a.Name == b.Name && string(a.Metadata) == string(b.Metadata)
	})
}

// supports reports whether a member with these protocols can be in the group.
func (g *Group) supports(protocolType string, ps []Protocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(ps) > 0
	}
	if protocolType != g.protocolType {
		return false
	}
	return slices.ContainsFunc(ps, func(p Protocol) bool { return g.common(p.Name) })
}

func (g *Group) common(protocol string) bool {
	return !slices.ContainsFunc(g.members, func(m *member) bool { return !m.supports(protocol) })
}

// choose lets each member vote for the first of its protocols that all support.
func (g *Group) choose() string {
	votes := map[string]int{}
	best := ""
	for _, m := range g.members {
		for _, p := range m.protocols {
			if g.common(p.Name) {
				votes[p.Name]++
				break
			}
		}
	}
	for name, n := range votes {
		if best == "" || n > votes[best] || n == votes[best] && strings.Compare(name, best) < 0 {
			best = name
		}
	}
	return best
}

// rebalanceTimeout is the longest of the members'.
func (g *Group) rebalanceTimeout() (d time.Duration) {
	for _, m := range g.members {
		d = max(d, m.rebalance)
	}
	return d
}

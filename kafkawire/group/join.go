package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// JoinRequest of one member.
type JoinRequest struct {
	// MemberID is "" for a member that has none yet, InstanceID for one that is not static.
	MemberID, InstanceID string
	ClientID, ClientHost string
	Session, Rebalance   time.Duration
	ProtocolType         string
	Protocols            []Protocol
	// KnownID: a new member is told its id first and must join with it (version 4 on).
	KnownID bool
	// Skip: the member understands that it leads without assigning (version 9 on).
	Skip bool
}

// JoinResult answers a JoinRequest.
type JoinResult struct {
	Err                    int16
	Generation             int32
	ProtocolType, Protocol string
	Leader, MemberID       string
	SkipAssignment         bool
	Members                []JoinMember // for the leader
}

// JoinMember is what the leader learns of a member.
type JoinMember struct {
	ID, Instance string
	Metadata     []byte
}

// Join lets a member in, or back in. reply is called through Take, at once or
// when the rebalance that it causes has everybody.
func (g *Group) Join(now time.Time, q *JoinRequest, reply func(JoinResult)) {
	fail := func(code int16) {
		id := q.MemberID
		g.reply(func() { reply(JoinResult{Err: code, Generation: -1, MemberID: id}) })
	}
	switch {
	case q.Session < g.limits.MinSession || q.Session > g.limits.MaxSession:
		fail(kerr.InvalidSessionTimeout.Code)
	case g.state == Dead:
		fail(kerr.CoordinatorNotAvailable.Code)
	case g.full(q.MemberID):
		delete(g.pending, q.MemberID)
		fail(kerr.GroupMaxSizeReached.Code)
	case !g.supports(q.ProtocolType, q.Protocols):
		fail(kerr.InconsistentGroupProtocol.Code)
	case q.MemberID == "":
		g.joinNew(now, q, reply)
	default:
		if _, ok := g.pending[q.MemberID]; ok && q.InstanceID == "" {
			g.add(now, q, q.MemberID, reply)
			return
		}
		m, code := g.check(q.MemberID, q.InstanceID)
		if code != 0 {
			fail(code)
			return
		}
		g.rejoin(now, m, q, reply)
	}
}

// full reports whether one more member would be too many.
func (g *Group) full(id string) bool {
	switch g.state {
	case Preparing:
		if m := g.find(id); m != nil && m.join != nil {
			return false
		}
		n := 0
		for _, m := range g.members {
			if m.join != nil {
				n++
			}
		}
		return n >= g.limits.MaxMembers
	case Completing, Stable:
		return g.find(id) == nil && len(g.members) >= g.limits.MaxMembers
	}
	return false
}

func (g *Group) joinNew(now time.Time, q *JoinRequest, reply func(JoinResult)) {
	if q.InstanceID != "" {
		id := q.InstanceID + "-" + g.newID()
		if m := g.static(q.InstanceID); m != nil {
			g.replace(now, m, q, id, reply)
		} else {
			g.add(now, q, id, reply)
		}
		return
	}
	id := q.ClientID + "-" + g.newID()
	if q.KnownID {
		g.pending[id] = now.Add(q.Session)
		g.reply(func() { reply(JoinResult{Err: kerr.MemberIDRequired.Code, Generation: -1, MemberID: id}) })
		return
	}
	g.add(now, q, id, reply)
}

// add takes in a new member and starts a rebalance.
func (g *Group) add(now time.Time, q *JoinRequest, id string, reply func(JoinResult)) {
	delete(g.pending, id)
	m := &member{id: id, instance: q.InstanceID, isNew: true}
	m.update(q, reply)
	m.expires = now.Add(g.limits.JoinTimeout)
	if len(g.members) == 0 {
		g.protocolType = q.ProtocolType
	}
	g.members = append(g.members, m)
	if g.leader == "" {
		g.leader = id
	}
	if g.state == Preparing && g.first {
		g.moreArrived = true
	}
	g.rebalance(now)
}

func (m *member) update(q *JoinRequest, reply func(JoinResult)) {
	m.clientID, m.clientHost = q.ClientID, q.ClientHost
	m.session, m.rebalance = q.Session, q.Rebalance
	m.protocols = q.Protocols
	m.join = reply
}

// rejoin handles a known member that joins again.
func (g *Group) rejoin(now time.Time, m *member, q *JoinRequest, reply func(JoinResult)) {
	// Without a change there is no reason for another rebalance. In Completing
	// the member may not have got its answer; in Stable a leader that joins
	// wants to assign anew.
	if m.sameProtocols(q.Protocols) && (g.state == Completing || g.state == Stable && m.id != g.leader) {
		res := g.joined(m)
		m.touch(now)
		g.reply(func() { reply(res) })
		return
	}
	if m.join != nil {
		g.dropJoin(m, kerr.UnknownMemberID.Code)
	}
	m.update(q, reply)
	m.touch(now)
	g.rebalance(now)
}

// replace gives a static member a new id. The old one is fenced.
func (g *Group) replace(now time.Time, m *member, q *JoinRequest, id string, reply func(JoinResult)) {
	g.dropJoin(m, kerr.FencedInstanceID.Code)
	g.dropSync(m, kerr.FencedInstanceID.Code)
	oldLeader := g.leader
	if g.leader == m.id {
		g.leader = id
	}
	m.id = id
	m.update(q, reply)
	m.touch(now)
	switch {
	case g.state == Stable && g.choose() == g.protocol:
		res := g.joined(m)
		m.join = nil
		switch {
		case g.leader != id:
			res.Members = nil
		case q.Skip:
			res.SkipAssignment = true
		default:
			// It must not believe that it leads: it would assign, and nobody would listen.
			res.Members, res.Leader = nil, oldLeader
		}
		g.out.Save = true
		g.reply(func() { reply(res) })
	case g.state == Preparing:
		g.maybeComplete(now)
	default:
		g.rebalance(now)
	}
}

func (g *Group) dropJoin(m *member, code int16) {
	if reply, id := m.join, m.id; reply != nil {
		m.join = nil
		g.reply(func() { reply(JoinResult{Err: code, Generation: -1, MemberID: id}) })
	}
}

// joined is m's answer for the present generation.
func (g *Group) joined(m *member) JoinResult {
	res := JoinResult{
		Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol,
		Leader: g.leader, MemberID: m.id,
	}
	if m.id == g.leader {
		for _, o := range g.members {
			res.Members = append(res.Members, JoinMember{o.id, o.instance, o.metadata(g.protocol)})
		}
	}
	return res
}

// rebalance makes the group prepare for its next generation, unless it does
// already, and completes that if nobody is missing.
func (g *Group) rebalance(now time.Time) {
	if g.state != Preparing {
		if g.state == Completing {
			for _, m := range g.members {
				m.assignment = nil
				g.dropSync(m, kerr.RebalanceInProgress.Code)
			}
		}
		first := g.state == Empty && g.limits.InitialDelay > 0
		g.become(Preparing, now)
		timeout := g.rebalanceTimeout()
		g.joinBy = now.Add(timeout)
		if first {
			g.first, g.moreArrived = true, false
			g.latest = g.joinBy
			g.joinBy = now.Add(min(g.limits.InitialDelay, timeout))
		}
	}
	g.maybeComplete(now)
}

// maybeComplete ends the wait for members if all are there.
func (g *Group) maybeComplete(now time.Time) {
	if g.state != Preparing || g.first || len(g.pending) > 0 {
		return
	}
	for _, m := range g.members {
		if m.join == nil {
			return
		}
	}
	g.complete(now)
}

// complete starts the next generation with those who joined. Static members may
// be away until their session ends.
func (g *Group) complete(now time.Time) {
	kept := g.members[:0]
	for _, m := range g.members {
		if m.join != nil || m.instance != "" {
			kept = append(kept, m)
		}
	}
	clear(g.members[len(kept):])
	g.members = kept
	if len(g.members) > 0 && !g.elect() {
		// Only static members, none of them here: wait on.
		g.first = false
		g.joinBy = now.Add(g.rebalanceTimeout())
		return
	}
	g.generation++
	if len(g.members) == 0 {
		g.protocol, g.leader = "", ""
		g.become(Empty, now)
		g.out.Save = true
		return
	}
	g.protocol = g.choose()
	g.become(Completing, now)
	g.syncBy = now.Add(g.rebalanceTimeout())
	for _, m := range g.members {
		m.synced, m.assignment = false, nil
		if reply := m.join; reply != nil {
			res := g.joined(m)
			m.join, m.isNew = nil, false
			m.touch(now)
			g.reply(func() { reply(res) })
		}
	}
}

// elect keeps the leader if it joined, else takes the first member that did.
func (g *Group) elect() bool {
	if l := g.find(g.leader); l != nil && l.join != nil {
		return true
	}
	for _, m := range g.members {
		if m.join != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// SyncRequest of one member; the leader's has the Assignments.
type SyncRequest struct {
	MemberID, InstanceID string
	Generation           int32
	// ProtocolType and Protocol, if not "", must be the group's.
	ProtocolType, Protocol string
	Assignments            map[string][]byte
}

// SyncResult answers a SyncRequest.
type SyncResult struct {
	Err                    int16
	ProtocolType, Protocol string
	Assignment             []byte
}

// Sync hands a member its part, when the leader has brought it.
func (g *Group) Sync(now time.Time, q *SyncRequest, reply func(SyncResult)) {
	fail := func(code int16) { g.reply(func() { reply(SyncResult{Err: code}) }) }
	m, code := g.check(q.MemberID, q.InstanceID)
	switch {
	case g.state == Dead:
		fail(kerr.CoordinatorNotAvailable.Code)
	case code != 0:
		fail(code)
	case q.Generation != g.generation:
		fail(kerr.IllegalGeneration.Code)
	case q.ProtocolType != "" && q.ProtocolType != g.protocolType, q.Protocol != "" && q.Protocol != g.protocol:
		fail(kerr.InconsistentGroupProtocol.Code)
	case g.state == Empty:
		fail(kerr.UnknownMemberID.Code)
	case g.state == Preparing:
		fail(kerr.RebalanceInProgress.Code)
	case g.state == Stable:
		m.touch(now)
		m.synced = true
		g.answerSync(m, reply)
	default:
		g.dropSync(m, kerr.UnknownMemberID.Code) // a retry took its place
		m.synced = true
		m.sync = reply
		if m.id == g.leader {
			g.assign(now, q.Assignments)
		}
	}
}

// assign makes the group Stable.
func (g *Group) assign(now time.Time, parts map[string][]byte) {
	by := g.syncBy
	g.become(Stable, now)
	g.syncBy = by
	g.out.Save = true
	for _, m := range g.members {
		m.assignment = parts[m.id]
		if reply := m.sync; reply != nil {
			m.sync = nil
			m.touch(now)
			g.answerSync(m, reply)
		}
	}
}

func (g *Group) answerSync(m *member, reply func(SyncResult)) {
	res := SyncResult{ProtocolType: g.protocolType, Protocol: g.protocol, Assignment: m.assignment}
	g.reply(func() { reply(res) })
}

func (g *Group) dropSync(m *member, code int16) {
	if reply := m.sync; reply != nil {
		m.sync = nil
		g.reply(func() { reply(SyncResult{Err: code}) })
	}
}

// Heartbeat keeps a member in, and tells it of a rebalance.
func (g *Group) Heartbeat(now time.Time, id, instance string, generation int32) int16 {
	m, code := g.check(id, instance)
	switch {
	case g.state == Dead:
		return kerr.CoordinatorNotAvailable.Code
	case code != 0:
		return code
	case generation != g.generation:
		return kerr.IllegalGeneration.Code
	case g.state == Empty:
		return kerr.UnknownMemberID.Code
	}
	m.touch(now)
	if g.state == Preparing {
		return kerr.RebalanceInProgress.Code
	}
	return 0
}

// Leave removes a member. A static one may be named by its instance alone.
func (g *Group) Leave(now time.Time, id, instance string) int16 {
	if g.state == Dead {
		return kerr.UnknownMemberID.Code
	}
	if _, ok := g.pending[id]; ok && instance == "" {
		delete(g.pending, id)
		g.maybeComplete(now)
		return 0
	}
	if instance != "" && id == "" {
		if m := g.static(instance); m != nil {
			id = m.id
		}
	}
	m, code := g.check(id, instance)
	if code != 0 {
		return code
	}
	g.dropJoin(m, kerr.UnknownMemberID.Code)
	g.dropSync(m, kerr.UnknownMemberID.Code)
	g.remove(now, m)
	return 0
}

// remove takes m out and lets the others rebalance.
func (g *Group) remove(now time.Time, m *member) {
	for i, o := range g.members {
		if o == m {
			g.members = append(g.members[:i], g.members[i+1:]...)
			break
		}
	}
	if g.leader == m.id {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
	switch g.state {
	case Preparing:
		g.maybeComplete(now)
	case Completing, Stable:
		g.rebalance(now)
	}
}

// Commit says whether a member may commit offsets now, as 0 or an error code.
func (g *Group) Commit(now time.Time, id, instance string, generation int32) int16 {
	if generation < 0 && g.state == Empty {
		return 0
	}
	if generation < 0 && id == "" && instance == "" {
		return kerr.UnknownMemberID.Code
	}
	m, code := g.check(id, instance)
	switch {
	case code != 0:
		return code
	case generation != g.generation:
		return kerr.IllegalGeneration.Code
	case g.state == Completing:
		return kerr.RebalanceInProgress.Code
	}
	m.touch(now)
	return 0
}

// Kill ends an empty group; it reports false if it is not empty.
func (g *Group) Kill(now time.Time) bool {
	if g.state != Empty {
		return false
	}
	g.become(Dead, now)
	return true
}

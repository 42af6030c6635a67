package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Deadline is when Tick must be called next, unless other calls come first; the
// zero time means never.
func (g *Group) Deadline() (t time.Time) {
	earlier := func(u time.Time) {
		if !u.IsZero() && (t.IsZero() || u.Before(t)) {
			t = u
		}
	}
	earlier(g.joinBy)
	earlier(g.syncBy)
	for _, u := range g.pending {
		earlier(u)
	}
	for _, m := range g.members {
		if !m.held() {
			earlier(m.expires)
		}
	}
	return t
}

// held: a member that waits for our answer is alive, but for a new one whose
// client may have gone and will be forgotten after JoinTimeout.
func (m *member) held() bool { return !m.isNew && (m.join != nil || m.sync != nil) }

// Tick does what is due at now.
func (g *Group) Tick(now time.Time) {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	for id, t := range g.pending {
		if due(t) {
			delete(g.pending, id)
			g.maybeComplete(now)
		}
	}
	for i := 0; i < len(g.members); {
		m := g.members[i]
		if m.held() || !due(m.expires) {
			i++
			continue
		}
		g.dropJoin(m, kerr.UnknownMemberID.Code)
		g.dropSync(m, kerr.UnknownMemberID.Code)
		g.remove(now, m)
		i = 0 // remove may have completed a rebalance, which drops others
	}
	if due(g.joinBy) {
		if left := g.latest.Sub(now); g.first && g.moreArrived && left > 0 {
			g.moreArrived = false
			g.joinBy = now.Add(min(g.limits.InitialDelay, left))
		} else {
			g.first = false
			clear(g.pending)
			g.complete(now)
		}
	}
	if due(g.syncBy) {
		g.syncBy = time.Time{}
		late := false
		kept := g.members[:0]
		for _, m := range g.members {
			if m.synced {
				kept = append(kept, m)
				continue
			}
			late = true
			if m.id == g.leader {
				g.leader = ""
			}
		}
		clear(g.members[len(kept):])
		g.members = kept
		if g.leader == "" && len(kept) > 0 {
			g.leader = kept[0].id
		}
		if late {
			g.rebalance(now)
		}
	}
}

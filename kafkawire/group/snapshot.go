package group

import (
	"encoding/json"
	"fmt"
	"time"
)

// Description is a view of the group for administrators.
type Description struct {
	State                  State
	ProtocolType, Protocol string
	Members                []Member
}

// Member is a view of a member. Metadata and Assignment are set while the group is Stable.
type Member struct {
	ID, Instance, ClientID, ClientHost string
	Metadata, Assignment               []byte
}

// Describe returns a view of the group.
func (g *Group) Describe() Description {
	d := Description{State: g.state, ProtocolType: g.protocolType, Protocol: g.protocol}
	stable := g.state == Stable
	if !stable {
		d.Protocol = ""
	}
	for _, m := range g.members {
		v := Member{ID: m.id, Instance: m.instance, ClientID: m.clientID, ClientHost: m.clientHost}
		if stable {
			v.Metadata, v.Assignment = m.metadata(g.protocol), m.assignment
		}
		d.Members = append(d.Members, v)
	}
	return d
}

// EachMetadata calls f with what every member sent for the chosen protocol, or
// for its first one.
func (g *Group) EachMetadata(f func(metadata []byte)) {
	for _, m := range g.members {
		if md := m.metadata(g.protocol); md != nil {
			f(md)
		} else if len(m.protocols) > 0 {
			f(m.protocols[0].Metadata)
		}
	}
}

// saved is the durable form of a Stable or Empty group.
type saved struct {
	Generation   int32
	ProtocolType string
	Protocol     string        `json:",omitempty"`
	Leader       string        `json:",omitempty"`
	Members      []savedMember `json:",omitempty"`
	Changed      int64         // unix milliseconds
}

type savedMember struct {
	ID                   string
	Instance             string `json:",omitempty"`
	ClientID, ClientHost string
	Session, Rebalance   time.Duration
	Protocols            []Protocol
	Assignment           []byte
}

// Snapshot is what a restart needs so that the members of a Stable group go on
// without a rebalance.
func (g *Group) Snapshot() []byte {
	s := saved{
		Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol, Leader: g.leader,
		Changed: g.changed.UnixMilli(),
	}
	for _, m := range g.members {
		s.Members = append(s.Members, savedMember{
			m.id, m.instance, m.clientID, m.clientHost, m.session, m.rebalance, m.protocols, m.assignment,
		})
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic("group: snapshot: " + err.Error()) // plain data
	}
	return b
}

// Restore makes the group that a Snapshot describes; its members' sessions begin now.
func Restore(name string, snapshot []byte, limits *Limits, now time.Time, newID func() string) (*Group, error) {
	var s saved
	if err := json.Unmarshal(snapshot, &s); err != nil {
		return nil, fmt.Errorf("group %q: %w", name, err)
	}
	g := New(name, limits, now, newID)
	g.generation, g.protocolType, g.protocol, g.leader = s.Generation, s.ProtocolType, s.Protocol, s.Leader
	g.changed = time.UnixMilli(s.Changed)
	for _, m := range s.Members {
		g.members = append(g.members, &member{
			id: m.ID, instance: m.Instance, clientID: m.ClientID, clientHost: m.ClientHost,
			session: m.Session, rebalance: m.Rebalance, protocols: m.Protocols, assignment: m.Assignment,
			synced: true, expires: now.Add(m.Session),
		})
	}
	if len(g.members) > 0 {
		g.state = Stable
	}
	return g, nil
}

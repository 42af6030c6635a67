package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// bench is a group with a clock that only moves when told.
type bench struct {
	*testing.T
	g   *Group
	now time.Time
	ids int
	lim Limits
	// saves counts how often the state was to be made durable.
	saves int
}

func newBench(t *testing.T, delay time.Duration) *bench {
	b := &bench{T: t, now: time.Unix(1000, 0), lim: DefaultLimits()}
	b.lim.InitialDelay = delay
	b.g = New("g", &b.lim, b.now, b.newID)
	return b
}

func (b *bench) newID() string {
	b.ids++
	return fmt.Sprint(b.ids)
}

func (b *bench) flush() {
	e := b.g.Take()
	if e.Save {
		b.saves++
	}
	for _, f := range e.Replies {
		f()
	}
}

// pass lets time pass, ticking whenever the group is due.
func (b *bench) pass(d time.Duration) {
	end := b.now.Add(d)
	for {
		t := b.g.Deadline()
		if t.IsZero() || t.After(end) {
			break
		}
		b.now = t
		b.g.Tick(t)
		b.flush()
	}
	b.now = end
}

func protocols(names ...string) (ps []Protocol) {
	for _, n := range names {
		ps = append(ps, Protocol{n, []byte("meta-" + n)})
	}
	return ps
}

// call is a join or sync that may be held.
type call[R any] struct {
	got *R
	n   int
}

func (c *call[R]) reply(r R) { c.got = &r; c.n++ }

func (b *bench) join(q JoinRequest) *call[JoinResult] {
	if q.Session == 0 {
		q.Session = 10 * time.Second
	}
	if q.Rebalance == 0 {
		q.Rebalance = 60 * time.Second
	}
	if q.ProtocolType == "" {
		q.ProtocolType = "consumer"
	}
	if q.Protocols == nil {
		q.Protocols = protocols("range")
	}
	if q.ClientID == "" {
		q.ClientID = "c"
	}
	c := new(call[JoinResult])
	b.g.Join(b.now, &q, c.reply)
	b.flush()
	return c
}

func (b *bench) sync(q SyncRequest) *call[SyncResult] {
	c := new(call[SyncResult])
	b.g.Sync(b.now, &q, c.reply)
	b.flush()
	return c
}

func (b *bench) want(c *call[JoinResult], code int16) JoinResult {
	b.Helper()
	if c.got == nil || c.n != 1 || c.got.Err != code {
		b.Fatalf("join: %+v (%d answers), want %v", c.got, c.n, kerr.ErrorForCode(code))
	}
	return *c.got
}

func (b *bench) held(c *call[JoinResult]) {
	b.Helper()
	if c.got != nil {
		b.Fatalf("join was answered: %+v", c.got)
	}
}

func (b *bench) state(s State, generation int32) {
	b.Helper()
	if b.g.State() != s || b.g.Generation() != generation {
		b.Fatalf("%v in generation %d, want %v in %d", b.g.State(), b.g.Generation(), s, generation)
	}
}

// stable makes a group of n dynamic members, the first of which leads.
func stable(t *testing.T, n int) (*bench, []string) {
	t.Helper()
	b := newBench(t, time.Second)
	var cs []*call[JoinResult]
	for range n {
		cs = append(cs, b.join(JoinRequest{}))
	}
	b.pass(2 * time.Second)
	var ids []string
	parts := map[string][]byte{}
	for _, c := range cs {
		r := b.want(c, 0)
		ids = append(ids, r.MemberID)
		parts[r.MemberID] = []byte("part of " + r.MemberID)
	}
	var ss []*call[SyncResult]
	for _, id := range ids[1:] {
		ss = append(ss, b.sync(SyncRequest{MemberID: id, Generation: 1}))
	}
	ss = append(ss, b.sync(SyncRequest{MemberID: ids[0], Generation: 1, Assignments: parts}))
	for _, s := range ss {
		if s.got == nil || s.got.Err != 0 || len(s.got.Assignment) == 0 {
			t.Fatalf("sync: %+v", s.got)
		}
	}
	b.state(Stable, 1)
	if b.saves != 1 {
		t.Fatalf("saved %d times", b.saves)
	}
	return b, ids
}

func TestJoinErrors(t *testing.T) {
	b := newBench(t, 0)
	b.want(b.join(JoinRequest{Session: time.Second}), kerr.InvalidSessionTimeout.Code)
	b.want(b.join(JoinRequest{Session: time.Hour}), kerr.InvalidSessionTimeout.Code)
	b.want(b.join(JoinRequest{Protocols: []Protocol{}}), kerr.InconsistentGroupProtocol.Code)
	b.want(b.join(JoinRequest{MemberID: "nobody"}), kerr.UnknownMemberID.Code)
	r := b.want(b.join(JoinRequest{}), 0)
	if r.Leader != r.MemberID || len(r.Members) != 1 || r.Protocol != "range" {
		t.Fatalf("%+v", r)
	}
	b.want(b.join(JoinRequest{ProtocolType: "connect"}), kerr.InconsistentGroupProtocol.Code)
	b.want(b.join(JoinRequest{Protocols: protocols("sticky")}), kerr.InconsistentGroupProtocol.Code)
	b.want(b.join(JoinRequest{MemberID: r.MemberID, InstanceID: "i"}), kerr.UnknownMemberID.Code)
	b.lim.MaxMembers = 1
	b.want(b.join(JoinRequest{}), kerr.GroupMaxSizeReached.Code)
}

// KIP-394: a new member is told its id, and the group waits for it no longer
// than its session.
func TestMemberIDRequired(t *testing.T) {
	b := newBench(t, 0)
	r := b.want(b.join(JoinRequest{KnownID: true, ClientID: "app"}), kerr.MemberIDRequired.Code)
	if r.MemberID != "app-1" {
		t.Fatalf("%+v", r)
	}
	b.state(Empty, 0)
	b.want(b.join(JoinRequest{KnownID: true, MemberID: r.MemberID}), 0)
	b.state(Completing, 1)

	// A second one that was told and does not come.
	b.want(b.join(JoinRequest{KnownID: true}), kerr.MemberIDRequired.Code)
	again := b.join(JoinRequest{MemberID: r.MemberID, Protocols: protocols("range", "more")})
	b.held(again)
	b.pass(11 * time.Second)
	b.want(again, 0)
	b.state(Completing, 2)
}

func TestInitialDelay(t *testing.T) {
	b := newBench(t, 3*time.Second)
	first := b.join(JoinRequest{})
	b.pass(2 * time.Second)
	b.held(first)
	second := b.join(JoinRequest{})
	b.pass(2 * time.Second) // extended by another three seconds from the third on
	b.held(first)
	b.pass(2 * time.Second)
	if r := b.want(first, 0); len(r.Members) != 2 {
		t.Fatalf("%+v", r)
	}
	if r := b.want(second, 0); len(r.Members) != 0 || r.Leader != first.got.MemberID {
		t.Fatalf("%+v", r)
	}
}

func TestRebalance(t *testing.T) {
	b, ids := stable(t, 2)
	// A follower that joins with nothing new goes on as before.
	if r := b.want(b.join(JoinRequest{MemberID: ids[1]}), 0); r.Generation != 1 || r.Members != nil {
		t.Fatalf("%+v", r)
	}
	b.state(Stable, 1)
	// A third member makes the others join again.
	third := b.join(JoinRequest{})
	b.state(Preparing, 1)
	if code := b.g.Heartbeat(b.now, ids[0], "", 1); code != kerr.RebalanceInProgress.Code {
		t.Fatal(code)
	}
	if code := b.g.Commit(b.now, ids[0], "", 1); code != 0 {
		t.Fatal("a commit while preparing is refused:", code)
	}
	if s := b.sync(SyncRequest{MemberID: ids[0], Generation: 1}); s.got.Err != kerr.RebalanceInProgress.Code {
		t.Fatalf("%+v", s.got)
	}
	leader := b.join(JoinRequest{MemberID: ids[0]})
	b.held(leader)
	// The second member never comes: it is out after the rebalance timeout.
	b.g.Heartbeat(b.now, ids[1], "", 1)
	for leader.got == nil {
		b.pass(5 * time.Second)
		b.g.Heartbeat(b.now, ids[1], "", 1)
	}
	r := b.want(leader, 0)
	if r.Generation != 2 || len(r.Members) != 2 {
		t.Fatalf("%+v", r)
	}
	b.want(third, 0)
	if code := b.g.Heartbeat(b.now, ids[1], "", 1); code != kerr.UnknownMemberID.Code {
		t.Fatal(code)
	}
	if code := b.g.Heartbeat(b.now, ids[0], "", 1); code != kerr.IllegalGeneration.Code {
		t.Fatal(code)
	}
	if code := b.g.Commit(b.now, ids[0], "", 2); code != kerr.RebalanceInProgress.Code {
		t.Fatal("a commit while completing:", code)
	}
	if code := b.g.Heartbeat(b.now, ids[0], "", 2); code != 0 {
		t.Fatal("a heartbeat while completing:", code)
	}
}

// Members that do not ask for their assignment are removed.
func TestSyncTimeout(t *testing.T) {
	b := newBench(t, time.Second)
	one, two := b.join(JoinRequest{Session: 20 * time.Minute}), b.join(JoinRequest{Session: 20 * time.Minute})
	b.pass(2 * time.Second)
	b.want(one, 0)
	b.want(two, 0)
	b.sync(SyncRequest{MemberID: one.got.MemberID, Generation: 1})
	b.state(Stable, 1)
	b.pass(61 * time.Second)
	b.state(Preparing, 1)
	if b.g.Members() != 1 {
		t.Fatal(b.g.Members())
	}
}

func TestLeaderGone(t *testing.T) {
	b, ids := stable(t, 2)
	if code := b.g.Leave(b.now, ids[0], ""); code != 0 {
		t.Fatal(code)
	}
	b.flush()
	b.state(Preparing, 1)
	r := b.want(b.join(JoinRequest{MemberID: ids[1]}), 0)
	if r.Leader != ids[1] || len(r.Members) != 1 || r.Generation != 2 {
		t.Fatalf("%+v", r)
	}
	b.g.Leave(b.now, ids[1], "")
	b.flush()
	b.state(Empty, 3)
	if b.g.Leave(b.now, ids[1], "") != kerr.UnknownMemberID.Code {
		t.Fatal("left twice")
	}
	if !b.g.Kill(b.now) {
		t.Fatal("an empty group cannot be ended")
	}
	b.want(b.join(JoinRequest{}), kerr.CoordinatorNotAvailable.Code)
}

func TestSessionEnds(t *testing.T) {
	b, ids := stable(t, 2)
	b.pass(6 * time.Second)
	b.g.Heartbeat(b.now, ids[0], "", 1)
	b.pass(6 * time.Second)
	b.state(Preparing, 1)
	if b.g.Members() != 1 {
		t.Fatal(b.g.Members())
	}
	b.pass(10 * time.Second)
	b.state(Empty, 2)
}

func TestStaticMember(t *testing.T) {
	b := newBench(t, time.Second)
	one := b.join(JoinRequest{InstanceID: "i1", KnownID: true})
	two := b.join(JoinRequest{InstanceID: "i2", KnownID: true})
	b.pass(2 * time.Second)
	l, f := b.want(one, 0).MemberID, b.want(two, 0).MemberID
	b.sync(SyncRequest{MemberID: f, InstanceID: "i2", Generation: 1})
	b.sync(SyncRequest{MemberID: l, InstanceID: "i1", Generation: 1, Assignments: map[string][]byte{f: []byte("F"), l: []byte("L")}})
	b.state(Stable, 1)
	saves := b.saves

	// The follower restarts: no rebalance, the same part, and its old id is fenced.
	r := b.want(b.join(JoinRequest{InstanceID: "i2", KnownID: true, Skip: true}), 0)
	if r.MemberID == f || r.Generation != 1 || r.SkipAssignment || r.Members != nil || r.Leader != l {
		t.Fatalf("%+v", r)
	}
	b.state(Stable, 1)
	if b.saves != saves+1 {
		t.Fatal("the new member id was not saved")
	}
	if s := b.sync(SyncRequest{MemberID: r.MemberID, InstanceID: "i2", Generation: 1}); string(s.got.Assignment) != "F" {
		t.Fatalf("%+v", s.got)
	}
	for what, code := range map[string]int16{
		"heartbeat": b.g.Heartbeat(b.now, f, "i2", 1),
		"commit":    b.g.Commit(b.now, f, "i2", 1),
		"leave":     b.g.Leave(b.now, f, "i2"),
		"sync":      b.sync(SyncRequest{MemberID: f, InstanceID: "i2", Generation: 1}).got.Err,
		"join":      b.join(JoinRequest{MemberID: f, InstanceID: "i2"}).got.Err,
	} {
		if code != kerr.FencedInstanceID.Code {
			t.Errorf("%s with the old id: %v", what, kerr.ErrorForCode(code))
		}
	}

	// So does the leader: it leads on, and is told not to assign if it can understand that.
	r = b.want(b.join(JoinRequest{InstanceID: "i1", Skip: true}), 0)
	if !r.SkipAssignment || r.Leader != r.MemberID || len(r.Members) != 2 {
		t.Fatalf("%+v", r)
	}
	lead := r.MemberID
	r = b.want(b.join(JoinRequest{InstanceID: "i1"}), 0)
	if r.SkipAssignment || r.Leader != lead || r.Leader == r.MemberID || r.Members != nil {
		t.Fatalf("%+v", r)
	}
	b.state(Stable, 1)

	// A static member is removed by its instance alone.
	if code := b.g.Leave(b.now, "", "i2"); code != 0 {
		t.Fatal(code)
	}
	b.state(Preparing, 1)
}

// A restart keeps a Stable group: members go on without a rebalance.
func TestRestore(t *testing.T) {
	b, ids := stable(t, 2)
	g, err := Restore("g", b.g.Snapshot(), &b.lim, b.now, b.newID)
	if err != nil {
		t.Fatal(err)
	}
	b.g = g
	b.state(Stable, 1)
	for _, id := range ids {
		if code := b.g.Heartbeat(b.now, id, "", 1); code != 0 {
			t.Fatal(code)
		}
		if s := b.sync(SyncRequest{MemberID: id, Generation: 1}); string(s.got.Assignment) != "part of "+id {
			t.Fatalf("%+v", s.got)
		}
	}
	if d := b.g.Describe(); d.Protocol != "range" || len(d.Members) != 2 || string(d.Members[0].Metadata) != "meta-range" {
		t.Fatalf("%+v", d)
	}
	b.pass(11 * time.Second)
	b.state(Empty, 2)
	if _, err := Restore("g", []byte("{"), &b.lim, b.now, b.newID); err == nil {
		t.Fatal("a damaged snapshot was taken")
	}
}

func TestChoose(t *testing.T) {
	b := newBench(t, time.Second)
	one := b.join(JoinRequest{Protocols: protocols("a", "b", "c")})
	two := b.join(JoinRequest{Protocols: protocols("c", "b")})
	three := b.join(JoinRequest{Protocols: protocols("b", "c")})
	b.pass(3 * time.Second)
	for _, c := range []*call[JoinResult]{one, two, three} {
		if r := b.want(c, 0); r.Protocol != "b" { // a vote for c, two for b
			t.Fatalf("%+v", r)
		}
	}
}

func TestCommitRules(t *testing.T) {
	b := newBench(t, 0)
	if code := b.g.Commit(b.now, "", "", -1); code != 0 {
		t.Fatal(code)
	}
	r := b.want(b.join(JoinRequest{}), 0)
	b.sync(SyncRequest{MemberID: r.MemberID, Generation: 1})
	for _, c := range []struct {
		id         string
		generation int32
		want       int16
	}{
		{"", -1, kerr.UnknownMemberID.Code},
		{"x", 1, kerr.UnknownMemberID.Code},
		{r.MemberID, 0, kerr.IllegalGeneration.Code},
		{r.MemberID, 1, 0},
	} {
		if code := b.g.Commit(b.now, c.id, "", c.generation); code != c.want {
			t.Errorf("%+v: %d", c, code)
		}
	}
}

package kafkawire_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"trivium/kafkawire"
)

// tally counts what members of a group read.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
	by   map[string]int
	more chan struct{}
}

func newTally() *tally {
	return &tally{seen: map[string]int{}, by: map[string]int{}, more: make(chan struct{}, 1)}
}

func (y *tally) add(who string, rs []*kgo.Record) {
	y.mu.Lock()
	for _, r := range rs {
		y.seen[fmt.Sprintf("%s-%d-%d", r.Topic, r.Partition, r.Offset)]++
		y.by[who]++
	}
	y.mu.Unlock()
	select {
	case y.more <- struct{}{}:
	default:
	}
}

// wait returns when done holds.
func (y *tally) wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		y.mu.Lock()
		ok := done()
		y.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-y.more:
		case <-deadline:
			t.Fatalf("%s: %d records seen, by %v", what, len(y.seen), y.by)
		}
	}
}

// member consumes until stop; it commits what it was given before it leaves.
func (s *server) member(y *tally, who, group, topic string, opts ...kgo.Opt) (stop func()) {
	s.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.addr), kgo.ClientID(who), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.HeartbeatInterval(100 * time.Millisecond), kgo.FetchMaxWait(100 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
	}, opts...)...)
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.Context())
	// What was read is committed, even at the end of the test.
	commits, end := context.WithTimeout(context.WithoutCancel(s.Context()), patience)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			fs := c.PollFetches(ctx)
			if ctx.Err() != nil || fs.IsClientClosed() {
				c.AllowRebalance()
				return
			}
			y.add(who, fs.Records())
			for {
				err := c.CommitUncommittedOffsets(commits)
				if errors.Is(err, kerr.RebalanceInProgress) {
					continue // the next generation is about to begin
				}
				if err != nil {
					s.Errorf("%s: commit: %v", who, err)
				}
				break
			}
			c.AllowRebalance()
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		end()
		c.CloseAllowingRebalance()
	})
}

// Members come and go; every record is read, and only once, because each commits
// before its partitions move on.
func TestGroup(t *testing.T) {
	for name, balancer := range map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
		"sticky": kgo.StickyBalancer(), "cooperative": kgo.CooperativeStickyBalancer(),
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			s.topic("t", 6, nil)
			p := s.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
			y := newTally()
			var stops []func()
			join := func(n int) {
				stops = append(stops, s.member(y, fmt.Sprint("m", n), "g", "t", kgo.Balancers(balancer)))
				t.Cleanup(stops[len(stops)-1])
			}
			total := 0
			round := func(members ...int) {
				t.Helper()
				// Each of the members gets some of what is produced from now on.
				clear(y.by)
				y.wait(t, fmt.Sprint("all of ", members, " read"), func() bool {
					y.mu.Unlock()
					s.produce(p, "t", 12)
					total += 12
					y.mu.Lock()
					for _, m := range members {
						if y.by[fmt.Sprint("m", m)] == 0 {
							select {
							case y.more <- struct{}{}:
							default:
							}
							return false
						}
					}
					return true
				})
				y.wait(t, "all is read", func() bool { return len(y.seen) == total })
			}
			join(0)
			round(0)
			join(1)
			round(0, 1)
			join(2)
			round(0, 1, 2)
			stops[0]()
			round(1, 2)
			stops[2]()
			round(1)
			stops[1]()
			for k, n := range y.seen {
				if n != 1 {
					t.Errorf("%s was read %d times", k, n)
				}
			}
			lag, err := s.admin().Lag(s.ctx(), "g")
			if err != nil {
				t.Fatal(err)
			}
			if g := lag["g"]; g.Lag.Total() != 0 || g.State != "Empty" {
				t.Fatalf("lag %d in state %s", g.Lag.Total(), g.State)
			}
		})
	}
}

// describe is what an administrator sees of a group.
func (s *server) describe(group string) kadm.DescribedGroup {
	s.Helper()
	gs, err := s.admin().DescribeGroups(s.ctx(), group)
	if err != nil {
		s.Fatal(err)
	}
	return gs[group]
}

// A static member that comes back within its session has its partitions again,
// and nobody rebalances.
func TestStaticMembers(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 4, nil)
	var mu sync.Mutex
	revoked := 0
	other := []kgo.Opt{kgo.InstanceID("one"), kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) {
		mu.Lock()
		revoked++
		mu.Unlock()
	})}
	y := newTally()
	p := s.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	t.Cleanup(s.member(y, "one", "g", "t", other...))
	s.produce(p, "t", 8)
	y.wait(t, "the leader is there", func() bool { return y.by["one"] == 8 })
	stopTwo := s.member(y, "two", "g", "t", kgo.InstanceID("two"))
	both := func() {
		t.Helper()
		y.mu.Lock()
		clear(y.by)
		y.mu.Unlock()
		y.wait(t, "both read", func() bool {
			y.mu.Unlock()
			s.produce(p, "t", 8)
			y.mu.Lock()
			if y.by["one"] > 0 && y.by["two"] > 0 {
				return true
			}
			select {
			case y.more <- struct{}{}:
			default:
			}
			return false
		})
	}
	both()
	before := s.describe("g")
	mu.Lock()
	revoked = 0
	mu.Unlock()
	stopTwo() // a static member does not leave
	t.Cleanup(s.member(y, "two", "g", "t", kgo.InstanceID("two")))
	both()
	after := s.describe("g")
	mu.Lock()
	defer mu.Unlock()
	if revoked != 0 {
		t.Errorf("the other member rebalanced %d times", revoked)
	}
	if before.State != "Stable" || after.State != "Stable" || len(after.Members) != 2 {
		t.Fatalf("%+v, then %+v", before, after)
	}
	ids := map[string]string{}
	for _, m := range before.Members {
		ids[*m.InstanceID] = m.MemberID
	}
	for _, m := range after.Members {
		if same := ids[*m.InstanceID] == m.MemberID; same != (*m.InstanceID == "one") {
			t.Errorf("member %s had id %s, has %s", *m.InstanceID, ids[*m.InstanceID], m.MemberID)
		}
	}
}

// After a restart positions, topics, groups and producers go on where they were.
func TestRestart(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 2, map[string]*string{"retention.ms": kadm.StringPtr("123456")})
	p := s.client()
	s.produce(p, "t", 100)
	y := newTally()
	stop := s.member(y, "m", "g", "t")
	t.Cleanup(stop)
	y.wait(t, "the first half", func() bool { return len(y.seen) == 100 })
	adm := s.admin()
	s.eventually("it is committed", func() bool {
		os, err := adm.FetchOffsets(s.ctx(), "g")
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		os.Each(func(o kadm.OffsetResponse) { sum += o.At })
		return sum == 100
	})
	before, err := adm.ListTopics(s.ctx(), "t")
	if err != nil {
		t.Fatal(err)
	}
	generation := s.describe("g")

	s.restart()

	// The same producer, in the middle of its sequence; the same member.
	s.produce(p, "t", 100)
	y.wait(t, "the second half", func() bool { return len(y.seen) == 200 })
	for k, n := range y.seen {
		if n != 1 {
			t.Errorf("%s was read %d times", k, n)
		}
	}
	after, err := s.admin().ListTopics(s.ctx(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if before["t"].ID != after["t"].ID || len(after["t"].Partitions) != 2 {
		t.Errorf("topic %v became %v", before["t"], after["t"])
	}
	if g := s.describe("g"); g.State != "Stable" || g.Members[0].MemberID != generation.Members[0].MemberID {
		t.Errorf("group %+v became %+v", generation, g)
	}
	rcs, err := s.admin().DescribeTopicConfigs(s.ctx(), "t")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range rcs[0].Configs {
		if c.Key == "retention.ms" && *c.Value != "123456" {
			t.Errorf("retention.ms is %s", *c.Value)
		}
	}
	stop()
	// A new consumer of the group finds nothing left.
	os, err := s.admin().FetchOffsets(s.ctx(), "g")
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	os.Each(func(o kadm.OffsetResponse) { sum += o.At })
	if sum != 200 {
		t.Errorf("positions add up to %d", sum)
	}
}

// Deleting a topic removes its positions: a new one of that name starts without.
func TestTopicAnew(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	adm := s.admin()
	var os kadm.Offsets
	os.AddOffset("t", 0, 7, -1)
	if err := adm.CommitAllOffsets(s.ctx(), "g", os); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.DeleteTopics(s.ctx(), "t"); err != nil {
		t.Fatal(err)
	}
	s.topic("t", 1, nil)
	got, err := adm.FetchOffsets(s.ctx(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 0 {
		t.Fatalf("positions of the deleted topic: %v", got)
	}
}

// The first rebalance of a group waits for more members, if it is told to.
func TestInitialDelay(t *testing.T) {
	s := start(t, func(o *kafkawire.Options) { o.Groups.InitialDelay = 100 * time.Millisecond })
	s.topic("t", 2, nil)
	y := newTally()
	for i := range 2 {
		t.Cleanup(s.member(y, fmt.Sprint(i), "g", "t"))
	}
	s.produce(s.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner())), "t", 20)
	y.wait(t, "all is read", func() bool { return len(y.seen) == 20 })
}

package compat

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Scenario 6. An event log with three partitions. Group "live" keeps up, group
// "behind" stopped half way, and a new group starts from the beginning.
func TestScenario06EventLogReplay(t *testing.T) {
	s := start(t)
	s.topic(t, "events", 3, nil)
	const n = 300
	producer := s.kafka()
	ctx := within(t)
	for i := range n {
		producer.Produce(ctx, record("events", fmt.Sprint("account-", i%17), fmt.Sprint("event-", i)), nil)
	}
	must(t, producer.Flush(ctx))

	group := func(t *testing.T, name string, take int) state {
		t.Helper()
		view := make(state)
		c := s.kafkaFor(t, kgo.ConsumerGroup(name), kgo.ConsumeTopics("events"), kgo.DisableAutoCommit())
		poll(t, c, take, view.apply)
		must(t, c.CommitUncommittedOffsets(within(t)))
		c.Close()
		return view
	}
	admin := kadm.NewClient(s.kafka())
	position := func(t *testing.T, name string) (sum int64) {
		t.Helper()
		os, err := admin.FetchOffsets(within(t), name)
		must(t, err)
		os.Each(func(o kadm.OffsetResponse) { sum += o.At })
		return sum
	}

	var live state
	t.Run("each group has its own offset", func(t *testing.T) {
		live = group(t, "live", n)
		group(t, "behind", n/2)
		if got := position(t, "live"); got != n {
			t.Errorf("live is at %d", got)
		}
		if got := position(t, "behind"); got != n/2 {
			t.Errorf("behind is at %d", got)
		}
	})
	t.Run("a group that is behind goes on where it was", func(t *testing.T) {
		group(t, "behind", n-n/2)
		if got := position(t, "behind"); got != n {
			t.Errorf("behind is at %d", got)
		}
	})
	t.Run("reading removes nothing", func(t *testing.T) {
		starts, err := admin.ListStartOffsets(within(t), "events")
		must(t, err)
		ends, err := admin.ListEndOffsets(within(t), "events")
		must(t, err)
		var held int64
		ends.Each(func(e kadm.ListedOffset) {
			first, _ := starts.Lookup("events", e.Partition)
			held += e.Offset - first.Offset
		})
		if held != n {
			t.Errorf("the log holds %d events", held)
		}
	})
	t.Run("a new group's replay rebuilds the same state", func(t *testing.T) {
		if again := group(t, "newcomer", n); again.String() != live.String() {
			t.Errorf("rebuilt %v\nwas     %v", again, live)
		}
		if got := position(t, "live"); got != n {
			t.Errorf("the replay moved another group to %d", got)
		}
	})
	t.Run("log and offsets survive a crash of the server", func(t *testing.T) {
		s.crash(t)
		admin = kadm.NewClient(s.kafkaFor(t)) // the old connection ended with the server
		if again := group(t, "after the crash", n); again.String() != live.String() {
			t.Errorf("rebuilt %v\nwas     %v", again, live)
		}
		for _, name := range []string{"live", "behind", "newcomer"} {
			if got := position(t, name); got != n {
				t.Errorf("%s is at %d", name, got)
			}
		}
	})
}

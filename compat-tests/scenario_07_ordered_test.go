package compat

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Scenario 7. Orders keyed by customer spread over six partitions, handled by
// consumers of one group that come and go.
func TestScenario07OrderedAtScale(t *testing.T) {
	s := start(t)
	const partitions, customers, orders = 6, 40, 3000
	s.topic(t, "orders", partitions, nil)

	desk := newOrderDesk()
	clerk := func() (leave func()) {
		c := s.kafka(kgo.ConsumerGroup("clerks"), kgo.ConsumeTopics("orders"),
			kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.Balancers(kgo.CooperativeStickyBalancer()))
		ctx, cancel := context.WithCancel(context.Background())
		var working sync.WaitGroup
		working.Go(func() {
			for ctx.Err() == nil {
				fs := c.PollRecords(ctx, 50)
				fs.EachRecord(func(r *kgo.Record) { desk.handle(r) })
				if err := c.CommitUncommittedOffsets(context.Background()); err != nil {
					desk.fail("commit: %v", err)
				}
				c.AllowRebalance()
			}
		})
		return func() { cancel(); working.Wait(); c.CloseAllowingRebalance() }
	}

	producer := s.kafka()
	take := func(from, to int) {
		ctx := within(t)
		for i := from; i < to; i++ {
			r := record("orders", fmt.Sprint("customer-", i%customers), strconv.Itoa(i/customers))
			producer.Produce(ctx, r, func(_ *kgo.Record, err error) {
				if err != nil {
					desk.fail("produce: %v", err)
				}
			})
		}
		must(t, producer.Flush(ctx))
	}

	// Consumers join and leave while orders arrive.
	ann := clerk()
	take(0, orders/4)
	bob := clerk()
	take(orders/4, orders/2)
	cleo := clerk()
	take(orders/2, orders*3/4)
	ann()
	take(orders*3/4, orders)
	eventually(t, "all orders are handled", func() bool { return desk.count() == orders })
	bob()
	cleo()

	t.Run("same key, same partition", func(t *testing.T) {
		desk.mu.Lock()
		defer desk.mu.Unlock()
		used := make(map[int32]bool)
		for customer, ps := range desk.partitions {
			if len(ps) != 1 {
				t.Errorf("%s is in partitions %v", customer, ps)
			}
			for p := range ps {
				used[p] = true
			}
		}
		if len(used) != partitions {
			t.Errorf("%d of %d partitions are used", len(used), partitions)
		}
	})
	t.Run("each customer's orders in order, while consumers come and go", func(t *testing.T) {
		desk.mu.Lock()
		defer desk.mu.Unlock()
		if len(desk.faults) > 0 {
			t.Errorf("%s", strings.Join(desk.faults, "\n"))
		}
	})
}

// orderDesk handles orders: it knows what the next one of each customer must be.
type orderDesk struct {
	mu         sync.Mutex
	next       map[string]int // by customer
	partitions map[string]map[int32]bool
	handled    int
	faults     []string
}

func newOrderDesk() *orderDesk {
	return &orderDesk{next: make(map[string]int), partitions: make(map[string]map[int32]bool)}
}

// handle takes one order. One that was handled before may come again when its
// consumer left before it committed; one that is too early may not.
func (d *orderDesk) handle(r *kgo.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	customer := string(r.Key)
	if d.partitions[customer] == nil {
		d.partitions[customer] = make(map[int32]bool)
	}
	d.partitions[customer][r.Partition] = true
	n, err := strconv.Atoi(string(r.Value))
	switch want := d.next[customer]; {
	case err != nil || n > want:
		d.faults = append(d.faults, fmt.Sprintf("%s: order %q came when %d was next", customer, r.Value, want))
	case n == want:
		d.next[customer]++
		d.handled++
	}
}

func (d *orderDesk) fail(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, fmt.Sprintf(format, args...))
}

func (d *orderDesk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.handled
}

package compat

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Scenario 4. Three workers compete for one queue, each with prefetch 1.
func TestScenario04CompetingConsumers(t *testing.T) {
	s := start(t)
	boss := s.rabbit()
	boss.queue("renders", nil)

	const n = 3
	var workers [n]<-chan amqp.Delivery
	for i := range workers {
		workers[i] = s.rabbit().consume("renders", 1)
	}
	for i := range n + 1 {
		boss.publish("", "renders", fmt.Sprint("frame-", i))
	}

	var held [n]amqp.Delivery
	t.Run("round-robin: each worker gets one", func(t *testing.T) {
		var got []string
		for i, w := range workers {
			held[i] = next(t, w)
			got = append(got, string(held[i].Body))
		}
		sort.Strings(got)
		if strings.Join(got, " ") != "frame-0 frame-1 frame-2" {
			t.Errorf("they got %v", got)
		}
	})
	t.Run("no next task before the previous acknowledgement", func(t *testing.T) {
		if got := boss.ready("renders"); got != 1 {
			t.Errorf("%d tasks wait, want 1", got)
		}
		for i, w := range workers {
			if len(w) != 0 {
				t.Errorf("worker %d has a second task", i)
			}
		}
	})
	t.Run("a slow worker hoards nothing", func(t *testing.T) {
		// Worker 0 never acknowledges. The other two do all the rest.
		for i := n + 1; i < 20; i++ {
			boss.publish("", "renders", fmt.Sprint("frame-", i))
		}
		must(t, held[1].Ack(false))
		must(t, held[2].Ack(false))
		done := map[string]bool{string(held[1].Body): true, string(held[2].Body): true}
		for len(done) < 19 {
			var d amqp.Delivery
			select {
			case d = <-workers[1]:
			case d = <-workers[2]:
			case d = <-workers[0]:
				t.Fatalf("the slow worker was given %q too", d.Body)
			case <-within(t).Done():
				t.Fatalf("%d of 19 tasks done", len(done))
			}
			done[string(d.Body)] = true
			must(t, d.Ack(false))
		}
		if done[string(held[0].Body)] {
			t.Error("what the slow worker holds was given to another")
		}
	})
	t.Run("the slow worker's acknowledgement brings it the next", func(t *testing.T) {
		must(t, held[0].Ack(false))
		boss.publish("", "renders", "a")
		boss.publish("", "renders", "b")
		boss.publish("", "renders", "c")
		for _, w := range workers {
			must(t, next(t, w).Ack(false))
		}
		eventually(t, "nothing is left", func() bool { return boss.ready("renders") == 0 })
	})
}

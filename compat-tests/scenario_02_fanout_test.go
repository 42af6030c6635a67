package compat

import (
	"fmt"
	"strings"
	"testing"
)

// Scenario 2. A fanout exchange copies every event to the queue of every
// service: email is away, analytics is slow, audit keeps up.
func TestScenario02Fanout(t *testing.T) {
	s := start(t)
	shop := s.rabbit()
	shop.exchange("orders", "fanout")
	for _, service := range []string{"email", "analytics", "audit"} {
		shop.queue(service, nil)
		shop.bind(service, "", "orders")
	}
	slow := s.rabbit().consume("analytics", 1)
	fast := s.rabbit().consume("audit", 10)

	const n = 20
	var all []string
	for i := range n {
		event := fmt.Sprintf("order-%d", i)
		all = append(all, event)
		shop.publish("orders", "ignored", event)
	}
	want := strings.Join(all, " ")

	held := next(t, slow)
	t.Run("a slow and an absent service change nothing for the others", func(t *testing.T) {
		if got := bodies(t, fast, n); got != want {
			t.Errorf("audit got %s", got)
		}
	})
	t.Run("each service has its own queue and its own acknowledgements", func(t *testing.T) {
		if got := shop.ready("email"); got != n {
			t.Errorf("email has %d events waiting, want %d: it acknowledged none", got, n)
		}
		if got := shop.ready("analytics"); got != n-1 {
			t.Errorf("analytics has %d events waiting besides the one it works on", got)
		}
		if got := shop.ready("audit"); got != 0 {
			t.Errorf("audit has %d events waiting", got)
		}
	})
	t.Run("the slow one gets everything at its own pace", func(t *testing.T) {
		if err := held.Ack(false); err != nil {
			t.Fatal(err)
		}
		if got := string(held.Body) + " " + bodies(t, slow, n-1); got != want {
			t.Errorf("analytics got %s", got)
		}
	})
	t.Run("the absent one finds everything when it comes back", func(t *testing.T) {
		if got := bodies(t, s.rabbitFor(t).consume("email", 10), n); got != want {
			t.Errorf("email got %s", got)
		}
	})
}

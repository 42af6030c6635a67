package compat

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Scenario 9. A payment that fails is rejected, waits 50 ms in a queue without
// consumers, whose TTL sends it back; after the third try it is put aside.
func TestScenario09DeadLetterRetry(t *testing.T) {
	s := start(t)
	shop := s.rabbit()
	shop.exchange("retry", "direct")
	shop.exchange("again", "direct")
	shop.queue("payments", amqp.Table{"x-dead-letter-exchange": "retry"})
	shop.queue("wait", amqp.Table{"x-dead-letter-exchange": "again", "x-message-ttl": int32(50)})
	shop.queue("failed", nil)
	shop.bind("wait", "payments", "retry")
	shop.bind("payments", "payments", "again")

	const n, tries = 20, 3
	for i := range n {
		shop.publish("", "payments", fmt.Sprint("payment-", i))
	}

	// The worker: even payments succeed at once, every fourth one at the second
	// try, the rest never.
	worker := s.rabbit()
	payments := worker.consume("payments", 5)
	paid := make(map[string]int64) // by how many failures came before
	attempts := make(map[string]int64)
	var wrong []string
	for len(paid) < n*3/4 || len(attempts) < n || worker.ready("failed") < n/4 {
		d := next(t, payments)
		body := string(d.Body)
		failures := deaths(d, "payments", "rejected")
		if failures != attempts[body] {
			wrong = append(wrong, fmt.Sprintf("%s says %d failures, had %d", body, failures, attempts[body]))
		}
		var i int
		fmt.Sscanf(body, "payment-%d", &i)
		attempts[body]++
		switch {
		case i%2 == 0, i%4 == 1 && failures == 1:
			paid[body] = failures
			must(t, d.Ack(false))
		case failures == tries-1:
			worker.send("", "failed", amqp.Publishing{Headers: d.Headers, DeliveryMode: amqp.Persistent, Body: d.Body})
			must(t, d.Ack(false))
		default:
			must(t, d.Reject(false))
		}
	}

	t.Run("failed ones come back after the TTL, without an external scheduler", func(t *testing.T) {
		for i := range n {
			want := map[int]int64{0: 1, 1: 2, 2: 1, 3: tries}[i%4]
			if got := attempts[fmt.Sprint("payment-", i)]; got != want {
				t.Errorf("payment-%d was tried %d times, want %d", i, got, want)
			}
		}
	})
	t.Run("attempts are counted in x-death", func(t *testing.T) {
		for _, w := range wrong {
			t.Error(w)
		}
	})
	t.Run("after the last try it is in the dead-letter queue, with its history", func(t *testing.T) {
		failed := s.rabbitFor(t).consume("failed", n)
		for range n / 4 {
			d := next(t, failed)
			must(t, d.Ack(false))
			if got := deaths(d, "payments", "rejected"); got != tries-1 {
				t.Errorf("%s was rejected %d times", d.Body, got)
			}
			if got := deaths(d, "wait", "expired"); got != tries-1 {
				t.Errorf("%s waited %d times", d.Body, got)
			}
			if q := d.Headers["x-first-death-queue"]; q != "payments" {
				t.Errorf("%s first died in %v", d.Body, q)
			}
		}
	})
	t.Run("nothing is lost on the way", func(t *testing.T) {
		if len(paid) != n*3/4 {
			t.Errorf("%d payments succeeded, want %d", len(paid), n*3/4)
		}
		for _, q := range []string{"payments", "wait", "failed"} {
			if got := shop.ready(q); got != 0 {
				t.Errorf("%d are left in %s", got, q)
			}
		}
	})
}

// deaths is how often x-death says that a message died in a queue for a reason.
func deaths(d amqp.Delivery, queue, reason string) int64 {
	list, _ := d.Headers["x-death"].([]any)
	for _, e := range list {
		if death, ok := e.(amqp.Table); ok && death["queue"] == queue && death["reason"] == reason {
			n, _ := death["count"].(int64)
			return n
		}
	}
	return 0
}

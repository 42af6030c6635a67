package amqp

import (
	"fmt"
	"math/rand/v2"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// quorumOrder is rabbit_fifo_q of RabbitMQ 4.2: two classes, high ones served twice as often, and whenever they
// are older.
func quorumOrder(priorities []int) (order []string) {
	var hi, no []int
	for i, p := range priorities {
		if p > 4 {
			hi = append(hi, i)
		} else {
			no = append(no, i)
		}
	}
	for n := 0; len(hi)+len(no) > 0; n++ {
		from := &no
		if len(hi) > 0 && (n%3 != 2 || len(no) == 0 || hi[0] < no[0]) {
			from = &hi
		}
		order = append(order, fmt.Sprint((*from)[0]))
		*from = (*from)[1:]
	}
	return order
}

// Quorum queues have two classes of priority, whatever is in front of them and through a restart.
func TestQuorumPriority(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.Confirm(false))
	c.queue("q", amqp091.Table{"x-queue-type": "quorum"})
	rng := rand.New(rand.NewPCG(1, 2))
	var ps []int
	publish := func(n int, priority func() int) {
		var last *amqp091.DeferredConfirmation
		for range n {
			p := priority()
			var err error
			last, err = c.PublishWithDeferredConfirm("", "q", false, false, amqp091.Publishing{
				Body: fmt.Append(nil, len(ps)), Priority: uint8(p),
			})
			c.must(err)
			ps = append(ps, p)
		}
		if !last.Wait() {
			t.Fatal("not confirmed")
		}
	}
	publish(400, func() int { return 0 })
	publish(300, func() int { return rng.IntN(10) })
	publish(200, func() int { return 5 + rng.IntN(250) })
	publish(100, func() int { return rng.IntN(5) })

	want := quorumOrder(ps)
	c.must(c.Qos(7, 0, false))
	equal(t, "the first part", bodies(t, c.subscribe("q"), 350), want[:350])
	c.must(c.Close())
	left := map[string]bool{}
	for _, w := range want[350:] {
		left[w] = true
	}

	b.restart()
	c = b.client()
	var rest []int
	var names []string
	for i, p := range ps {
		if left[fmt.Sprint(i)] {
			rest, names = append(rest, p), append(names, fmt.Sprint(i))
		}
	}
	var wantRest []string
	for _, i := range quorumOrder(rest) {
		var n int
		fmt.Sscan(i, &n)
		wantRest = append(wantRest, names[n])
	}
	equal(t, "the rest", c.drain("q"), wantRest)
}

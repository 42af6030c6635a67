package jetstream_test

import (
	"fmt"
	"math"
	"testing"
)

// Who has for ever to acknowledge is not asked again, and what is refused for so long does not come back: such deadlines
// are in the distance, not in the past.
func TestDeadlinesInTheDistance(t *testing.T) {
	alike(t, func(p *player) {
		p.must("STREAM.CREATE.S", `{"name":"S","subjects":["s"]}`)
		p.must("CONSUMER.CREATE.S.c", fmt.Sprintf(`{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","ack_wait":%d}}`, int64(math.MaxInt64)))
		p.pub("s", 3)
		p.fetch("S", "c", 1)
		p.answer(p.fetch("S", "c", 1)[2], fmt.Sprintf(`-NAK {"delay":%d}`, int64(math.MaxInt64)))
		p.fetch("S", "c", 1)
		p.state("S", "c")
	})
}

// A request that does not wait hears at once that there is nothing, and after what it got as soon as that is known: while the
// consumer may hand out nothing before something is acknowledged, it is not.
func TestNoWaitBehindMaxAckPending(t *testing.T) {
	alike(t, func(p *player) {
		p.must("STREAM.CREATE.S", `{"name":"S","subjects":["s"]}`)
		p.must("CONSUMER.CREATE.S.c", `{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","max_ack_pending":1}}`)
		p.pub("s", 2)
		first := p.fetch("S", "c", 1)[1]
		u := p.puller("u", "S", "c")
		u.ask(`{"batch":2,"no_wait":true}`)
		p.waiting("S", "c", 1)
		p.answer(first, "+ACK")
		second, err := u.sub.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		p.waiting("S", "c", 1)
		late := p.puller("late", "S", "c")
		late.ask(`{"batch":1,"no_wait":true}`)
		late.gets(1)
		p.waiting("S", "c", 1)
		p.answer(second, "+ACK")
		u.gets(1)
		p.state("S", "c")
	})
}

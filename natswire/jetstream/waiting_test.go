package jetstream_test

import "testing"

// The request of a client that is gone does not wait any more, however long it would: it is neither
// counted nor served.
func TestWaitingRequestOfAClientThatIsGone(t *testing.T) {
	alike(t, func(p *player) {
		p.must("STREAM.CREATE.S", `{"name":"S","subjects":["s"]}`)
		p.must("CONSUMER.CREATE.S.c", `{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit"}}`)
		const body = `{"batch":1,"expires":3600000000000}`
		other := connect(p.t, p.nc.ConnectedUrl())
		gone := (&player{t: p.t, nc: other}).puller("gone", "S", "c")
		gone.ask(body)
		p.waiting("S", "c", 1)
		left := p.puller("left", "S", "c")
		left.ask(body)
		p.waiting("S", "c", 2)
		other.Close()
		p.waiting("S", "c", 1)
		p.number("s", 1)
		left.gets(1)
		p.state("S", "c")
		p.say("waiting %d", p.info("S", "c").NumWaiting)
	})
}

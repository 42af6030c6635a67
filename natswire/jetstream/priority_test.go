package jetstream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// puller is a client of a pull consumer with one inbox.
type puller struct {
	p    *player
	name string
	sub  *nats.Subscription
	on   string
	pin  string
}

func (p *player) puller(name, stream, consumer string) *puller {
	p.t.Helper()
	sub, err := p.nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		p.t.Fatal(err)
	}
	return &puller{p: p, name: name, sub: sub, on: "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + consumer}
}

func (u *puller) ask(body string) {
	u.p.t.Helper()
	if err := u.p.nc.PublishRequest(u.on, u.sub.Subject, []byte(body)); err != nil {
		u.p.t.Fatal(err)
	}
	if err := u.p.nc.Flush(); err != nil {
		u.p.t.Fatal(err)
	}
}

// gets writes down the next n messages or statuses.
func (u *puller) gets(n int) {
	u.p.t.Helper()
	for range n {
		m, err := u.sub.NextMsg(patience)
		if err != nil {
			u.p.inTime()
			u.p.t.Fatalf("%s: %v\n%s", u.name, err, u.p.log.String())
		}
		if s := m.Header.Get("Status"); s != "" {
			u.p.say("%s: %s %s", u.name, s, m.Header.Get("Description"))
			continue
		}
		u.pin = m.Header.Get("Nats-Pin-Id")
		u.p.say("%s: %s, pinned %v", u.name, m.Data, u.pin != "")
	}
}

func (p *player) waiting(stream, consumer string, n int) {
	p.t.Helper()
	p.until(stream, consumer, func(i *server.ConsumerInfo) bool { return i.NumWaiting == n })
}

func (p *player) number(subject string, ns ...int) {
	p.t.Helper()
	for _, n := range ns {
		if _, err := p.js.Publish(subject, fmt.Append(nil, n)); err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestComparePriorityGroups(t *testing.T) {
	next := func(c, body string) step { return api("CONSUMER.MSG.NEXT.S."+c, body) }
	compare(t,
		stream("S", `"subjects":["s.>"]`), pub("s.a", "1"), pub("s.b", "2"),
		consumer("S", "o", `"durable_name":"o","ack_policy":"explicit","priority_policy":"overflow","priority_groups":["g"]`),
		consumer("S", "p", `"durable_name":"p","ack_policy":"explicit","priority_policy":"pinned_client","priority_groups":["g","h"]`),
		consumer("S", "r", `"durable_name":"r","ack_policy":"explicit","priority_policy":"prioritized","priority_groups":["g"]`),
		consumer("S", "x", `"priority_policy":"overflow"`), consumer("S", "x", `"priority_policy":"overflow","priority_groups":[""]`),
		consumer("S", "x", `"priority_policy":"overflow","priority_groups":["a b"]`), consumer("S", "x", `"priority_groups":["a"]`),
		consumer("S", "x", `"priority_policy":"pinned_client","priority_groups":["a"],"deliver_subject":"d"`), consumer("S", "x", `"priority_timeout":5`),
		next("o", `{"batch":1}`), next("o", `{"batch":1,"group":"x"}`), next("o", `{"batch":1,"group":"g","id":"x"}`), next("o", `{"batch":1,"group":"g","priority":10}`),
		next("o", `{"batch":1,"group":"g"}`), next("o", `{"batch":1,"group":"g","no_wait":true}`), next("o", `{"batch":1,"group":"g","no_wait":true}`),
		next("p", `{"batch":1,"group":"g","min_pending":1}`), next("r", `{"batch":1,"group":"g","min_pending":1}`), next("r", ``),
		next("r", `{"batch":1,"group":"g","priority":3}`), next("r", `{"batch":1,"group":"g","expires":50000000}`),
		api("CONSUMER.INFO.S.o", ""), api("CONSUMER.INFO.S.p", ""), api("CONSUMER.INFO.S.r", ""),
		api("CONSUMER.UNPIN.S.p", ""), api("CONSUMER.UNPIN.S.p", "{"), api("CONSUMER.UNPIN.S.p", `{"group":""}`), api("CONSUMER.UNPIN.S.p", `{"group":"a b"}`),
		api("CONSUMER.UNPIN.S.p", `{"group":"i"}`), api("CONSUMER.UNPIN.S.nope", `{"group":"g"}`), api("CONSUMER.UNPIN.NOPE.p", `{"group":"g"}`),
		api("CONSUMER.UNPIN.S.p", `{"group":"h"}`), api("CONSUMER.UNPIN.S.o", `{"group":"g"}`),
	)
}

func TestOverflow(t *testing.T) {
	alike(t, func(p *player) {
		p.must("STREAM.CREATE.S", `{"name":"S","subjects":["s"]}`)
		p.must("CONSUMER.CREATE.S.c", `{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","priority_policy":"overflow","priority_groups":["g"]}}`)
		a, b := p.puller("a", "S", "c"), p.puller("b", "S", "c")
		a.ask(`{"batch":10,"expires":3600000000000,"group":"g","min_pending":3}`)
		p.waiting("S", "c", 1)
		p.number("s", 1, 2)
		b.ask(`{"batch":1,"group":"g","expires":3600000000000}`)
		b.gets(1)
		p.number("s", 3)
		p.state("S", "c")
		p.number("s", 4)
		a.gets(1)
		p.state("S", "c")
		p.number("s", 5, 6)
		a.gets(2)
		p.state("S", "c")
		c := p.puller("c", "S", "c")
		c.ask(`{"batch":1,"group":"g","min_ack_pending":5,"expires":3600000000000}`)
		p.waiting("S", "c", 2)
		p.state("S", "c")
		b.ask(`{"batch":1,"group":"g","expires":3600000000000}`)
		b.gets(1)
		c.gets(1)
		p.state("S", "c")
	})
}

func TestPrioritized(t *testing.T) {
	alike(t, func(p *player) {
		p.must("STREAM.CREATE.S", `{"name":"S","subjects":["s"]}`)
		p.must("CONSUMER.CREATE.S.c", `{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","priority_policy":"prioritized","priority_groups":["g"]}}`)
		var all []*puller
		for i, body := range []string{
			`1`, `{"batch":2,"expires":3600000000000,"group":"g","priority":2}`, `{"batch":2,"expires":3600000000000,"group":"g","priority":1}`,
			`{"batch":1,"expires":3600000000000,"group":"g","priority":2}`, `{"batch":1,"expires":3600000000000,"group":"g","priority":1}`,
		} {
			u := p.puller(fmt.Sprint(i), "S", "c")
			u.ask(body)
			p.waiting("S", "c", i+1)
			all = append(all, u)
		}
		p.number("s", 1, 2, 3, 4, 5, 6, 7)
		for i, n := range []int{1, 2, 2, 1, 1} {
			all[i].gets(n)
		}
		p.state("S", "c")
	})
}

func TestPinnedClient(t *testing.T) {
	alike(t, func(p *player) {
		adv, err := p.nc.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.*.S.c")
		if err != nil {
			t.Fatal(err)
		}
		advised := func() {
			t.Helper()
			m, err := adv.NextMsg(patience)
			if err != nil {
				p.inTime()
				t.Fatal(err, p.log.String())
			}
			var e struct {
				Type, Group, Reason, Account, Stream, Consumer string
				Pinned                                         string `json:"pinned_id"`
			}
			if err := json.Unmarshal(m.Data, &e); err != nil {
				t.Fatal(err)
			}
			p.say("%s %s %s %s %s.%s %v", e.Type, e.Group, e.Reason, e.Account, e.Stream, e.Consumer, e.Pinned != "")
		}
		p.must("STREAM.CREATE.S", `{"name":"S","subjects":["s"]}`)
		p.must("CONSUMER.CREATE.S.c", fmt.Sprintf(`{"stream_name":"S","config":{"name":"c","ack_policy":"explicit","ack_wait":3600000000000,"priority_policy":"pinned_client","priority_groups":["g"],"priority_timeout":%d,"inactive_threshold":3600000000000}}`, p.unit))
		advised()
		const group = `"expires":3600000000000,"group":"g"`
		a, b := p.puller("a", "S", "c"), p.puller("b", "S", "c")
		a.ask(`{"batch":2,` + group + `}`)
		p.waiting("S", "c", 1)
		b.ask(`{"batch":2,` + group + `}`)
		p.waiting("S", "c", 2)
		p.hurry() // a is pinned
		p.number("s", 1, 2)
		a.gets(2)
		advised()
		i := p.info("S", "c")
		p.say("groups %d, %s, pinned a %v, since %v", len(i.PriorityGroups), i.PriorityGroups[0].Group, i.PriorityGroups[0].PinnedClientID == a.pin, !i.PriorityGroups[0].PinnedTS.IsZero())
		p.number("s", 3)
		p.state("S", "c")
		p.hurry() // again
		a.ask(`{"batch":1,` + group + `,"id":"` + a.pin + `"}`)
		a.gets(1)
		c := p.puller("c", "S", "c")
		c.ask(`{"batch":1,` + group + `,"id":"wrong"}`)
		c.gets(1)
		p.must("CONSUMER.UNPIN.S.c", `{"group":"g"}`)
		advised()
		p.hurry() // b is pinned
		p.number("s", 4)
		b.gets(1)
		advised()
		// a does not know yet that it is unpinned.
		a.ask(`{"batch":1,` + group + `,"id":"` + a.pin + `"}`)
		a.gets(1)
		// Nobody asks for b any more: its pin ends, and another one is served.
		p.number("s", 5)
		b.gets(1)
		a.ask(`{"batch":1,` + group + `}`)
		p.waiting("S", "c", 1)
		p.number("s", 6)
		p.inTime()
		p.rest()
		advised()
		a.gets(1)
		advised()
		p.state("S", "c")
	})
}

// nats.go's own consumers of the three kinds.
func TestPriorityGroupsOfTheClient(t *testing.T) {
	nc := start(t).connect()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, policy := range map[string]jetstream.PriorityPolicy{
		"pinned": jetstream.PriorityPolicyPinned, "overflow": jetstream.PriorityPolicyOverflow, "prioritized": jetstream.PriorityPolicyPrioritized,
	} {
		c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: name, AckPolicy: jetstream.AckExplicitPolicy, PriorityPolicy: policy, PriorityGroups: []string{"g"},
		})
		if err != nil {
			t.Fatal(name, err)
		}
		got := make(chan string, 100)
		for _, who := range []string{"a", "b"} {
			cc, err := c.Consume(func(m jetstream.Msg) {
				m.Ack()
				got <- who
			}, jetstream.PullPriorityGroup("g"))
			if err != nil {
				t.Fatal(name, err)
			}
			defer cc.Stop()
		}
		const n = 20
		for range n {
			if _, err := js.Publish(ctx, "s", nil); err != nil {
				t.Fatal(err)
			}
		}
		by := map[string]int{}
		for range n {
			select {
			case who := <-got:
				by[who]++
			case <-ctx.Done():
				t.Fatal(name, by)
			}
		}
		if name == "pinned" && len(by) != 1 {
			t.Errorf("both were served: %v", by)
		}
		if err := s.DeleteConsumer(ctx, name); err != nil {
			t.Fatal(err)
		}
		if err := s.Purge(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

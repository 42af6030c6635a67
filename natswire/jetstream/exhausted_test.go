package jetstream_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// player plays a story on one server and writes down what is seen.
type player struct {
	t   *testing.T
	nc  *nats.Conn
	js  nats.JetStreamContext
	log strings.Builder
	// unit is how long the story's timers run: how long an ack is waited for, how long a message lives. What is
	// written down while one runs must be seen before it ends, which is not before due.
	unit time.Duration
	due  time.Time // zero: none runs
}

// shortest is the unit that a story begins with: marker TTLs are whole seconds.
const shortest = time.Second

// alike plays a story on nats-server and on ours, and compares what they write down. On a machine that was too
// slow for the story's timers, it is played again with longer ones.
func alike(t *testing.T, story func(p *player)) {
	t.Helper()
	for unit := shortest; unit < patience; unit *= 2 {
		got, ok := play(t, start(t).connect(), unit, story)
		if !ok {
			continue
		}
		// nats-server counts what is pending a moment after it has acknowledged a publish: what it says may
		// differ from run to run.
		var want []string
		for tries := 3; ok && tries > 0 && !slices.Equal(want, got); tries-- {
			want, ok = play(t, original(t), unit, story)
		}
		if ok {
			same(t, want, got)
			return
		}
	}
	t.Fatal("the machine is too slow for this story")
}

// tooSlow ends a story in the middle.
type tooSlow struct{}

// play plays a story once. It reports false if the machine was too slow.
func play(t *testing.T, nc *nats.Conn, unit time.Duration, story func(p *player)) (lines []string, ok bool) {
	js, err := nc.JetStream(nats.MaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	p := &player{t: t, nc: nc, js: js, unit: unit}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case tooSlow:
			t.Logf("too slow for a unit of %v", unit)
			lines, ok = nil, false
		default:
			panic(r)
		}
	}()
	story(p)
	return strings.Split(p.log.String(), "\n"), true
}

// hurry says that from now on a timer may run.
func (p *player) hurry() { p.due = time.Now().Add(p.unit) }

// inTime ends the story if a timer may be over.
func (p *player) inTime() {
	if !p.due.IsZero() && time.Now().After(p.due) {
		panic(tooSlow{})
	}
}

// rest says that what is seen next does not depend on a timer that runs, but perhaps on its end.
func (p *player) rest() { p.due = time.Time{} }

// same compares what two servers' stories wrote down.
func same(t *testing.T, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		var w, g string
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			t.Errorf("line %d:\n\tnats-server: %s\n\tours:        %s", i, w, g)
		} else {
			t.Log(w)
		}
	}
}

func (p *player) say(format string, args ...any) {
	p.inTime()
	fmt.Fprintf(&p.log, format+"\n", args...)
}

func (p *player) must(subject, body string) {
	p.t.Helper()
	m, err := p.nc.Request("$JS.API."+subject, []byte(body), patience)
	if err != nil {
		p.t.Fatal(subject, err)
	}
	p.inTime()
	if strings.Contains(string(m.Data), `"error"`) {
		p.t.Fatal(subject, string(m.Data))
	}
}

func (p *player) pub(subject string, n int) {
	p.t.Helper()
	for range n {
		if _, err := p.js.Publish(subject, []byte("x")); err != nil {
			p.t.Fatal(err)
		}
	}
}

// fetch pulls n messages of a consumer and returns them by sequence.
func (p *player) fetch(stream, consumer string, n int) map[uint64]*nats.Msg {
	p.t.Helper()
	sub, err := p.nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		p.t.Fatal(err)
	}
	defer sub.Unsubscribe()
	// nats-server may not know yet that there is something, so the request waits.
	body := fmt.Sprintf(`{"batch":%d,"expires":%d}`, n, patience)
	if err := p.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+stream+"."+consumer, sub.Subject, []byte(body)); err != nil {
		p.t.Fatal(err)
	}
	got := map[uint64]*nats.Msg{}
	for range n {
		m, err := sub.NextMsg(patience)
		if err != nil {
			p.t.Fatal(err)
		}
		if m.Reply == "" {
			p.say("%s got status %s", consumer, m.Header.Get("Status"))
			break
		}
		f := strings.Split(m.Reply, ".")
		p.say("%s got %s/%s attempt %s", consumer, f[5], f[6], f[4])
		var seq uint64
		fmt.Sscan(f[5], &seq)
		got[seq] = m
	}
	return got
}

func (p *player) answer(m *nats.Msg, what string) {
	p.t.Helper()
	if m == nil {
		p.t.Fatalf("nothing to answer with %s:\n%s", what, p.log.String())
	}
	if _, err := p.nc.Request(m.Reply, []byte(what), patience); err != nil {
		p.t.Fatal(err)
	}
	p.inTime()
}

func (p *player) info(stream, consumer string) *server.ConsumerInfo {
	p.t.Helper()
	m, err := p.nc.Request("$JS.API.CONSUMER.INFO."+stream+"."+consumer, nil, patience)
	if err != nil {
		p.t.Fatal(err)
	}
	var r struct{ server.ConsumerInfo }
	if err := json.Unmarshal(m.Data, &r); err != nil {
		p.t.Fatal(err)
	}
	return &r.ConsumerInfo
}

func (p *player) state(stream, consumer string) {
	p.t.Helper()
	i := p.info(stream, consumer)
	p.say("%s: delivered %d/%d, floor %d/%d, ack pending %d, redelivered %d, pending %d", consumer, i.Delivered.Stream, i.Delivered.Consumer,
		i.AckFloor.Stream, i.AckFloor.Consumer, i.NumAckPending, i.NumRedelivered, i.NumPending)
}

func (p *player) stored(stream string) {
	p.t.Helper()
	si, err := p.js.StreamInfo(stream)
	if err != nil {
		p.t.Fatal(err)
	}
	p.say("%s: %d messages, %d to %d", stream, si.State.Msgs, si.State.FirstSeq, si.State.LastSeq)
}

// until waits until a consumer's info is as wanted.
func (p *player) until(stream, consumer string, f func(i *server.ConsumerInfo) bool) {
	p.t.Helper()
	eventually(p.t, consumer, func() bool { return f(p.info(stream, consumer)) })
}

// Messages that had all their attempts: what consumers report of them, and what a late
// answer to one does.
func TestExhausted(t *testing.T) {
	for _, retention := range []string{"limits", "interest", "workqueue"} {
		for _, ack := range []string{"explicit", "all"} {
			if retention == "workqueue" && ack == "all" {
				continue
			}
			t.Run(retention+"/"+ack, func(t *testing.T) {
				t.Parallel()
				alike(t, func(p *player) {
					adv, err := p.nc.SubscribeSync(server.JSAdvisoryConsumerMaxDeliveryExceedPre + ".>")
					if err != nil {
						t.Fatal(err)
					}
					advised := func(n int) {
						p.t.Helper()
						p.rest()
						var seqs []string
						for range n {
							m, err := adv.NextMsg(patience)
							if err != nil {
								p.t.Fatal("advisory", err)
							}
							var a server.JSConsumerDeliveryExceededAdvisory
							json.Unmarshal(m.Data, &a)
							seqs = append(seqs, fmt.Sprintf("%d after %d", a.StreamSeq, a.Deliveries))
						}
						p.say("exceeded %v", seqs)
					}
					fetch := func(n int) map[uint64]*nats.Msg {
						p.t.Helper()
						p.hurry() // their acks are waited for
						return p.fetch("S", "c", n)
					}
					p.must("STREAM.CREATE.S", fmt.Sprintf(`{"name":"S","subjects":["s.>"],"retention":%q}`, retention))
					p.must("CONSUMER.CREATE.S.c", fmt.Sprintf(`{"stream_name":"S","config":{"durable_name":"c","ack_policy":%q,"max_deliver":1,"ack_wait":%d}}`, ack, p.unit))
					p.pub("s.a", 5)
					a := fetch(1)
					p.state("S", "c")
					advised(1)
					p.state("S", "c")
					p.stored("S")
					b := fetch(1)
					p.answer(b[2], "+ACK")
					p.state("S", "c")
					p.stored("S")
					p.answer(a[1], "-NAK")
					p.state("S", "c")
					p.answer(a[1], "+ACK")
					p.state("S", "c")
					p.stored("S")
					// One in the middle.
					c := fetch(2)
					p.answer(c[3], "+ACK")
					p.state("S", "c")
					advised(1)
					p.state("S", "c")
					p.answer(c[4], "+TERM")
					p.state("S", "c")
					p.stored("S")
					d := fetch(1)
					advised(1)
					p.state("S", "c")
					p.pub("s.a", 3)
					e := fetch(3)
					p.answer(e[7], "+ACK")
					p.state("S", "c")
					p.answer(e[6], "+ACK")
					p.state("S", "c")
					p.answer(e[8], "+ACK")
					p.state("S", "c")
					p.stored("S")
					p.answer(d[5], "+ACK")
					p.state("S", "c")
					p.stored("S")
				})
			})
		}
	}
}

// Redeliveries do not raise the floor; a message is exhausted by a nak too, and interest
// in it stays when others are done with it.
func TestRedeliveredAndExhausted(t *testing.T) {
	alike(t, func(p *player) {
		p.must("STREAM.CREATE.S", `{"name":"S","subjects":["s.>"],"retention":"interest"}`)
		p.must("CONSUMER.CREATE.S.c", `{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","max_deliver":2,"ack_wait":3600000000000}}`)
		p.must("CONSUMER.CREATE.S.d", `{"stream_name":"S","config":{"durable_name":"d","ack_policy":"explicit","ack_wait":3600000000000}}`)
		p.must("CONSUMER.CREATE.S.a", `{"stream_name":"S","config":{"durable_name":"a","ack_policy":"all","ack_wait":3600000000000}}`)
		p.pub("s.a", 6)
		got := p.fetch("S", "c", 3)
		p.answer(got[1], "-NAK")
		p.answer(got[2], "-NAK")
		p.state("S", "c")
		again := p.fetch("S", "c", 2)
		p.state("S", "c")
		p.answer(again[2], "+ACK")
		p.state("S", "c")
		p.answer(again[1], "-NAK")
		p.fetch("S", "c", 1)
		p.state("S", "c")
		p.answer(got[3], "+ACK")
		p.state("S", "c")
		for _, m := range p.fetch("S", "d", 6) {
			p.answer(m, "+ACK")
		}
		p.state("S", "d")
		p.stored("S")
		all := p.fetch("S", "a", 4)
		p.answer(all[2], "-NAK")
		p.answer(all[3], "-NAK")
		all = p.fetch("S", "a", 2)
		p.state("S", "a")
		p.answer(all[2], "+ACK")
		p.state("S", "a")
		p.answer(all[3], "+ACK")
		p.state("S", "a")
		p.stored("S")
		p.answer(again[1], "+ACK")
		p.state("S", "c")
		p.stored("S")
		p.must("STREAM.MSG.DELETE.S", `{"seq":4}`)
		p.state("S", "c")
		p.until("S", "c", func(i *server.ConsumerInfo) bool { return i.NumAckPending == 0 })
		p.state("S", "c")
		p.must("STREAM.PURGE.S", ``)
		p.state("S", "c")
		p.state("S", "a")
	})
}

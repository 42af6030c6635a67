package amqp

import (
	"fmt"
	"sort"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// quiet asserts that nothing is delivered: everything sent before is answered in order,
// so a round trip after it would come later than a delivery.
func quiet(t *testing.T, c *client, ds <-chan amqp091.Delivery) {
	t.Helper()
	c.must(c.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil))
	select {
	case d := <-ds:
		t.Errorf("got %q", d.Body)
	default:
	}
}

// take waits for n deliveries without acknowledging them.
func take(t *testing.T, ds <-chan amqp091.Delivery, n int) (got []amqp091.Delivery) {
	t.Helper()
	for range n {
		got = append(got, next(t, ds))
	}
	return got
}

func texts(ds []amqp091.Delivery) (s []string) {
	for _, d := range ds {
		s = append(s, string(d.Body))
	}
	return s
}

func TestPrefetch(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	c.send("", "q", "1", "2", "3", "4", "5")
	c.must(c.Qos(2, 0, false))
	ds := c.subscribe("q")
	got := take(t, ds, 2)
	quiet(t, c, ds)
	c.must(got[1].Ack(false))
	got = append(got, next(t, ds))
	quiet(t, c, ds)
	c.must(got[2].Ack(true))
	got = append(got, take(t, ds, 2)...)
	equal(t, "messages", texts(got), "[1 2 3 4 5]")
	for i, d := range got {
		equal(t, "tag", d.DeliveryTag, i+1)
	}
	// Another prefetch counts for consumers to come only; get is not counted at all.
	c.must(c.Qos(1, 0, false))
	c.send("", "q", "6", "7", "8", "9", "10")
	c.must(got[4].Ack(true))
	take(t, ds, 2)
	d := c.get("q")
	equal(t, "got", string(d.Body), "8")
}

func TestGlobalPrefetch(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q1", nil)
	c.queue("q2", nil)
	c.must(c.Qos(3, 0, true))
	d1, d2 := c.subscribe("q1"), c.subscribe("q2")
	c.send("", "q1", "a", "b", "c", "d", "e")
	c.send("", "q2", "a", "b", "c", "d", "e")
	all := make(chan amqp091.Delivery)
	for _, ds := range []<-chan amqp091.Delivery{d1, d2} {
		go func() {
			for d := range ds {
				all <- d
			}
		}()
	}
	n := 0
	for n < 10 {
		got := take(t, all, min(3, 10-n))
		quiet(t, c, all)
		n += len(got)
		for _, d := range got {
			c.must(d.Ack(false))
		}
	}
	c.must(c.Close())
}

// Each in turn, and only the next task after the last one's ack.
func TestRoundRobin(t *testing.T) {
	b := serve(t, Options{})
	p := b.client()
	p.queue("q", nil)
	var workers []<-chan amqp091.Delivery
	for range 3 {
		c := b.client()
		c.must(c.Qos(1, 0, false))
		workers = append(workers, c.subscribe("q"))
	}
	for round := range 4 {
		var got []string
		for i := range workers {
			p.send("", "q", fmt.Sprint(round*3+i))
		}
		for _, w := range workers {
			got = append(got, bodies(t, w, 1)...)
		}
		sort.Strings(got)
		if len(got) != 3 || got[0] == got[1] || got[1] == got[2] {
			t.Errorf("round %d: %v", round, got)
		}
	}
}

func TestConsumerPriority(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	c.must(c.Qos(2, 0, false))
	low, err := c.Consume("q", "", false, false, false, false, amqp091.Table{"x-priority": -1})
	c.must(err)
	high, err := c.Consume("q", "", false, false, false, false, amqp091.Table{"x-priority": 10})
	c.must(err)
	c.send("", "q", "1", "2", "3", "4")
	equal(t, "high", texts(take(t, high, 2)), "[1 2]")
	equal(t, "low", texts(take(t, low, 2)), "[3 4]")
}

func TestSingleActiveConsumer(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", amqp091.Table{"x-single-active-consumer": true})
	first, err := c.Consume("q", "first", false, false, false, false, nil)
	c.must(err)
	second, err := c.Consume("q", "second", false, false, false, false, nil)
	c.must(err)
	c.send("", "q", "1", "2")
	equal(t, "first", texts(take(t, first, 2)), "[1 2]")
	quiet(t, c, second)
	c.must(c.Cancel("first", false))
	c.send("", "q", "3")
	equal(t, "second", texts(take(t, second, 1)), "[3]")
	// What the first one has is still its channel's: to settle, or to go back with it.
	c.must(c.Ack(1, false))
}

// Requeued messages go back to their place, and are marked.
func TestRequeue(t *testing.T) {
	for _, typ := range []string{"classic", "quorum"} {
		t.Run(typ, func(t *testing.T) {
			b := serve(t, Options{})
			c := b.client()
			c.queue("q", amqp091.Table{"x-queue-type": typ})
			c.send("", "q", "1", "2", "3", "4")
			got := func() string {
				s := ""
				for range 4 {
					d, ok, err := c.Get("q", false)
					c.must(err)
					if !ok {
						t.Fatal("no message", s)
					}
					s += string(d.Body)
					if d.Redelivered {
						s += "!"
					}
				}
				return s
			}
			equal(t, "first", got(), "1234")
			c.must(c.Nack(2, false, true))
			c.must(c.Reject(1, true))
			c.must(c.Nack(0, true, true)) // all that is left
			want := "1!2!3!4!"
			if typ == "quorum" { // in the order in which they came back
				want = "2!1!3!4!"
			}
			equal(t, "again", got(), want)
			//lint:ignore SA1019 clients still send it
			c.must(c.Recover(true))
			wait(t, "all are back", func() bool {
				q, err := c.QueueDeclarePassive("q", true, false, false, false, nil)
				c.must(err)
				return q.Messages == 4
			})
			c.must(c.Channel.Close())
			c2 := &client{t, channelOf(t, c.conn), c.conn}
			d := c2.get("q")
			equal(t, "redelivered", d.Redelivered, true)
		})
	}
}

// What a channel or a connection held goes back when it ends.
func TestRequeueAtTheEnd(t *testing.T) {
	b := serve(t, Options{})
	p := b.client()
	p.queue("q", nil)
	p.send("", "q", "1", "2", "3")
	c := b.client()
	take(t, c.subscribe("q"), 3)
	c.must(c.Ack(2, false))
	c.must(c.Channel.Close())
	equal(t, "after the channel", texts(take(t, p.subscribe("q"), 2)), "[1 3]")
	p2 := b.client()
	p.must(p.conn.Close())
	ds := p2.subscribe("q")
	got := take(t, ds, 2)
	equal(t, "after the connection", texts(got), "[1 3]")
	equal(t, "redelivered", got[0].Redelivered, true)
}

func TestCancelKeepsDeliveries(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	c.send("", "q", "1", "2")
	ds, err := c.Consume("q", "tag", false, false, false, false, nil)
	c.must(err)
	got := take(t, ds, 2)
	c.must(c.Cancel("tag", false))
	q, err := c.QueueDeclarePassive("q", true, false, false, false, nil)
	c.must(err)
	equal(t, "ready", q.Messages, 0)
	equal(t, "consumers", q.Consumers, 0)
	c.must(got[0].Ack(false))
	c.must(got[1].Nack(false, true))
	equal(t, "left", c.drain("q"), "[2]")
}

// A deleted queue cancels its consumers.
func TestCancelNotify(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	ds, err := c.Consume("q", "tag", true, false, false, false, nil)
	c.must(err)
	cancelled := c.NotifyCancel(make(chan string, 1))
	_, err = b.client().QueueDelete("q", false, false, false)
	c.must(err)
	select {
	case tag := <-cancelled:
		equal(t, "tag", tag, "tag")
	case <-time.After(patience):
		t.Fatal("the client is not told")
	}
	if _, ok := <-ds; ok {
		t.Error("a delivery from a deleted queue")
	}
	c.queue("q", nil)
	_, err = c.Consume("q", "tag", true, false, false, false, nil)
	c.must(err)
}

func TestGetCounts(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	c.send("", "q", "1", "2", "3")
	d, ok, err := c.Get("q", false)
	c.must(err)
	if !ok || d.MessageCount != 2 || d.DeliveryTag != 1 {
		t.Errorf("%+v", d)
	}
	q, err := c.QueueDeclarePassive("q", true, false, false, false, nil)
	c.must(err)
	equal(t, "ready", q.Messages, 2)
	c.must(d.Ack(false))
	equal(t, "left", c.drain("q"), "[2 3]")
	_, ok, err = c.Get("q", false)
	c.must(err)
	equal(t, "empty", ok, false)
}

// A client that stops reading holds up itself alone, and gets everything in the end.
func TestStalledConsumer(t *testing.T) {
	b := serve(t, Options{})
	p := b.client()
	p.queue("slow", nil)
	p.queue("fast", nil)
	for _, q := range []string{"slow", "fast"} {
		p.must(p.QueueBind(q, "", "amq.fanout", false, nil))
	}
	slow, fast := b.client(), b.client()
	stalled, err := slow.Consume("slow", "", true, false, false, false, nil)
	slow.must(err)
	quick, err := fast.Consume("fast", "", true, false, false, false, nil)
	fast.must(err)
	p.must(p.Confirm(false))
	const n = 1500
	body := make([]byte, 40_000)
	var last *amqp091.DeferredConfirmation
	for range n {
		last, err = p.PublishWithDeferredConfirm("amq.fanout", "", false, false, amqp091.Publishing{Body: body})
		p.must(err)
	}
	for range n {
		next(t, quick)
	}
	last.Wait()
	for range n {
		next(t, stalled)
	}
}

// A client that holds a delivery too long loses its channel, and the message goes to another.
func TestConsumerTimeout(t *testing.T) {
	slower(t, 100*time.Millisecond, func(timeout time.Duration) time.Duration {
		b := serve(t, Options{ConsumerTimeout: timeout})
		c := b.client()
		c.queue("q", nil)
		closed := c.NotifyClose(make(chan *amqp091.Error, 1))
		c.send("", "q", "task")
		next(t, c.subscribe("q"))
		select {
		case e := <-closed:
			equal(t, "closed by", e, fmt.Sprintf(`Exception (406) Reason: "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: %d ms. `+
				`This timeout value can be configured, see consumers doc guide to learn more"`, timeout.Milliseconds()))
		case <-time.After(patience):
			t.Fatal("the channel stays open")
		}
		// The connection lives on, and who settles in time is left alone.
		again := &client{t, channelOf(t, c.conn), c.conn}
		began := time.Now()
		d := next(t, again.subscribe("q"))
		equal(t, "redelivered", d.Redelivered, true)
		err := d.Ack(false)
		if err == nil {
			_, err = again.QueueDeclarePassive("q", true, false, false, false, nil)
		}
		took := time.Since(began)
		if took < timeout {
			again.must(err)
			equal(t, "left", again.drain("q"), "[]")
		}
		return took
	})
}

package amqp

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"trivium/core"
)

// deathText shows a message's history without its times.
func deathText(d *amqp091.Delivery) string {
	if d == nil {
		return "no message"
	}
	var out []string
	list, _ := d.Headers["x-death"].([]any)
	for _, e := range list {
		t := e.(amqp091.Table)
		s := fmt.Sprintf("%v*%v of %v from '%v' by %v", t["count"], t["reason"], t["queue"], t["exchange"], t["routing-keys"])
		if o, ok := t["original-expiration"]; ok {
			s += fmt.Sprintf(" ttl %v", o)
		}
		if at, ok := t["time"].(time.Time); !ok || time.Since(at) > time.Hour {
			s += fmt.Sprintf(" at %v", t["time"])
		}
		out = append(out, s)
	}
	var rest []string
	for k, v := range d.Headers {
		if strings.HasPrefix(k, "x-first") || strings.HasPrefix(k, "x-last") {
			rest = append(rest, fmt.Sprintf("%s=%v", k, v))
		}
	}
	sort.Strings(rest)
	return fmt.Sprintf("[%s] exchange '%s' key '%s' expiration '%s' | %s", strings.Join(out, "; "), d.Exchange, d.RoutingKey, d.Expiration, strings.Join(rest, " "))
}

// retrying is the classic of dead letters: work, a wait with a time to live, work again, and a queue for what
// failed too often. It gives the messages' histories.
func retrying(c *client) (out []string) {
	for _, q := range []string{"work", "wait", "failed"} {
		_, _ = c.QueueDelete(q, false, false, false)
	}
	c.must(c.ExchangeDeclare("retry", "direct", true, false, false, false, nil))
	c.queue("work", amqp091.Table{"x-dead-letter-exchange": "retry", "x-dead-letter-routing-key": "wait"})
	c.queue("wait", amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work", "x-message-ttl": 50})
	c.queue("failed", nil)
	c.must(c.QueueBind("wait", "wait", "retry", false, nil))
	c.publish("", "work", amqp091.Publishing{Body: []byte("task"), DeliveryMode: 2, Headers: amqp091.Table{"mine": "kept"}, MessageId: "m1"})
	ds := c.subscribe("work")
	for range 3 {
		d := next(c.t, ds)
		out = append(out, deathText(&d)+fmt.Sprintf(" %v %s %v", d.Headers["mine"], d.MessageId, d.Redelivered))
		c.must(d.Reject(false))
	}
	d := next(c.t, ds)
	out = append(out, deathText(&d))
	c.must(d.Ack(false))
	return out
}

func TestRetryWithBackOff(t *testing.T) {
	got := retrying(serve(t, Options{}).client())
	const round = "[%d*expired of wait from 'retry' by [wait]; %[1]d*rejected of work from '' by [work]] exchange '' key 'work' expiration '' | " +
		"x-first-death-exchange= x-first-death-queue=work x-first-death-reason=rejected x-last-death-exchange=retry x-last-death-queue=wait x-last-death-reason=expired"
	want := []string{
		"[] exchange '' key 'work' expiration '' |  kept m1 false",
		fmt.Sprintf(round, 1) + " kept m1 false",
		fmt.Sprintf(round, 2) + " kept m1 false",
		fmt.Sprintf(round, 3),
	}
	for i := range want {
		equal(t, fmt.Sprint("delivery ", i), got[i], want[i])
	}
}

// RabbitMQ 3.10 says the same, but for x-last-death, which came with 3.13.
func TestRetryOfRabbitMQ(t *testing.T) {
	url := rabbitMQ(t)
	conn := dial(t, url)
	want := retrying(&client{t, channelOf(t, conn), conn})
	got := retrying(serve(t, Options{}).client())
	for i := range want {
		for _, h := range []string{" x-last-death-exchange=retry", " x-last-death-queue=wait", " x-last-death-reason=expired"} {
			got[i] = strings.Replace(got[i], h, "", 1)
		}
		equal(t, fmt.Sprint("delivery ", i), got[i], want[i])
	}
}

func TestDeathReasons(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.ExchangeDeclare("dlx", "topic", true, false, false, false, nil))
	c.queue("dead", nil)
	c.must(c.QueueBind("dead", "#", "dlx", false, nil))
	dead := func() string {
		var d *amqp091.Delivery
		wait(t, "a dead letter", func() bool { d = c.get("dead"); return d != nil })
		text := deathText(d)
		return string(d.Body) + " " + text[:strings.Index(text, " |")]
	}
	args := func(more amqp091.Table) amqp091.Table {
		t := amqp091.Table{"x-dead-letter-exchange": "dlx"}
		for k, v := range more {
			t[k] = v
		}
		return t
	}
	c.queue("short", args(amqp091.Table{"x-max-length": 1}))
	c.send("", "short", "1", "2")
	equal(t, "maxlen", dead(), "1 [1*maxlen of short from '' by [short]] exchange 'dlx' key 'short' expiration ''")

	c.queue("small", args(amqp091.Table{"x-max-length-bytes": 1000}))
	c.send("", "small", strings.Repeat("1", 400), strings.Repeat("2", 400), strings.Repeat("3", 300))
	equal(t, "maxlen by bytes", dead(), strings.Repeat("1", 400)+" [1*maxlen of small from '' by [small]] exchange 'dlx' key 'small' expiration ''")

	c.queue("refusing", args(amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish-dlx"}))
	c.send("", "refusing", "1", "2")
	equal(t, "refused", dead(), "2 [1*maxlen of refusing from '' by [refusing]] exchange 'dlx' key 'refusing' expiration ''")
	equal(t, "refusing", c.drain("refusing"), "[1]")

	c.queue("brief", args(nil))
	c.publish("", "brief", amqp091.Publishing{Body: []byte("x"), Expiration: "20", Headers: amqp091.Table{"CC": []any{"also"}}})
	equal(t, "expired", dead(), "x [1*expired of brief from '' by [brief also] ttl 20] exchange 'dlx' key 'brief' expiration ''")

	c.queue("poison", args(amqp091.Table{"x-queue-type": "quorum", "x-delivery-limit": 2}))
	c.send("", "poison", "p")
	ds := c.subscribe("poison")
	for i := range 3 {
		d := next(t, ds)
		equal(t, "x-delivery-count", d.Headers["x-delivery-count"], map[int]any{0: nil, 1: 1, 2: 2}[i])
		equal(t, "redelivered", d.Redelivered, i > 0)
		c.must(d.Nack(false, true))
	}
	equal(t, "poison", dead(), "p [1*delivery_limit of poison from '' by [poison]] exchange 'dlx' key 'poison' expiration ''")
}

// A message that would go round without anybody's doing ends.
func TestDeathCycle(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("a", amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b", "x-message-ttl": 10})
	c.queue("b", amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "a", "x-message-ttl": 10})
	c.send("", "a", "m")
	wait(t, "both are empty", func() bool {
		a, err := c.QueueDeclarePassive("a", true, false, false, false, nil)
		c.must(err)
		b, err := c.QueueDeclarePassive("b", true, false, false, false, nil)
		c.must(err)
		return a.Messages+b.Messages == 0
	})
}

func TestTimeToLive(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	empty := func(q string) {
		t.Helper()
		wait(t, q+" is empty", func() bool {
			s, err := c.QueueDeclarePassive(q, true, false, false, false, nil)
			c.must(err)
			return s.Messages == 0
		})
	}
	c.queue("q", amqp091.Table{"x-message-ttl": 60_000})
	c.must(c.Confirm(false))
	c.confirmed("", "q", amqp091.Publishing{Body: []byte("brief"), Expiration: "30"})
	c.confirmed("", "q", amqp091.Publishing{Body: []byte("long")})
	wait(t, "the brief one is gone", func() bool {
		s, err := c.QueueDeclarePassive("q", true, false, false, false, nil)
		c.must(err)
		return s.Messages == 1
	})
	equal(t, "left", c.drain("q"), "[long]")
	// Zero: to a consumer that waits, or nowhere.
	c.publish("", "q", amqp091.Publishing{Expiration: "0"})
	empty("q")
	ds := c.subscribe("q")
	c.publish("", "q", amqp091.Publishing{Body: []byte("now"), Expiration: "0"})
	equal(t, "at once", bodies(t, ds, 1), "[now]")
	// A requeue does not make it younger.
	slower(t, 100*time.Millisecond, func(ttl time.Duration) time.Duration {
		q := c.queue(fmt.Sprint("r", ttl), amqp091.Table{"x-message-ttl": ttl.Milliseconds()})
		began := time.Now()
		c.send("", q, "m")
		_, ok, err := c.Get(q, false)
		c.must(err)
		took := time.Since(began)
		if took < ttl {
			equal(t, "got", ok, true)
		}
		if ok {
			c.must(c.Nack(0, true, true))
			empty(q)
		}
		return took
	})
}

func TestQueueExpires(t *testing.T) {
	slower(t, 100*time.Millisecond, func(expires time.Duration) time.Duration {
		b := serve(t, Options{})
		c := b.client()
		args := amqp091.Table{"x-expires": expires.Milliseconds()}
		began := time.Now()
		c.queue("used", args)
		_, err := c.Consume("used", "", false, false, false, false, nil)
		if took := time.Since(began); took >= expires {
			return took
		}
		c.must(err)
		c.queue("unused", args)
		// A declaration, passive too, would restart the clock.
		ns := b.core.Namespace(core.DefaultNamespace)
		wait(t, "the unused queue is gone", func() bool { return ns.Queue(Realm, "unused") == nil })
		_, err = c.QueueDeclarePassive("used", true, false, false, false, nil)
		c.must(err)
		return 0
	})
}

func TestPriorities(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", amqp091.Table{"x-max-priority": 5})
	for i, p := range []uint8{0, 3, 9, 5, 3, 0, 1} {
		c.publish("", "q", amqp091.Publishing{Body: []byte(fmt.Sprintf("%d:%d", p, i)), Priority: p})
	}
	equal(t, "messages", c.drain("q"), "[9:2 5:3 3:1 3:4 1:6 0:0 0:5]")
}

func TestDropHead(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", amqp091.Table{"x-max-length": 3})
	c.send("", "q", "1", "2", "3", "4", "5")
	equal(t, "left", c.drain("q"), "[3 4 5]")
	// What is out does not count.
	c.send("", "q", "1", "2", "3")
	ds := c.subscribe("q")
	got := take(t, ds, 3)
	c.send("", "q", "4")
	equal(t, "after", string(next(t, ds).Body), "4")
	c.must(got[2].Ack(true))
}

// blindCopies tells where a message goes that dies twice, and what its receivers see.
func blindCopies(c *client) (told []string) {
	const x = "blind"
	c.must(c.ExchangeDeclare(x, "direct", true, false, false, false, nil))
	dying := amqp091.Table{"x-dead-letter-exchange": x, "x-max-length": 0}
	queues := map[string]amqp091.Table{
		"first": dying, "second": dying, "copied": nil, "hidden": nil,
		"keyed": {"x-dead-letter-exchange": x, "x-dead-letter-routing-key": "hidden", "x-max-length": 0},
	}
	for q, args := range queues {
		c.queue(q, args)
	}
	for _, q := range []string{"copied", "hidden"} {
		c.must(c.QueueBind(q, q, x, false, nil))
	}
	c.must(c.QueueBind("second", "first", x, false, nil))
	tell := func(q string) {
		var d *amqp091.Delivery
		wait(c.t, "a message in "+q, func() bool { d = c.get(q); return d != nil })
		deaths, _, _ := strings.Cut(deathText(d), " |")
		told = append(told, fmt.Sprintf("%s %s CC %v BCC %v", q, deaths, d.Headers["CC"], d.Headers["BCC"]))
	}
	c.publish("", "first", amqp091.Publishing{
		Body: []byte("m"), Headers: amqp091.Table{"CC": []any{"copied"}, "BCC": []any{"hidden"}},
	})
	for range 3 { // published, dead in first, dead in second
		tell("copied")
		tell("hidden")
	}
	c.publish("", "keyed", amqp091.Publishing{Body: []byte("m"), Headers: amqp091.Table{"BCC": []any{"hidden", "nowhere"}}})
	tell("hidden")
	tell("hidden")
	for q := range queues {
		_, err := c.QueueDelete(q, false, false, false)
		c.must(err)
	}
	c.must(c.ExchangeDelete(x, false, false))
	return told
}

var blindCopiesTold = []string{
	"copied [] exchange '' key 'first' expiration '' CC [copied] BCC <nil>",
	"hidden [] exchange '' key 'first' expiration '' CC [copied] BCC <nil>",
	"copied [1*maxlen of first from '' by [first copied]] exchange 'blind' key 'first' expiration '' CC [copied] BCC <nil>",
	"hidden [1*maxlen of first from '' by [first copied]] exchange 'blind' key 'first' expiration '' CC [copied] BCC <nil>",
	"copied [1*maxlen of second from 'blind' by [first copied]; 1*maxlen of first from '' by [first copied]] exchange 'blind' key 'first' expiration '' CC [copied] BCC <nil>",
	"hidden [1*maxlen of second from 'blind' by [first copied]; 1*maxlen of first from '' by [first copied]] exchange 'blind' key 'first' expiration '' CC [copied] BCC <nil>",
	"hidden [] exchange '' key 'keyed' expiration '' CC <nil> BCC <nil>",
	"hidden [1*maxlen of keyed from '' by [keyed]] exchange 'blind' key 'hidden' expiration '' CC <nil> BCC <nil>",
}

// Blind copies are sent after a death too, and never told.
func TestBlindCopies(t *testing.T) {
	equal(t, "copies", blindCopies(serve(t, Options{}).client()), blindCopiesTold)
}

func TestBlindCopiesOfRabbitMQ(t *testing.T) {
	url := rabbitMQ(t)
	conn := dial(t, url)
	equal(t, "copies", blindCopies(&client{t, channelOf(t, conn), conn}), blindCopiesTold)
}

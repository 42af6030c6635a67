package amqp

import (
	"slices"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"trivium/core"
)

// reached publishes and says which of the queues got it.
func (c *client) reached(exchange, key string, headers amqp091.Table, queues ...string) string {
	c.t.Helper()
	c.publish(exchange, key, amqp091.Publishing{Body: []byte("m"), Headers: headers})
	var got []string
	for _, q := range queues {
		for range c.drain(q) {
			got = append(got, q)
		}
	}
	return strings.Join(got, " ")
}

func TestTopicExchange(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	patterns := []string{"#", "*", "a.*", "a.#", "#.c", "a.*.c", "*.b.#", "", "a..c", "#.#"}
	var queues []string
	for _, p := range patterns {
		c.queue("q:"+p, nil)
		c.must(c.QueueBind("q:"+p, p, "amq.topic", false, nil))
		queues = append(queues, "q:"+p)
	}
	for key, want := range map[string]string{
		"a":       "# * a.# #.#",
		"a.b":     "# a.* a.# *.b.# #.#",
		"a.b.c":   "# a.# #.c a.*.c *.b.# #.#",
		"a..c":    "# a.# #.c a.*.c a..c #.#",
		"x.y.z.c": "# #.c #.#",
		"":        "# #.#",
		"a.":      "# a.* a.# #.#",
	} {
		if key == "" { // the empty key has no words, or one that is empty
			continue
		}
		got := strings.Fields(strings.ReplaceAll(c.reached("amq.topic", key, nil, queues...), "q:", ""))
		w := strings.Fields(want)
		slices.Sort(got)
		slices.Sort(w)
		equal(t, key, got, w)
	}
}

func TestHeadersExchange(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	var queues []string
	for name, args := range map[string]amqp091.Table{
		"all":      {"x-match": "all", "a": 1, "b": "two"},
		"any":      {"x-match": "any", "a": 1, "b": "two"},
		"default":  {"a": 1},
		"present":  {"x-match": "all", "a": nil},
		"skip-x":   {"x-match": "all", "a": 1, "x-b": "no"},
		"with-x":   {"x-match": "all-with-x", "x-b": "yes"},
		"empty":    {},
		"no-any":   {"x-match": "any"},
		"any-x":    {"x-match": "any-with-x", "x-b": "yes", "a": 9},
		"a-double": {"a": 1.0},
	} {
		c.queue(name, nil)
		c.must(c.QueueBind(name, "", "amq.match", false, args))
		queues = append(queues, name)
	}
	slices.Sort(queues)
	for _, w := range []struct {
		headers amqp091.Table
		want    string
	}{
		{nil, "empty"},
		{amqp091.Table{"a": int64(1)}, "any default empty present skip-x"},
		{amqp091.Table{"a": int16(1), "b": "two"}, "all any default empty present skip-x"},
		{amqp091.Table{"a": "1"}, "empty present"},
		{amqp091.Table{"a": amqp091.Table{"k": "v"}}, "empty present"},
		{amqp091.Table{"x-b": "yes"}, "any-x empty with-x"},
		{amqp091.Table{"a": 1.0}, "a-double empty present"},
	} {
		equal(t, "headers", c.reached("amq.match", "ignored", w.headers, queues...), w.want)
	}
}

// A queue gets one copy, however many bindings match; exchanges bound to each other in a circle end.
func TestExchangeBindings(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	for _, x := range []string{"x1", "x2"} {
		c.must(c.ExchangeDeclare(x, "topic", true, false, false, false, nil))
	}
	c.queue("q", nil)
	c.must(c.ExchangeBind("x2", "#", "x1", false, nil))
	c.must(c.ExchangeBind("x1", "#", "x2", false, nil))
	for _, x := range []string{"x1", "x2"} {
		c.must(c.QueueBind("q", "a.#", x, false, nil))
		c.must(c.QueueBind("q", "#", x, false, nil))
	}
	equal(t, "around", c.reached("x1", "a.b", nil, "q"), "q")
	c.must(c.ExchangeUnbind("x2", "#", "x1", false, nil))
	for _, x := range []string{"x1", "x1"} {
		c.must(c.QueueUnbind("q", "#", x, nil))
		c.must(c.QueueUnbind("q", "a.#", x, nil))
	}
	equal(t, "unbound", c.reached("x1", "a.b", nil, "q"), "")
	equal(t, "the other", c.reached("x2", "a.b", nil, "q"), "q")
}

func TestAlternateExchange(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.must(c.ExchangeDeclare("alt", "fanout", true, false, false, false, nil))
	c.must(c.ExchangeDeclare("main", "direct", true, false, false, false, amqp091.Table{"alternate-exchange": "alt"}))
	c.queue("known", nil)
	c.queue("unknown", nil)
	c.must(c.QueueBind("known", "k", "main", false, nil))
	c.must(c.QueueBind("unknown", "", "alt", false, nil))
	equal(t, "k", c.reached("main", "k", nil, "known", "unknown"), "known")
	equal(t, "other", c.reached("main", "other", nil, "known", "unknown"), "unknown")
	c.must(c.ExchangeDelete("alt", false, false))
	equal(t, "without", c.reached("main", "other", nil, "known", "unknown"), "")
}

// Bindings are equal if their arguments are, in any order; unbind takes exactly one away.
func TestBindingIdentity(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	args := amqp091.Table{"one": 1, "two": 2, "three": 3}
	for range 3 {
		c.must(c.QueueBind("q", "k", "amq.direct", false, args))
	}
	c.must(c.QueueBind("q", "k", "amq.direct", false, nil))
	c.must(c.QueueUnbind("q", "k", "amq.direct", args))
	equal(t, "one left", c.reached("amq.direct", "k", nil, "q"), "q")
	c.must(c.QueueUnbind("q", "k", "amq.direct", nil))
	equal(t, "none left", c.reached("amq.direct", "k", nil, "q"), "")
}

func TestAutoDelete(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	_, err := c.QueueDeclare("q", false, true, false, false, nil)
	c.must(err)
	c.must(c.ExchangeDeclare("x", "fanout", false, true, false, false, nil))
	c.must(c.QueueBind("q", "", "x", false, nil))
	_, err = c.Consume("q", "c1", true, false, false, false, nil)
	c.must(err)
	_, err = c.Consume("q", "c2", true, false, false, false, nil)
	c.must(err)
	c.must(c.Cancel("c1", false))
	_, err = c.QueueDeclarePassive("q", false, true, false, false, nil)
	c.must(err)
	// When cancel-ok is there, the queue is gone, and with its last binding the exchange.
	c.must(c.Cancel("c2", false))
	for _, do := range []func(c *client) error{
		func(c *client) error {
			_, err := c.QueueDeclarePassive("q", false, true, false, false, nil)
			return err
		},
		func(c *client) error { return c.ExchangeDeclarePassive("x", "fanout", false, true, false, false, nil) },
	} {
		if err := do(b.client()); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("it is still there: %v", err)
		}
	}
}

func TestServerNamedQueue(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	q, err := c.QueueDeclare("", false, false, true, false, nil)
	c.must(err)
	if !strings.HasPrefix(q.Name, "amq.gen-") || len(q.Name) < 20 {
		t.Errorf("name %q", q.Name)
	}
	// The empty name means the last queue declared on the channel, and the empty key its name.
	c.must(c.QueueBind("", "", "amq.direct", false, nil))
	c.send("amq.direct", q.Name, "hello")
	equal(t, "messages", c.drain(""), "[hello]")
}

func TestNamesWithLineEnds(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	q, err := c.QueueDeclare("a\r\nb", true, false, false, false, nil)
	c.must(err)
	equal(t, "name", q.Name, "ab")
	c.must(c.ExchangeDeclare("x\n", "direct", true, false, false, false, nil))
	c.must(c.QueueBind("ab", "k", "x", false, nil))
}

func TestPurgeAndDeleteCount(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	c.queue("q", nil)
	c.send("", "q", "1", "2", "3", "4")
	_, ok, err := c.Get("q", false) // held: neither purged nor counted
	c.must(err)
	equal(t, "got", ok, true)
	n, err := c.QueuePurge("q", false)
	c.must(err)
	equal(t, "purged", n, 3)
	c.send("", "q", "5", "6")
	n, err = c.QueueDelete("q", false, false, false)
	c.must(err)
	equal(t, "deleted", n, 2)
}

// Every vhost is a world of its own.
func TestVHosts(t *testing.T) {
	b := serve(t, Options{})
	if err := b.core.Committed(func(tx *core.Tx) error { b.core.CreateNamespace(tx, "shop"); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := users.Add("anna", "secret", "shop"); err != nil {
		t.Fatal(err)
	}
	here := b.client()
	conn := dial(t, "amqp://anna:secret@"+b.addr+"/shop")
	there := &client{t, channelOf(t, conn), conn}
	for _, c := range []*client{here, there} {
		c.queue("q", nil)
		c.must(c.QueueBind("q", "k", "amq.topic", false, nil))
	}
	here.send("amq.topic", "k", "here")
	there.send("amq.topic", "k", "there")
	equal(t, "here", here.drain("q"), "[here]")
	equal(t, "there", there.drain("q"), "[there]")
	_, err := there.QueueDeclarePassive("nix", true, false, false, false, nil)
	equal(t, "name of the vhost", err, `Exception (404) Reason: "NOT_FOUND - no queue 'nix' in vhost 'shop'"`)
}

package core

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func (p *topology) wantRoutes(x string, want map[string]string) {
	p.t.Helper()
	for keys, w := range want {
		if got := p.routed(x, keys, nil); got != w {
			p.t.Errorf("%s with %q goes to %q, want %q", x, keys, got, w)
		}
	}
}

func TestPredeclaredExchanges(t *testing.T) {
	p := newTopology(t)
	var got []string
	p.ns.Exchanges(func(x *Exchange) bool {
		c := x.Config()
		got = append(got, fmt.Sprintf("%s %s %v", c.Name, c.Kind, c.Internal))
		p.do(func(tx *Tx) error { x.Delete(tx); return nil }) // stays
		return true
	})
	want := []string{
		" direct false", "amq.direct direct false", "amq.fanout fanout false", "amq.headers headers false",
		"amq.match headers false", "amq.nats topic false", "amq.rabbitmq.trace topic true", "amq.topic topic false",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q", got)
	}
	for _, w := range want {
		name, _, _ := strings.Cut(w, " ")
		if p.ns.Exchange(name) == nil {
			t.Errorf("%q was deleted", name)
		}
	}
}

func TestDefaultExchangeRoutesByQueueName(t *testing.T) {
	p := newTopology(t)
	p.queue("a")
	p.queue("b.c")
	p.do(func(tx *Tx) error { // other realms' queues are not its own
		_, err := p.ns.CreateQueue(tx, QueueConfig{Realm: "other", Name: "o", Durable: true})
		return err
	})
	p.wantRoutes("", map[string]string{"a": "a", "b.c": "b.c", "a,b.c,a": "a b.c", "o": "", "": "", "none": ""})
}

func TestDirectExchange(t *testing.T) {
	p := newTopology(t)
	p.bind("amq.direct", "a", "k", nil)
	p.bind("amq.direct", "a", "k2", nil)
	p.bind("amq.direct", "b", "k", nil)
	p.bind("amq.direct", "c", "", nil)
	p.wantRoutes("amq.direct", map[string]string{
		"k": "a b", "k2": "a", "k,k2": "a b", "": "c", "*": "", "K": "",
	})
	p.unbind("amq.direct", "a", "k")
	p.wantRoutes("amq.direct", map[string]string{"k": "b", "k2": "a"})
}

func TestFanoutExchange(t *testing.T) {
	p := newTopology(t)
	p.bind("amq.fanout", "a", "", nil)
	p.bind("amq.fanout", "a", "other key", nil)
	p.bind("amq.fanout", "b", "", nil)
	p.wantRoutes("amq.fanout", map[string]string{"": "a b", "any": "a b"})
	p.unbind("amq.fanout", "a", "")
	p.wantRoutes("amq.fanout", map[string]string{"": "a b"})
	p.unbind("amq.fanout", "a", "other key")
	p.wantRoutes("amq.fanout", map[string]string{"": "b"})
}

// The bindings of RabbitMQ's tutorial and of its topic tests.
func TestTopicExchange(t *testing.T) {
	p := newTopology(t)
	for q, key := range map[string]string{
		"q01": "a.b.c", "q02": "a.*.c", "q03": "a.#.b", "q04": "a.b.b.c", "q05": "#", "q06": "#.#",
		"q07": "*.#", "q08": "#.a", "q09": "", "q10": "*.*", "q11": "a.*", "q12": "*.b.*", "q13": "a.#",
		"q14": "b.b.c", "q15": "..", "q16": "vodka.martini", "q17": ">",
	} {
		p.bind("amq.topic", q, key, nil)
	}
	p.wantRoutes("amq.topic", map[string]string{
		"a.b.c":         "q01 q02 q05 q06 q07 q12 q13",
		"a.b":           "q03 q05 q06 q07 q10 q11 q13",
		"a.b.b":         "q03 q05 q06 q07 q12 q13",
		"":              "q05 q06 q09",
		"b.c.c":         "q05 q06 q07",
		"a.a.a.a":       "q05 q06 q07 q08 q13",
		"vodka.gin":     "q05 q06 q07 q10",
		"vodka.martini": "q05 q06 q07 q10 q16",
		"b.b.c":         "q05 q06 q07 q12 q14",
		"nothing.here":  "q05 q06 q07 q10",
		"un.#":          "q05 q06 q07 q10",
		"..":            "q05 q06 q07 q15",
		"a":             "q05 q06 q07 q08 q13",
		">":             "q05 q06 q07 q17",
	})
}

type headers map[string]string

func (h headers) Header(name string) ([]byte, bool) {
	v, ok := h[name]
	if v == "unmatchable" {
		return nil, ok
	}
	return []byte(v), ok
}

func TestHeadersExchange(t *testing.T) {
	p := newTopology(t)
	for q, m := range map[string]*HeaderMatch{
		"all":      {Want: []HeaderWant{{"a", []byte("1")}, {"b", []byte("2")}}},
		"any":      {Any: true, Want: []HeaderWant{{"a", []byte("1")}, {"b", []byte("2")}}},
		"present":  {Want: []HeaderWant{{"p", nil}}},
		"empty":    {Want: []HeaderWant{{"e", []byte{}}}},
		"all-of-0": {},
		"any-of-0": {Any: true},
		"no-match": nil,
	} {
		p.bind("amq.headers", q, "", m, q)
	}
	for _, c := range []struct {
		h    headers
		want string
	}{
		{nil, "all-of-0 no-match"},
		{headers{"a": "1"}, "all-of-0 any no-match"},
		{headers{"a": "1", "b": "2"}, "all all-of-0 any no-match"},
		{headers{"a": "1", "b": "3"}, "all-of-0 any no-match"},
		{headers{"a": "2", "b": "3"}, "all-of-0 no-match"},
		{headers{"p": ""}, "all-of-0 no-match present"},
		{headers{"p": "unmatchable", "e": "unmatchable"}, "all-of-0 no-match present"},
		{headers{"e": ""}, "all-of-0 empty no-match"},
	} {
		if got := p.routed("amq.headers", "", c.h); got != c.want {
			t.Errorf("%v goes to %q, want %q", c.h, got, c.want)
		}
	}
	if got := p.routed("amq.headers", "", nil); got != "all-of-0 no-match" {
		t.Errorf("no headers go to %q", got)
	}
}

func TestBindingIdentity(t *testing.T) {
	p := newTopology(t)
	n := func() (n int) {
		p.bindings(func(*Binding) { n++ })
		return n
	}
	p.bind("amq.headers", "q", "k", &HeaderMatch{}, "v1")
	p.bind("amq.headers", "q", "k", &HeaderMatch{}, "v1")
	if n() != 1 {
		t.Fatalf("%d bindings after a repeated bind, want 1", n())
	}
	p.bind("amq.headers", "q", "k", &HeaderMatch{}, "v2")
	p.bind("amq.headers", "q", "k2", &HeaderMatch{}, "v1")
	p.bind("amq.match", "q", "k", &HeaderMatch{}, "v1")
	if n() != 4 {
		t.Fatalf("%d bindings, want 4", n())
	}
	p.do(func(tx *Tx) error {
		ok, err := p.ns.Unbind(tx, p.binding("amq.headers", "q", "k")) // without its arguments
		if ok {
			t.Error("removed what is not there")
		}
		return err
	})
}

func TestBindErrors(t *testing.T) {
	p := newTopology(t)
	q := p.queue("q")
	for _, c := range []struct {
		b    Binding
		code Code
		name string
	}{
		{Binding{Source: "none", Queue: q}, NotFound, "none"},
		{Binding{Source: "amq.topic", Exchange: "none"}, NotFound, "none"},
		{Binding{Source: "", Queue: q}, Invalid, ""},
		{Binding{Source: "amq.topic", Exchange: ""}, Invalid, ""},
	} {
		for _, f := range []func(tx *Tx) error{
			func(tx *Tx) error { return p.ns.Bind(tx, c.b) },
			func(tx *Tx) error { _, err := p.ns.Unbind(tx, c.b); return err },
		} {
			var e *Error
			if err := p.b.Committed(f); !errors.As(err, &e) || e.Code != c.code || e.Name != c.name {
				t.Errorf("%v: %v", c.b, err)
			}
		}
	}
	p.do(func(tx *Tx) error { q.Delete(tx); return nil })
	var e *Error
	err := p.b.Committed(func(tx *Tx) error { return p.ns.Bind(tx, Binding{Source: "amq.topic", Queue: q}) })
	if !errors.As(err, &e) || e.Code != NotFound || e.Name != "q" {
		t.Errorf("bind a deleted queue: %v", err)
	}
	for _, c := range []struct {
		c    ExchangeConfig
		code Code
	}{{ExchangeConfig{Name: "amq.topic", Kind: Topic}, Exists}, {ExchangeConfig{Name: "y", Kind: "x-strange"}, Invalid}} {
		err := p.b.Committed(func(tx *Tx) error { _, err := p.ns.CreateExchange(tx, c.c); return err })
		if !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("create %v: %v", c.c, err)
		}
	}
}

// Cycles are allowed; each exchange is asked once, each queue gets one copy.
func TestExchangeBindings(t *testing.T) {
	p := newTopology(t)
	p.exchange(ExchangeConfig{Name: "t", Kind: Topic})
	p.exchange(ExchangeConfig{Name: "d", Kind: Direct})
	p.exchange(ExchangeConfig{Name: "f", Kind: Fanout})
	p.bind("t", "x:d", "a.#", nil)
	p.bind("d", "x:f", "a.b", nil)
	p.bind("f", "x:t", "", nil)
	p.bind("t", "x:t", "#", nil)
	p.bind("t", "qt", "#", nil)
	p.bind("d", "qd", "a.b", nil)
	p.bind("f", "qd", "", nil)
	p.bind("f", "qf", "", nil)
	p.wantRoutes("t", map[string]string{"a.b": "qd qf qt", "a.c": "qt", "b": "qt", "a.c,a.b": "qd qf qt"})
	p.wantRoutes("f", map[string]string{"a.b": "qd qf qt", "x": "qd qf qt"})
}

func TestAlternateExchange(t *testing.T) {
	p := newTopology(t)
	p.exchange(ExchangeConfig{Name: "one", Kind: Direct, Alternate: "two"})
	p.exchange(ExchangeConfig{Name: "two", Kind: Direct, Alternate: "three"})
	p.exchange(ExchangeConfig{Name: "three", Kind: Direct, Alternate: "one"}) // a loop, cut
	p.exchange(ExchangeConfig{Name: "lost", Kind: Direct, Alternate: "missing"})
	p.exchange(ExchangeConfig{Name: "dead end", Kind: Fanout})
	p.bind("one", "q1", "1", nil)
	p.bind("two", "q2", "2", nil)
	p.bind("three", "q3", "3", nil)
	p.bind("one", "x:dead end", "e", nil)
	p.wantRoutes("one", map[string]string{
		"1": "q1", "2": "q2", "3": "q3", "4": "",
		"1,3": "q1", // the alternate is for messages without any destination
		"e":   "",   // an exchange that leads nowhere is a destination
	})
	p.wantRoutes("lost", map[string]string{"1": ""})
	p.exchange(ExchangeConfig{Name: "missing", Kind: Fanout})
	p.bind("missing", "q4", "", nil)
	p.wantRoutes("lost", map[string]string{"1": "q4"})
	// A queue that one exchange reached already is a destination of another, too.
	p.exchange(ExchangeConfig{Name: "src", Kind: Fanout})
	p.exchange(ExchangeConfig{Name: "inner", Kind: Fanout, Alternate: "missing"})
	p.bind("src", "x:inner", "", nil)
	p.bind("src", "q1", "", nil)
	p.bind("inner", "q1", "", nil)
	p.wantRoutes("src", map[string]string{"": "q1"})
}

func TestAutoDeleteExchange(t *testing.T) {
	p := newTopology(t)
	for _, n := range []string{"a", "b", "c"} {
		p.exchange(ExchangeConfig{Name: n, Kind: Fanout, AutoDelete: true})
	}
	exists := func(want string) {
		t.Helper()
		var got []string
		p.ns.Exchanges(func(x *Exchange) bool {
			if n := x.Config().Name; len(n) == 1 {
				got = append(got, n)
			}
			return true
		})
		if s := strings.Join(got, " "); s != want {
			t.Fatalf("exchanges %q, want %q", s, want)
		}
	}
	exists("a b c") // they had no binding yet
	p.bind("a", "x:b", "", nil)
	p.bind("b", "x:c", "", nil)
	p.bind("c", "q1", "", nil)
	p.bind("c", "q2", "", nil)
	p.unbind("c", "q1", "")
	exists("a b c")
	if !p.ns.Exchange("c").Bound() {
		t.Fatal("c has a binding")
	}
	p.do(func(tx *Tx) error { p.ns.Queue(defaultRealm, "q2").Delete(tx); return nil })
	exists("") // c lost its last one, so b did, so a did
	p.bindings(func(b *Binding) { t.Errorf("left: %v", b) })

	// A destination's end is no source's: x stays though it is an auto-delete one's destination.
	p.exchange(ExchangeConfig{Name: "x", Kind: Fanout})
	p.exchange(ExchangeConfig{Name: "y", Kind: Fanout, AutoDelete: true})
	p.bind("x", "x:y", "", nil)
	p.bind("y", "x:y", "", nil) // to itself
	p.unbind("y", "x:y", "")
	exists("x")
	if p.ns.Exchange("x").Bound() {
		t.Fatal("x is bound to what is gone")
	}
}

// What begins or ends at something goes with it.
func TestBindingsGoWithTheirEnds(t *testing.T) {
	p := newTopology(t)
	p.exchange(ExchangeConfig{Name: "x", Kind: Fanout, Durable: true})
	p.exchange(ExchangeConfig{Name: "y", Kind: Fanout, Durable: true})
	p.bind("x", "x:y", "", nil)
	p.bind("y", "q", "", nil)
	p.bind("x", "q", "", nil)
	p.bind("amq.nats", "q", "a.#", nil)
	p.do(func(tx *Tx) error { p.ns.Exchange("y").Delete(tx); return nil })
	p.wantRoutes("x", map[string]string{"": "q"})
	p.exchange(ExchangeConfig{Name: "y", Kind: Fanout, Durable: true})
	if p.ns.Exchange("y").Bound() {
		t.Fatal("a new exchange has the old one's bindings")
	}
	p.do(func(tx *Tx) error { p.ns.Queue(defaultRealm, "q").Delete(tx); return nil })
	if p.ns.Exchange("x").Bound() || p.ns.Exchange(SubjectExchange).Bound() {
		t.Fatal("bindings of a deleted queue are left")
	}
	if m := p.ns.Subjects().Match([]byte("a.b")); !m.Empty() {
		t.Fatal("the subject space leads to a deleted queue")
	}
	p.bindings(func(b *Binding) { t.Errorf("left: %v", b) })
}

func TestSubjectExchangeReachesTheSubjectSpace(t *testing.T) {
	p := newTopology(t)
	s := p.ns.Subjects()
	one, all, member, inbox := &ear{name: "one"}, &ear{name: "all"}, &ear{name: "member"}, &ear{name: "inbox"}
	s.Subscribe("a.*", "", one)
	s.Subscribe(">", "", all)
	s.Subscribe("a.b", "g", member)
	s.Subscribe("a.>", "g", member)
	s.Subscribe("_INBOX.x.*", "", inbox)
	var stream *Stream
	p.do(func(tx *Tx) (err error) {
		if stream, err = p.ns.CreateStream(tx, StreamConfig{Realm: "nats", Name: "S", Partitions: 1}); err != nil {
			return err
		}
		for _, k := range []string{"a.b", "lit.#", "$K.>"} {
			if err := p.ns.Bind(tx, Binding{Source: SubjectExchange, Stream: stream, Key: k, Capture: true, Durable: true}); err != nil {
				return err
			}
		}
		return nil
	})
	p.exchange(ExchangeConfig{Name: "x", Kind: Fanout})
	p.bind(SubjectExchange, "q#", "a.#", nil)
	p.bind(SubjectExchange, "q>", "a.>", nil)
	p.bind(SubjectExchange, "qall", "#", nil)
	p.bind(SubjectExchange, "qhid", "$K.#", nil)
	p.bind(SubjectExchange, "x:x", "a", nil)
	p.bind("x", "qx", "", nil)

	for _, c := range []struct{ x, keys, receivers, queues, streams string }{
		{SubjectExchange, "a.b", "all member one", "q# q> qall", "S"},
		{SubjectExchange, "a", "all", "q# qall qx", ""},
		{SubjectExchange, "a,a.b", "all member one", "q# q> qall qx", "S"},
		{SubjectExchange, "a.b.c", "all member", "q# q> qall", ""},
		{SubjectExchange, "lit.#", "all", "qall", "S"},
		{SubjectExchange, "lit.a", "all", "qall", ""},
		{SubjectExchange, "a..b", "", "", ""},                // no subject
		{SubjectExchange, "$K.1", "", "", ""},                // stays inside
		{SubjectExchange, "_X.1", "", "", ""},                // too
		{SubjectExchange, "_INBOX.x.1", "all inbox", "", ""}, // but answers arrive
		{"", "_INBOX.x.1", "all inbox", "", ""},
		{"", "a.b", "", "", ""},
		{"", ReplyKey("_INBOX.x.1"), "all inbox", "", ""},
		{"", ReplyKey("a.b.c"), "all member", "q# q> qall", ""},
		{"", ReplyKey("$K.1"), "", "", ""},
	} {
		var r Routes
		p.ns.Route(p.ns.Exchange(c.x), strings.Split(c.keys, ","), nil, &r)
		var receivers, streams []string
		if len(r.Receivers) != len(r.Subjects) {
			t.Fatalf("%d receivers, %d subjects", len(r.Receivers), len(r.Subjects))
		}
		for i, rec := range r.Receivers {
			e, ok := rec.(*ear)
			if !ok {
				e = rec.(group)[0].(*ear)
			}
			receivers = append(receivers, e.name)
			if subject := r.Subjects[i]; !slices.ContainsFunc(strings.Split(c.keys, ","), func(k string) bool { return strings.HasSuffix(k, subject) }) {
				t.Errorf("%s got subject %q", e.name, r.Subjects[i])
			}
		}
		slices.Sort(receivers)
		receivers = slices.Compact(receivers)
		for _, s := range r.Streams {
			streams = append(streams, s.Config().Name)
		}
		if got := strings.Join(receivers, " "); got != c.receivers {
			t.Errorf("%q %q: receivers %q, want %q", c.x, c.keys, got, c.receivers)
		}
		if got := queueNames(&r); got != c.queues {
			t.Errorf("%q %q: queues %q, want %q", c.x, c.keys, got, c.queues)
		}
		if got := strings.Join(streams, " "); got != c.streams {
			t.Errorf("%q %q: streams %q, want %q", c.x, c.keys, got, c.streams)
		}
	}
	if m := s.Match([]byte("$K.1")); len(m.Streams) != 1 || len(m.Queues) != 0 {
		t.Errorf("a subject that stays inside: %d streams, %d queues", len(m.Streams), len(m.Queues))
	}
	if m := s.Match([]byte("a")); len(m.Exchanges) != 1 || m.Exchanges[0].Config().Name != "x" {
		t.Errorf("exchanges of a: %v", m.Exchanges)
	}
	if !s.HasInterest("$K.>") || s.HasInterest("$J.x.y") == false {
		t.Error("> is interest in all subjects")
	}
	p.do(func(tx *Tx) error { stream.Delete(tx); return nil })
	if m := s.Match([]byte("$K.1")); len(m.Streams) != 0 {
		t.Error("a deleted stream captures")
	}
}

// Routing by any exchange agrees with asking each binding whether it holds, through many
// changes; and nothing remains when all is unbound.
func TestRouteLikeTheBindings(t *testing.T) {
	p := newTopology(t)
	keys := drawWords([]string{"a", "b", "", "*", "#"}, 3)
	for i := range 6 {
		p.queue(fmt.Sprint("q", i))
	}
	rapid.Check(t, func(t *rapid.T) {
		live := map[bindingID]Binding{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			src := rapid.SampledFrom([]string{"amq.direct", "amq.fanout", "amq.topic"}).Draw(t, "exchange")
			b := p.binding(src, fmt.Sprint("q", rapid.IntRange(0, 5).Draw(t, "queue")), keys.Draw(t, "key"))
			tx := p.b.Begin()
			if _, ok := live[b.id()]; ok {
				if ok, err := p.ns.Unbind(tx, b); !ok || err != nil {
					t.Error(ok, err)
				}
				delete(live, b.id())
			} else {
				if err := p.ns.Bind(tx, b); err != nil {
					t.Error(err)
				}
				live[b.id()] = b
			}
			tx.Commit()
			key := keys.Draw(t, "published")
			want := map[string]bool{}
			for _, b := range live {
				if b.Source == src && (src == "amq.fanout" || src == "amq.direct" && b.Key == key ||
					src == "amq.topic" && dumbMatch(dumbWords(b.Key), dumbWords(key), topicDialect)) {
					want[b.Queue.Config().Name] = true
				}
			}
			var r Routes
			p.ns.Route(p.ns.Exchange(src), []string{key}, nil, &r)
			if len(r.Queues) != len(want) {
				t.Fatalf("%s %q: %q, want %v", src, key, queueNames(&r), want)
			}
			for _, q := range r.Queues {
				if !want[q.Config().Name] {
					t.Fatalf("%s %q: %q, want %v", src, key, queueNames(&r), want)
				}
			}
		}
		tx := p.b.Begin()
		for _, b := range live {
			if ok, err := p.ns.Unbind(tx, b); !ok || err != nil {
				t.Error(ok, err)
			}
		}
		tx.Commit()
		for _, x := range []string{"amq.direct", "amq.fanout", "amq.topic"} {
			tab := p.ns.Exchange(x).table.Load()
			if tab.n != 0 || tab.all != nil || tab.direct.Len() != 0 || tab.topic.root != nil {
				t.Fatalf("%s: something is left", x)
			}
		}
		for i := range 6 {
			if p.ns.Queue(defaultRealm, fmt.Sprint("q", i)).inbound != nil {
				t.Fatal("inbound bindings are left")
			}
		}
	})
}

func TestTopologySurvivesARestart(t *testing.T) {
	p := newTopology(t)
	p.exchange(ExchangeConfig{Name: "keep", Kind: Headers, Durable: true, AutoDelete: true, Internal: true, Alternate: "alt", Doc: []byte("doc")})
	p.exchange(ExchangeConfig{Name: "gone", Kind: Topic})
	m := &HeaderMatch{Any: true, Want: []HeaderWant{{"a", nil}, {"b", []byte{}}, {"c", []byte("1")}}}
	p.bind("keep", "q", "k", m, "args")
	p.bind("gone", "q", "k", nil)
	p.bind("keep", "x:gone", "k", nil)
	p.bind("amq.topic", "x:keep", "a.#", nil)
	p.bind(SubjectExchange, "q", "s.*", nil)
	p.do(func(tx *Tx) error {
		s, err := p.ns.CreateStream(tx, StreamConfig{Realm: "nats", Name: "S", Partitions: 1})
		if err != nil {
			return err
		}
		temp, err := p.ns.CreateQueue(tx, QueueConfig{Realm: defaultRealm, Name: "temp"})
		if err != nil {
			return err
		}
		for _, b := range []Binding{
			{Source: SubjectExchange, Stream: s, Key: "$K.>", Capture: true, Durable: true, Doc: []byte("why")},
			{Source: "amq.topic", Queue: temp, Key: "t", Durable: true},
			{Source: "amq.topic", Queue: p.ns.Queue(defaultRealm, "q"), Key: "not durable"},
		} {
			if err := p.ns.Bind(tx, b); err != nil {
				return err
			}
		}
		other := p.b.CreateNamespace(tx, "shop")
		_, err = other.CreateExchange(tx, ExchangeConfig{Name: "theirs", Kind: Direct, Durable: true})
		tx.SetDoc(other, "r", "k1", []byte("v1"))
		tx.SetDoc(other, "r", "k2", []byte("v2"))
		tx.SetDoc(other, "r", "l", []byte{})
		tx.SetDoc(other, "r2", "k1", []byte("other realm"))
		return err
	})
	p.do(func(tx *Tx) error { tx.SetDoc(p.b.Namespace("shop"), "r", "k2", nil); return nil })

	p.restart()
	x := p.ns.Exchange("keep")
	if x == nil {
		t.Fatal("the durable exchange is gone")
	}
	if c := x.Config(); c.Kind != Headers || !c.Durable || !c.AutoDelete || !c.Internal || c.Alternate != "alt" || string(c.Doc) != "doc" {
		t.Fatalf("config %+v", c)
	}
	if p.ns.Exchange("gone") != nil {
		t.Fatal("the transient exchange is there")
	}
	var got []string
	p.bindings(func(b *Binding) {
		got = append(got, fmt.Sprintf("%s %q %v %v", b.Source, b.Key, b.Capture, string(b.Doc)))
	})
	want := []string{`keep "k" false `, `amq.nats "s.*" false `, `amq.nats "$K.>" true why`, `amq.topic "a.#" false `}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("bindings %q, want %q", got, want)
	}
	for h, want := range map[string]string{"a=z": "q", "b=": "q", "b=1": "", "c=1": "q", "c=2": ""} {
		k, v, _ := strings.Cut(h, "=")
		if got := p.routed("amq.topic", "a", headers{k: v}); got != want {
			t.Errorf("%s goes to %q, want %q", h, got, want)
		}
	}
	if s := p.ns.Subjects().Match([]byte("$K.1")).Streams; len(s) != 1 || s[0] != p.ns.Stream("nats", "S") {
		t.Errorf("$K.1 is captured by %v", s)
	}
	shop := p.b.Namespace("shop")
	if shop == nil || shop.Exchange("theirs") == nil || p.ns.Exchange("theirs") != nil {
		t.Fatal("the other namespace's exchange")
	}
	var docs []string
	if err := shop.Docs("r", "k", func(k string, v []byte) bool { docs = append(docs, k+"="+string(v)); return true }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(docs, []string{"k1=v1"}) {
		t.Errorf("documents %q", docs)
	}
	if v, err := shop.Doc("r2", "k1"); string(v) != "other realm" || err != nil {
		t.Errorf("document %q %v", v, err)
	}
	if v, err := shop.Doc("r", "k2"); v != nil || err != nil {
		t.Errorf("removed document %q %v", v, err)
	}
	// The last binding goes, and with it the auto-delete exchange, for good.
	p.do(func(tx *Tx) error { p.ns.Queue(defaultRealm, "q").Delete(tx); return nil })
	p.restart()
	if p.ns.Exchange("keep") != nil {
		t.Fatal("the auto-deleted exchange is back")
	}
}

func TestRouteDoesNotAllocate(t *testing.T) {
	p := newTopology(t)
	p.exchange(ExchangeConfig{Name: "t", Kind: Topic})
	q := p.queue("orders.q")
	tx := p.b.Begin()
	for i := range 10000 {
		if err := p.ns.Bind(tx, Binding{Source: "t", Queue: q, Key: fmt.Sprintf("a.%d.*", i)}); err != nil {
			t.Error(err)
		}
		if err := p.ns.Bind(tx, Binding{Source: "amq.direct", Queue: q, Key: fmt.Sprint(i)}); err != nil {
			t.Error(err)
		}
	}
	tx.Commit()
	p.bind("t", "q#", "a.#", nil)
	p.bind("t", "q*", "*.*.x", nil)
	p.bind(SubjectExchange, "orders.q", "n.#", nil)
	p.ns.Subjects().Subscribe("n.*", "", &ear{})
	var r Routes
	for x, key := range map[string]string{"t": "a.77.x", "amq.direct": "77", "": "orders.q", SubjectExchange: "n.m"} {
		x, keys := p.ns.Exchange(x), []string{key}
		route := func() { p.ns.Route(x, keys, nil, &r) }
		route()
		if r.Empty() {
			t.Fatalf("%q goes nowhere", key)
		}
		if n := testing.AllocsPerRun(100, route); n != 0 {
			t.Errorf("routing by %q allocates %v times", x.Config().Name, n)
		}
	}
}

func BenchmarkRouteTopic(b *testing.B) {
	for _, n := range []int{1, 100, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ns := newNamespace(&Broker{}, 1, "bench")
			x := ns.Exchange("amq.topic")
			for i := range n {
				q := &Queue{}
				for _, k := range []string{"orders.%d.#", "orders.%d.*.eu"} {
					ns.routed(newBinding(&Binding{Queue: q, Key: fmt.Sprintf(k, i)}, x, nil), false)
				}
			}
			var r Routes
			keys := []string{"orders.0.new.eu"}
			b.ReportAllocs()
			for b.Loop() {
				ns.Route(x, keys, nil, &r)
			}
		})
	}
}

// Publishers route while bindings and exchanges come and go: what stays bound is always found, what
// was unbound before is not, and nothing is read half-changed.
func TestRouteWhileTopologyChanges(t *testing.T) {
	p := newTopology(t)
	kinds := []string{"amq.direct", "amq.fanout", "amq.topic", "amq.headers", SubjectExchange}
	for _, x := range kinds {
		p.bind(x, "stays", "a.b", nil)
	}
	for i := range 4 {
		p.queue(fmt.Sprint("q", i))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var r Routes
			keys := []string{"a.b"}
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, x := range kinds {
					p.ns.Route(p.ns.Exchange(x), keys, nil, &r)
					if !slices.Contains(r.Queues, p.ns.Queue(defaultRealm, "stays")) {
						t.Errorf("%s misses what is bound", x)
						return
					}
				}
			}
		})
	}
	for i := range 200 {
		for _, x := range kinds {
			b := p.binding(x, fmt.Sprint("q", i%4), "a.b")
			tx := p.b.Begin()
			if err := p.ns.Bind(tx, b); err != nil {
				t.Error(err)
			}
			tx.Commit()
			if !strings.Contains(p.routed(x, "a.b", nil), b.Queue.Config().Name) {
				t.Errorf("%s misses a new binding", x)
			}
			tx = p.b.Begin()
			if ok, err := p.ns.Unbind(tx, b); !ok || err != nil {
				t.Error(ok, err)
			}
			tx.Commit()
			if strings.Contains(p.routed(x, "a.b", nil), b.Queue.Config().Name) {
				t.Errorf("%s finds what was unbound", x)
			}
		}
	}
	close(stop)
	wg.Wait()
}

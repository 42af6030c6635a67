package compat

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ctl runs "trivium ctl" against the server, and returns what it printed and whether it succeeded.
func (s *server) ctl(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	return s.ctlWith(t, "", args...)
}

// ctlWith gives it something to read.
func (s *server) ctlWith(t *testing.T, stdin string, args ...string) (out string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(within(t), executable, append([]string{"ctl", "--server", s.addrs["admin"]}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b)), err == nil
}

// A stream has a second name in another door when its owner gives it one: what is read and written there
// is the stream itself, and the name is as good as any until it is taken away.
func TestCrossdoorExpose(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	r := s.rabbit()
	s.topic(t, "clicks", 1, nil)
	s.topic(t, "many", 3, nil)
	r.streamQueue("audit")
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.*"}})
	must(t, err)
	produce(t, s.kafka(), record("clicks", "k", "from kafka"))
	r.publish("", "audit", "from amqp")
	_, err = js.Publish(within(t), "orders.new", []byte("from nats"))
	must(t, err)
	names := [][2]string{
		{"kafka/clicks", "amqp/clicks"}, {"kafka/clicks", "nats/CLICKS"}, {"nats/ORDERS", "kafka/orders"}, {"nats/ORDERS", "amqp/orders"},
		{"amqp/audit", "kafka/audit.log"}, {"amqp/audit", "nats/AUDIT"}, {"kafka/many", "amqp/many"}, {"kafka/many", "nats/MANY"},
	}
	list := ""
	for _, n := range []int{0, 3, 6, 4, 2, 5, 1, 7} { // in order of door and name
		list += fmt.Sprintf("%s is shown as %s\n", names[n][0], names[n][1])
	}
	for _, n := range names {
		out, ok := s.ctl(t, "expose", n[0], n[1])
		if want := n[0] + " is shown as " + n[1]; !ok || out != want {
			t.Fatalf("expose said %q, want %q", out, want)
		}
	}
	sorted := func(s string) string {
		lines := strings.Split(strings.TrimSpace(s), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	listed := func() {
		t.Helper()
		out, ok := s.ctl(t, "expose", "list")
		if !ok || sorted(out) != sorted(list) {
			t.Errorf("the list is\n%s\nwant\n%s", out, list)
		}
	}
	listed()
	n := 1
	use := func() {
		t.Helper()
		r, js := s.rabbit(), s.jetstream(t)
		r.send("", "clicks", amqp.Publishing{Body: []byte("from amqp"), Headers: amqp.Table{"kafka-key": "k"}})
		produce(t, s.kafka(), record("orders", "orders.kafka", "from kafka"))
		produce(t, s.kafka(), record("audit.log", "k", "from kafka"))
		n++
		for queue, want := range map[string]string{"clicks": "from kafka", "orders": "from nats"} {
			wantEqual(t, "AMQP's "+queue, string(s.read(t, queue, n)[0].Body), want)
		}
		for topic, want := range map[string]string{"orders": "from nats", "audit.log": "from amqp"} {
			recs := s.records(t, topic, n)
			wantEqual(t, "Kafka's "+topic, string(recs[0].Value), want)
			wantEqual(t, "topic", recs[0].Topic, topic)
		}
		for stream, want := range map[string]string{"CLICKS": "from kafka", "AUDIT": "from amqp"} {
			ms := s.messages(t, stream, n)
			wantEqual(t, "NATS's "+stream, string(ms[0].Data()), want)
			st, err := js.Stream(within(t), stream)
			must(t, err)
			wantEqual(t, "name", st.CachedInfo().Config.Name, stream)
			m, err := st.GetMsg(within(t), 1)
			must(t, err)
			wantEqual(t, "NATS gets", string(m.Data), want)
		}
		// Several partitions: an exchange and its queues, several streams.
		must(t, r.ch.ExchangeDeclarePassive("many", "topic", true, false, false, false, nil))
		for i := range 10 {
			r.send("many", fmt.Sprint("k", i), amqp.Publishing{Body: fmt.Append(nil, i)})
		}
		var total uint64
		for p := range 3 {
			st, err := js.Stream(within(t), fmt.Sprint("MANY-", p))
			must(t, err)
			total += st.CachedInfo().State.Msgs
			q, err := r.ch.QueueDeclarePassive(fmt.Sprint("many-", p), true, false, false, false, nil)
			must(t, err)
			wantEqual(t, "messages of a partition", uint64(q.Messages), st.CachedInfo().State.Msgs)
		}
		wantEqual(t, "messages of all partitions", total, uint64(10*(n-1)))
	}
	use()

	t.Run("they are seen where names are looked for", func(t *testing.T) {
		var all []string
		for name := range js.StreamNames(within(t)).Name() {
			all = append(all, name)
		}
		for _, want := range []string{"AUDIT", "CLICKS", "MANY-0", "AMQP_audit", "KAFKA_clicks"} {
			if !slices.Contains(all, want) {
				t.Errorf("%s is not among %v", want, all)
			}
		}
		topics, err := kadm.NewClient(s.kafkaFor(t)).ListTopics(within(t))
		must(t, err)
		if _, ok := topics["orders"]; !ok || topics["orders"].IsInternal {
			t.Errorf("topics are %v", topics.Names())
		}
		byPattern := s.kafkaFor(t, kgo.ConsumeTopics("^ord.*$"), kgo.ConsumeRegex())
		poll(t, byPattern, 1, func(r *kgo.Record) { wantEqual(t, "topic", r.Topic, "orders") })
	})
	t.Run("a group's positions are the stream's", func(t *testing.T) {
		c := s.kafkaFor(t, kgo.ConsumeTopics("orders"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit())
		var last *kgo.Record
		poll(t, c, 1, func(r *kgo.Record) { last = r })
		must(t, c.CommitRecords(within(t), last))
		c.CloseAllowingRebalance()
		offsets, err := kadm.NewClient(s.kafkaFor(t)).FetchOffsets(within(t), "g")
		must(t, err)
		o, ok := offsets.Lookup("nats.ORDERS", 0)
		if !ok || o.At != 1 {
			t.Errorf("committed: %+v", offsets)
		}
	})
	t.Run("a durable consumer under the new name", func(t *testing.T) {
		c, err := js.CreateOrUpdateConsumer(within(t), "CLICKS", jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy})
		must(t, err)
		fetch(t, c, 1, func(m jetstream.Msg) { must(t, m.DoubleAck(within(t))) })
		c, err = js.Consumer(within(t), "CLICKS", "d")
		must(t, err)
		fetch(t, c, 1, func(m jetstream.Msg) { wantEqual(t, "second", string(m.Data()), "from amqp") })
	})
	t.Run("the name is taken, and the stream is not theirs to delete", func(t *testing.T) {
		made, err := kadm.NewClient(s.kafkaFor(t)).CreateTopic(within(t), 1, 1, nil, "orders")
		if !errors.Is(errors.Join(err, made.Err), kerr.TopicAlreadyExists) {
			t.Errorf("create topic: %v, %v", err, made.Err)
		}
		_, err = js.CreateStream(within(t), jetstream.StreamConfig{Name: "CLICKS", Subjects: []string{"clicks"}})
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			t.Errorf("create stream: %v", err)
		}
		wantClosed(t, s, amqp.PreconditionFailed, func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("clicks", true, false, false, false, nil)
			return err
		})
		wantClosed(t, s, amqp.AccessRefused, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("many", "fanout", true, false, false, false, nil)
		})
		wantClosed(t, s, amqp.AccessRefused, func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete("clicks", false, false, false)
			return err
		})
		gone, err := kadm.NewClient(s.kafkaFor(t)).DeleteTopic(within(t), "orders")
		if err == nil && gone.Err == nil {
			t.Error("Kafka deleted a NATS stream")
		}
		if err := js.DeleteStream(within(t), "CLICKS"); err == nil {
			t.Error("NATS deleted a topic")
		}
	})
	t.Run("what cannot be exposed is refused in words", func(t *testing.T) {
		r.queue("work", nil)
		for _, c := range []struct{ args, want string }{
			{"kafka/clicks amqp/work", "exists already"}, {"kafka/clicks amqp/amq.x", "does not begin with 'amq.'"},
			{"kafka/nothing amqp/x", "no Kafka topic named nothing"}, {"amqp/work kafka/work", "work leaves it"},
			{"kafka/clicks kafka/again", "its own name already"}, {"nats/ORDERS kafka/a*b", "characters other than"},
			{"kafka/clicks nats/a.b", "no . *"}, {"clicks amqp/x", "is not amqp/NAME"}, {"nats/ORDERS kafka/clicks", "exists already"},
			{"remove kafka/nothing", "nothing is exposed"}, {"kafka/many kafka/", "is not amqp/NAME"},
			{"--user nobody list", "no such user"}, {"--password wrong list", "no such user"},
		} {
			out, ok := s.ctl(t, append([]string{"expose"}, strings.Fields(c.args)...)...)
			if ok || !strings.Contains(out, c.want) {
				t.Errorf("expose %s: %q, want %q", c.args, out, c.want)
			}
		}
	})

	s.crash(t)
	listed()
	use()

	t.Run("a name goes when it is taken away, or with its stream", func(t *testing.T) {
		if out, ok := s.ctl(t, "expose", "remove", "amqp/orders"); !ok {
			t.Error(out)
		}
		wantClosed(t, s, amqp.NotFound, func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive("orders", true, false, false, false, nil)
			return err
		})
		wantEqual(t, "by the reserved name", string(s.read(t, "amq.nats.ORDERS", 1)[0].Body), "from nats")
		must(t, s.jetstream(t).DeleteStream(within(t), "ORDERS"))
		out, _ := s.ctl(t, "expose", "list")
		if regexp.MustCompile("ORDERS").MatchString(out) {
			t.Errorf("still listed:\n%s", out)
		}
		s.topic(t, "orders", 1, nil) // the name is free
		s.crash(t)
		out, _ = s.ctl(t, "expose", "list")
		wantEqual(t, "names after the crash", len(strings.Split(out, "\n")), 6)
	})
}

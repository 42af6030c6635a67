package compat

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// neutral is a message as every door must show it.
type neutral struct {
	key, value string
	headers    map[string]string
}

func (n neutral) String() string {
	var hs []string
	for k, v := range n.headers {
		hs = append(hs, k+"="+v)
	}
	slices.Sort(hs)
	return fmt.Sprintf("%s %q %s", n.key, n.value, strings.Join(hs, " "))
}

// crossPlace is one stream, as each door names it.
type crossPlace struct {
	amqpExchange, amqpKey string // to publish; the key is the message's own if amqpKey is ""
	queue, topic, stream  string
	prefix                string // of NATS subjects before the key
}

// Whichever door a message comes in through, and whichever kind of stream it goes to, all three doors
// show the same message at the same position; and a crash changes nothing of what was acknowledged.
func TestCrossdoorEveryWay(t *testing.T) {
	s := startCrossdoor(t)
	r, js := s.rabbit(), s.jetstream(t)
	s.topic(t, "t", 1, nil)
	r.streamQueue("q")
	r.exchange("to-q", "topic")
	r.bind("q", "#", "to-q")
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	must(t, err)
	k := s.kafka()
	places := []crossPlace{
		{"", "amq.kafka.t", "amq.kafka.t", "t", "KAFKA_t", "$KAFKA.t."},
		{"to-q", "", "q", "amqp.q", "AMQP_q", "$AMQP.queue.q."},
		{"amq.nats", "", "amq.nats.S", "nats.S", "S", ""},
	}
	send := map[string]func(p crossPlace, n neutral){
		"amqp": func(p crossPlace, n neutral) {
			m := amqp.Publishing{Body: []byte(n.value), Headers: amqp.Table{}}
			for k, v := range n.headers {
				switch k {
				case "content-type":
					m.ContentType = v
				case "message-id":
					m.MessageId = v
				default:
					m.Headers[k] = v
				}
			}
			key := n.key
			if p.amqpKey != "" {
				key = p.amqpKey
				m.Headers["kafka-key"] = n.key
				n.headers["kafka-key"] = n.key
			}
			r.send(p.amqpExchange, key, m)
		},
		"kafka": func(p crossPlace, n neutral) {
			rec := record(p.topic, n.key, n.value)
			for k, v := range n.headers {
				rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
			}
			produce(t, k, rec)
		},
		"nats": func(p crossPlace, n neutral) {
			m := nats.NewMsg(p.prefix + n.key)
			m.Data = []byte(n.value)
			for k, v := range n.headers {
				m.Header[k] = []string{v}
			}
			_, err := js.PublishMsg(within(t), m)
			must(t, err)
		},
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	doors := []string{"amqp", "kafka", "nats"}
	want := make([][]string, len(places))
	const each = 40
	for range each * len(places) {
		at := rnd.IntN(len(places))
		n := neutral{fmt.Sprint("s.", rnd.IntN(5), ".x"), fmt.Sprint("v", rnd.IntN(1000)), map[string]string{}}
		if rnd.IntN(8) == 0 {
			n.value = ""
		}
		for _, h := range []string{"content-type", "message-id", "x-custom", "Upper-Case", "empty"} {
			if rnd.IntN(2) == 0 {
				n.headers[h] = fmt.Sprint("h", rnd.IntN(100))
			}
		}
		send[doors[rnd.IntN(len(doors))]](places[at], n)
		want[at] = append(want[at], n.String())
	}
	check := func() {
		t.Helper()
		for i, p := range places {
			same := func(door string, at int, n neutral) {
				t.Helper()
				if got := n.String(); got != want[i][at] {
					t.Errorf("%s shows %s at %d as\n%s, want\n%s", door, p.stream, at, got, want[i][at])
				}
			}
			for at, d := range s.read(t, p.queue, len(want[i])) {
				n := neutral{d.RoutingKey, string(d.Body), map[string]string{}}
				if p.amqpKey != "" && d.RoutingKey == p.amqpKey {
					n.key = fmt.Sprint(d.Headers["kafka-key"]) // AMQP's own routing key of what AMQP published
				}
				for k, v := range d.Headers {
					if k != "x-stream-offset" {
						n.headers[k] = v.(string)
					}
				}
				if d.ContentType != "" {
					n.headers["content-type"] = d.ContentType
				}
				if d.MessageId != "" {
					n.headers["message-id"] = d.MessageId
				}
				same("AMQP", at, n)
			}
			for at, rec := range s.records(t, p.topic, len(want[i])) {
				n := neutral{string(rec.Key), string(rec.Value), map[string]string{}}
				for _, h := range rec.Headers {
					n.headers[h.Key] = string(h.Value)
				}
				same("Kafka", at, n)
			}
			for at, m := range s.messages(t, p.stream, len(want[i])) {
				n := neutral{strings.TrimPrefix(m.Subject(), p.prefix), string(m.Data()), map[string]string{}}
				for k := range m.Headers() {
					n.headers[k] = m.Headers().Get(k)
				}
				same("NATS", at, n)
			}
		}
	}
	check()
	s.crash(t)
	check()
}

package amqp

import (
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"trivium/core"
)

func TestDirectReplyTo(t *testing.T) {
	b := serve(t, Options{})
	asker, answerer := b.client(), b.client()
	answerer.queue("rpc", nil)
	requests := answerer.subscribe("rpc")
	answers, err := asker.Consume(replyQueue, "answers", true, false, false, false, nil)
	asker.must(err)
	p := everything([]byte("question"))
	p.ReplyTo = replyQueue
	asker.publish("", "rpc", p)
	r := next(t, requests)
	if !strings.HasPrefix(r.ReplyTo, replyQueue+".") {
		t.Fatalf("reply-to is %q", r.ReplyTo)
	}
	p.ReplyTo = r.ReplyTo
	sameMessage(t, r, p)
	q, err := answerer.QueueDeclarePassive(r.ReplyTo, false, false, false, false, nil)
	answerer.must(err)
	equal(t, "consumers", q.Consumers, 1)
	answer := everything([]byte("answer"))
	answerer.publish("", r.ReplyTo, answer)
	a := next(t, answers)
	sameMessage(t, a, answer)
	equal(t, "key", a.RoutingKey, r.ReplyTo)
	equal(t, "consumer", a.ConsumerTag, "answers")

	// Who asked is gone: nobody is told.
	asker.must(asker.Cancel("answers", false))
	returns := answerer.NotifyReturn(make(chan amqp091.Return, 1))
	answerer.must(answerer.Publish("", r.ReplyTo, true, false, answer))
	answerer.must(answerer.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil))
	select {
	case m := <-returns:
		t.Errorf("returned: %+v", m)
	default:
	}
	_, err = answerer.QueueDeclarePassive(r.ReplyTo, false, false, false, false, nil)
	equal(t, "declare", err, `Exception (404) Reason: "NOT_FOUND - no queue '`+r.ReplyTo+`' in vhost '/'"`)
}

// subscriber is interest in a subject, as another door has it.
type subscriber struct {
	got chan core.Message
}

func (s *subscriber) Receive(subject []byte, m *core.Message) bool {
	c := *m
	c.Key, c.Value = []byte(string(subject)), []byte(string(m.Value))
	s.got <- c
	return true
}

// The exchange amq.nats is the subject space, requests included.
func TestSubjectSpace(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	subjects := b.core.Namespace(core.DefaultNamespace).Subjects()
	s := &subscriber{make(chan core.Message, 10)}
	defer subjects.Subscribe("orders.*", "", s).Close()
	answers, err := c.Consume(replyQueue, "", true, false, false, false, nil)
	c.must(err)
	c.publish("amq.nats", "orders.new", amqp091.Publishing{
		Body: []byte("hello"), ReplyTo: replyQueue, ContentType: "text/plain", Headers: amqp091.Table{"n": 5},
	})
	m := <-s.got
	equal(t, "subject", string(m.Key), "orders.new")
	equal(t, "body", string(m.Value), "hello")
	// Whoever got it answers on the subject it carries, through any door.
	n := subjects.Publish([]byte(m.Reply), &core.Message{Value: []byte("world"), Headers: []core.Header{{Name: "k", Value: []byte("v")}}})
	equal(t, "answers", n, 1)
	a := next(t, answers)
	equal(t, "answer", string(a.Body), "world")
	equal(t, "headers", a.Headers, amqp091.Table{"k": "v"})
	// And an answer to an inbox reaches it through the default exchange.
	defer subjects.Subscribe("_INBOX.abc.*", "", s).Close()
	c.publish("", "_INBOX.abc.1", amqp091.Publishing{Body: []byte("reply")})
	m = <-s.got
	equal(t, "inbox", string(m.Key)+" "+string(m.Value), "_INBOX.abc.1 reply")
	got := outcome(t, b.url(), func(c *client) error {
		return c.Publish("amq.nats", "orders..new", false, false, amqp091.Publishing{})
	})
	equal(t, "bad subject", got, "406 channel PRECONDITION_FAILED - routing key 'orders..new' is not a legal subject")
}

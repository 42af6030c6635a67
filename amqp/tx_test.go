package amqp

import (
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

func TestTransaction(t *testing.T) {
	b := serve(t, Options{})
	c, other := b.client(), b.client()
	c.queue("in", nil)
	c.queue("out", nil)
	c.send("", "in", "1", "2", "3")
	c.must(c.Tx())
	c.must(c.Tx())
	ds := c.subscribe("in")
	got := take(t, ds, 3)
	c.send("", "out", "a", "b")
	c.must(got[0].Ack(false))
	equal(t, "before the commit", other.drain("out"), "[]")
	c.must(c.TxCommit())
	equal(t, "after the commit", other.drain("out"), "[a b]")

	c.send("", "out", "c")
	c.must(got[1].Ack(false))
	c.must(got[2].Nack(false, true))
	c.must(c.TxRollback())
	c.must(c.TxCommit())
	equal(t, "after the rollback", other.drain("out"), "[]")
	// What was acked is unsettled again: it can be acked once more.
	c.must(got[1].Ack(false))
	c.must(c.TxCommit())
	// An ack that was never committed is none.
	c.must(got[2].Ack(false))
	c.must(c.Close())
	equal(t, "left", other.drain("in"), "[3]")
}

// Returns of a transaction come with its commit.
func TestTransactionReturns(t *testing.T) {
	b := serve(t, Options{})
	c := b.client()
	returns := c.NotifyReturn(make(chan amqp091.Return, 1))
	c.must(c.Tx())
	c.must(c.Publish("", "nowhere", true, false, amqp091.Publishing{Body: []byte("m")}))
	c.must(c.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil))
	select {
	case <-returns:
		t.Error("returned before the commit")
	default:
	}
	c.must(c.TxCommit())
	equal(t, "returned", string((<-returns).Body), "m")
}

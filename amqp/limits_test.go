package amqp

import (
	"fmt"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// bodyLimits tells what queues with x-max-length-bytes keep of messages whose properties are longer than their bodies.
func bodyLimits(c *client) (told []string) {
	c.must(c.Confirm(false))
	send := func(queue string, bodies ...string) (acks string) {
		for _, b := range bodies {
			d, err := c.PublishWithDeferredConfirm("", queue, false, false, amqp091.Publishing{
				Body: []byte(b), DeliveryMode: amqp091.Persistent, MessageId: strings.Repeat("m", 200),
				Headers: amqp091.Table{"h": strings.Repeat("v", 300)},
			})
			c.must(err)
			if d.Wait() {
				acks += "+"
			} else {
				acks += "-"
			}
		}
		return acks
	}
	for _, typ := range []string{"classic", "quorum"} {
		name := "drop-" + typ
		c.queue(name, amqp091.Table{"x-queue-type": typ, "x-max-length-bytes": 10})
		told = append(told, name+send(name, "aaaaa", "bbbbb"))
		held, ok, err := c.Get(name, false)
		c.must(err)
		if !ok {
			c.t.Fatal("nothing to get")
		}
		told = append(told, string(held.Body)+send(name, "ccccc")) // what is held does not count
		c.must(held.Ack(false))
		told = append(told, send(name, "d"), fmt.Sprint(c.drain(name)))
	}
	c.queue("reject", amqp091.Table{"x-max-length-bytes": 10, "x-overflow": "reject-publish"})
	told = append(told, send("reject", "aaaaaa", "bbbbb", "cccc", "d"), fmt.Sprint(c.drain("reject")))
	for _, q := range []string{"drop-classic", "drop-quorum", "reject"} {
		_, err := c.QueueDelete(q, false, false, false)
		c.must(err)
	}
	return told
}

var bodyLimitsTold = "[drop-classic++ aaaaa+ + [ccccc d] drop-quorum++ aaaaa+ + [ccccc d] +-+- [aaaaaa cccc]]"

func TestBodyLimits(t *testing.T) {
	equal(t, "limits", bodyLimits(serve(t, Options{}).client()), bodyLimitsTold)
}

func TestBodyLimitsOfRabbitMQ(t *testing.T) {
	url := rabbitMQ(t)
	conn := dial(t, url)
	equal(t, "limits", bodyLimits(&client{t, channelOf(t, conn), conn}), bodyLimitsTold)
}

package amqp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"trivium/core"
)

// Every core code has a reply code.
func TestCoreCodes(t *testing.T) {
	n := 0
	for code := core.Code(1); !strings.HasPrefix(code.String(), "code "); code++ {
		n++
		if _, ok := coreCodes[code]; !ok {
			t.Errorf("%s has no reply code", code)
		}
	}
	equal(t, "codes", n, len(coreCodes))
}

// refusals is the error table: what a client does, and what it is told. RabbitMQ 3.10's texts and codes differ where
// old is set ("-" means that it is not asked).
var refusals = []struct {
	name string
	do   func(c *client) error
	want string
	old  string
}{
	{name: "passive declare of a missing queue", do: func(c *client) error {
		_, err := c.QueueDeclarePassive("nix", true, false, false, false, nil)
		return err
	}, want: "404 channel NOT_FOUND - no queue 'nix' in vhost '/'"},
	{name: "passive declare of a missing exchange", do: func(c *client) error {
		return c.ExchangeDeclarePassive("nix", "direct", true, false, false, false, nil)
	}, want: "404 channel NOT_FOUND - no exchange 'nix' in vhost '/'"},
	{name: "consume from a missing queue", do: func(c *client) error {
		_, err := c.Consume("nix", "", false, false, false, false, nil)
		return err
	}, want: "404 channel NOT_FOUND - no queue 'nix' in vhost '/'"},
	{name: "get from a missing queue", do: func(c *client) error {
		_, _, err := c.Get("nix", true)
		return err
	}, want: "404 channel NOT_FOUND - no queue 'nix' in vhost '/'"},
	{name: "purge a missing queue", do: func(c *client) error {
		_, err := c.QueuePurge("nix", false)
		return err
	}, want: "404 channel NOT_FOUND - no queue 'nix' in vhost '/'"},
	{name: "bind a missing queue", do: func(c *client) error {
		return c.QueueBind("nix", "k", "amq.direct", false, nil)
	}, want: "404 channel NOT_FOUND - no queue 'nix' in vhost '/'"},
	{name: "bind to a missing exchange", do: func(c *client) error {
		c.queue("q", nil)
		return c.QueueBind("q", "k", "nix", false, nil)
	}, want: "404 channel NOT_FOUND - no exchange 'nix' in vhost '/'"},
	{name: "bind exchanges of which one is missing", do: func(c *client) error {
		return c.ExchangeBind("nix", "k", "amq.direct", false, nil)
	}, want: "404 channel NOT_FOUND - no exchange 'nix' in vhost '/'"},
	{name: "publish to a missing exchange", do: func(c *client) error {
		return c.Publish("nix", "k", false, false, amqp091.Publishing{})
	}, want: "404 channel NOT_FOUND - no exchange 'nix' in vhost '/'"},
	{name: "delete what is missing", do: func(c *client) error {
		n, err := c.QueueDelete("nix", false, false, false)
		return errors.Join(err, c.ExchangeDelete("nix", false, false), zero(n))
	}, want: "ok"},
	{name: "unbind what is missing", do: func(c *client) error {
		c.queue("q", nil)
		return errors.Join(c.QueueUnbind("q", "k", "amq.direct", nil), c.QueueUnbind("nix", "k", "amq.direct", nil), c.QueueUnbind("q", "k", "nix", nil))
	}, want: "ok"},
	{name: "cancel an unknown consumer", do: func(c *client) error { return c.Cancel("nobody", false) }, want: "ok"},
	{name: "no queue declared before", do: func(c *client) error {
		_, _, err := c.Get("", true)
		return err
	}, want: "404 channel NOT_FOUND - no previously declared queue"},
	{name: "redeclare a queue as transient", do: func(c *client) error {
		c.queue("q", nil)
		_, err := c.QueueDeclare("q", false, false, false, false, nil)
		return err
	}, want: "406 channel PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'"},
	{name: "redeclare a queue as auto-delete", do: func(c *client) error {
		c.queue("q", nil)
		_, err := c.QueueDeclare("q", true, true, false, false, nil)
		return err
	}, want: "406 channel PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'true' but current is 'false'"},
	{name: "redeclare a queue with another argument", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-max-length": 3})
		_, err := c.QueueDeclare("q", true, false, false, false, amqp091.Table{"x-max-length": 4})
		return err
	}, want: "406 channel PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received '4' but current is '3'"},
	{name: "redeclare a queue without an argument", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-dead-letter-exchange": "dlx"})
		_, err := c.QueueDeclare("q", true, false, false, false, nil)
		return err
	}, want: "406 channel PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue 'q' in vhost '/': received none but current is the value 'dlx' of type 'longstr'"},
	{name: "redeclare with an equal number of another size", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-max-length": int32(3), "unknown": "a"})
		_, err := c.QueueDeclare("q", true, false, false, false, amqp091.Table{"x-max-length": int64(3), "x-queue-type": "classic"})
		return err
	}, want: "ok"},
	{name: "redeclare a queue as quorum", do: func(c *client) error {
		c.queue("q", nil)
		_, err := c.QueueDeclare("q", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
		return err
	}, want: "406 channel PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'quorum' but current is 'classic'", old: "-"},
	{name: "redeclare a queue as exclusive", do: func(c *client) error {
		c.queue("q", nil)
		_, err := c.QueueDeclare("q", true, false, true, false, nil)
		return err
	}, want: "405 channel RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration."},
	{name: "reserved queue name", do: func(c *client) error {
		_, err := c.QueueDeclare("amq.mine", true, false, false, false, nil)
		return err
	}, want: "403 channel ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"},
	{name: "reserved exchange name", do: func(c *client) error {
		return c.ExchangeDeclare("amq.mine", "direct", true, false, false, false, nil)
	}, want: "403 channel ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'"},
	{name: "redeclare amq.direct as it is", do: func(c *client) error {
		return c.ExchangeDeclare("amq.direct", "direct", true, false, false, false, nil)
	}, want: "ok"},
	{name: "unknown exchange type", do: func(c *client) error {
		return c.ExchangeDeclare("x", "nix", true, false, false, false, nil)
	}, want: "406 channel PRECONDITION_FAILED - unknown exchange type 'nix'", old: "503 connection COMMAND_INVALID - unknown exchange type 'nix'"},
	{name: "redeclare an exchange with another type", do: func(c *client) error {
		c.must(c.ExchangeDeclare("x", "direct", true, false, false, false, nil))
		return c.ExchangeDeclare("x", "fanout", true, false, false, false, nil)
	}, want: "406 channel PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'"},
	{name: "redeclare an exchange as internal", do: func(c *client) error {
		c.must(c.ExchangeDeclare("x", "direct", true, false, false, false, nil))
		return c.ExchangeDeclare("x", "direct", true, false, true, false, nil)
	}, want: "406 channel PRECONDITION_FAILED - inequivalent arg 'internal' for exchange 'x' in vhost '/': received 'true' but current is 'false'"},
	{name: "redeclare an exchange with an alternate", do: func(c *client) error {
		c.must(c.ExchangeDeclare("x", "direct", true, false, false, false, nil))
		return c.ExchangeDeclare("x", "direct", true, false, false, false, amqp091.Table{"alternate-exchange": "y"})
	}, want: "406 channel PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received the value 'y' of type 'longstr' but current is none"},
	{name: "declare the default exchange", do: func(c *client) error {
		return c.ExchangeDeclare("", "direct", true, false, false, false, nil)
	}, want: "403 channel ACCESS_REFUSED - operation not permitted on the default exchange"},
	{name: "delete the default exchange", do: func(c *client) error { return c.ExchangeDelete("", false, false) },
		want: "403 channel ACCESS_REFUSED - operation not permitted on the default exchange"},
	{name: "bind to the default exchange", do: func(c *client) error {
		c.queue("q", nil)
		return c.QueueBind("q", "k", "", false, nil)
	}, want: "403 channel ACCESS_REFUSED - operation not permitted on the default exchange"},
	{name: "delete amq.topic", do: func(c *client) error { return c.ExchangeDelete("amq.topic", false, false) },
		want: "403 channel ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed"},
	{name: "publish to an internal exchange", do: func(c *client) error {
		c.must(c.ExchangeDeclare("x", "direct", true, false, true, false, nil))
		return c.Publish("x", "k", false, false, amqp091.Publishing{})
	}, want: "403 channel ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '/'"},
	{name: "delete an exchange in use if unused", do: func(c *client) error {
		c.queue("q", nil)
		c.must(c.ExchangeDeclare("x", "direct", true, false, false, false, nil))
		c.must(c.QueueBind("q", "k", "x", false, nil))
		return c.ExchangeDelete("x", true, false)
	}, want: "406 channel PRECONDITION_FAILED - exchange 'x' in vhost '/' in use"},
	{name: "delete a queue in use if unused", do: func(c *client) error {
		c.queue("q", nil)
		c.subscribe("q")
		_, err := c.QueueDelete("q", true, false, false)
		return err
	}, want: "406 channel PRECONDITION_FAILED - queue 'q' in vhost '/' in use"},
	{name: "delete a queue with messages if empty", do: func(c *client) error {
		c.queue("q", nil)
		c.send("", "q", "one")
		_, err := c.QueueDelete("q", false, true, false)
		return err
	}, want: "406 channel PRECONDITION_FAILED - queue 'q' in vhost '/' not empty"},
	{name: "delete a quorum queue if unused", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-queue-type": "quorum"})
		_, err := c.QueueDelete("q", true, false, false)
		return err
	}, want: "540 connection NOT_IMPLEMENTED - cannot delete queue 'q' in vhost '/'. queue.delete operations with if-unused flag set are not supported by quorum queues"},
	{name: "purge a stream", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-queue-type": "stream"})
		_, err := c.QueuePurge("q", false)
		return err
	}, want: "540 connection NOT_IMPLEMENTED - queue.purge not supported by stream queues queue 'q' in vhost '/'"},
	{name: "get from a stream", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-queue-type": "stream"})
		_, _, err := c.Get("q", true)
		return err
	}, want: "540 connection NOT_IMPLEMENTED - basic.get not supported by stream queues queue 'q' in vhost '/'"},
	{name: "publish immediate", do: func(c *client) error {
		return c.Publish("", "q", false, true, amqp091.Publishing{Body: []byte("body")})
	}, want: "540 connection NOT_IMPLEMENTED - immediate=true"},
	{name: "prefetch size", do: func(c *client) error { return c.Qos(1, 100, false) },
		want: "540 connection NOT_IMPLEMENTED - prefetch_size!=0 (100)"},
	//lint:ignore SA1019 clients still send it
	{name: "recover without requeue", do: func(c *client) error { return c.Recover(false) },
		want: "540 connection NOT_IMPLEMENTED - requeue=false"},
	{name: "flow off", do: func(c *client) error { return c.Flow(false) }, want: "540 connection NOT_IMPLEMENTED - active=false"},
	{name: "consume a stream without acks", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-queue-type": "stream"})
		c.must(c.Qos(1, 0, false))
		_, err := c.Consume("q", "", true, false, false, false, nil)
		return err
	}, want: "540 connection NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queue 'q' in vhost '/'", old: "540 connection NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queues queue 'q' in vhost '/'"},
	{name: "consume a stream without prefetch", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-queue-type": "stream"})
		_, err := c.Consume("q", "", false, false, false, false, nil)
		return err
	}, want: "406 channel PRECONDITION_FAILED - consumer prefetch count is not set for stream queue 'q' in vhost '/'", old: "406 channel PRECONDITION_FAILED - consumer prefetch count is not set for 'queue 'q' in vhost '/''"},
	{name: "consume a quorum queue with global qos", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-queue-type": "quorum"})
		c.must(c.Qos(1, 0, true))
		_, err := c.Consume("q", "", false, false, false, false, nil)
		return err
	}, want: "540 connection NOT_IMPLEMENTED - queue 'q' in vhost '/' does not support global qos"},
	{name: "reuse a consumer tag", do: func(c *client) error {
		c.queue("q", nil)
		_, err := c.Consume("q", "t", false, false, false, false, nil)
		c.must(err)
		_, err = c.Consume("q", "t", false, false, false, false, nil)
		return err
	}, want: "530 connection NOT_ALLOWED - attempt to reuse consumer tag 't'"},
	{name: "consume exclusively with others", do: func(c *client) error {
		c.queue("q", nil)
		c.subscribe("q")
		_, err := c.Consume("q", "", false, true, false, false, nil)
		return err
	}, want: "403 channel ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"},
	{name: "consume where an exclusive consumer is", do: func(c *client) error {
		c.queue("q", nil)
		_, err := c.Consume("q", "", false, true, false, false, nil)
		c.must(err)
		_, err = c.Consume("q", "", false, false, false, false, nil)
		return err
	}, want: "403 channel ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"},
	{name: "consume exclusively with a single active consumer", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-single-active-consumer": true})
		_, err := c.Consume("q", "", false, true, false, false, nil)
		return err
	}, want: "403 channel ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"},
	{name: "ack an unknown tag", do: func(c *client) error { return c.Ack(7, false) },
		want: "406 channel PRECONDITION_FAILED - unknown delivery tag 7"},
	{name: "ack twice", do: func(c *client) error {
		c.queue("q", nil)
		c.send("", "q", "one")
		d := next(c.t, c.subscribe("q"))
		c.must(d.Ack(false))
		return d.Ack(false)
	}, want: "406 channel PRECONDITION_FAILED - unknown delivery tag 1"},
	{name: "ack all beyond the last", do: func(c *client) error { return c.Ack(1, true) },
		want: "406 channel PRECONDITION_FAILED - unknown delivery tag 1"},
	{name: "ack all of nothing", do: func(c *client) error { return c.Ack(0, true) }, want: "ok"},
	{name: "nack tag 0", do: func(c *client) error { return c.Nack(0, false, true) },
		want: "406 channel PRECONDITION_FAILED - unknown delivery tag 0"},
	{name: "bad expiration", do: func(c *client) error {
		return c.Publish("", "q", false, false, amqp091.Publishing{Expiration: "soon"})
	}, want: "406 channel PRECONDITION_FAILED - invalid expiration 'soon': no_integer"},
	{name: "expiration with a unit", do: func(c *client) error {
		return c.Publish("", "q", false, false, amqp091.Publishing{Expiration: "10s"})
	}, want: `406 channel PRECONDITION_FAILED - invalid expiration '10s': {leftover_string,"s"}`},
	{name: "negative expiration", do: func(c *client) error {
		return c.Publish("", "q", false, false, amqp091.Publishing{Expiration: "-5"})
	}, want: "406 channel PRECONDITION_FAILED - invalid expiration '-5': {value_negative,-5}"},
	{name: "endless expiration", do: func(c *client) error {
		return c.Publish("", "q", false, false, amqp091.Publishing{Expiration: "315360000001"})
	}, want: "406 channel PRECONDITION_FAILED - invalid expiration '315360000001': {value_too_large,315360000001}", old: "-"},
	{name: "somebody else's user-id", do: func(c *client) error {
		return c.Publish("", "q", false, false, amqp091.Publishing{UserId: "root"})
	}, want: "406 channel PRECONDITION_FAILED - user_id property set to 'root' but authenticated user was 'guest'"},
	{name: "own user-id", do: func(c *client) error {
		return c.Publish("", "q", false, false, amqp091.Publishing{UserId: "guest"})
	}, want: "ok"},
	{name: "CC that is no array", do: func(c *client) error {
		return c.Publish("", "q", false, false, amqp091.Publishing{Headers: amqp091.Table{"CC": "q2"}})
	}, want: `406 channel PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}`},
	{name: "reply-to without a consumer", do: func(c *client) error {
		return c.Publish("", "q", false, false, amqp091.Publishing{ReplyTo: "amq.rabbitmq.reply-to"})
	}, want: "406 channel PRECONDITION_FAILED - fast reply consumer does not exist"},
	{name: "consume replies with acks", do: func(c *client) error {
		_, err := c.Consume("amq.rabbitmq.reply-to", "", false, false, false, false, nil)
		return err
	}, want: "406 channel PRECONDITION_FAILED - reply consumer cannot acknowledge"},
	{name: "consume replies twice", do: func(c *client) error {
		_, err := c.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		c.must(err)
		_, err = c.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		return err
	}, want: "406 channel PRECONDITION_FAILED - reply consumer already set"},
	{name: "negative length", do: declare("x-max-length", -1),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'q' in vhost '/': {value_negative,-1}"},
	{name: "length as text", do: declare("x-max-length", "3"),
		want: `406 channel PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'q' in vhost '/': "expected integer, got longstr"`, old: "-"},
	{name: "queue that expires at once", do: declare("x-expires", 0),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}"},
	{name: "too many priorities", do: declare("x-max-priority", 256),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/': {max_value_exceeded,256}"},
	{name: "unknown overflow", do: declare("x-overflow", "nix"),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'q' in vhost '/': invalid_overflow"},
	{name: "key without an exchange for the dead", do: declare("x-dead-letter-routing-key", "k"),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': routing_key_but_no_dlx_defined"},
	{name: "exchange for the dead that is a number", do: declare("x-dead-letter-exchange", 3),
		want: "406 channel PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"},
	{name: "single active consumer as text", do: declare("x-single-active-consumer", "yes"),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-single-active-consumer' for queue 'q' in vhost '/': {unacceptable_type,longstr}"},
	{name: "delivery limit on a classic queue", do: declare("x-delivery-limit", 3),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
	{name: "priorities on a quorum queue", do: declare("x-max-priority", 3, "x-queue-type", "quorum"),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"},
	{name: "time to live on a stream", do: declare("x-message-ttl", 3, "x-queue-type", "stream"),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/' of queue type rabbit_stream_queue"},
	{name: "age of a stream", do: declare("x-max-age", "3 days", "x-queue-type", "stream"),
		want: "406 channel PRECONDITION_FAILED - invalid arg 'x-max-age' for queue 'q' in vhost '/': invalid_max_age"},
	{name: "transient quorum queue", do: func(c *client) error {
		_, err := c.QueueDeclare("q", false, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
		return err
	}, want: "406 channel PRECONDITION_FAILED - invalid property 'non-durable' for queue 'q' in vhost '/'"},
	{name: "auto-delete quorum queue", do: func(c *client) error {
		_, err := c.QueueDeclare("q", true, true, false, false, amqp091.Table{"x-queue-type": "quorum"})
		return err
	}, want: "406 channel PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'q' in vhost '/'"},
	{name: "exclusive stream", do: func(c *client) error {
		_, err := c.QueueDeclare("q", true, false, true, false, amqp091.Table{"x-queue-type": "stream"})
		return err
	}, want: "406 channel PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'q' in vhost '/'"},
	{name: "server-named quorum queue", do: func(c *client) error {
		_, err := c.QueueDeclare("", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
		return err
	}, want: "406 channel PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue"},
	{name: "commit without a transaction", do: func(c *client) error { return c.TxCommit() },
		want: "406 channel PRECONDITION_FAILED - channel is not transactional"},
	{name: "roll back without a transaction", do: func(c *client) error { return c.TxRollback() },
		want: "406 channel PRECONDITION_FAILED - channel is not transactional"},
	{name: "confirms after a transaction", do: func(c *client) error {
		c.must(c.Tx())
		return c.Confirm(false)
	}, want: "406 channel PRECONDITION_FAILED - cannot switch from tx to confirm mode"},
	{name: "transaction after confirms", do: func(c *client) error {
		c.must(c.Confirm(false))
		return c.Tx()
	}, want: "406 channel PRECONDITION_FAILED - cannot switch from confirm to tx mode"},
	{name: "commit what a queue rejects", do: func(c *client) error {
		c.queue("q", amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
		c.must(c.Tx())
		c.send("", "q", "one", "two", "three")
		return c.TxCommit()
	}, want: "406 channel PRECONDITION_FAILED - partial tx completion"},
	{name: "x-match that is none", do: func(c *client) error {
		c.queue("q", nil)
		return c.QueueBind("q", "", "amq.headers", false, amqp091.Table{"x-match": "some"})
	}, want: `406 channel PRECONDITION_FAILED - Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x`},
	{name: "consumer priority as text", do: func(c *client) error {
		c.queue("q", nil)
		_, err := c.Consume("q", "", false, false, false, false, amqp091.Table{"x-priority": "high"})
		return err
	}, want: `406 channel PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': "expected integer, got longstr"`, old: "-"},
	{name: "stream offset on a classic queue", do: func(c *client) error {
		c.queue("q", nil)
		_, err := c.Consume("q", "", false, false, false, false, amqp091.Table{"x-stream-offset": "first"})
		return err
	}, want: "406 channel PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
}

func zero(n int) error {
	if n != 0 {
		return fmt.Errorf("%d messages", n)
	}
	return nil
}

// declare declares queue q with arguments given as names and values.
func declare(args ...any) func(c *client) error {
	return func(c *client) error {
		table := amqp091.Table{}
		for i := 0; i < len(args); i += 2 {
			table[args[i].(string)] = args[i+1]
		}
		_, err := c.QueueDeclare("q", true, false, false, false, table)
		return err
	}
}

// outcome does something on a new connection and says how it ended.
func outcome(t *testing.T, url string, do func(c *client) error) string {
	conn := dial(t, url)
	defer conn.Close()
	clean := channelOf(t, conn)
	for _, q := range []string{"q"} {
		_, _ = clean.QueueDelete(q, false, false, false)
	}
	for _, x := range []string{"x", "y"} {
		_ = clean.ExchangeDelete(x, false, false)
	}
	c := &client{t, channelOf(t, conn), conn}
	closed := c.NotifyClose(make(chan *amqp091.Error, 1))
	connClosed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	err := do(c)
	if err == nil {
		// What is answered to a publish or an ack comes before the answer to this.
		err = c.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil)
	}
	if err == nil {
		return "ok"
	}
	var ae *amqp091.Error
	if !errors.As(err, &ae) {
		return "client: " + err.Error()
	}
	if e := <-closed; e != nil {
		ae = e
	}
	level := "channel"
	if conn.IsClosed() {
		level = "connection"
		if e := <-connClosed; e != nil {
			ae = e
		}
	}
	return fmt.Sprintf("%d %s %s", ae.Code, level, ae.Reason)
}

func TestRefusals(t *testing.T) {
	b := serve(t, Options{})
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			if got := outcome(t, b.url(), r.do); got != r.want {
				t.Errorf("got  %s\nwant %s", got, r.want)
			}
		})
	}
}

// The same table against a real RabbitMQ, if TRIVIUM_RABBITMQ_URL names one: 3.10, which differs where the
// table says so.
func TestRefusalsOfRabbitMQ(t *testing.T) {
	url := rabbitMQ(t)
	for _, r := range refusals {
		want := r.want
		if r.old != "" {
			want = r.old
		}
		if want == "-" {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			if got := outcome(t, url, r.do); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// An exclusive queue is its connection's alone, whatever the others ask.
func TestExclusiveQueueIsLocked(t *testing.T) {
	b := serve(t, Options{})
	owner := b.client()
	_, err := owner.QueueDeclare("mine", false, false, true, false, nil)
	owner.must(err)
	for name, do := range map[string]func(c *client) error{
		"declare": func(c *client) error {
			_, err := c.QueueDeclare("mine", false, false, true, false, nil)
			return err
		},
		"passive": func(c *client) error {
			_, err := c.QueueDeclarePassive("mine", false, false, true, false, nil)
			return err
		},
		"bind": func(c *client) error { return c.QueueBind("mine", "k", "amq.direct", false, nil) },
		"get": func(c *client) error {
			_, _, err := c.Get("mine", true)
			return err
		},
		"consume": func(c *client) error {
			_, err := c.Consume("mine", "", true, false, false, false, nil)
			return err
		},
		"purge": func(c *client) error {
			_, err := c.QueuePurge("mine", false)
			return err
		},
		"delete": func(c *client) error {
			_, err := c.QueueDelete("mine", false, false, false)
			return err
		},
	} {
		if got := outcome(t, b.url(), do); !strings.HasPrefix(got, "405 channel RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine'") {
			t.Errorf("%s: %s", name, got)
		}
	}
	// Publishing to it is everybody's right; and it is gone with its connection.
	other := b.client()
	other.must(other.Confirm(false))
	conf, err := other.PublishWithDeferredConfirm("", "mine", true, false, amqp091.Publishing{Body: []byte("hello")})
	other.must(err)
	if ok, err := conf.WaitContext(context.Background()); !ok || err != nil {
		t.Error("not confirmed", err)
	}
	equal(t, "messages", owner.drain("mine"), "[hello]")
	owner.must(owner.conn.Close())
	_, err = other.QueueDeclarePassive("mine", false, false, false, false, nil)
	equal(t, "after the owner is gone", err, `Exception (404) Reason: "NOT_FOUND - no queue 'mine' in vhost '/'"`)
}

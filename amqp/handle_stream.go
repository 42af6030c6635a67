package amqp

import (
	"time"

	"trivium/amqp/wire"
	"trivium/core"
)

// Stream queues, as in RabbitMQ 4.2's rabbit_stream_queue: reading removes nothing,
// acks are credit.

// start is where a stream consumer begins.
type start struct {
	at     core.StartAt
	offset core.Offset
	time   int64
}

// parseStart reads argument x-stream-offset. now is in unix nanoseconds.
func parseStart(v wire.Value, now int64) (start, bool) {
	if t, ok := v.Time(); ok {
		if t > 1<<63/uint64(time.Second) {
			return start{at: core.StartNext}, true
		}
		return start{at: core.StartTime, time: int64(t) * int64(time.Second)}, true
	}
	if n, ok := v.Int(); ok {
		return start{at: core.StartOffset, offset: core.Offset(max(n, 0))}, true
	}
	s, ok := v.Text()
	if !ok {
		return start{}, false
	}
	switch string(s) {
	case "first":
		return start{at: core.StartFirst}, true
	case "last":
		return start{at: core.StartLast}, true
	case "next":
		return start{at: core.StartNext}, true
	}
	if age, ok := parseAge(string(s)); ok {
		return start{at: core.StartTime, time: now - int64(age)}, true
	}
	return start{}, false
}

// consumeStream prepares a consumer of a stream: a cursor of its own, that ends with it.
func (ch *channel) consumeStream(k *consumer, o *core.SubscribeOptions, what string, partition int, m *wire.BasicConsume) error {
	c := ch.c
	name := k.stream.Config().Name
	if err := checkArgs(what, typeStream, consumeArgs, m.Arguments); err != nil {
		return err
	}
	switch {
	case ch.prefetch == 0:
		return refuse(codePreconditionFailed, "consumer prefetch count is not set for stream %s", what)
	case m.NoAck:
		return refuse(codeNotImplemented, "automatic acknowledgement not supported by stream %s", what)
	case ch.global != 0:
		return refuse(codeNotImplemented, "%s does not support global qos", what)
	}
	k.filter = parseFilter(m.Arguments)
	at := start{at: core.StartNext}
	if v, ok := m.Arguments.Lookup(argStreamOffset); ok {
		at, _ = parseStart(v, time.Now().UnixNano())
	}
	if l := k.stream.Log(partition); at.at == core.StartOffset && l != nil {
		at.offset = max(l.Start(), min(at.offset, l.End()))
	}
	c.barrier()
	err := c.s.Broker.Committed(func(tx *core.Tx) (err error) {
		k.cursor, err = k.stream.CreateCursor(tx, core.CursorConfig{
			Name: generated("amqp-" + name + "-"), Partition: partition, Start: at.at, StartOffset: at.offset, StartTime: at.time, Ack: core.AckExplicit,
		}, nil)
		return err
	})
	k.made = err == nil
	return err
}

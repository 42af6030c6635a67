package amqp

import (
	"errors"
	"sync/atomic"

	"trivium/amqp/wire"
	"trivium/core"
)

// rendered is a stored message as it goes to a client.
type rendered struct {
	exchange, key, props, body []byte
}

// render makes that of deliveries. What it gives is valid until the next call.
type render struct {
	broker *core.Broker
	// dropped counts the headers of other formats that AMQP cannot carry.
	dropped *atomic.Int64
	c       content
	// props holds properties with a header of the delivery's own.
	props []byte
	extra wire.Table
	// The last entry of another format that was translated, because one entry may hold many messages.
	entry    *core.Entry
	messages []core.Message
	f        foreign
}

// Headers that a delivery adds.
const (
	headerStreamOffset  = "x-stream-offset"
	headerDeliveryCount = "x-delivery-count"
)

// message renders a delivery for a consumer.
func (r *render) message(d *core.Delivery, k *consumer) (rendered, error) {
	return r.from(d, k.quorum, k.stream)
}

// from renders a delivery of a queue, or of a stream if that is not nil.
func (r *render) from(d *core.Delivery, quorum bool, s *core.Stream) (m rendered, err error) {
	if d.Entry.Format == Format {
		if err = r.c.open(d.Entry); err != nil {
			return m, err
		}
		m = rendered{r.c.exchange, r.c.key, r.c.props, r.c.body}
	} else if m, err = r.foreign(d, s); err != nil {
		return m, err
	}
	name, n := "", int64(0)
	switch {
	case s != nil:
		name, n = headerStreamOffset, int64(d.Offset)
	case quorum && d.Attempt > 1:
		name, n = headerDeliveryCount, int64(d.Attempt-1)
	default:
		return m, nil
	}
	r.extra = r.extra[:0].Int(name, n)
	r.props, err = appendProps(r.props[:0], m.props, r.extra, false, name)
	m.props = r.props
	return m, err
}

// errHidden is a position without a message for this consumer.
var errHidden = errors.New("no message")

// foreign translates a message that another door stored.
func (r *render) foreign(d *core.Delivery, s *core.Stream) (m rendered, err error) {
	if r.broker.Codec(d.Entry.Format) == nil {
		return m, errEntry
	}
	if r.entry != d.Entry {
		r.entry = nil
		if r.messages, err = r.broker.Codec(d.Entry.Format).Messages(d.Entry, r.messages[:0]); err != nil {
			return m, err
		}
		r.entry = d.Entry
	}
	i := int(d.Offset - d.Entry.Offset)
	if i < 0 || i >= len(r.messages) {
		return m, errEntry
	}
	if r.messages[i].Hidden {
		return m, errHidden
	}
	r.f = translate(&r.messages[i])
	r.dropped.Add(int64(r.f.dropped))
	exchange := core.SubjectExchange
	if s != nil {
		exchange = systemPrefix + string(s.Config().Realm)
	}
	return rendered{[]byte(exchange), r.f.key, r.f.props, r.f.body}, nil
}

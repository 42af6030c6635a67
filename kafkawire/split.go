package kafkawire

import (
	"errors"
	"fmt"
	"slices"

	"trivium/core"
	"trivium/kafkawire/wire"
)

// dedupHeader is the record header whose value is a message's deduplication id.
const dedupHeader = "Nats-Msg-Id"

// split makes entries of single records for a stream that finds its messages by
// key or id.
func (c *conn) split(p *wire.ProducePartition, t *target) bool {
	b := t.batch
	payload, err := b.Payload(nil, maxInflated)
	if err != nil {
		failBatch(p, t.log, err)
		return false
	}
	recs := wire.NewRecords(b, payload)
	var rec wire.Record
	for i := int32(0); recs.Next(&rec); i++ {
		if t.topic.settings.keyed && !c.captured(t.topic, rec.Key) {
			m := fmt.Sprintf("The record's key %q is no subject that stream %s captures", rec.Key, t.topic.source)
			p.Fail(errInvalidRecord, m)
			p.Refused = append(p.Refused, wire.RefusedRecord{Index: i, Message: m})
			return false
		}
		at := b.BaseTimestamp() + rec.TimestampDelta
		e := core.Entry{Count: 1, Format: Format}
		if t.logAppend >= 0 {
			at = t.logAppend
		}
		if t.topic.settings.keyed {
			e.Key = slices.Clone(rec.Key)
		}
		for _, h := range rec.Headers {
			if string(h.Key) == dedupHeader && len(h.Value) > 0 {
				e.ID = slices.Clone(h.Value)
			}
		}
		rec.OffsetDelta, rec.TimestampDelta = 0, 0
		var w wire.Writer
		w.Begin(nil, 0, at)
		w.Add(&rec)
		nb := wire.Batch(w.End(1))
		if t.logAppend >= 0 {
			nb.SetAppendTime(t.logAppend)
		}
		e.Data, e.Time = nb, t.entry.Time
		t.split = append(t.split, e)
	}
	if err := recs.Err(); err != nil {
		failBatch(p, t.log, err)
		return false
	}
	return true
}

// captured reports whether key is a literal subject that t's stream captures.
func (c *conn) captured(t *topic, key []byte) bool {
	if key == nil || !core.LiteralSubject(string(key)) {
		return false
	}
	return slices.Contains(c.s.ns.Subjects().Match(key).Streams, t.stream)
}

// appendSplit stores the entries that were not stored before. The first of them speaks for the producer: they are
// one Tx.
func (c *conn) appendSplit(tx *core.Tx, p *wire.ProducePartition, t *target) (first core.Offset, err error) {
	first = core.NoOffset
	stream, producer := t.topic.stream, t.entry.Producer
	for i := range t.split {
		e := &t.split[i]
		e.Producer = producer
		wire.Batch(e.Data).SetPlace(int64(t.log.Next()), 0)
		at, err := stream.Append(tx, int(p.Partition), e, nil)
		ce, ok := errors.AsType[*core.Error](err)
		switch {
		case ok && ce.Code == core.Duplicate:
			c.await(tx, ce)
			at = ce.Got
			if ce.Want == core.NewSequence {
				return at, nil // the whole batch is a retry
			}
		case err != nil:
			return first, err
		default:
			producer = core.Producer{}
		}
		if i == 0 {
			first = at
		}
	}
	if producer.Set {
		stream.Repeated(tx, int(p.Partition), &producer, first)
	}
	return first, nil
}

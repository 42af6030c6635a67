package kafkawire

import (
	"fmt"
	"time"

	"trivium/core"
	"trivium/kafkawire/wire"
)

// Codec reads record batches for the other doors.
func Codec() core.Codec { return codec{} }

type codec struct{}

func (codec) Format() core.Format { return Format }

// Messages reads the records of e's batch. Offsets that have no record, and
// control records, are hidden.
func (codec) Messages(e *core.Entry, dst []core.Message) ([]core.Message, error) {
	b, err := wire.ParseStored(e.Data)
	if err != nil {
		return dst, err
	}
	if n := b.LastOffsetDelta(); n != e.Count-1 {
		return dst, fmt.Errorf("kafka: batch of %d offsets in an entry of %d", n+1, e.Count)
	}
	from := len(dst)
	for range e.Count {
		dst = append(dst, core.Message{Time: e.Time, Hidden: true})
	}
	if b.Control() {
		return dst, nil
	}
	payload, err := b.Payload(nil, maxInflated)
	if err != nil {
		return dst[:from], err
	}
	recs := wire.NewRecords(b, payload)
	var rec wire.Record
	for recs.Next(&rec) {
		if rec.OffsetDelta < 0 || rec.OffsetDelta >= e.Count {
			return dst[:from], fmt.Errorf("kafka: record at %d in a batch of %d offsets", rec.OffsetDelta, e.Count)
		}
		m := &dst[from+int(rec.OffsetDelta)]
		*m = core.Message{Key: rec.Key, Value: rec.Value, Time: recordTime(b, &rec) * int64(time.Millisecond)}
		if recordTime(b, &rec) < 0 {
			m.Time = e.Time
		}
		if len(rec.Headers) > 0 {
			m.Headers = make([]core.Header, len(rec.Headers))
			for i, h := range rec.Headers {
				m.Headers[i] = core.Header{Name: string(h.Key), Value: h.Value}
			}
		}
	}
	if err := recs.Err(); err != nil {
		return dst[:from], err
	}
	return dst, nil
}

// recordTime is a record's timestamp in ms.
func recordTime(b wire.Batch, rec *wire.Record) int64 {
	if b.LogAppendTime() {
		return b.MaxTimestamp()
	}
	return b.BaseTimestamp() + rec.TimestampDelta
}

// replyHeader carries where an answer is awaited.
const replyHeader = "reply-to"

// translate makes the batch that Kafka clients read for an entry of another
// format: always the same one.
func (s *Server) translate(e *core.Entry) ([]byte, error) {
	c := s.broker.Codec(e.Format)
	if c == nil {
		return nil, fmt.Errorf("kafka: no reader of format %d", e.Format)
	}
	ms, err := c.Messages(e, nil)
	if err != nil {
		return nil, err
	}
	s.metrics.translated.Add(1)
	var (
		w    wire.Writer
		rec  wire.Record
		base = e.Time / int64(time.Millisecond)
	)
	w.Begin(make([]byte, 0, wire.BatchHeader+64+len(e.Data)+len(e.Key)), int64(e.Offset), base)
	for i := range ms {
		m := &ms[i]
		if m.Hidden {
			continue
		}
		rec = wire.Record{
			OffsetDelta: int32(i), TimestampDelta: m.Time/int64(time.Millisecond) - base,
			Key: m.Key, Value: m.Value, Headers: rec.Headers[:0],
		}
		reply := m.Reply != ""
		for _, h := range m.Headers {
			rec.Headers = append(rec.Headers, wire.RecordHeader{Key: []byte(h.Name), Value: h.Value})
			reply = reply && h.Name != replyHeader
		}
		if reply {
			rec.Headers = append(rec.Headers, wire.RecordHeader{Key: []byte(replyHeader), Value: []byte(m.Reply)})
		}
		w.Add(&rec)
	}
	return w.End(e.Count), nil
}

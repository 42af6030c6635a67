package kafkawire

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"trivium/core"
	"trivium/kafkawire/wire"
)

const (
	// maxListedRecords is how many refused records an error message lists.
	maxListedRecords = 3
	// maxInflated bounds what one batch may inflate to where it is looked into.
	maxInflated = 128 << 20
)

// failBatch refuses a batch for what its bytes are. What is found wrong with a
// whole one comes with the start of the log, as in Kafka.
func failBatch(p *wire.ProducePartition, l *core.Log, err error) {
	be, ok := errors.AsType[*wire.BatchError](err)
	switch {
	case ok && be.Corrupt:
		p.Fail(errCorrupt, be.Why)
	case ok && !be.Whole:
		p.Fail(errInvalidRecord, be.Why)
	default:
		p.Fail(errInvalidRecord, err.Error())
		p.LogStart = int64(l.Start())
	}
}

// checkRecords looks at the records as far as the topic demands: keys where it
// is compacted, timestamps where they may be out of range, and all of them where
// they are not compressed. It corrects a max timestamp that is not true.
func (c *conn) checkRecords(p *wire.ProducePartition, tp *topic, l *core.Log, b wire.Batch, now time.Time) bool {
	st := &tp.settings
	ms := now.UnixMilli()
	before, after := ms-st.beforeMax, ms+st.afterMax
	if after < ms {
		after = 1 << 62
	}
	late := !st.appendTime && (b.MaxTimestamp() > after || b.BaseTimestamp() != -1 && b.BaseTimestamp() < before)
	if b.Codec() != wire.None && !st.compact && !late {
		return true
	}
	payload, err := b.Payload(nil, maxInflated)
	if err != nil {
		failBatch(p, l, err)
		return false
	}
	recs := wire.NewRecords(b, payload)
	recs.SkipHeaders = true
	var (
		rec     wire.Record
		top     int64 = -1
		base          = b.BaseTimestamp()
		refused []wire.RefusedRecord
		code    = errInvalidRecord
		message = "One or more records have been rejected"
	)
	for i := int32(0); recs.Next(&rec); i++ {
		at := base + rec.TimestampDelta
		top = max(top, at)
		switch {
		case rec.OffsetDelta != i:
			p.Fail(errInvalidRecord, fmt.Sprintf("Found invalid offset delta %d for record %d", rec.OffsetDelta, i))
			p.LogStart = int64(l.Start())
			return false
		case st.compact && rec.Key == nil:
			refused = append(refused, wire.RefusedRecord{Index: i, Message: fmt.Sprintf(
				"Compacted topic cannot accept message without key in topic partition %s-%d", tp.name, p.Partition)})
		case !st.appendTime && at != -1 && (at > after || at < before):
			code, message = errInvalidTimestamp, "One or more records have been rejected due to invalid timestamp"
			refused = append(refused, wire.RefusedRecord{Index: i, Message: fmt.Sprintf(
				"Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]", at, i, before, after)})
		}
	}
	if err := recs.Err(); err != nil {
		failBatch(p, l, err)
		return false
	}
	if len(refused) > 0 {
		if code == errInvalidRecord {
			message = listRefused(refused)
		}
		p.Fail(code, message)
		p.LogStart, p.Refused = int64(l.Start()), refused
		return false
	}
	if !st.appendTime && top != b.MaxTimestamp() {
		b.SetMaxTimestamp(top)
	}
	return true
}

// listRefused is Kafka's text for refused records.
func listRefused(rs []wire.RefusedRecord) string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "One or more records have been rejected due to %d record errors in total, and only showing the first three errors at most: [", len(rs))
	for i, r := range rs[:min(len(rs), maxListedRecords)] {
		if i > 0 {
			sb.WriteString(", ")
		}
		fmt.Fprintf(&sb, "RecordError(batchIndex=%d, message='%s')", r.Index, r.Message)
	}
	sb.WriteByte(']')
	return sb.String()
}

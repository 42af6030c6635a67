package kafkawire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
	"trivium/kafkawire/wire"
)

// Produce (0), versions 3 to 13; 0 to 2 are advertised, because old librdkafka
// looks for them before it compresses, and close the connection, as in Kafka.
// A topic with a compression.type of its own has batches compressed anew.
// Deviations: compressed payloads are not looked into unless the topic demands
// it; a payload that is not compressed as it says is refused with 2 rather than
// -1; null records are answered with 87. Source: spec 2.1, 2.2.

const (
	// maxListedRecords is how many refused records an error message lists.
	maxListedRecords = 3
	// maxInflated bounds what one batch may inflate to where it is looked into.
	maxInflated = 128 << 20
)

// produceBatch collects the produce requests of one read buffer, so that one Tx
// stores them all. Owned by the connection's reader.
type produceBatch struct {
	c *conn
	// reqs are used again; n of them are in use.
	reqs []*produceRequest
	n    int
}

// produceRequest is one request, with where its batches go.
type produceRequest struct {
	wire.ProduceRequest
	h       wire.Header
	slot    *slot // nil for acks=0
	targets []target
}

// target is a valid batch. part is its index in the request's Partitions.
type target struct {
	part  int
	topic *topic
	log   *core.Log
	batch wire.Batch
	entry core.Entry
	// split holds the entries of a batch that is stored record by record.
	split []core.Entry
	// logAppend is the time that all its records got, -1 if they keep theirs.
	logAppend int64
}

// add validates a request. It refers to body until flush.
func (b *produceBatch) add(h wire.Header, body []byte) error {
	if h.Version < wire.ProduceMin || h.Version > wire.ProduceMax {
		return errRequest
	}
	if b.n == len(b.reqs) {
		b.reqs = append(b.reqs, new(produceRequest))
	}
	q := b.reqs[b.n]
	q.h, q.slot, q.targets = h, nil, q.targets[:0]
	if err := q.Decode(h.Version, body); err != nil {
		return err
	}
	if q.Acks != 0 {
		// Waiting for room must not keep what came before from being stored.
		if n := b.n; b.c.full() {
			b.flush()
			b.reqs[0], b.reqs[n] = b.reqs[n], b.reqs[0]
		}
		if q.slot = b.c.reserve(h); q.slot == nil {
			return errHangup
		}
		q.slot.parts.Store(2) // the Tx, and the encoding
	}
	b.n++
	now := time.Now()
	for i := range q.Topics {
		t := &q.Topics[i]
		var tp *topic
		unknown := errUnknownTopic
		if h.Version >= 13 {
			tp, unknown = b.c.s.topics.byID(t.ID), errUnknownTopicID
		} else {
			tp = b.c.s.topics.byNameBytes(t.Name)
		}
		for j := t.From; j < t.To; j++ {
			p := &q.Partitions[j]
			switch {
			case p.Dropped:
			case q.Acks < -1 || q.Acks > 1:
				p.Fail(errInvalidAcks, "")
			case tp == nil:
				p.Fail(unknown, "")
			default:
				b.c.check(q, j, tp, now)
			}
		}
	}
	return nil
}

// check validates one batch and makes it a target, or says why not.
func (c *conn) check(q *produceRequest, part int, tp *topic, now time.Time) {
	p := &q.Partitions[part]
	l := tp.log(p.Partition)
	switch {
	case l == nil:
		p.Fail(errUnknownTopic, "")
		return
	case tp.own && tp.internal && string(q.h.ClientID) != "__admin_client":
		p.Fail(errInvalidTopic, "")
		return
	case q.TransactionID != nil:
		p.Fail(errTransactionDenied, "Transactions are not supported")
		return
	case len(p.Records) > tp.settings.maxMessageBytes:
		p.Fail(errTooLarge, fmt.Sprintf("The record batch size in the append to %s-%d is %d bytes which exceeds the maximum configured value of %d.",
			tp.name, p.Partition, len(p.Records), tp.settings.maxMessageBytes))
		return
	}
	b, err := wire.ParseProduced(p.Records)
	if err != nil {
		failBatch(p, l, err)
		return
	}
	if b.Transactional() {
		p.Fail(errTransactionDenied, "Transactions are not supported")
		return
	}
	if b.Codec() == wire.Zstd && q.h.Version < 7 {
		p.Fail(errUnsupportedCodec, "Produce requests with version "+fmt.Sprint(q.h.Version)+" are not allowed to use ZStandard compression")
		return
	}
	if !c.checkRecords(p, tp, l, b, now) {
		return
	}
	if st := &tp.settings; st.recompress && st.codec != b.Codec() {
		if b, err = b.Recompress(st.codec, st.level, maxInflated); err != nil {
			failBatch(p, l, err)
			return
		}
	}
	t := target{part: part, topic: tp, log: l, batch: b, logAppend: -1}
	if tp.settings.appendTime {
		t.logAppend = now.UnixMilli()
		b.SetAppendTime(t.logAppend)
	}
	e := &t.entry
	e.Count, e.Format, e.Data = b.Count(), Format, b
	if ms := b.MaxTimestamp(); ms > 0 && ms <= maxMillis {
		e.Time = ms * int64(time.Millisecond)
	}
	if id := b.ProducerID(); id >= 0 {
		e.Producer = core.Producer{Set: true, ID: id, Epoch: b.ProducerEpoch(), First: b.BaseSequence(), Last: b.LastSequence()}
	}
	if tp.settings.keyed || tp.settings.dedup {
		if !c.split(p, &t) {
			return
		}
	}
	q.targets = append(q.targets, t)
}

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
	// The first entry speaks for the producer: it and the others are one Tx.
	t.split[0].Producer = t.entry.Producer
	return true
}

// captured reports whether key is a literal subject that t's stream captures.
func (c *conn) captured(t *topic, key []byte) bool {
	if key == nil || !core.LiteralSubject(string(key)) {
		return false
	}
	return slices.Contains(c.s.ns.Subjects().Match(key).Streams, t.stream)
}

// flush stores what was collected in one Tx. Answers go out when it is durable.
func (b *produceBatch) flush() {
	if b.n == 0 {
		return
	}
	reqs := b.reqs[:b.n]
	b.n = 0
	any := false
	for _, q := range reqs {
		any = any || len(q.targets) > 0
	}
	done := stores.Get().(*stored)
	for _, q := range reqs {
		if q.slot != nil {
			done.slots = append(done.slots, q.slot)
		}
	}
	if any {
		tx := b.c.s.broker.Begin()
		for _, q := range reqs {
			for i := range q.targets {
				b.c.append(tx, q, &q.targets[i])
			}
		}
		tx.Then(done)
		tx.Commit()
	} else {
		done.Durable(nil)
	}
	failed := false
	for _, q := range reqs {
		failed = b.finish(q) || failed
	}
	if failed {
		// The one way to tell a client that awaits no answer.
		b.c.nc.Close()
	}
}

// append stores a target in the Tx. Only numbers are decided here: all checks of
// the bytes came before.
func (c *conn) append(tx *core.Tx, q *produceRequest, t *target) {
	p := &q.Partitions[t.part]
	var (
		at  core.Offset
		err error
	)
	if t.split == nil {
		t.batch.SetPlace(int64(t.log.Next()), 0)
		at, err = t.topic.stream.Append(tx, int(p.Partition), &t.entry, nil)
	} else {
		at, err = c.appendSplit(tx, p, t)
	}
	if e, ok := errors.AsType[*core.Error](err); ok && e.Code == core.Duplicate {
		c.await(tx, e)
		at, err = e.Got, nil
		t.logAppend = t.batch.MaxTimestamp() // so does Kafka
	}
	if err != nil {
		p.Fail(code(err), "")
		p.LogStart = int64(t.log.Start())
		return
	}
	p.Base, p.AppendTime, p.LogStart = int64(at), t.logAppend, int64(t.log.Start())
	c.s.metrics.produced.Add(int64(t.entry.Count))
}

// await makes the Tx complete after the first copy of a duplicate that is still
// on its way to disk: a Tx that writes something completes after all before it.
func (c *conn) await(tx *core.Tx, e *core.Error) {
	if !e.Durable {
		tx.SetDoc(c.s.ns, Realm, duplicateKey, nil)
	}
}

// duplicateKey is a document that there never is.
const duplicateKey = "duplicate"

func (c *conn) appendSplit(tx *core.Tx, p *wire.ProducePartition, t *target) (first core.Offset, err error) {
	first = core.NoOffset
	for i := range t.split {
		e := &t.split[i]
		wire.Batch(e.Data).SetPlace(int64(t.log.Next()), 0)
		at, err := t.topic.stream.Append(tx, int(p.Partition), e, nil)
		if ce, ok := errors.AsType[*core.Error](err); ok && ce.Code == core.Duplicate {
			c.await(tx, ce)
			if i == 0 && e.Producer.Set && e.ID == nil {
				return ce.Got, nil // the whole batch is a retry
			}
			at, err = ce.Got, nil
		}
		if err != nil {
			return first, err
		}
		if i == 0 {
			first = at
		}
	}
	return first, nil
}

// finish encodes a request's answer, and reports whether a request without one failed.
func (b *produceBatch) finish(q *produceRequest) (failed bool) {
	m := &b.c.s.metrics
	for i := range q.Partitions {
		if p := &q.Partitions[i]; p.Err != 0 {
			failed = true
			m.refusedBatches.Add(1)
		} else if !p.Dropped {
			m.batches.Add(1)
			m.producedBytes.Add(int64(len(p.Records)))
		}
	}
	if q.slot == nil {
		return failed
	}
	buf := bufs.Get().(*[]byte)
	*buf = wire.BeginResponse(*buf, q.h)
	*buf = q.AppendResponse(*buf, q.h.Version)
	wire.EndResponse(*buf, 0, 0)
	q.slot.buf = buf
	q.slot.done()
	return false
}

// stored is the Completion of one Tx.
type stored struct{ slots []*slot }

var stores = sync.Pool{New: func() any { return new(stored) }}

// Durable makes the answers ready.
func (d *stored) Durable(err error) {
	for i, s := range d.slots {
		s.err = err
		s.done()
		d.slots[i] = nil
	}
	d.slots = d.slots[:0]
	stores.Put(d)
}

// failProduce turns an encoded answer into one that says that nothing was stored.
func failProduce(s *slot) {
	b := *s.buf
	head := len(wire.BeginResponse(nil, s.h))
	r := kmsg.NewPtrProduceResponse()
	r.SetVersion(s.h.Version)
	if err := r.ReadFrom(slices.Clone(b[head:])); err != nil {
		s.hangup = true
		return
	}
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			if p := &r.Topics[i].Partitions[j]; p.ErrorCode == 0 {
				p.ErrorCode, p.BaseOffset, p.LogAppendTime, p.LogStartOffset = errStorage, -1, -1, -1
			}
		}
	}
	b = r.AppendTo(b[:head])
	wire.EndResponse(b, 0, 0)
	*s.buf = b
}

package kafkawire

import (
	"errors"
	"fmt"
	"slices"
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
// -1; null records are answered with 87. Source: Kafka 4.3.1; spec 2.1, 2.2.

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

// forget lets go of the read buffer: a connection at rest keeps no large one.
func (q *produceRequest) forget() {
	clear(q.targets)
	clear(q.Partitions)
	clear(q.Topics)
	q.TransactionID, q.h = nil, wire.Header{}
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
	if err := c.s.broker.Alarm(); err != nil {
		p.Fail(code(err), err.Error())
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
		q.forget()
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

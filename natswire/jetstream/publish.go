package jetstream

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// commit is what one Tx has to say when it is durable: PubAcks and confirmations
// of acks, in the order in which they were asked for.
type commit struct {
	a     *account
	tx    *core.Tx
	arena []byte // reply subjects
	says  []say
	after []func() // what follows a durable ack
	wrote bool     // the Tx changes something
	again []again  // to be published again

	// run is the acks of one consumer and kind that are not yet settled.
	run struct {
		c  *consumer
		os []core.Offset
	}
}

// say is one answer: to arena[from:to], about a publish to stream (nil: the empty
// confirmation of an ack).
type say struct {
	from, to  int
	stream    *stream
	seq       uint64
	duplicate bool
	refused   *server.ApiError
	// batch and count complete the PubAck of a batch; body is said instead of a PubAck.
	batch string
	count uint64
	body  []byte
}

var commits = sync.Pool{New: func() any { return new(commit) }}

// maxKept is the most memory that an idle commit keeps.
const maxKept = 64 << 10

// commit returns what the open Tx gathers. Requires: the sequencer is held.
func (e *Engine) commit(tx *core.Tx, a *account) *commit {
	if c := e.current; c != nil && c.tx == tx {
		return c
	}
	c := commits.Get().(*commit)
	c.a, c.tx = a, tx
	e.current = c
	return c
}

func (c *commit) say(reply []byte, s say) {
	if len(reply) == 0 {
		return
	}
	s.from = len(c.arena)
	c.arena = append(c.arena, reply...)
	s.to = len(c.arena)
	c.says = append(c.says, s)
}

// Ingest: see natswire.JetStream.
func (e *Engine) Ingest(tx *core.Tx, cs *core.Stream, m *wire.Msg) {
	a := e.account(cs.Namespace())
	s := a.of(cs)
	if s == nil {
		return
	}
	e.ingest(tx, s, m.Subject, m)
}

// ingest stores m under key and answers.
func (e *Engine) ingest(tx *core.Tx, s *stream, key []byte, m *wire.Msg) {
	c := e.commit(tx, s.a)
	cfg := s.config()
	key = s.mapped(key)
	m = outliveMarkers(cfg, m)
	reply := m.Reply
	if cfg.NoAck {
		reply = nil
	}
	if f, fast, ok := parseFast(m.Reply); fast {
		s.fast(c, tx, cfg, key, m, f, ok)
		return
	}
	if cfg.AllowAtomicPublish && len(m.Header) > 0 && len(m.Header.Get(server.JSBatchId)) > 0 {
		c.say(reply, s.atomic(tx, cfg, key, m))
		return
	}
	answer := say{stream: s}
	answer.seq, answer.duplicate, answer.refused = s.append(tx, cfg, key, m)
	c.say(reply, answer)
}

// append stores a publish, or says why not. The order of the checks is nats-server
// 2.15.2's (stream.go processJetStreamMsg).
func (s *stream) append(tx *core.Tx, cfg *server.StreamConfig, key []byte, m *wire.Msg) (seq uint64, dup bool, refused *server.ApiError) {
	eng := s.a.e
	var x core.Expect
	e := &eng.entry
	*e = core.Entry{Key: key}
	defer func() { *e = core.Entry{} }() // it would keep the read buffer
	h, refused := s.prepare(tx, cfg, e, &x, m, false)
	if refused != nil {
		return 0, false, refused
	}
	eng.scratch = wire.AppendEntry(eng.scratch[:0], nil, m.Header, m.Payload)
	e.Data = eng.scratch
	last := uint64(0)
	if s.transforms.Load().out != nil {
		last = s.before(string(key))
	}
	o, err := s.core.Append(tx, s.partition(), e, &x)
	if cap(eng.scratch) > maxScratch {
		eng.scratch = nil
	}
	if err != nil {
		return s.refusal(err, cfg)
	}
	if c := eng.current; c != nil {
		c.wrote = true
		s.republish(c, cfg, e, m, last)
	}
	if len(h.rollup) > 0 {
		s.core.Rollup(tx, 0, o, !equalFold(h.rollup, server.JSMsgRollupAll))
	}
	return seqOf(o), false, nil
}

// prepare checks m by itself, and fills in its entry, but for key and data, and its conditions.
func (s *stream) prepare(tx *core.Tx, cfg *server.StreamConfig, e *core.Entry, x *core.Expect, m *wire.Msg, batch bool) (h publishHeaders, refused *server.ApiError) {
	switch {
	case cfg.Sealed:
		return h, server.NewJSStreamSealedError()
	case cfg.MaxMsgSize >= 0 && m.Size() > int(cfg.MaxMsgSize):
		return h, server.NewJSStreamMessageExceedsMaximumError()
	case len(m.Header) > math.MaxUint16:
		return h, server.NewJSStreamHeaderExceedsMaximumError()
	case s.a.e.low(cfg.Storage):
		return h, server.NewJSInsufficientResourcesError()
	}
	e.Count, e.Format = 1, Format
	if len(m.Header) == 0 {
		return h, nil
	}
	h = parseHeaders(m.Header)
	if batch {
		h.batch = false
	}
	if refused = s.expect(cfg, &h, x, m); refused != nil {
		return h, refused
	}
	e.ID = h.id
	if len(h.ttl) > 0 {
		ttl, ok := parseTTL(h.ttl)
		if !ok {
			return h, server.NewJSMessageTTLInvalidError()
		}
		e.Expires = expires(tx.Now(), ttl)
	}
	return h, nil
}

// maxScratch is the largest buffer that is kept for encoding entries.
const maxScratch = 1 << 20

// expect turns header fields into conditions, or refuses them.
func (s *stream) expect(cfg *server.StreamConfig, h *publishHeaders, x *core.Expect, m *wire.Msg) *server.ApiError {
	if h.counter {
		return server.NewJSMessageIncrDisabledError()
	}
	if len(h.stream) > 0 && string(h.stream) != s.name {
		return server.NewJSStreamNotMatchError()
	}
	if len(h.ttl) > 0 && !cfg.AllowMsgTTL {
		if n, ok := parseTTL(h.ttl); ok && n != 0 {
			return server.NewJSMessageTTLDisabledError()
		}
	}
	switch {
	case h.lastSubject.set:
		x.HasKeyLast, x.KeyLast = true, offsetOf(h.lastSubject.seq)
		x.KeyPattern = string(h.lastSubjectFilter)
	case len(h.lastSubjectFilter) > 0:
		return server.NewJSStreamExpectedLastSeqPerSubjectInvalidError()
	}
	if h.last.set {
		x.HasLast, x.Last = true, offsetOf(h.last.seq)
		if h.last.seq == 0 && s.log.Next() > 0 && s.log.Next() == s.core.Config().First {
			x.Last = s.core.Config().First - 1
		}
	}
	switch {
	case h.schedule:
		return server.NewJSMessageSchedulesDisabledError()
	case h.scheduleNext, h.scheduler:
		return server.NewJSMessageSchedulesSchedulerInvalidError()
	case h.source:
		return server.NewJSMessageSourceHdrNotAllowedError()
	case h.batch:
		return server.NewJSAtomicPublishDisabledError()
	}
	if len(h.lastID) > 0 {
		x.LastID = h.lastID
	}
	if len(h.rollup) > 0 {
		if !cfg.AllowRollup || cfg.DenyPurge {
			return server.NewJSStreamRollupFailedError(errors.New("rollup not permitted"))
		}
		if !equalFold(h.rollup, server.JSMsgRollupSubject) && !equalFold(h.rollup, server.JSMsgRollupAll) {
			return server.NewJSStreamRollupFailedError(errors.New("rollup value invalid: " + strconv.Quote(lower(h.rollup))))
		}
	}
	return nil
}

// Ack: see natswire.JetStream.
func (e *Engine) Ack(tx *core.Tx, ns *core.Namespace, m *wire.Msg) {
	a := e.account(ns)
	if len(m.Subject) > len(flowPrefix) && string(m.Subject[:len(flowPrefix)]) == flowPrefix {
		a.flow(e.commit(tx, a), m)
		return
	}
	n, ok := parseAck(m.Subject)
	if !ok {
		return
	}
	c := a.consumer(n.key)
	if c == nil {
		return
	}
	c.ack(e.commit(tx, a), n, m)
}

// End: see natswire.JetStream.
func (e *Engine) End(tx *core.Tx) {
	c := e.current
	if c == nil || c.tx != tx {
		return
	}
	e.current = nil
	c.settle()
	if len(c.says) > 0 && !c.wrote {
		// What is said is about earlier transactions: a duplicate's first copy, an ack
		// repeated, a refusal after what was accepted. It must not overtake them, as it
		// would in a Tx without changes, which completes at once.
		tx.Note(0, nil)
	}
	c.tx, c.wrote = nil, false
	tx.Then(c)
}

// settle writes the acks gathered for one consumer.
func (c *commit) settle() {
	if len(c.run.os) > 0 {
		if c.run.c.cursor.Settle(c.tx, c.run.os...) > 0 {
			c.wrote = true
		}
		c.run.os = c.run.os[:0]
	}
	c.run.c = nil
}

// Durable implements core.Completion: it answers. It runs on the journal's goroutine.
func (c *commit) Durable(err error) {
	a := c.a
	if len(c.says) > 0 {
		a.completions.Lock()
		buf, m := a.completions.buf, &a.completions.msg
		for i := range c.says {
			s := &c.says[i]
			if err != nil && s.stream == nil {
				continue // an ack that is not durable is not confirmed
			}
			buf = s.append(buf[:0], err)
			m.Subject, m.Payload = c.arena[s.from:s.to], buf
			a.completions.out.Send(nil, m)
		}
		a.completions.buf, *m = buf, wire.Msg{}
		a.completions.out.FlushPassed()
		a.completions.Unlock()
	}
	c.publishAgain(err)
	if err == nil && len(c.after) > 0 {
		a.later(c.after...)
	}
	c.recycle()
}

// append makes the body of an answer (nats-server's text, byte for byte).
func (s *say) append(dst []byte, err error) []byte {
	if s.stream == nil {
		return dst
	}
	refused := s.refused
	if err != nil {
		refused = server.NewJSStreamStoreFailedError(err)
	}
	if refused != nil {
		body, err := json.Marshal(&server.JSPubAckResponse{Error: refused, PubAck: &server.PubAck{Stream: s.stream.name}})
		if err != nil {
			return dst
		}
		return append(dst, body...)
	}
	if s.body != nil {
		return append(dst, s.body...)
	}
	dst = strconv.AppendUint(append(dst, s.stream.ack...), s.seq, 10)
	if s.duplicate {
		dst = append(dst, `,"duplicate": true`...)
	}
	if s.batch != "" {
		dst = strconv.AppendQuote(append(dst, `,"batch":`...), s.batch)
		dst = strconv.AppendUint(append(dst, `,"count":`...), s.count, 10)
	}
	return append(dst, '}')
}

// publishAgain publishes what is durable and to be published again.
func (c *commit) publishAgain(err error) {
	if len(c.again) == 0 {
		return
	}
	c.a.completions.Lock()
	defer c.a.completions.Unlock()
	for i := range c.again {
		r := &c.again[i]
		if err == nil {
			c.a.completions.out.Send(nil, &r.msg)
		}
		r.s.arrived(r.subject, r.seq)
	}
	c.a.completions.out.FlushPassed()
}

func (c *commit) recycle() {
	clear(c.says)
	clear(c.again)
	clear(c.after)
	c.a, c.arena, c.says, c.after = nil, c.arena[:0], c.says[:0], c.after[:0]
	c.again = c.again[:0]
	if cap(c.arena) <= maxKept && cap(c.run.os) <= maxKept/8 && cap(c.says) <= maxKept/64 {
		commits.Put(c)
	}
}

func equalFold(b []byte, s string) bool { return lower(b) == s }

func lower(b []byte) string {
	if !slices.ContainsFunc(b, func(c byte) bool { return c >= 'A' && c <= 'Z' }) {
		return string(b)
	}
	out := slices.Clone(b)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return string(out)
}

func quote(s string) string { return strconv.Quote(s) }

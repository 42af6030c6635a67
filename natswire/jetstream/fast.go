package jetstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// Fast batch publishing (ADR-50; nats-server 2.15.2 stream.go
// processJetStreamFastBatchMsg): a stream of messages that are numbered, and
// acknowledged every so many by a flow message, with one PubAck at the end. What
// the publisher wants is in its reply subject:
//
//	<prefix>.<batch>.<flow>.<ok|fail>.<number>.<operation>.$FI
const (
	maxFastPerStream = 1000
	maxFastTotal     = 50_000
	maxFastFlow      = 500
	defaultFastFlow  = 10
)

var fastSuffix = []byte(".$FI")

// The operations.
const (
	fastStart = iota
	fastAppend
	fastCommit
	fastEnd // commits without a message of its own
	fastPing
)

// fastOp is a reply subject of that form.
type fastOp struct {
	id    string
	seq   uint64
	flow  uint16
	op    uint64
	gapOK bool
}

// parseFast reads a reply subject. fast says that it has the form's suffix, ok that it is well formed.
func parseFast(reply []byte) (f fastOp, fast, ok bool) {
	rest, fast := bytes.CutSuffix(reply, fastSuffix)
	if !fast || len(rest) == 0 {
		return f, false, false
	}
	word := func() (w []byte) {
		i := bytes.LastIndexByte(rest, '.')
		if i < 0 {
			return nil
		}
		w, rest = rest[i+1:], rest[:i]
		return w
	}
	if f.op, ok = parseUint(word()); !ok || f.op > fastPing {
		return f, true, false
	}
	f.seq, ok = parseUint(word())
	if !ok || f.seq == 0 || f.seq == math.MaxUint64 ||
		f.seq == 1 && (f.op == fastEnd || f.op == fastAppend) || f.op == fastStart && f.seq != 1 {
		return f, true, false
	}
	switch string(word()) {
	case "ok":
		f.gapOK = true
	case "fail":
	default:
		return f, true, false
	}
	flow := word()
	if n, isNumber := parseUint(flow); flow == nil {
		return f, true, false
	} else if !isNumber || n == 0 {
		f.flow = defaultFastFlow
	} else {
		f.flow = uint16(min(n, math.MaxUint16))
	}
	id := word()
	if len(id) == 0 {
		return f, true, false
	}
	f.id = string(id)
	return f, true, true
}

// fastBatch is the state of one. All that it holds is on its way to disk, so what it says
// is said by the Tx's completion.
type fastBatch struct {
	gapOK     bool
	last      uint64 // number of the last message
	acked     uint64 // number up to which flow messages went out
	seq       uint64 // stream sequence of the last one that was stored
	flow, max uint16 // a flow message every so many; the client's most
	idle      *time.Timer
}

func (s *stream) endFastLocked(id string, b *fastBatch) {
	if s.batches.mu.fasts[id] != b {
		return
	}
	delete(s.batches.mu.fasts, id)
	b.idle.Stop()
	s.a.e.inflight.fasts.Add(-1)
}

// fast takes a message, or an operation without one, of a fast batch.
func (s *stream) fast(c *commit, tx *core.Tx, cfg *server.StreamConfig, key []byte, m *wire.Msg, f fastOp, wellFormed bool) {
	reply := m.Reply
	if cfg.NoAck {
		reply = nil
	}
	refuse := func(e *server.ApiError) { c.say(reply, say{stream: s, refused: e}) }
	switch {
	case cfg.Sealed:
		refuse(server.NewJSStreamSealedError())
		return
	case cfg.MaxMsgSize >= 0 && m.Size() > int(cfg.MaxMsgSize):
		refuse(server.NewJSStreamMessageExceedsMaximumError())
		return
	case !cfg.AllowBatchPublish:
		refuse(server.NewJSBatchPublishDisabledError())
		return
	case !wellFormed:
		refuse(server.NewJSBatchPublishInvalidPatternError())
		return
	case len(f.id) > maxBatchID:
		refuse(server.NewJSBatchPublishInvalidBatchIDError())
		return
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	b := s.batches.mu.fasts[f.id]
	if b == nil {
		switch {
		case f.seq != 1 || f.op == fastPing:
			refuse(server.NewJSBatchPublishUnknownBatchIDError())
			return
		case len(s.batches.mu.fasts) >= maxFastPerStream, s.a.e.inflight.fasts.Load() >= maxFastTotal:
			refuse(server.NewJSBatchPublishTooManyInflightError())
			return
		}
		b = s.newFastLocked(f)
	}
	x := fastCall{s: s, c: c, b: b, f: &f, reply: reply}
	h := m.Header
	if v := h.Get(server.JSRequiredApiLevel); len(v) > 0 {
		if n, ok := parseUint(v); !ok || n > uint64(server.JSApiLevel) {
			s.endFastLocked(f.id, b)
			refuse(server.NewJSRequiredApiLevelError())
			return
		}
		h = h.Without(func(n []byte) bool { return string(n) == server.JSRequiredApiLevel })
	}
	if !b.idle.Reset(batchIdle) {
		// Its timer runs already: it is over.
		x.commitLocked()
		return
	}
	if f.op == fastPing {
		x.pingLocked()
		return
	}
	if b.last+1 != f.seq {
		x.flowMessage(server.BatchFlowGap{ExpectedLastSequence: b.last + 1, CurrentSequence: f.seq})
		if !b.gapOK || f.seq <= b.last {
			x.commitLocked()
			return
		}
	}
	if f.op == fastEnd {
		b.last = f.seq - 1
		x.commitLocked()
		return
	}
	b.last = f.seq
	if f.seq == 1 && f.op != fastCommit {
		x.flowMessage(server.BatchFlowAck{Messages: b.flow})
	}
	stripped := *m
	stripped.Header, stripped.Reply = h, nil
	seq, dup, refused := s.append(tx, cfg, key, &stripped)
	switch {
	case refused == nil && !dup:
		b.seq = seq
	case dup && f.op != fastCommit:
		x.ackLocked()
		return
	case !b.gapOK && f.seq == 1:
		// A batch that fails at once is answered like a plain publish.
		s.endFastLocked(f.id, b)
		if dup {
			c.say(reply, say{stream: s, seq: seq, duplicate: true, batch: f.id, count: f.seq})
		} else {
			refuse(refused)
		}
		return
	case dup:
	default:
		x.flowMessage(server.BatchFlowErr{Sequence: f.seq, Error: refused})
		if b.gapOK && f.op != fastCommit {
			return
		}
		b.last--
		x.commitLocked()
		return
	}
	if f.op == fastCommit {
		x.commitLocked()
		return
	}
	x.ackLocked()
}

// newFastLocked begins a batch. A lone one gets the pace it wants; others begin slowly.
func (s *stream) newFastLocked(f fastOp) *fastBatch {
	b := &fastBatch{gapOK: f.gapOK, max: f.flow, flow: min(maxFastFlow, f.flow)}
	if s.batches.mu.fasts == nil {
		s.batches.mu.fasts = make(map[string]*fastBatch)
	}
	s.batches.mu.fasts[f.id] = b
	if len(s.batches.mu.fasts) > 1 {
		b.flow = 1
	}
	s.a.e.inflight.fasts.Add(1)
	b.idle = time.AfterFunc(batchIdle, func() {
		s.batches.mu.Lock()
		defer s.batches.mu.Unlock()
		s.endFastLocked(f.id, b)
	})
	return b
}

// fastCall is one operation on a batch.
type fastCall struct {
	s     *stream
	c     *commit
	b     *fastBatch
	f     *fastOp
	reply []byte
}

// flowMessage tells the publisher something on the way.
func (x *fastCall) flowMessage(v any) {
	body, err := json.Marshal(v)
	if err != nil {
		x.s.a.e.log.Error("fast batch", "err", errors.Join(errors.New("flow message"), err))
		return
	}
	x.c.say(x.reply, say{stream: x.s, body: body})
}

// ackLocked sends a flow message when one is due, and reports whether it was. It sets the pace by how many
// batches share the stream.
func (x *fastCall) ackLocked() bool {
	b := x.b
	if b.last < b.acked+uint64(b.flow) {
		return false
	}
	b.acked += (b.last - b.acked) / uint64(b.flow) * uint64(b.flow)
	most := min(uint16(max(maxFastFlow/len(x.s.batches.mu.fasts), 1)), b.max)
	switch {
	case b.flow < most:
		b.flow = uint16(min(uint32(b.flow)*2, uint32(most)))
	case b.flow > most:
		b.flow = max(b.flow/2, most)
	}
	x.flowMessage(server.BatchFlowAck{Sequence: b.acked, Messages: b.flow})
	return true
}

// pingLocked repeats the last flow message, and reports what got lost.
func (x *fastCall) pingLocked() {
	b := x.b
	if x.f.seq > b.last {
		x.flowMessage(server.BatchFlowGap{ExpectedLastSequence: b.last + 1, CurrentSequence: x.f.seq + 1})
		if !b.gapOK {
			x.commitLocked()
			return
		}
		b.last = x.f.seq
		if x.ackLocked() {
			return
		}
	}
	x.flowMessage(server.BatchFlowAck{Sequence: b.acked, Messages: b.flow})
}

// commitLocked ends the batch with its PubAck.
func (x *fastCall) commitLocked() {
	x.s.endFastLocked(x.f.id, x.b)
	x.c.say(x.reply, say{stream: x.s, seq: x.b.seq, batch: x.f.id, count: x.b.last})
}

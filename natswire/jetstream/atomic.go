package jetstream

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// Atomic batch publishing (ADR-50; nats-server 2.15.2 stream.go
// processJetStreamAtomicBatchMsg): messages with the same Nats-Batch-Id are kept in
// memory until one of them commits; then all of them are stored by one
// transaction, or none.

// The limits of nats-server, and of what may be kept in memory (nats-server keeps batches on
// disk).
const (
	maxAtomicSize      = 1000
	maxAtomicPerStream = 50
	maxAtomicTotal     = 1000
	maxAtomicBytes     = 256 << 20 // of all batches together
	batchIdle          = 10 * time.Second
	maxBatchID         = 64
)

// inflight counts what all streams' batches hold.
type inflight struct{ atomics, atomicBytes, fasts atomic.Int64 }

// batches are a stream's batches that are not yet committed. Publishes change them
// while a Tx is open, timers end those that are idle.
type batches struct {
	mu struct {
		sync.Mutex
		atomics map[string]*atomicBatch
		fasts   map[string]*fastBatch
	}
}

// atomicBatch is a batch's messages so far.
type atomicBatch struct {
	keys  [][]byte
	msgs  []wire.Msg
	bytes int64
	idle  *time.Timer
}

// endAtomicLocked forgets a batch.
func (s *stream) endAtomicLocked(id string, b *atomicBatch) {
	if s.batches.mu.atomics[id] != b {
		return
	}
	delete(s.batches.mu.atomics, id)
	b.idle.Stop()
	s.a.e.inflight.atomics.Add(-1)
	s.a.e.inflight.atomicBytes.Add(-b.bytes)
}

// abandon tells that a batch was given up.
func (s *stream) abandon(id string, why server.BatchAbandonReason) {
	s.a.adviseLater(server.JSAdvisoryStreamBatchAbandonedPre+"."+s.name, func() any {
		return &server.JSStreamBatchAbandonedAdvisory{
			TypedEvent: event(server.JSStreamBatchAbandonedAdvisoryType),
			Stream:     s.name, BatchId: id, Reason: why,
		}
	})
}

// endBatches forgets all batches: the stream is gone, or allows them no more.
func (s *stream) endBatches() {
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	for id, b := range s.batches.mu.atomics {
		s.endAtomicLocked(id, b)
	}
	for id, b := range s.batches.mu.fasts {
		s.endFastLocked(id, b)
	}
}

// atomic takes a message of an atomic batch and says what to answer. An answer without
// stream is the empty one of a message that is kept.
func (s *stream) atomic(tx *core.Tx, cfg *server.StreamConfig, key []byte, m *wire.Msg) (answer say) {
	answer.stream = s
	refuse := func(e *server.ApiError) say {
		answer.refused = e
		return answer
	}
	switch {
	case cfg.Sealed:
		return refuse(server.NewJSStreamSealedError())
	case cfg.MaxMsgSize >= 0 && m.Size() > int(cfg.MaxMsgSize):
		return refuse(server.NewJSStreamMessageExceedsMaximumError())
	}
	id := string(m.Header.Get(server.JSBatchId))
	if len(id) > maxBatchID {
		return refuse(server.NewJSAtomicPublishInvalidBatchIDError())
	}
	seq, ok := parseUint(m.Header.Get(server.JSBatchSeq))
	if !ok || seq == 0 {
		return refuse(server.NewJSAtomicPublishMissingSeqError())
	}
	how, commit := m.Header.Lookup(server.JSBatchCommit)
	commit = commit && len(how) > 0
	eob := string(how) == "eob"
	size := seq // without the message that only says: end of batch
	if eob {
		size--
	}

	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	b := s.batches.mu.atomics[id]
	if b == nil {
		switch in := &s.a.e.inflight; {
		case seq != 1 && size > maxAtomicSize:
			return refuse(server.NewJSAtomicPublishTooLargeBatchError(maxAtomicSize))
		case seq != 1:
			return refuse(server.NewJSAtomicPublishIncompleteBatchError())
		case len(s.batches.mu.atomics) >= maxAtomicPerStream, in.atomics.Load() >= maxAtomicTotal:
			return refuse(server.NewJSAtomicPublishTooManyInflightError())
		}
		b = &atomicBatch{}
		b.idle = time.AfterFunc(batchIdle, func() {
			s.batches.mu.Lock()
			there := s.batches.mu.atomics[id] == b
			s.endAtomicLocked(id, b)
			s.batches.mu.Unlock()
			if there {
				s.abandon(id, server.BatchTimeout)
			}
		})
		if s.batches.mu.atomics == nil {
			s.batches.mu.atomics = make(map[string]*atomicBatch)
		}
		s.batches.mu.atomics[id] = b
		s.a.e.inflight.atomics.Add(1)
	}
	give := func(why server.BatchAbandonReason, e *server.ApiError) say {
		s.endAtomicLocked(id, b)
		if why != "" {
			s.abandon(id, why)
		}
		return refuse(e)
	}
	h := m.Header
	if v := h.Get(server.JSRequiredApiLevel); len(v) > 0 {
		if n, ok := parseUint(v); !ok || n > uint64(server.JSApiLevel) {
			return give(server.BatchRequirementsNotMet, server.NewJSRequiredApiLevelError())
		}
		h = h.Without(func(n []byte) bool { return string(n) == server.JSRequiredApiLevel })
	}
	switch {
	case commit && !eob && string(how) != "1":
		return give("", server.NewJSAtomicPublishInvalidBatchCommitError())
	case seq != uint64(len(b.msgs))+1, seq == 1 && eob, !b.idle.Reset(batchIdle):
		return give(server.BatchIncomplete, server.NewJSAtomicPublishIncompleteBatchError())
	case size > maxAtomicSize:
		return give(server.BatchLarge, server.NewJSAtomicPublishTooLargeBatchError(maxAtomicSize))
	case s.a.e.inflight.atomicBytes.Add(int64(m.Size())) > maxAtomicBytes:
		s.a.e.inflight.atomicBytes.Add(-int64(m.Size()))
		return give(server.BatchIncomplete, server.NewJSAtomicPublishTooManyInflightError())
	}
	b.bytes += int64(m.Size())
	if !eob {
		k := wire.Msg{Subject: key, Header: h, Payload: m.Payload}
		k = k.Clone()
		b.keys, b.msgs = append(b.keys, k.Subject), append(b.msgs, k)
	}
	if !commit {
		return say{}
	}
	s.endAtomicLocked(id, b)
	if eob {
		last := &b.msgs[len(b.msgs)-1]
		last.Header = last.Header.Set(server.JSBatchCommit, []byte("1"))
	}
	if answer.seq, answer.refused = s.appendAll(tx, cfg, b); answer.refused == nil {
		answer.batch, answer.count = id, uint64(len(b.msgs))
	}
	return answer
}

// appendAll stores a batch, or says why not.
func (s *stream) appendAll(tx *core.Tx, cfg *server.StreamConfig, b *atomicBatch) (seq uint64, refused *server.ApiError) {
	es, xs := make([]core.Entry, len(b.msgs)), make([]core.Expect, len(b.msgs))
	rollups := make([]bool, len(b.msgs)) // of one subject
	all := false
	seen := map[string]bool{}
	for i := range b.msgs {
		m, e := &b.msgs[i], &es[i]
		h, refused := s.prepare(tx, cfg, e, &xs[i], m, true)
		switch {
		case refused != nil:
			return 0, refused
		case len(h.lastID) > 0:
			return 0, server.NewJSAtomicPublishUnsupportedHeaderBatchError(server.JSExpectedLastMsgId)
		case len(h.rollup) > 0 && equalFold(h.rollup, server.JSMsgRollupAll):
			if i > 0 {
				return 0, server.NewJSStreamRollupFailedError(errors.New("batch rollup all invalid"))
			}
			all = true
		case len(h.rollup) > 0:
			if seen[string(b.keys[i])] {
				return 0, server.NewJSStreamRollupFailedError(errors.New("batch rollup sub invalid"))
			}
			rollups[i] = true
		}
		seen[string(b.keys[i])] = true
		e.Key = b.keys[i]
		e.Data = wire.AppendEntry(nil, nil, m.Header, m.Payload)
	}
	lasts := s.lastsBefore(b.keys)
	if _, err := s.core.AppendAll(tx, s.partition(), es, xs); err != nil {
		var e *core.Error
		if errors.As(err, &e) {
			switch {
			case e.Code == core.Duplicate:
				return 0, server.NewJSAtomicPublishContainsDuplicateMessageError()
			case e.Code == core.WrongLast && e.Want != "":
				return 0, server.NewJSStreamWrongLastSequenceConstantError()
			}
		}
		_, _, refused = s.refusal(err, cfg)
		return 0, refused
	}
	if c := s.a.e.current; c != nil {
		for i := range es {
			last := uint64(0)
			if lasts != nil {
				last = lasts[i](seqOf(es[0].Offset))
			}
			s.republish(c, cfg, &es[i], &b.msgs[i], last)
		}
	}
	for i, sub := range rollups {
		if sub {
			s.core.Rollup(tx, s.partition(), es[i].Offset, true)
		}
	}
	if all {
		s.core.Rollup(tx, s.partition(), es[0].Offset, false)
	}
	return seqOf(es[len(es)-1].Offset), nil
}

package jetstream

import (
	"bytes"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// transform maps subjects that match its source to its destination; an error means that the
// subject does not match.
type transform interface {
	Match(subject string) (string, error)
}

// transforms are made of a stream's configuration.
type transforms struct {
	in  transform // of what is published, before anything else
	out transform // of what is published again once it is stored
}

// newTransforms makes them; the configuration was checked.
func newTransforms(c *server.StreamConfig) (t transforms, err error) {
	if x := c.SubjectTransform; x != nil {
		if t.in, err = server.NewSubjectTransform(x.Source, x.Destination); err != nil {
			return t, err
		}
	}
	if x := c.RePublish; x != nil {
		if t.out, err = server.NewSubjectTransform(x.Source, x.Destination); err != nil {
			return t, err
		}
	}
	return t, nil
}

// configure takes over a configuration.
func (s *stream) configure(c *server.StreamConfig) {
	t, err := newTransforms(c)
	if err != nil {
		s.a.e.log.Error("stream's transforms are unusable", "stream", s.name, "err", err)
	}
	s.cfg.Store(c)
	s.transforms.Store(&t)
}

// mapped is the subject that a publish to subject is stored under.
func (s *stream) mapped(subject []byte) []byte {
	t := s.transforms.Load()
	if t.in == nil {
		return subject
	}
	to, err := t.in.Match(string(subject))
	if err != nil {
		return subject
	}
	return []byte(to)
}

// recent are the last sequences of subjects whose messages are not durable yet, for the field
// that tells a republished message's reader what came before.
type recent struct {
	sync.Mutex
	seqs map[string]uint64
}

// before is the last sequence of a subject, of what is on its way too.
func (s *stream) before(subject string) uint64 {
	s.recent.Lock()
	seq, ok := s.recent.seqs[subject]
	s.recent.Unlock()
	if ok {
		return seq
	}
	return seqOf(s.core.LastByKey(subject))
}

func (s *stream) onItsWay(subject string, seq uint64) {
	s.recent.Lock()
	defer s.recent.Unlock()
	if s.recent.seqs == nil {
		s.recent.seqs = map[string]uint64{}
	}
	s.recent.seqs[subject] = seq
}

func (s *stream) arrived(subject string, seq uint64) {
	s.recent.Lock()
	defer s.recent.Unlock()
	if s.recent.seqs[subject] == seq {
		delete(s.recent.seqs, subject)
	}
}

// again is a message to be published again when it is durable.
type again struct {
	s       *stream
	subject string
	seq     uint64
	msg     wire.Msg
}

// republish remembers that a stored message is to be published again. Requires: the
// sequencer, before the message is appended for last, which is what before said.
func (s *stream) republish(c *commit, cfg *server.StreamConfig, e *core.Entry, m *wire.Msg, last uint64) {
	t := s.transforms.Load()
	if t.out == nil {
		return
	}
	subject := string(e.Key)
	to, err := t.out.Match(subject)
	if err != nil || !server.IsValidPublishSubject(to) {
		return
	}
	seq := seqOf(e.Offset)
	h := wire.AppendHeader(nil, "", "")
	if len(m.Header) > 2 {
		h = append([]byte(nil), m.Header[:len(m.Header)-2]...)
	}
	h = wire.AppendField(h, server.JSStream, []byte(s.name))
	h = wire.AppendField(h, server.JSSubject, e.Key)
	h = appendUintField(h, server.JSSequence, seq)
	h = append(h, server.JSTimeStamp+": "...)
	h = append(at(e.Time).AppendFormat(h, time.RFC3339Nano), "\r\n"...)
	h = appendUintField(h, server.JSLastSequence, last)
	var payload []byte
	if cfg.RePublish != nil && cfg.RePublish.HeadersOnly {
		h = wire.AppendField(h, server.JSMsgSize, strconv.AppendInt(nil, int64(len(m.Payload)), 10))
	} else {
		payload = bytes.Clone(m.Payload)
	}
	s.onItsWay(subject, seq)
	c.again = append(c.again, again{s, subject, seq, wire.Msg{Subject: []byte(to), Header: wire.EndHeader(h), Payload: payload}})
}

// lastsBefore gives, for each of the subjects of a batch, what its last sequence will have been
// when the batch's first message has a given sequence; nil if nothing is republished.
func (s *stream) lastsBefore(subjects [][]byte) []func(first uint64) uint64 {
	if s.transforms.Load().out == nil {
		return nil
	}
	place := map[string]int{}
	out := make([]func(uint64) uint64, len(subjects))
	for i, k := range subjects {
		if j, ok := place[string(k)]; ok {
			out[i] = func(first uint64) uint64 { return first + uint64(j) }
		} else {
			last := s.before(string(k))
			out[i] = func(uint64) uint64 { return last }
		}
		place[string(k)] = i
	}
	return out
}

package jetstream

import (
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// stream is a core.Stream as NATS sees it: one that a NATS client made, or a
// view of one partition of another door's.
type stream struct {
	a    *account
	name string
	core *core.Stream
	log  *core.Log
	// view is set if another door made it.
	view *view
	// ack is a PubAck up to the sequence.
	ack     []byte
	batches batches

	cfg        atomic.Pointer[server.StreamConfig]
	transforms atomic.Pointer[transforms]
	recent     recent
}

func newStream(a *account, cs *core.Stream, cfg server.StreamConfig) *stream {
	s := &stream{a: a, name: cfg.Name, core: cs, log: cs.Log(0)}
	s.ack = append(append(append(s.ack, `{"stream":`...), quote(cfg.Name)...), `,"seq":`...)
	s.configure(&cfg)
	if cs.Config().Realm == Realm {
		cs.SetEvents(s)
	}
	return s
}

// config is the configuration; it is not modified.
func (s *stream) config() *server.StreamConfig { return s.cfg.Load() }

// shownConfig is the configuration with the server's metadata.
func (s *stream) shownConfig() server.StreamConfig {
	c := *s.config()
	c.Metadata = shown(c.Metadata)
	return c
}

func (s *stream) created() time.Time { return time.Unix(0, s.core.Created()).UTC() }

// last is the last sequence, 0 if there never was a message.
func (s *stream) last() uint64 { return uint64(s.log.End()) }

// state describes what the stream holds.
func (s *stream) state(deleted bool) server.StreamState {
	start, end := s.log.Start(), s.log.End()
	st := server.StreamState{
		Msgs: uint64(s.log.Messages()), Bytes: uint64(s.log.Bytes()),
		FirstSeq: seqOf(start), LastSeq: uint64(end), Consumers: len(s.a.consumersOf(s)),
	}
	if end == 0 {
		st.FirstSeq = 0
	}
	// The last time is that of the last message there was, like LastSeq.
	if e, err := s.at(end - 1); err == nil {
		st.LastTime = at(e.Time)
	} else if last := s.log.LastTime(); last != 0 {
		st.LastTime = at(last)
	}
	if start < end {
		if e, err := s.at(start); err == nil {
			st.FirstTime = at(e.Time)
		}
		gone := s.log.Deleted(nil)
		for _, r := range gone {
			st.NumDeleted += int(r[1] - r[0])
			if deleted {
				for o := r[0]; o < r[1]; o++ {
					st.Deleted = append(st.Deleted, seqOf(o))
				}
			}
		}
	}
	if s.view == nil {
		st.NumSubjects = s.core.KeyCount()
	}
	return st
}

// info is what the API shows of a stream.
func (s *stream) info(deleted bool) *server.StreamInfo {
	return &server.StreamInfo{
		Config: s.shownConfig(), Created: s.created(), State: s.state(deleted), TimeStamp: now(),
	}
}

// at returns the entry that holds the message at o.
func (s *stream) at(o core.Offset) (*core.Entry, error) { return s.core.Get(s.partition(), o) }

func (s *stream) partition() int {
	if s.view != nil {
		return s.view.partition
	}
	return 0
}

// message is one message of a stream as NATS shows it.
type message struct {
	wire.Msg
	seq  uint64
	time int64
}

// stored returns the message at o.
func (s *stream) stored(o core.Offset) (*message, error) {
	e, err := s.at(o)
	if err != nil {
		return nil, err
	}
	return s.decoded(e, o)
}

// decoded returns the message at o, which e holds.
func (s *stream) decoded(e *core.Entry, o core.Offset) (m *message, err error) {
	m = &message{seq: seqOf(o)}
	if m.time, err = s.read(e, o, &m.Msg, nil); err != nil {
		return nil, err
	}
	return m, nil
}

package jetstream

import (
	"errors"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
)

// messageGet answers STREAM.MSG.GET.S (nats-server 2.15.2, jsMsgGetRequest).
func messageGet(r *request, res *server.ApiResponse) response {
	out := &server.JSApiMsgGetResponse{}
	if res.Error == nil {
		out.Message, res.Error = r.a.getMessage(r)
	}
	out.ApiResponse = *res
	return out
}

func (a *account) getMessage(r *request) (*server.StoredMsg, *server.ApiError) {
	var req server.JSApiMsgGetRequest
	if emptyBody(r.msg.Payload) {
		return nil, server.NewJSBadRequestError()
	}
	if err := decode(r.msg.Payload, &req); err != nil {
		return nil, err
	}
	last, next, timed := req.LastFor != "", req.NextFor != "", req.StartTime != nil
	if req.Batch > 0 || req.MaxBytes > 0 ||
		req.Seq > 0 && (last || timed) ||
		req.Seq == 0 && !last && !next && !timed ||
		last && (timed || next) {
		return nil, server.NewJSBadRequestError()
	}
	s := a.stream(r.word(3))
	if s == nil {
		return nil, server.NewJSStreamNotFoundError()
	}
	m, err := s.lookup(&req)
	if err != nil {
		return nil, server.NewJSNoMessageFoundError()
	}
	stored := &server.StoredMsg{Subject: string(m.Subject), Sequence: m.seq, Data: m.Payload, Time: at(m.time)}
	if !req.NoHeaders {
		stored.Header = m.Header
	}
	return stored, nil
}

var errNoMessage = errors.New("no message")

// lookup finds the one message that a get request asks for.
func (s *stream) lookup(req *server.JSApiMsgGetRequest) (*message, error) {
	seq := req.Seq
	if req.StartTime != nil {
		o, err := s.log.OffsetAt(req.StartTime.UnixNano())
		if err != nil {
			return nil, err
		}
		seq = seqOf(o)
	}
	switch {
	case req.NextFor != "":
		return s.next(req.NextFor, seq)
	case seq > 0:
		return s.stored(offsetOf(seq))
	}
	return s.lastFor(req.LastFor)
}

// next is the first message at or after seq whose subject matches.
func (s *stream) next(pattern string, seq uint64) (*message, error) {
	from := offsetOf(max(seq, 1))
	if s.view == nil {
		return s.found(s.core.NextByKey(pattern, from))
	}
	return s.found(s.nextIn(pattern, from))
}

// found returns the message that a search found.
func (s *stream) found(o core.Offset, err error) (*message, error) {
	switch {
	case err != nil:
		return nil, err
	case o == core.NoOffset:
		return nil, errNoMessage
	}
	return s.stored(o)
}

// lastFor is the last message whose subject matches.
func (s *stream) lastFor(pattern string) (*message, error) {
	if s.view != nil {
		return s.found(s.lastIn(pattern))
	}
	e, o, err := s.core.Last(pattern)
	if err != nil {
		return nil, err
	}
	return s.decoded(e, o)
}

// messageDelete answers STREAM.MSG.DELETE.S (jsMsgDeleteRequest).
func messageDelete(r *request, res *server.ApiResponse) response {
	if res.Error == nil {
		res.Error = r.a.deleteMessage(r)
	}
	return &server.JSApiMsgDeleteResponse{ApiResponse: *res, Success: res.Error == nil}
}

func (a *account) deleteMessage(r *request) *server.ApiError {
	var req server.JSApiMsgDeleteRequest
	if emptyBody(r.msg.Payload) {
		return server.NewJSBadRequestError()
	}
	if err := decode(r.msg.Payload, &req); err != nil {
		return err
	}
	s := a.stream(r.word(3))
	if s == nil {
		return server.NewJSStreamNotFoundError()
	}
	switch c := s.config(); {
	case c.Sealed:
		return server.NewJSStreamSealedError()
	case c.DenyDelete:
		return server.NewJSStreamMsgDeleteFailedError(errors.New("message delete not permitted"))
	}
	if req.Seq > s.last() {
		return server.NewJSStreamMsgDeleteFailedError(server.ErrStoreEOF)
	}
	removed := false
	err := a.e.broker.Committed(func(tx *core.Tx) error {
		removed = s.core.Remove(tx, 0, offsetOf(req.Seq))
		return nil
	})
	switch {
	case err != nil:
		return server.NewJSStreamMsgDeleteFailedError(err)
	case !removed:
		return server.NewJSSequenceNotFoundError(req.Seq)
	}
	return nil
}

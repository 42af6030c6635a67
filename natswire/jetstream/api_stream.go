package jetstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
)

var errForeign = errors.New("the stream belongs to another protocol, which alone changes it")

// streamCreate answers STREAM.CREATE.S (nats-server 2.15.2, jsStreamCreateRequest,
// addStreamWithAssignment). Creating a stream again with the same configuration
// succeeds without did_create.
func streamCreate(r *request, res *server.ApiResponse) response {
	out := &server.JSApiStreamCreateResponse{}
	if res.Error == nil {
		out.StreamInfo, out.DidCreate, res.Error = r.a.createStream(r)
	}
	out.ApiResponse = *res
	return out
}

func (a *account) createStream(r *request) (*server.StreamInfo, bool, *server.ApiError) {
	var req server.StreamConfigRequest
	if err := decode(r.msg.Payload, &req); err != nil {
		return nil, false, err
	}
	req.Metadata = withRequired(req.Metadata, streamLevel(&req.StreamConfig))
	name := r.word(2)
	switch {
	case name != req.Name:
		return nil, false, server.NewJSStreamMismatchError()
	case strings.ContainsAny(name, `\/`):
		return nil, false, server.NewJSStreamNameContainsPathSeparatorsError()
	case req.Sealed:
		return nil, false, badStream("stream configuration for create can not be sealed")
	case req.MirrorDirect && req.Mirror == nil:
		return nil, false, badStream("stream has no mirror but does have mirror direct")
	}
	cfg, apiErr := checkStream(&req.StreamConfig, req.Pedantic)
	if apiErr != nil {
		return nil, false, apiErr
	}
	if cfg.Replicas > 1 {
		return nil, false, server.NewJSStreamReplicasNotSupportedError()
	}
	a.mu.RLock()
	old := a.mu.streams[name]
	a.mu.RUnlock()
	if old != nil {
		cfg.Metadata = sameRequired(cfg.Metadata, old.config().Metadata)
		if !reflect.DeepEqual(&cfg, old.config()) {
			return nil, false, server.NewJSStreamNameExistError()
		}
		return old.createdInfo(), true, nil
	}
	if a.exposed(name) != nil {
		return nil, false, server.NewJSStreamNameExistError()
	}
	if a.overlaps(cfg.Subjects, nil) {
		return nil, false, server.NewJSStreamSubjectOverlapError()
	}
	if a.e.low(cfg.Storage) {
		return nil, false, server.NewJSStorageResourcesExceededError()
	}
	doc, err := json.Marshal(&cfg)
	if err != nil {
		return nil, false, server.NewJSStreamCreateError(err)
	}
	var cs *core.Stream
	err = a.e.broker.Committed(func(tx *core.Tx) (err error) {
		if cs, err = a.ns.CreateStream(tx, coreStream(&cfg, doc)); err != nil {
			return err
		}
		a.addStream(newStream(a, cs, cfg))
		return a.bind(tx, cs, cfg.Subjects)
	})
	if err != nil {
		if cs != nil {
			a.removeStream(a.of(cs))
		}
		return nil, false, server.NewJSStreamCreateError(err)
	}
	s := a.of(cs)
	if v := a.viewNamed(name); v != nil {
		a.e.log.Warn("a stream hides another protocol's", "stream", name, "realm", string(v.core.Config().Realm), "hidden", v.core.Config().Name)
	}
	a.adviseStream(server.JSAdvisoryStreamCreatedPre, s.name, server.CreateEvent)
	return s.createdInfo(), true, nil
}

// createdInfo is the info of a create's answer.
func (s *stream) createdInfo() *server.StreamInfo { return s.info(false) }

// overlaps reports whether a stream other than self captures one of the subjects.
func (a *account) overlaps(subjects []string, self *stream) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, s := range a.mu.streams {
		if s != self && collide(subjects, s.config().Subjects) {
			return true
		}
	}
	return false
}

// bind makes the stream capture subjects.
func (a *account) bind(tx *core.Tx, cs *core.Stream, subjects []string) error {
	for _, s := range subjects {
		if err := a.ns.Bind(tx, binding(cs, s)); err != nil {
			return err
		}
	}
	return nil
}

func (a *account) unbind(tx *core.Tx, cs *core.Stream, subjects []string) error {
	for _, s := range subjects {
		if _, err := a.ns.Unbind(tx, binding(cs, s)); err != nil {
			return err
		}
	}
	return nil
}

func binding(cs *core.Stream, subject string) core.Binding {
	return core.Binding{Source: core.SubjectExchange, Stream: cs, Key: subject, Capture: true, Durable: true}
}

// streamUpdate answers STREAM.UPDATE.S (jsStreamUpdateRequest).
func streamUpdate(r *request, res *server.ApiResponse) response {
	out := &server.JSApiStreamUpdateResponse{}
	if res.Error == nil {
		out.StreamInfo, res.Error = r.a.updateStream(r)
	}
	out.ApiResponse = *res
	return out
}

func (a *account) updateStream(r *request) (*server.StreamInfo, *server.ApiError) {
	var req server.StreamConfigRequest
	if err := decode(r.msg.Payload, &req); err != nil {
		return nil, err
	}
	cfg, apiErr := checkStream(&req.StreamConfig, req.Pedantic)
	if apiErr != nil {
		return nil, apiErr
	}
	if r.word(2) != cfg.Name {
		return nil, server.NewJSStreamMismatchError()
	}
	s := a.stream(cfg.Name)
	if s == nil {
		return nil, server.NewJSStreamNotFoundError()
	}
	if s.view != nil {
		return nil, server.NewJSStreamUpdateError(errForeign)
	}
	cfg.Metadata = withRequired(cfg.Metadata, streamLevel(&cfg))
	old := s.config()
	if cfg, apiErr = checkStreamUpdate(old, &cfg, req.Pedantic); apiErr != nil {
		return nil, apiErr
	}
	l := cfg.ConsumerLimits
	if l.InactiveThreshold == old.ConsumerLimits.InactiveThreshold {
		l.InactiveThreshold = 0
	}
	if l.MaxAckPending == old.ConsumerLimits.MaxAckPending {
		l.MaxAckPending = 0
	}
	if names := exceeding(l, a.consumersOf(s)); names != "" {
		return nil, server.NewJSStreamUpdateError(fmt.Errorf("change to limits violates consumers: %s", names))
	}
	if a.overlaps(cfg.Subjects, s) {
		return nil, server.NewJSStreamSubjectOverlapError()
	}
	doc, err := json.Marshal(&cfg)
	if err != nil {
		return nil, server.NewJSStreamUpdateError(err)
	}
	without := func(of, those []string) []string {
		return slices.DeleteFunc(slices.Clone(of), func(s string) bool { return slices.Contains(those, s) })
	}
	err = a.e.broker.Committed(func(tx *core.Tx) error {
		c := coreStream(&cfg, doc)
		c.First = s.core.Config().First
		if err := s.core.Update(tx, c); err != nil {
			return err
		}
		if err := a.unbind(tx, s.core, without(old.Subjects, cfg.Subjects)); err != nil {
			return err
		}
		if err := a.bind(tx, s.core, without(cfg.Subjects, old.Subjects)); err != nil {
			return err
		}
		s.configure(&cfg)
		return nil
	})
	if err != nil {
		return nil, server.NewJSStreamUpdateError(err)
	}
	a.adviseStream(server.JSAdvisoryStreamUpdatedPre, s.name, server.ModifyEvent)
	return s.info(false), nil
}

// streamNames answers STREAM.NAMES (jsStreamNamesRequest).
func streamNames(r *request, res *server.ApiResponse) response {
	out := &server.JSApiStreamNamesResponse{}
	var req server.JSApiStreamNamesRequest
	if res.Error == nil && hasJSON(r.msg.Payload) {
		res.Error = decode(r.msg.Payload, &req)
	}
	if res.Error == nil {
		var part []shownStream
		part, out.ApiPaged = page(r.a.shownStreams(req.Subject), req.Offset, server.JSApiNamesLimit)
		for _, s := range part {
			out.Streams = append(out.Streams, s.name)
		}
	}
	out.ApiResponse = *res
	return out
}

// streamList answers STREAM.LIST (jsStreamListRequest).
func streamList(r *request, res *server.ApiResponse) response {
	out := &server.JSApiStreamListResponse{Streams: []*server.StreamInfo{}}
	var req server.JSApiStreamListRequest
	if res.Error == nil && hasJSON(r.msg.Payload) {
		res.Error = decode(r.msg.Payload, &req)
	}
	if res.Error == nil {
		var part []shownStream
		part, out.ApiPaged = page(r.a.shownStreams(req.Subject), req.Offset, server.JSApiListLimit)
		for _, s := range part {
			info := s.info(false)
			info.Config = *s.config() // without what is only shown
			info.Config.Name = s.name
			out.Streams = append(out.Streams, info)
		}
	}
	out.ApiResponse = *res
	return out
}

// streamInfo answers STREAM.INFO.S (jsStreamInfoRequest).
func streamInfo(r *request, res *server.ApiResponse) response {
	out := &server.JSApiStreamInfoResponse{}
	var req server.JSApiStreamInfoRequest
	if res.Error == nil && hasJSON(r.msg.Payload) {
		res.Error = decode(r.msg.Payload, &req)
	}
	if res.Error == nil {
		if s := r.a.stream(r.word(2)); s == nil {
			res.Error = server.NewJSStreamNotFoundError()
		} else {
			out.StreamInfo = s.info(req.DeletedDetails)
			out.Config.Name = r.word(2) // which may be an exposed one
			out.StreamInfo.Cluster = &server.ClusterInfo{Leader: r.a.e.name}
			if req.SubjectsFilter != "" {
				out.State.Subjects, out.ApiPaged = s.subjects(req.SubjectsFilter, req.Offset)
			}
		}
	}
	out.ApiResponse = *res
	return out
}

// subjects counts the messages of each subject that matches filter, a page at a time
// in subject order.
func (s *stream) subjects(filter string, offset int) (map[string]uint64, server.ApiPaged) {
	counts, total := map[string]uint64{}, 0
	offset = max(offset, 0)
	if s.view == nil {
		s.core.Keys(filter, math.MaxInt64, func(key []byte, k core.KeyState) bool {
			if total >= offset && total < offset+server.JSMaxSubjectDetails {
				counts[string(key)] = uint64(k.Messages)
			}
			total++
			return true
		})
	}
	if total == 0 {
		return nil, server.ApiPaged{}
	}
	return counts, server.ApiPaged{Total: total, Offset: offset, Limit: server.JSMaxSubjectDetails}
}

// streamDelete answers STREAM.DELETE.S (jsStreamDeleteRequest).
func streamDelete(r *request, res *server.ApiResponse) response {
	if res.Error == nil {
		res.Error = r.a.deleteStream(r)
	}
	return &server.JSApiStreamDeleteResponse{ApiResponse: *res, Success: res.Error == nil}
}

func (a *account) deleteStream(r *request) *server.ApiError {
	if !emptyBody(r.msg.Payload) {
		return server.NewJSNotEmptyRequestError()
	}
	s := a.stream(r.word(2))
	if s == nil {
		return server.NewJSStreamNotFoundError()
	}
	if s.view != nil {
		return server.NewJSStreamDeleteError(errForeign)
	}
	s.endBatches()
	consumers := a.consumersOf(s)
	for _, c := range consumers {
		c.stop("Consumer Deleted")
	}
	err := a.e.broker.Committed(func(tx *core.Tx) error {
		if err := a.unbind(tx, s.core, s.config().Subjects); err != nil {
			return err
		}
		s.core.Delete(tx)
		a.removeStream(s)
		for _, c := range consumers {
			a.removeConsumer(c)
		}
		return nil
	})
	if err != nil {
		return server.NewJSStreamDeleteError(err)
	}
	for _, c := range consumers {
		a.adviseConsumer(server.JSAdvisoryConsumerDeletedPre, c, server.DeleteEvent)
	}
	a.adviseStream(server.JSAdvisoryStreamDeletedPre, s.name, server.DeleteEvent)
	return nil
}

// streamPurge answers STREAM.PURGE.S (jsStreamPurgeRequest).
func streamPurge(r *request, res *server.ApiResponse) response {
	out := &server.JSApiStreamPurgeResponse{}
	if res.Error == nil {
		out.Purged, res.Error = r.a.purgeStream(r)
		out.Success = res.Error == nil
	}
	out.ApiResponse = *res
	return out
}

func (a *account) purgeStream(r *request) (uint64, *server.ApiError) {
	var req server.JSApiStreamPurgeRequest
	if hasJSON(r.msg.Payload) {
		if err := decode(r.msg.Payload, &req); err != nil {
			return 0, err
		}
		if req.Sequence > 0 && req.Keep > 0 {
			return 0, server.NewJSBadRequestError()
		}
	}
	s := a.stream(r.word(2))
	if s == nil {
		return 0, server.NewJSStreamNotFoundError()
	}
	c := s.config()
	if c.Sealed {
		return 0, server.NewJSStreamSealedError()
	}
	if c.DenyPurge {
		return 0, server.NewJSStreamPurgeFailedError(errors.New("stream purge not permitted"))
	}
	before := core.NoOffset
	if req.Sequence > 0 {
		before = offsetOf(req.Sequence)
	}
	var n int64
	err := a.e.broker.Committed(func(tx *core.Tx) (err error) {
		n, err = s.core.Purge(tx, req.Subject, before, int64(min(req.Keep, 1<<62)))
		return err
	})
	if err != nil {
		return 0, server.NewJSStreamGeneralError(err)
	}
	return uint64(n), nil
}

// streamSnapshot and streamRestore refuse: the chunks are a tar of nats-server's own
// files, which this server does not write.
func streamSnapshot(r *request, res *server.ApiResponse) response {
	if res.Error == nil {
		res.Error = server.NewJSStreamSnapshotError(errors.New("snapshots are not supported by this server"))
	}
	return &server.JSApiStreamSnapshotResponse{ApiResponse: *res}
}

func streamRestore(r *request, res *server.ApiResponse) response {
	if res.Error == nil {
		res.Error = server.NewJSStreamRestoreError(errors.New("restoring is not supported by this server"))
	}
	return &server.JSApiStreamRestoreResponse{ApiResponse: *res}
}

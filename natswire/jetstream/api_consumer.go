package jetstream

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
)

// consumerCreate answers the three forms of CONSUMER.CREATE (nats-server 2.15.2,
// jsConsumerCreateRequest, addConsumerWithAssignment).
func consumerCreate(r *request, res *server.ApiResponse) response {
	out := &server.JSApiConsumerCreateResponse{}
	if res.Error == nil {
		out.ConsumerInfo, res.Error = r.a.createConsumer(r)
	}
	out.ApiResponse = *res
	return out
}

// named reads what the subject says about the consumer, and checks it against the body.
func named(r *request, req *server.CreateConsumerRequest) *server.ApiError {
	c := &req.Config
	stream, name, filter := r.word(2), "", ""
	durable := r.word(1) == "DURABLE"
	switch {
	case durable:
		stream, name = r.word(3), r.word(4)
	case len(r.words) > 3:
		name, filter = r.word(3), strings.Join(r.words[4:], ".")
	default:
		name = c.Name
	}
	if stream != req.Stream {
		return server.NewJSStreamMismatchError()
	}
	if strings.ContainsAny(name, `\/`) {
		return server.NewJSConsumerNameContainsPathSeparatorsError()
	}
	switch {
	case durable && c.Durable == "":
		return server.NewJSConsumerDurableNameNotSetError()
	case durable && c.Durable != name, len(r.words) > 3 && c.Durable != "" && c.Durable != name:
		return server.NewJSConsumerDurableNameNotMatchSubjectError()
	case len(r.words) > 3:
		c.Name = name
	case c.Durable != "":
		return server.NewJSConsumerEphemeralWithDurableNameError()
	}
	switch {
	case filter != "" && len(c.FilterSubjects) > 0:
		return server.NewJSConsumerMultipleFiltersNotAllowedError()
	case filter != "" && c.FilterSubject != filter:
		return server.NewJSConsumerCreateFilterSubjectMismatchError()
	case c.Replicas > 1:
		return server.NewJSStreamReplicasNotSupportedError()
	}
	return nil
}

func (a *account) createConsumer(r *request) (*server.ConsumerInfo, *server.ApiError) {
	var req server.CreateConsumerRequest
	if err := decode(r.msg.Payload, &req); err != nil {
		return nil, err
	}
	if err := named(r, &req); err != nil {
		return nil, err
	}
	s := a.stream(req.Stream)
	if s == nil {
		return nil, server.NewJSStreamNotFoundError()
	}
	cfg := &req.Config
	name := cfg.Durable
	if name == "" {
		name = cfg.Name
	}
	var old *consumer
	if name != "" {
		old = a.consumer([]byte(s.name + "." + name))
	}
	if old != nil {
		cfg.PauseUntil = old.config().PauseUntil
	}
	cfg.Metadata = withRequired(cfg.Metadata, consumerLevel(cfg))
	if err := consumerDefaults(cfg, s.config(), req.Pedantic); err != nil {
		return nil, err
	}
	if err := checkConsumer(cfg, s.config()); err != nil {
		return nil, err
	}
	if cfg.PauseUntil != nil {
		utc := cfg.PauseUntil.UTC()
		cfg.PauseUntil = &utc
	}
	if old != nil {
		return a.recreateConsumer(old, cfg, req.Action)
	}
	if req.Action == server.ActionUpdate {
		return nil, server.NewJSConsumerDoesNotExistError()
	}
	if err := a.admitConsumer(s, name, cfg); err != nil {
		return nil, err
	}
	if name == "" {
		name = randomName()
		cfg.Name = name
	}
	if len(name) > server.JSMaxNameLen {
		return nil, server.NewJSConsumerNameTooLongError(server.JSMaxNameLen)
	}
	if cfg.Durable == "" && cfg.InactiveThreshold == 0 {
		cfg.InactiveThreshold = server.JsDeleteWaitTimeDefault
	}
	return a.newConsumer(s, name, cfg)
}

// admitConsumer checks what depends on the stream's other consumers.
func (a *account) admitConsumer(s *stream, name string, cfg *server.ConsumerConfig) *server.ApiError {
	sc := s.config()
	others := a.consumersOf(s)
	limit := sc.MaxConsumers
	if limit > 0 && len(others) >= limit {
		return server.NewJSMaximumConsumersLimitError()
	}
	if sc.Retention != server.WorkQueuePolicy {
		return nil
	}
	switch {
	case cfg.AckPolicy != server.AckExplicit:
		return server.NewJSConsumerWQRequiresExplicitAckError()
	case cfg.DeliverPolicy != server.DeliverAll:
		return server.NewJSConsumerWQConsumerNotDeliverAllError()
	case len(others) > 0 && len(filtersOf(cfg)) == 0:
		return server.NewJSConsumerWQMultipleUnfilteredError()
	case !apart(others, name, filtersOf(cfg)):
		return server.NewJSConsumerWQConsumerNotUniqueError()
	}
	return nil
}

// apart reports whether no consumer but the one of that name wants what filters match.
func apart(all []*consumer, name string, filters []string) bool {
	for _, o := range all {
		if o.name == name {
			continue
		}
		theirs := filtersOf(o.config())
		if len(theirs) == 0 && len(filters) > 0 || collide(filters, theirs) {
			return false
		}
	}
	return true
}

func (a *account) newConsumer(s *stream, name string, cfg *server.ConsumerConfig) (*server.ConsumerInfo, *server.ApiError) {
	filters, apiErr := s.cursorFilters(cfg)
	if apiErr != nil {
		return nil, apiErr
	}
	doc, err := json.Marshal(cfg)
	if err != nil {
		return nil, server.NewJSConsumerCreateError(err)
	}
	c := newConsumer(s, name, *cfg)
	err = a.e.broker.Committed(func(tx *core.Tx) error {
		cur, err := s.core.CreateCursor(tx, s.coreCursor(name, cfg, filters, doc), c)
		if err != nil {
			return err
		}
		c.bind(cur)
		a.addConsumer(c)
		return nil
	})
	if err != nil {
		a.removeConsumer(c)
		return nil, server.NewJSConsumerCreateError(err)
	}
	info := c.info()
	c.start()
	c.mu.Lock()
	info.PushBound = cfg.DeliverSubject != "" && c.mu.push.bound
	c.mu.Unlock()
	a.adviseConsumer(server.JSAdvisoryConsumerCreatedPre, c, server.CreateEvent)
	if cfg.PauseUntil != nil && time.Now().Before(*cfg.PauseUntil) {
		c.advisePause(cfg.PauseUntil)
	}
	return info, nil
}

// cursorFilters translates filters to patterns of the stream's keys: a view's subjects have
// a prefix that its keys lack. Without an index of keys a view's last message that matches cannot
// be found. A message whose key is no subject, shown as _, matches filters for all only.
func (s *stream) cursorFilters(cfg *server.ConsumerConfig) ([]string, *server.ApiError) {
	filters := filtersOf(cfg)
	if s.view == nil {
		return filters, nil
	}
	var out []string
	for _, f := range filters {
		if server.SubjectMatchesFilter(s.view.prefix+">", f) {
			out = nil
			break
		}
		key, ok := strings.CutPrefix(f, s.view.prefix)
		if !ok {
			return nil, server.NewJSConsumerCreateError(errors.New("filter is not of the stream's subjects"))
		}
		out = append(out, key)
	}
	last := cfg.DeliverPolicy == server.DeliverLastPerSubject || cfg.DeliverPolicy == server.DeliverLast && len(out) > 0
	if last && !s.core.Config().KeyIndex {
		return nil, server.NewJSConsumerCreateError(errors.New("the last messages by subject are not known of a stream of another protocol"))
	}
	return out, nil
}

// recreateConsumer answers a create of a consumer that is there: the same, or an update.
func (a *account) recreateConsumer(c *consumer, cfg *server.ConsumerConfig, action server.ConsumerAction) (*server.ConsumerInfo, *server.ApiError) {
	old := c.config()
	if cfg.Durable == "" && cfg.InactiveThreshold == 0 {
		cfg.InactiveThreshold = server.JsDeleteWaitTimeDefault
	}
	if action == server.ActionCreate {
		same := *cfg
		same.Metadata = sameRequired(cfg.Metadata, old.Metadata)
		if !reflect.DeepEqual(&same, old) {
			return nil, server.NewJSConsumerAlreadyExistsError()
		}
	}
	if c.stream.config().Retention == server.WorkQueuePolicy &&
		!apart(a.consumersOf(c.stream), c.name, filtersOf(cfg)) {
		return nil, server.NewJSConsumerWQConsumerNotUniqueError()
	}
	if err := checkConsumerUpdate(old, cfg, a.interested); err != nil {
		return nil, err
	}
	if err := a.updateConsumer(c, cfg); err != nil {
		return nil, err
	}
	return c.info(), nil
}

func (a *account) updateConsumer(c *consumer, cfg *server.ConsumerConfig) *server.ApiError {
	old := c.config()
	if reflect.DeepEqual(old, cfg) {
		return nil
	}
	filters, apiErr := c.stream.cursorFilters(cfg)
	if apiErr != nil {
		return apiErr
	}
	doc, err := json.Marshal(cfg)
	if err != nil {
		return server.NewJSConsumerCreateError(err)
	}
	err = a.e.broker.Committed(func(tx *core.Tx) error {
		if err := c.cursor.Update(tx, c.stream.coreCursor(c.name, cfg, filters, doc)); err != nil {
			return err
		}
		c.cfg.Store(cfg)
		return nil
	})
	if err != nil {
		return server.NewJSConsumerCreateError(err)
	}
	c.reconfigured(old, cfg)
	return nil
}

// reconfigured adapts what is running to a new configuration.
func (c *consumer) reconfigured(old, cfg *server.ConsumerConfig) {
	c.mu.Lock()
	if cfg.DeliverSubject != old.DeliverSubject {
		c.mu.push.to = []byte(cfg.DeliverSubject)
		c.rebind(c.a.interested(cfg.DeliverSubject))
	}
	c.arm()
	c.mu.Unlock()
	until := func(c *server.ConsumerConfig) (t time.Time) {
		if c.PauseUntil != nil {
			t = *c.PauseUntil
		}
		return t
	}
	if !until(old).Equal(until(cfg)) {
		c.advisePause(cfg.PauseUntil)
	}
}

// randomName is a name for an ephemeral consumer, as long as nats-server's.
func randomName() string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	for i := range b {
		b[i] = digits[int(b[i])%len(digits)]
	}
	return string(b[:])
}

// of finds the consumer that a request names: words i and i+1.
func (a *account) consumerOf(r *request, i int) (*consumer, *server.ApiError) {
	s := a.stream(r.word(i))
	if s == nil {
		return nil, server.NewJSStreamNotFoundError()
	}
	c := a.consumer([]byte(s.name + "." + r.word(i+1)))
	if c == nil {
		return nil, server.NewJSConsumerNotFoundError()
	}
	return c, nil
}

// consumerNames answers CONSUMER.NAMES.S (jsConsumerNamesRequest).
func consumerNames(r *request, res *server.ApiResponse) response {
	out := &server.JSApiConsumerNamesResponse{Consumers: []string{}}
	if part, p, ok := consumersPage(r, res, server.JSApiNamesLimit); ok {
		out.ApiPaged = p
		for _, c := range part {
			out.Consumers = append(out.Consumers, c.name)
		}
	}
	out.ApiResponse = *res
	return out
}

// consumerList answers CONSUMER.LIST.S (jsConsumerListRequest).
func consumerList(r *request, res *server.ApiResponse) response {
	out := &server.JSApiConsumerListResponse{Consumers: []*server.ConsumerInfo{}}
	if part, p, ok := consumersPage(r, res, server.JSApiListLimit); ok {
		out.ApiPaged = p
		for _, c := range part {
			info := c.info()
			info.Config.Metadata = c.config().Metadata // without what is only shown
			out.Consumers = append(out.Consumers, info)
		}
	}
	out.ApiResponse = *res
	return out
}

func consumersPage(r *request, res *server.ApiResponse, limit int) (part []*consumer, p server.ApiPaged, ok bool) {
	var req server.JSApiConsumersRequest
	if res.Error == nil && hasJSON(r.msg.Payload) {
		res.Error = decode(r.msg.Payload, &req)
	}
	if res.Error != nil {
		return nil, p, false
	}
	s := r.a.stream(r.word(2))
	if s == nil {
		res.Error = server.NewJSStreamNotFoundError()
		return nil, p, false
	}
	part, p = page(r.a.consumersOf(s), req.Offset, limit)
	return part, p, true
}

// consumerInfo answers CONSUMER.INFO.S.C (jsConsumerInfoRequest).
func consumerInfo(r *request, res *server.ApiResponse) response {
	out := &server.JSApiConsumerInfoResponse{}
	if res.Error == nil && !emptyBody(r.msg.Payload) {
		res.Error = server.NewJSNotEmptyRequestError()
	}
	if res.Error == nil {
		var c *consumer
		if c, res.Error = r.a.consumerOf(r, 2); c != nil {
			out.ConsumerInfo = c.info()
		}
	}
	out.ApiResponse = *res
	return out
}

// consumerDelete answers CONSUMER.DELETE.S.C (jsConsumerDeleteRequest).
func consumerDelete(r *request, res *server.ApiResponse) response {
	if res.Error == nil && !emptyBody(r.msg.Payload) {
		res.Error = server.NewJSNotEmptyRequestError()
	}
	if res.Error == nil {
		var c *consumer
		if c, res.Error = r.a.consumerOf(r, 2); c != nil {
			if err := c.delete(); err != nil {
				res.Error = server.NewJSStreamGeneralError(err)
			}
		}
	}
	return &server.JSApiConsumerDeleteResponse{ApiResponse: *res, Success: res.Error == nil}
}

// consumerPause answers CONSUMER.PAUSE.S.C (jsConsumerPauseRequest): a time that is past or
// zero resumes.
func consumerPause(r *request, res *server.ApiResponse) response {
	out := &server.JSApiConsumerPauseResponse{}
	var req server.JSApiConsumerPauseRequest
	if res.Error == nil && hasJSON(r.msg.Payload) {
		res.Error = decode(r.msg.Payload, &req)
	}
	if res.Error == nil {
		var c *consumer
		if c, res.Error = r.a.consumerOf(r, 2); c != nil {
			res.Error = c.pause(req.PauseUntil.UTC(), out)
		}
	}
	out.ApiResponse = *res
	return out
}

func (c *consumer) pause(until time.Time, out *server.JSApiConsumerPauseResponse) *server.ApiError {
	cfg := *c.config()
	cfg.PauseUntil = nil
	if !until.IsZero() {
		cfg.PauseUntil = &until
	}
	cfg.Metadata = withRequired(cfg.Metadata, consumerLevel(&cfg))
	if err := c.a.updateConsumer(c, &cfg); err != nil {
		return server.NewJSConsumerStoreFailedError(err)
	}
	out.PauseUntil = until
	if left := time.Until(until); left > 0 {
		out.Paused, out.PauseRemaining = true, left
	}
	return nil
}

// consumerUnpin answers CONSUMER.UNPIN.S.C: another client may be pinned.
func consumerUnpin(r *request, res *server.ApiResponse) response {
	var req server.JSApiConsumerUnpinRequest
	if res.Error == nil {
		if err := json.Unmarshal(r.msg.Payload, &req); err != nil {
			res.Error = server.NewJSInvalidJSONError(err)
		}
	}
	if res.Error == nil {
		res.Error = r.a.unpin(r, req.Group)
	}
	return &server.JSApiConsumerUnpinResponse{ApiResponse: *res}
}

func (a *account) unpin(r *request, group string) *server.ApiError {
	if group == "" {
		return server.NewJSInvalidJSONError(errors.New("consumer group not specified"))
	}
	if !groupName.MatchString(group) {
		return server.NewJSConsumerInvalidGroupNameError()
	}
	c, err := a.consumerOf(r, 2)
	if err != nil {
		return err
	}
	if !slices.Contains(c.config().PriorityGroups, group) {
		return server.NewJSConsumerInvalidPriorityGroupError()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unpin(group, "admin")
	return nil
}

// consumerReset answers CONSUMER.RESET.S.C: to a sequence, or back to the ack floor
// (nats-server 2.15.2, consumer.go resetStartingSeq).
func consumerReset(r *request, res *server.ApiResponse) response {
	out := &server.JSApiConsumerResetResponse{}
	var req server.JSApiConsumerResetRequest
	if res.Error == nil && len(r.msg.Payload) > 0 {
		if err := json.Unmarshal(r.msg.Payload, &req); err != nil {
			res.Error = server.NewJSInvalidJSONError(err)
		}
	}
	if res.Error == nil {
		var c *consumer
		if c, res.Error = r.a.consumerOf(r, 2); c != nil {
			out.ResetSeq, res.Error = c.reset(req.Seq)
			out.ConsumerInfo = c.info()
		}
	}
	if res.Error != nil {
		out.ConsumerInfo = nil
	}
	out.ApiResponse = *res
	return out
}

func (c *consumer) reset(seq uint64) (uint64, *server.ApiError) {
	if seq == 0 {
		seq = uint64(max(c.cursor.State().Floor, 0)) + 1
	} else if err := c.mayReset(seq); err != nil {
		return 0, server.NewJSConsumerInvalidResetError(err)
	}
	err := c.a.e.broker.Committed(func(tx *core.Tx) error {
		c.cursor.Seek(tx, offsetOf(seq))
		return nil
	})
	if err != nil {
		return 0, server.NewJSConsumerInvalidResetError(err)
	}
	return seq, nil
}

// mayReset reports why a consumer must not be moved to seq: not below where its configuration
// lets it start.
func (c *consumer) mayReset(seq uint64) error {
	switch cfg := c.config(); cfg.DeliverPolicy {
	case server.DeliverAll:
		return nil
	case server.DeliverByStartSequence:
		if seq < cfg.OptStartSeq {
			return errors.New("below start seq")
		}
		return nil
	case server.DeliverByStartTime:
		from, err := c.stream.log.OffsetAt(cfg.OptStartTime.UnixNano())
		if err == nil && offsetOf(seq) < from {
			err = errors.New("below start time")
		}
		return err
	}
	return errors.New("not allowed")
}

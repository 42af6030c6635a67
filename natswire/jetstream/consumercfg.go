package jetstream

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
)

// Bounds of a consumer's settings.
const (
	minHeartbeat      = 100 * time.Millisecond
	minRequestExpires = time.Millisecond
)

var groupName = regexp.MustCompile(`^[a-zA-Z0-9/_=-]{1,16}$`)

// filtersOf lists the filters of a consumer, however they were given.
func filtersOf(c *server.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

// consumerDefaults fills in what the client left out (nats-server 2.15.2, consumer.go
// setConsumerConfigDefaults).
func consumerDefaults(c *server.ConsumerConfig, s *server.StreamConfig, pedantic bool) *server.ApiError {
	var complaint string
	least := func(name string, v, min, to int64) int64 {
		if v >= min {
			return v
		}
		if pedantic && complaint == "" {
			if to < 0 {
				complaint = name + " must be set to -1"
			} else {
				complaint = name + " must not be negative"
			}
		}
		return to
	}
	c.MaxDeliver = int(least("max_deliver", int64(c.MaxDeliver), -1, -1))
	if c.MaxDeliver == 0 {
		c.MaxDeliver = -1
	}
	c.MaxWaiting = int(least("max_waiting", int64(c.MaxWaiting), 0, 0))
	c.MaxAckPending = int(least("max_ack_pending", int64(c.MaxAckPending), -1, -1))
	c.MaxRequestBatch = int(least("max_batch", int64(c.MaxRequestBatch), 0, 0))
	c.MaxRequestExpires = time.Duration(least("max_expires", int64(c.MaxRequestExpires), 0, 0))
	c.MaxRequestMaxBytes = int(least("max_bytes", int64(c.MaxRequestMaxBytes), 0, 0))
	c.Heartbeat = time.Duration(least("idle_heartbeat", int64(c.Heartbeat), 0, 0))
	c.InactiveThreshold = time.Duration(least("inactive_threshold", int64(c.InactiveThreshold), 0, 0))
	c.PinnedTTL = time.Duration(least("priority_timeout", int64(c.PinnedTTL), 0, 0))
	if complaint != "" {
		return server.NewJSPedanticError(errors.New(complaint))
	}

	if c.DeliverSubject == "" && c.MaxWaiting == 0 {
		c.MaxWaiting = server.JSWaitQueueDefaultMax
	}
	if c.AckWait == 0 && (c.AckPolicy == server.AckExplicit || c.AckPolicy == server.AckAll) {
		c.AckWait = server.JsAckWaitDefault
	}
	if len(c.BackOff) > 0 {
		if pedantic && c.AckWait != c.BackOff[0] {
			return server.NewJSPedanticError(errors.New("first backoff value has to equal batch AckWait"))
		}
		c.AckWait = c.BackOff[0]
	}
	if c.MaxAckPending == 0 {
		if pedantic && s.ConsumerLimits.MaxAckPending > 0 {
			return server.NewJSPedanticError(errors.New("max_ack_pending must be set if it's configured in stream limits"))
		}
		c.MaxAckPending = s.ConsumerLimits.MaxAckPending
	}
	if c.InactiveThreshold == 0 {
		if pedantic && s.ConsumerLimits.InactiveThreshold > 0 {
			return server.NewJSPedanticError(errors.New("inactive_threshold must be set if it's configured in stream limits"))
		}
		c.InactiveThreshold = s.ConsumerLimits.InactiveThreshold
	}
	if c.MaxAckPending == 0 && c.AckPolicy != server.AckNone {
		c.MaxAckPending = server.JsDefaultMaxAckPending
	}
	if c.PriorityPolicy == server.PriorityPinnedClient && c.PinnedTTL == 0 {
		c.PinnedTTL = server.JsDefaultPinnedTTL
	}
	return nil
}

// checkConsumer reports why a configuration with defaults applied is refused. The order and
// texts are nats-server 2.15.2's (consumer.go checkConsumerCfg).
func checkConsumer(c *server.ConsumerConfig, s *server.StreamConfig) *server.ApiError {
	if c.Name != "" && !validName(c.Name) {
		return badStream("consumer name can not contain '.', '*', '>', '\\', '/'")
	}
	if c.Durable != "" && !validName(c.Durable) {
		return badStream("consumer durable name can not contain '.', '*', '>', '\\', '/'")
	}
	if c.Replicas > 0 && c.Replicas > s.Replicas {
		return server.NewJSConsumerReplicasExceedsStreamError()
	}
	if c.Replicas < 0 {
		return server.NewJSReplicasCountCannotBeNegativeError()
	}
	if s.Retention != server.LimitsPolicy && c.Replicas != 0 && c.Replicas != s.Replicas {
		return server.NewJSConsumerReplicasShouldMatchStreamError()
	}
	for _, d := range c.BackOff {
		if d < 0 {
			return server.NewJSConsumerBackOffNegativeError()
		}
	}
	if c.AckWait < 0 {
		return server.NewJSConsumerAckWaitNegativeError()
	}
	if n := len(c.BackOff); n > 0 && c.MaxDeliver != -1 && n > c.MaxDeliver {
		return server.NewJSConsumerMaxDeliverBackoffError()
	}
	if len(c.Description) > server.JSMaxDescriptionLen {
		return server.NewJSConsumerDescriptionTooLongError(server.JSMaxDescriptionLen)
	}
	mode := checkPull
	if c.DeliverSubject != "" {
		mode = checkPush
	}
	if err := mode(c, s); err != nil {
		return err
	}
	if l := s.ConsumerLimits.MaxAckPending; l > 0 && c.MaxAckPending > l {
		return server.NewJSConsumerMaxPendingAckExcessError(l)
	}
	if l := s.ConsumerLimits.InactiveThreshold; l > 0 && c.InactiveThreshold > l {
		return server.NewJSConsumerInactiveThresholdExcessError(l)
	}
	if c.Direct {
		if c.DeliverSubject == "" {
			return server.NewJSConsumerDirectRequiresPushError()
		}
		if c.Durable != "" {
			return server.NewJSConsumerDirectRequiresEphemeralError()
		}
	}
	if err := checkFilters(c); err != nil {
		return err
	}
	if err := checkStart(c); err != nil {
		return err
	}
	if c.SampleFrequency != "" {
		n, err := strconv.Atoi(strings.TrimSuffix(c.SampleFrequency, "%"))
		if err != nil || n < 0 {
			return server.NewJSConsumerInvalidSamplingError(err)
		}
	}
	if c.FlowControl && c.Heartbeat == 0 {
		return server.NewJSConsumerWithFlowControlNeedsHeartbeatsError()
	}
	if c.Durable != "" && c.Name != "" && c.Name != c.Durable {
		return server.NewJSConsumerCreateDurableAndNameMismatchError()
	}
	if metadataLen(c.Metadata) > server.JSMaxMetadataLen {
		return server.NewJSConsumerMetadataLengthError(fmt.Sprintf("%dKB", server.JSMaxMetadataLen/1024))
	}
	if err := checkGroups(c); err != nil {
		return err
	}
	return notBuiltConsumer(c)
}

func checkPush(c *server.ConsumerConfig, s *server.StreamConfig) *server.ApiError {
	switch {
	case !literal(c.DeliverSubject):
		return server.NewJSConsumerDeliverToWildcardsError()
	case !server.IsValidSubject(c.DeliverSubject):
		return server.NewJSConsumerInvalidDeliverSubjectError()
	}
	for _, subject := range s.Subjects {
		if server.SubjectMatchesFilter(c.DeliverSubject, subject) {
			return server.NewJSConsumerDeliverCycleError()
		}
	}
	switch {
	case c.MaxWaiting != 0:
		return server.NewJSConsumerPushMaxWaitingError()
	case c.MaxAckPending > 0 && c.AckPolicy == server.AckNone:
		return server.NewJSConsumerMaxPendingAckPolicyRequiredError()
	case c.Heartbeat > 0 && c.Heartbeat < minHeartbeat:
		return server.NewJSConsumerSmallHeartbeatError()
	}
	return nil
}

func checkPull(c *server.ConsumerConfig, s *server.StreamConfig) *server.ApiError {
	switch {
	case c.AckPolicy == server.AckNone && s.Retention == server.WorkQueuePolicy:
		return server.NewJSConsumerPullRequiresAckError()
	case c.RateLimit > 0:
		return server.NewJSConsumerPullWithRateLimitError()
	case c.Heartbeat > 0:
		return server.NewJSConsumerHBRequiresPushError()
	case c.FlowControl:
		return server.NewJSConsumerFCRequiresPushError()
	case c.MaxRequestExpires != 0 && c.MaxRequestExpires < minRequestExpires:
		return server.NewJSConsumerMaxRequestExpiresTooSmallError()
	}
	return nil
}

func checkFilters(c *server.ConsumerConfig) *server.ApiError {
	if c.FilterSubject != "" && len(c.FilterSubjects) > 0 {
		return server.NewJSConsumerDuplicateFilterSubjectsError()
	}
	if c.FilterSubject != "" && !server.IsValidSubject(c.FilterSubject) {
		return server.NewJSStreamInvalidConfigError(server.ErrBadSubject)
	}
	if slices.Contains(c.FilterSubjects, "") {
		return server.NewJSConsumerEmptyFilterError()
	}
	filters := filtersOf(c)
	for i, f := range filters {
		if !server.IsValidSubject(f) {
			return server.NewJSStreamInvalidConfigError(server.ErrBadSubject)
		}
		for k, g := range filters {
			if i != k && server.SubjectMatchesFilter(f, g) {
				return server.NewJSConsumerOverlappingSubjectFiltersError()
			}
		}
	}
	return nil
}

// checkStart refuses a start position that the deliver policy has no use for, or lacks.
func checkStart(c *server.ConsumerConfig) *server.ApiError {
	refuse := func(format string, args ...any) *server.ApiError {
		return server.NewJSConsumerInvalidPolicyError(fmt.Errorf("consumer delivery policy is deliver "+format, args...))
	}
	names := map[server.DeliverPolicy]string{
		server.DeliverAll: "all", server.DeliverLast: "last", server.DeliverLastPerSubject: "last per subject",
		server.DeliverNew: "new", server.DeliverByStartSequence: "by start sequence", server.DeliverByStartTime: "by start time",
	}
	name := names[c.DeliverPolicy]
	switch c.DeliverPolicy {
	case server.DeliverByStartSequence:
		if c.OptStartSeq == 0 {
			return refuse("%s, but optional start sequence is not set", name)
		}
		if c.OptStartTime != nil {
			return refuse("%s, but optional start time is also set", name)
		}
	case server.DeliverByStartTime:
		if c.OptStartTime == nil {
			return refuse("%s, but optional start time is not set", name)
		}
		if c.OptStartSeq != 0 {
			return refuse("%s, but optional start start sequence is also set", name)
		}
	default:
		if c.OptStartSeq > 0 {
			return refuse("%s, but optional start sequence is also set", name)
		}
		if c.OptStartTime != nil {
			return refuse("%s, but optional start time is also set", name)
		}
		if c.DeliverPolicy == server.DeliverLastPerSubject && len(filtersOf(c)) == 0 {
			return refuse("%s, but optional filter subject is not set", name)
		}
	}
	return nil
}

func checkGroups(c *server.ConsumerConfig) *server.ApiError {
	if c.PriorityPolicy == server.PriorityNone {
		if len(c.PriorityGroups) > 0 {
			return server.NewJSConsumerPriorityGroupWithPolicyNoneError()
		}
		if c.PinnedTTL > 0 {
			return server.NewJSConsumerPinnedTTLWithoutPriorityPolicyNoneError()
		}
		return nil
	}
	if c.DeliverSubject != "" {
		return server.NewJSConsumerPushWithPriorityGroupError()
	}
	if len(c.PriorityGroups) == 0 {
		return server.NewJSConsumerPriorityPolicyWithoutGroupError()
	}
	for _, g := range c.PriorityGroups {
		if g == "" {
			return server.NewJSConsumerEmptyGroupNameError()
		}
		if !groupName.MatchString(g) {
			return server.NewJSConsumerInvalidGroupNameError()
		}
	}
	return nil
}

// notBuiltConsumer refuses what this server does not do yet.
func notBuiltConsumer(c *server.ConsumerConfig) *server.ApiError {
	refuse := func(what string) *server.ApiError {
		return server.NewJSConsumerCreateError(errors.New(what + " not supported by this server"))
	}
	switch {
	case c.AckPolicy == server.AckFlowControl:
		return refuse("flow control ack policy is")
	case c.Direct, c.Sourcing:
		return refuse("sourcing consumers are")
	}
	return nil
}

// checkConsumerUpdate reports why a consumer cannot change from old to c.
// interested tells whether somebody listens to a deliver subject.
func checkConsumerUpdate(old, c *server.ConsumerConfig, interested func(subject string) bool) *server.ApiError {
	refuse := func(what string) *server.ApiError {
		return server.NewJSConsumerCreateError(errors.New(what))
	}
	sameTime := func(a, b *time.Time) bool {
		return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
	}
	switch {
	case reflect.DeepEqual(old, c):
		return nil
	case old.DeliverPolicy != c.DeliverPolicy:
		return refuse("deliver policy can not be updated")
	case old.MemoryStorage != c.MemoryStorage:
		return refuse("storage type can not be updated")
	case old.OptStartSeq != c.OptStartSeq:
		return refuse("start sequence can not be updated")
	case !sameTime(old.OptStartTime, c.OptStartTime):
		return refuse("start time can not be updated")
	case old.AckPolicy != c.AckPolicy:
		return refuse("ack policy can not be updated")
	case old.ReplayPolicy != c.ReplayPolicy:
		return refuse("replay policy can not be updated")
	case old.Heartbeat != c.Heartbeat:
		return refuse("heart beats can not be updated")
	case old.FlowControl != c.FlowControl:
		return refuse("flow control can not be updated")
	}
	if old.DeliverSubject != c.DeliverSubject {
		switch {
		case old.DeliverSubject == "":
			return refuse("can not update pull consumer to push based")
		case c.DeliverSubject == "":
			return refuse("can not update push consumer to pull based")
		case interested(old.DeliverSubject):
			return server.NewJSConsumerNameExistError()
		}
	}
	if old.MaxWaiting != c.MaxWaiting {
		return refuse("max waiting can not be updated")
	}
	return nil
}

// coreCursor is what core keeps of a consumer's configuration.
func (s *stream) coreCursor(name string, c *server.ConsumerConfig, filters []string, doc []byte) core.CursorConfig {
	out := core.CursorConfig{
		Name: s.cursorName(name), Partition: s.partition(), Durable: !c.MemoryStorage, Filters: filters, AckWait: c.AckWait, Backoff: c.BackOff,
		MaxAttempts: max(c.MaxDeliver, 0), MaxInFlight: max(c.MaxAckPending, 0), Doc: doc,
	}
	switch c.AckPolicy {
	case server.AckNone:
		out.Ack = core.AckNone
	case server.AckAll:
		out.Ack = core.AckUpTo
	}
	switch c.DeliverPolicy {
	case server.DeliverLast:
		out.Start = core.StartLast
	case server.DeliverNew:
		out.Start = core.StartNext
	case server.DeliverByStartSequence:
		out.Start, out.StartOffset = core.StartOffset, offsetOf(c.OptStartSeq)
	case server.DeliverByStartTime:
		out.Start, out.StartTime = core.StartTime, c.OptStartTime.UnixNano()
	case server.DeliverLastPerSubject:
		out.Start = core.StartLastPerKey
	}
	if c.PauseUntil != nil && !c.PauseUntil.IsZero() {
		out.PausedUntil = c.PauseUntil.UnixNano()
	}
	return out
}

package jetstream

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
)

// Smallest windows that a stream may have.
const (
	minMaxAge    = 100 * time.Millisecond
	minDedup     = 100 * time.Millisecond
	minMarkerTTL = time.Second
)

// ownedByDoors are the subjects that streams of other doors and the engine
// itself live under.
var ownedByDoors = []string{"$KAFKA.>", "$AMQP.>"}

func badStream(format string, args ...any) *server.ApiError {
	return server.NewJSStreamInvalidConfigError(fmt.Errorf(format, args...))
}

// checkStream returns the configuration with its defaults applied, or the reason
// why it is refused. The order of the checks and the texts are nats-server
// 2.15.2's (stream.go checkStreamCfg); what this server does not do is refused
// in notBuilt.
func checkStream(in *server.StreamConfig, pedantic bool) (server.StreamConfig, *server.ApiError) {
	c := *in
	switch {
	case !validName(c.Name):
		return c, badStream("stream name is required and can not contain '.', '*', '>', '\\', '/'")
	case len(c.Name) > server.JSMaxNameLen:
		return c, badStream("stream name is too long, maximum allowed is %d", server.JSMaxNameLen)
	case len(c.Description) > server.JSMaxDescriptionLen:
		return c, badStream("stream description is too long, maximum allowed is %d", server.JSMaxDescriptionLen)
	case metadataLen(c.Metadata) > server.JSMaxMetadataLen:
		return c, badStream("stream metadata exceeds maximum size of %d bytes", server.JSMaxMetadataLen)
	}
	if c.Storage == 0 {
		c.Storage = server.FileStorage
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	switch {
	case c.Replicas > server.StreamMaxReplicas:
		return c, badStream("maximum replicas is %d", server.StreamMaxReplicas)
	case c.Replicas < 0:
		return c, server.NewJSReplicasCountCannotBeNegativeError()
	}
	if err := unlimited(&c, pedantic); err != nil {
		return c, err
	}
	if err := checkWindows(&c, pedantic); err != nil {
		return c, err
	}
	if c.DenyPurge && c.AllowRollup {
		return c, badStream("roll-ups require the purge permission")
	}
	if err := checkCounter(&c); err != nil {
		return c, err
	}
	if c.DiscardNewPer {
		if c.Discard != server.DiscardNew {
			return c, badStream("discard new per subject requires discard new policy to be set")
		}
		if c.MaxMsgsPer <= 0 {
			return c, badStream("discard new per subject requires max msgs per subject > 0")
		}
	}
	if err := checkMarkers(&c, pedantic); err != nil {
		return c, err
	}
	if c.PersistMode == server.AsyncPersistMode {
		switch {
		case c.Storage != server.FileStorage:
			return c, badStream("async persist mode is only supported on file storage")
		case c.Replicas > 1:
			return c, badStream("async persist mode is not supported on replicated streams")
		case c.AllowAtomicPublish:
			return c, badStream("async persist mode is not supported with atomic batch publish")
		}
	}
	if c.Mirror != nil || len(c.Sources) > 0 {
		return c, notBuiltStream(&c)
	}
	if err := checkSubjects(&c); err != nil {
		return c, err
	}
	if err := checkTransforms(&c, pedantic); err != nil {
		return c, err
	}
	if p := c.Placement; p != nil {
		if p.Preferred != "" {
			return c, badStream("preferred server not permitted in placement")
		}
		if p.Cluster == "" && len(p.Tags) == 0 {
			c.Placement = nil
		}
	}
	if err := notBuiltStream(&c); err != nil {
		return c, err
	}
	return c, nil
}

// unlimited turns the ways to say "no limit" into -1.
func unlimited(c *server.StreamConfig, pedantic bool) *server.ApiError {
	limit := func(name string, v int64) (int64, *server.ApiError) {
		if v < -1 && pedantic {
			return v, server.NewJSPedanticError(errors.New(name + " must be set to -1"))
		}
		if v == 0 || v < -1 {
			return -1, nil
		}
		return v, nil
	}
	var err *server.ApiError
	if c.MaxMsgs, err = limit("max_msgs", c.MaxMsgs); err != nil {
		return err
	}
	if c.MaxMsgsPer, err = limit("max_msgs_per_subject", c.MaxMsgsPer); err != nil {
		return err
	}
	if c.MaxBytes, err = limit("max_bytes", c.MaxBytes); err != nil {
		return err
	}
	size, err := limit("max_msg_size", int64(c.MaxMsgSize))
	if err != nil {
		return err
	}
	consumers, err := limit("max_consumers", int64(c.MaxConsumers))
	if err != nil {
		return err
	}
	c.MaxMsgSize, c.MaxConsumers = int32(size), int(consumers)
	return nil
}

func checkWindows(c *server.StreamConfig, pedantic bool) *server.ApiError {
	if c.MaxAge < 0 {
		return badStream("max age can not be negative")
	}
	if c.MaxAge != 0 && c.MaxAge < minMaxAge {
		return badStream("max age needs to be >= 100ms")
	}
	if c.Duplicates == 0 && c.Mirror == nil && len(c.Sources) == 0 {
		c.Duplicates = server.StreamDefaultDuplicatesWindow
		if c.MaxAge != 0 && c.MaxAge < c.Duplicates {
			if pedantic {
				return server.NewJSPedanticError(errors.New("duplicate window cannot be bigger than max age"))
			}
			c.Duplicates = c.MaxAge
		}
	}
	switch {
	case c.Duplicates < 0:
		return badStream("duplicates window can not be negative")
	case c.MaxAge != 0 && c.Duplicates > c.MaxAge:
		return badStream("duplicates window can not be larger then max age")
	case c.Duplicates > 0 && c.Duplicates < minDedup:
		return badStream("duplicates window needs to be >= 100ms")
	}
	return nil
}

func checkCounter(c *server.StreamConfig) *server.ApiError {
	if !c.AllowMsgCounter {
		return nil
	}
	switch {
	case c.Discard == server.DiscardNew:
		return badStream("counter stream cannot use discard new")
	case c.AllowMsgTTL:
		return badStream("counter stream cannot use message TTLs")
	case c.AllowMsgSchedules:
		return badStream("counter stream cannot use message schedules")
	case c.Retention != server.LimitsPolicy:
		return badStream("counter stream can only use limits retention")
	}
	return nil
}

func checkMarkers(c *server.StreamConfig, pedantic bool) *server.ApiError {
	switch ttl := c.SubjectDeleteMarkerTTL; {
	case ttl < 0:
		return badStream("subject delete marker TTL must not be negative")
	case ttl > 0 && ttl < minMarkerTTL:
		return badStream("subject delete marker TTL must be at least 1 second")
	case ttl > 0 && pedantic && !c.AllowMsgTTL:
		return badStream("subject delete marker cannot be set if message TTLs are disabled")
	case ttl > 0 && pedantic && !c.AllowRollup:
		return badStream("subject delete marker cannot be set if roll-ups are disabled")
	case ttl > 0:
		c.AllowMsgTTL = true
		if !c.AllowRollup {
			c.AllowRollup, c.DenyPurge = true, false
		}
	}
	if !c.AllowMsgSchedules {
		return nil
	}
	if c.Discard == server.DiscardNew {
		return badStream("message scheduling cannot use discard new")
	}
	if !c.AllowRollup {
		if pedantic {
			return badStream("message scheduling cannot be set if roll-ups are disabled")
		}
		c.AllowRollup, c.DenyPurge = true, false
	}
	return nil
}

func checkSubjects(c *server.StreamConfig) *server.ApiError {
	if len(c.Subjects) == 0 {
		c.Subjects = []string{c.Name}
		return nil
	}
	for i, s := range c.Subjects {
		if !server.IsValidSubject(s) {
			return badStream("invalid subject")
		}
		if s == ">" {
			if !c.NoAck {
				return badStream("capturing all subjects requires no-ack to be true")
			}
			if c.Replicas != 1 {
				return badStream("capturing all subjects requires replicas of 1")
			}
		}
		if !c.NoAck {
			for _, api := range []string{"$JS.>", "$JSC.>", "$NRG.>"} {
				if server.SubjectsCollide(s, api) && !server.SubjectMatchesFilter(s, "$JS.EVENT.>") {
					return badStream("subjects that overlap with jetstream api require no-ack to be true")
				}
			}
			if server.SubjectsCollide(s, "$SYS.>") && !server.SubjectMatchesFilter(s, "$SYS.ACCOUNT.>") {
				return badStream("subjects that overlap with system api require no-ack to be true")
			}
		}
		for _, owned := range ownedByDoors {
			if s != ">" && server.SubjectsCollide(s, owned) {
				return badStream("subjects that overlap with %s are captured by its own streams", owned)
			}
		}
		for _, t := range c.Subjects[i+1:] {
			if server.SubjectsCollide(t, s) {
				return badStream("subject %q overlaps with %q", s, t)
			}
		}
	}
	return nil
}

func checkTransforms(c *server.StreamConfig, pedantic bool) *server.ApiError {
	if t := c.SubjectTransform; t != nil {
		if t.Source != "" && !server.IsValidSubject(t.Source) {
			return server.NewJSStreamTransformInvalidSourceError(fmt.Errorf("%w %s", server.ErrBadSubject, t.Source))
		}
		if err := server.ValidateMapping(t.Source, t.Destination); err != nil {
			return server.NewJSStreamTransformInvalidDestinationError(err)
		}
	}
	if r := c.RePublish; r != nil {
		if r.Source == "" && pedantic {
			return server.NewJSPedanticError(errors.New("republish source can not be empty"))
		}
		out := *r
		c.RePublish = &out
		if out.Source == "" {
			out.Source = ">"
		}
		if t := c.SubjectTransform; t != nil && out.Destination == ">" && out.Source == ">" &&
			len(c.Subjects) == 1 && t.Source == c.Subjects[0] {
			if pedantic {
				return server.NewJSPedanticError(errors.New("implicit republish based on subject transform"))
			}
			out.Source, out.Destination = t.Destination, t.Destination
		}
		for _, s := range c.Subjects {
			if server.SubjectsCollide(out.Destination, s) {
				return badStream("stream configuration for republish destination forms a cycle")
			}
		}
		if _, err := server.NewSubjectTransform(out.Source, out.Destination); err != nil {
			return badStream("stream configuration for republish with transform from '%s' to '%s' not valid", out.Source, out.Destination)
		}
	}
	return nil
}

// notBuiltStream refuses what this server does not do yet.
func notBuiltStream(c *server.StreamConfig) *server.ApiError {
	for _, f := range []struct {
		asked bool
		what  string
	}{
		{c.Mirror != nil, "mirrors"},
		{len(c.Sources) > 0, "sources"},
		{c.AllowMsgCounter, "message counters"},
		{c.AllowMsgSchedules, "message schedules"},
		{c.Compression != server.NoCompression, "compression"},
	} {
		if f.asked {
			return badStream("%s are not supported by this server", f.what)
		}
	}
	return nil
}

// checkStreamUpdate returns the configuration that old becomes by an update to
// in (nats-server's configUpdateCheck).
func checkStreamUpdate(old, in *server.StreamConfig, pedantic bool) (server.StreamConfig, *server.ApiError) {
	c, err := checkStream(in, pedantic)
	if err != nil {
		return c, err
	}
	workqueue := old.Retention == server.WorkQueuePolicy || c.Retention == server.WorkQueuePolicy
	switch {
	case c.Name != old.Name:
		return c, badStream("stream configuration name must match original")
	case c.Replicas > 1:
		return c, server.NewJSStreamReplicasNotSupportedError()
	case c.Storage != old.Storage:
		return c, badStream("stream configuration update can not change storage type")
	case c.Retention != old.Retention && workqueue:
		return c, badStream("stream configuration update can not change retention policy to/from workqueue")
	case !c.Sealed && old.Sealed:
		return c, badStream("stream configuration update can not unseal a sealed stream")
	case !c.DenyDelete && old.DenyDelete:
		return c, badStream("stream configuration update can not cancel deny message deletes")
	case !c.DenyPurge && old.DenyPurge:
		return c, badStream("stream configuration update can not cancel deny purge")
	case !c.AllowMsgTTL && old.AllowMsgTTL:
		return c, badStream("message TTL status can not be disabled")
	case c.AllowMsgCounter != old.AllowMsgCounter:
		return c, badStream("stream configuration update can not change message counter setting")
	case !c.AllowMsgSchedules && old.AllowMsgSchedules:
		return c, badStream("message schedules can not be disabled")
	case c.PersistMode != old.PersistMode:
		return c, badStream("stream configuration update can not change persist mode")
	}
	if c.Sealed {
		c.MaxAge, c.Discard = 0, server.DiscardNew
		c.DenyDelete, c.DenyPurge, c.AllowRollup = true, true, false
	}
	return c, nil
}

// exceeding names the consumers whose settings are above new consumer limits.
func exceeding(l server.StreamConsumerLimits, cs []*consumer) string {
	var names []string
	for _, c := range cs {
		cfg := c.config()
		if (l.InactiveThreshold > 0 && cfg.InactiveThreshold > l.InactiveThreshold) ||
			(l.MaxAckPending > 0 && cfg.MaxAckPending > l.MaxAckPending) {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ", ")
}

// coreStream is what core keeps of a stream's configuration.
func coreStream(c *server.StreamConfig, doc []byte) core.StreamConfig {
	positive := func(n int64) int64 { return max(n, 0) }
	out := core.StreamConfig{
		Realm: Realm, Name: c.Name, Partitions: 1, Volatile: c.Storage == server.MemoryStorage, Sealed: c.Sealed,
		OverflowPerKey: c.DiscardNewPer, MaxMessages: positive(c.MaxMsgs), MaxBytes: positive(c.MaxBytes),
		MaxMessagesPerKey: positive(c.MaxMsgsPer), MaxMessageSize: entrySize(c.MaxMsgSize),
		MaxAge: c.MaxAge, Expiring: c.AllowMsgTTL, TellExpired: c.SubjectDeleteMarkerTTL > 0, DedupWindow: c.Duplicates, KeyIndex: true, Doc: doc,
	}
	if c.FirstSeq > 0 {
		out.First = offsetOf(c.FirstSeq)
	}
	if c.Discard == server.DiscardNew {
		out.Overflow = core.RejectNew
	}
	switch c.Retention {
	case server.InterestPolicy:
		out.Retention = core.KeepInterest
	case server.WorkQueuePolicy:
		out.Retention = core.KeepWork
	}
	return out
}

// maxEntryPrefix is what an entry adds to a message: the header block's length.
const maxEntryPrefix = 3

// entrySize is the size of the largest entry for a message of that size.
func entrySize(max int32) int64 {
	if max <= 0 {
		return 0
	}
	return int64(max) + maxEntryPrefix
}

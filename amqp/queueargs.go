package amqp

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"

	"trivium/amqp/wire"
	"trivium/core"
)

// The arguments of queues, as in RabbitMQ 4.2's rabbit_amqqueue:check_declare_arguments.

// The types of queues.
const (
	typeClassic = "classic"
	typeQuorum  = "quorum"
	typeStream  = "stream"
)

const (
	argType           = "x-queue-type"
	argExpires        = "x-expires"
	argTTL            = "x-message-ttl"
	argDLX            = "x-dead-letter-exchange"
	argDLRK           = "x-dead-letter-routing-key"
	argDLStrategy     = "x-dead-letter-strategy"
	argMaxLength      = "x-max-length"
	argMaxBytes       = "x-max-length-bytes"
	argMaxMemLength   = "x-max-in-memory-length"
	argMaxMemBytes    = "x-max-in-memory-bytes"
	argMaxPriority    = "x-max-priority"
	argOverflow       = "x-overflow"
	argMode           = "x-queue-mode"
	argVersion        = "x-queue-version"
	argSingleActive   = "x-single-active-consumer"
	argGroupSize      = "x-quorum-initial-group-size"
	argDeliveryLimit  = "x-delivery-limit"
	argMaxAge         = "x-max-age"
	argSegmentBytes   = "x-stream-max-segment-size-bytes"
	argFilterBytes    = "x-stream-filter-size-bytes"
	argClusterSize    = "x-initial-cluster-size"
	argLeaderLocator  = "x-queue-leader-locator"
	argMasterLocator  = "x-queue-master-locator"
	argPriority       = "x-priority"
	argStreamOffset   = "x-stream-offset"
	argStreamFilter   = "x-stream-filter"
	argStreamUnfilter = "x-stream-match-unfiltered"
)

// maxPriority is the most levels of priority a classic queue may have.
const maxPriority = 255

// defaultDeliveryLimit is how often a quorum queue delivers a message in vain before it counts as poison.
const defaultDeliveryLimit = 20

// maxSegmentBytes bounds x-stream-max-segment-size-bytes.
const maxSegmentBytes = 3_000_000_000

// queueArgs are the arguments that each type of queue knows; an argument that only others know is
// refused, one that none knows is kept and ignored.
var queueArgs = map[string][]string{
	typeClassic: {
		argExpires, argTTL, argDLX, argDLRK, argMaxLength, argMaxBytes, argMaxPriority, argOverflow, argMode, argVersion,
		argSingleActive, argType, argMasterLocator, argLeaderLocator, argDedup, argDedupHeader, argCacheSize, argCacheTTL,
	},
	typeQuorum: {
		argDLX, argDLRK, argDLStrategy, argExpires, argMaxLength, argMaxBytes, argMaxMemLength, argMaxMemBytes, argOverflow,
		argSingleActive, argType, argGroupSize, argDeliveryLimit, argTTL, argLeaderLocator, argDedup, argDedupHeader, argCacheSize,
		argCacheTTL,
	},
	typeStream: {
		argMaxBytes, argType, argMaxAge, argSegmentBytes, argFilterBytes, argClusterSize, argLeaderLocator, argDedup, argDedupHeader,
		argCacheTTL,
	},
}

// consumeArgs are the same for consumers.
var consumeArgs = map[string][]string{
	typeClassic: {argPriority},
	typeQuorum:  {argPriority},
	typeStream:  {argStreamOffset, argStreamFilter, argStreamUnfilter},
}

// argChecks say what is wrong with a value, as RabbitMQ does: in Erlang's terms.
var argChecks = []struct {
	name  string
	check func(v wire.Value, args wire.Table) string
}{
	{argExpires, checkExpires},
	{argTTL, checkTTL},
	{argDLX, checkString},
	{argDLRK, checkDLRK},
	{argDLStrategy, oneOf("invalid_dlx_strategy", "at-most-once", "at-least-once")},
	{argMaxLength, checkNonNegative},
	{argMaxBytes, checkNonNegative},
	{argMaxMemLength, checkNonNegative},
	{argMaxMemBytes, checkNonNegative},
	{argMaxPriority, checkMaxPriority},
	{argOverflow, oneOf("invalid_overflow", "drop-head", "reject-publish", "reject-publish-dlx")},
	{argMode, checkMode},
	{argVersion, checkVersion},
	{argSingleActive, checkBool},
	{argGroupSize, checkPositive},
	{argMaxAge, checkMaxAge},
	{argSegmentBytes, checkNonNegative},
	{argFilterBytes, checkNonNegative},
	{argClusterSize, checkPositive},
	{argLeaderLocator, oneOf("invalid_queue_locator_arg", "client-local", "balanced", "random", "least-leaders", "min-masters")},
	{argPriority, checkInt},
	{argStreamOffset, checkStreamOffset},
	{argDedup, checkBool},
	{argDedupHeader, checkDedupHeader},
	{argCacheSize, checkCacheSize},
	{argCacheTTL, checkCacheTTL},
	{argCachePlace, oneOf(strconv.Quote("must be either 'disk' or 'memory'"), "disk", "memory")},
}

func unacceptable(v wire.Value) string { return "{unacceptable_type," + typeName(v.Type) + "}" }

func checkInt(v wire.Value, _ wire.Table) string {
	if _, ok := v.Int(); !ok {
		return strconv.Quote("expected integer, got " + typeName(v.Type))
	}
	return ""
}

func checkNonNegative(v wire.Value, args wire.Table) string {
	if bad := checkInt(v, args); bad != "" {
		return bad
	}
	if n, _ := v.Int(); n < 0 {
		return fmt.Sprintf("{value_negative,%d}", n)
	}
	return ""
}

func checkPositive(v wire.Value, args wire.Table) string {
	if n, ok := v.Int(); ok && n == 0 {
		return "{value_zero,0}"
	}
	return checkNonNegative(v, args)
}

func checkTTL(v wire.Value, args wire.Table) string {
	if bad := checkNonNegative(v, args); bad != "" {
		return bad
	}
	if n, _ := v.Int(); n > maxExpiry.Milliseconds() {
		return fmt.Sprintf("{value_too_large,%d}", n)
	}
	return ""
}

func checkExpires(v wire.Value, args wire.Table) string {
	if n, ok := v.Int(); ok && n == 0 {
		return "{value_zero,0}"
	}
	return checkTTL(v, args)
}

func checkString(v wire.Value, _ wire.Table) string {
	if v.Type != wire.TypeString {
		return unacceptable(v)
	}
	return ""
}

func checkBool(v wire.Value, _ wire.Table) string {
	if v.Type != wire.TypeBool {
		return unacceptable(v)
	}
	return ""
}

func checkDLRK(v wire.Value, args wire.Table) string {
	if bad := checkString(v, args); bad != "" {
		return bad
	}
	if !args.Has(argDLX) {
		return "routing_key_but_no_dlx_defined"
	}
	return ""
}

func oneOf(bad string, values ...string) func(wire.Value, wire.Table) string {
	return func(v wire.Value, args wire.Table) string {
		if bad := checkString(v, args); bad != "" {
			return bad
		}
		if s, _ := v.Text(); !slices.Contains(values, string(s)) {
			return bad
		}
		return ""
	}
}

func checkMaxPriority(v wire.Value, args wire.Table) string {
	if bad := checkNonNegative(v, args); bad != "" {
		return bad
	}
	if n, _ := v.Int(); n > maxPriority {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return ""
}

func checkMode(v wire.Value, args wire.Table) string {
	if bad := checkString(v, args); bad != "" {
		return bad
	}
	if s, _ := v.Text(); string(s) != "default" && string(s) != "lazy" {
		return strconv.Quote("unsupported queue mode '" + string(s) + "'")
	}
	return ""
}

func checkVersion(v wire.Value, args wire.Table) string {
	if bad := checkNonNegative(v, args); bad != "" {
		return bad
	}
	if n, _ := v.Int(); n != 1 && n != 2 {
		return strconv.Quote(fmt.Sprintf("unsupported queue version '%d'", n))
	}
	return ""
}

func checkMaxAge(v wire.Value, args wire.Table) string {
	if bad := checkString(v, args); bad != "" {
		return bad
	}
	s, _ := v.Text()
	if _, ok := parseAge(string(s)); !ok {
		return "invalid_max_age"
	}
	return ""
}

func checkStreamOffset(v wire.Value, _ wire.Table) string {
	if _, ok := parseStart(v, 0); !ok {
		return "{invalid_stream_offset_arg,{" + typeName(v.Type) + "," + erlangString(headerText(v)) + "}}"
	}
	return ""
}

// ageUnits of x-max-age and of intervals in x-stream-offset.
var ageUnits = map[string]time.Duration{
	"Y": 365 * 24 * time.Hour, "M": 30 * 24 * time.Hour, "D": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second,
}

// parseAge reads a number and a unit.
func parseAge(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	unit, ok := ageUnits[s[len(s)-1:]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 63)
	if !ok || err != nil || n == 0 || n > uint64((1<<63-1)/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// checkArgs refuses arguments that a queue of this type does not have, or values that are no good.
func checkArgs(what, queueType string, known map[string][]string, args wire.Table) error {
	mine := known[queueType]
	for _, c := range argChecks {
		if v, ok := args.Lookup(c.name); ok && slices.Contains(mine, c.name) {
			if bad := c.check(v, args); bad != "" {
				return refuse(codePreconditionFailed, "invalid arg '%s' for %s: %s", c.name, what, bad)
			}
		}
	}
	var err error
	args.Each(func(name []byte, _ wire.Value) bool {
		for other, names := range known {
			if other != queueType && slices.Contains(names, string(name)) && !slices.Contains(mine, string(name)) {
				err = refuse(codePreconditionFailed, "invalid arg '%s' for %s of queue type %s", name, what, erlangType(queueType))
				return false
			}
		}
		return true
	})
	return err
}

// erlangType is how RabbitMQ's texts name a type.
func erlangType(t string) string { return "rabbit_" + t + "_queue" }

// queueType is the type that a declaration asks for.
func queueType(what string, args wire.Table) (string, error) {
	v, ok := args.Lookup(argType)
	if !ok {
		return typeClassic, nil
	}
	s, _ := v.Text()
	switch {
	case v.Type != wire.TypeString:
		return "", refuse(codePreconditionFailed, "invalid arg '%s' for %s: %s", argType, what, unacceptable(v))
	case queueArgs[string(s)] == nil:
		return "", refuse(codePreconditionFailed, "invalid arg '%s' for %s: %s", argType, what, strconv.Quote("unsupported queue type '"+string(s)+"'"))
	}
	return string(s), nil
}

func intArg(args wire.Table, name string) (int64, bool) {
	v, ok := args.Lookup(name)
	if !ok {
		return 0, false
	}
	return v.Int()
}

func textArg(args wire.Table, name string) (string, bool) {
	v, ok := args.Lookup(name)
	if !ok {
		return "", false
	}
	s, ok := v.Text()
	return string(s), ok
}

// queueConfig is a classic or quorum queue as core makes it.
func queueConfig(m *wire.QueueDeclare, name, typ, owner string) core.QueueConfig {
	args := m.Arguments
	q := core.QueueConfig{
		Realm: Realm, Name: name, Durable: m.Durable && owner == "", AutoDelete: m.AutoDelete, Owner: owner, Doc: args,
	}
	ms := func(name string) (time.Duration, bool) {
		n, ok := intArg(args, name)
		return time.Duration(n) * time.Millisecond, ok
	}
	q.TTL, q.HasTTL = ms(argTTL)
	q.Dedup, q.IDHeader = queueDedup(args)
	q.ExpiresAfter, _ = ms(argExpires)
	q.MaxMessages, q.HasMaxMessages = intArg(args, argMaxLength)
	q.MaxBytes, q.HasMaxBytes = intArg(args, argMaxBytes)
	q.DeadLetter, q.HasDeadLetter = textArg(args, argDLX)
	q.DeadLetterKey, q.HasDeadLetterKey = textArg(args, argDLRK)
	switch o, _ := textArg(args, argOverflow); o {
	case "reject-publish":
		q.Overflow = core.RejectNew
	case "reject-publish-dlx":
		q.Overflow, q.DeadLetterRejected = core.RejectNew, true
	}
	if v, ok := args.Lookup(argSingleActive); ok {
		q.SingleActive, _ = v.Bool()
	}
	if typ == typeQuorum {
		q.ReturnFirst, q.Weighted = true, true
		q.MaxAttempts = defaultDeliveryLimit + 1
		if n, ok := intArg(args, argDeliveryLimit); ok {
			q.MaxAttempts = int(n) + 1
			if n < 0 {
				q.MaxAttempts = 0
			}
		}
	} else if n, ok := intArg(args, argMaxPriority); ok {
		q.Priorities = int(n)
	}
	return q
}

// argsID is the canonical form of a binding's arguments: as a set.
func argsID(args wire.Table) string {
	var all []string
	args.Each(func(name []byte, v wire.Value) bool {
		all = append(all, string(wire.Table(nil).Field(string(name), v)))
		return true
	})
	sort.Strings(all)
	id := ""
	for _, f := range all {
		id += f
	}
	return id
}

package kafkawire

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/core"
	"trivium/kafkawire/wire"
)

// The types of a config value on the wire.
const (
	typeBool   = 1
	typeString = 2
	typeInt    = 3
	typeLong   = 5
	typeDouble = 6
	typeList   = 7
)

// config is one topic config.
type config struct {
	name string
	typ  int8
	def  string
	// broker is the broker config that gives the default, "" if none.
	broker string
	// check says why a value is refused, "" if it is not; nil takes all of the type.
	check func(v string) string
	doc   string
}

func atLeast(min int64) func(string) string {
	return func(v string) string {
		if n, _ := strconv.ParseInt(v, 10, 64); n < min {
			return "Value must be at least " + strconv.FormatInt(min, 10)
		}
		return ""
	}
}

func between(lo, hi float64) func(string) string {
	show := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return func(v string) string {
		switch n, _ := strconv.ParseFloat(v, 64); {
		case n < lo:
			return "Value must be at least " + show(lo)
		case n > hi:
			return "Value must be no more than " + show(hi)
		}
		return ""
	}
}

func oneOf(vs ...string) func(string) string {
	return func(v string) string {
		for _, p := range strings.Split(v, ",") {
			if p = strings.TrimSpace(p); p != "" && !slices.Contains(vs, p) {
				return "String must be one of: " + strings.Join(vs, ", ")
			}
		}
		return ""
	}
}

func gzipLevel(v string) string {
	if n, _ := strconv.Atoi(v); n >= 1 && n <= 9 || n == -1 {
		return ""
	}
	return "Value must be between 1 and 9 or equal to -1"
}

const (
	day     = 24 * 60 * 60 * 1000
	maxLong = "9223372036854775807"
)

// topicConfigs are Kafka 4.3.1's, in order of name. Those about segments,
// indexes, flushing and replication are kept and shown, and have no effect
// beyond that: this store decides such things itself (docs/kafka.md).
var topicConfigs = []config{
	{"cleanup.policy", typeList, "delete", "log.cleanup.policy", oneOf("compact", "delete"), "What becomes of old records: delete, compact or both."},
	{"compression.gzip.level", typeInt, "-1", "compression.gzip.level", gzipLevel, "The level of gzip, if records are compressed anew."},
	{"compression.lz4.level", typeInt, "9", "compression.lz4.level", between(1, 17), "The level of lz4, if records are compressed anew."},
	{"compression.type", typeString, "producer", "compression.type", oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), "The final compression of a topic: producer keeps the producer's."},
	{"compression.zstd.level", typeInt, "3", "compression.zstd.level", between(-131072, 22), "The level of zstd, if records are compressed anew."},
	{"delete.retention.ms", typeLong, strconv.Itoa(day), "log.cleaner.delete.retention.ms", atLeast(0), "How long tombstones of a compacted topic stay."},
	{"file.delete.delay.ms", typeLong, "60000", "log.segment.delete.delay.ms", atLeast(0), "How long a deleted file stays."},
	{"flush.messages", typeLong, maxLong, "log.flush.interval.messages", atLeast(1), "Records between forced flushes. The server's durability decides."},
	{"flush.ms", typeLong, maxLong, "", atLeast(0), "Time between forced flushes. The server's durability decides."},
	{"follower.replication.throttled.replicas", typeList, "", "", nil, "Replicas whose replication is throttled."},
	{"index.interval.bytes", typeInt, "4096", "log.index.interval.bytes", atLeast(0), "Bytes between entries of the offset index."},
	{"leader.replication.throttled.replicas", typeList, "", "", nil, "Replicas whose replication is throttled."},
	{"local.retention.bytes", typeLong, "-2", "log.local.retention.bytes", atLeast(-2), "Bytes kept locally of a tiered topic."},
	{"local.retention.ms", typeLong, "-2", "log.local.retention.ms", atLeast(-2), "Time kept locally of a tiered topic."},
	{"max.compaction.lag.ms", typeLong, maxLong, "log.cleaner.max.compaction.lag.ms", atLeast(1), "The longest a record stays uncompacted."},
	{"max.message.bytes", typeInt, "1048588", "message.max.bytes", atLeast(0), "The largest record batch, as sent."},
	{"message.timestamp.after.max.ms", typeLong, "3600000", "log.message.timestamp.after.max.ms", atLeast(0), "How far a record's timestamp may be in the future."},
	{"message.timestamp.before.max.ms", typeLong, maxLong, "log.message.timestamp.before.max.ms", atLeast(0), "How far a record's timestamp may be in the past."},
	{"message.timestamp.type", typeString, "CreateTime", "log.message.timestamp.type", oneOf("CreateTime", "LogAppendTime"), "Whether a record's timestamp is the producer's or the log's."},
	{"min.cleanable.dirty.ratio", typeDouble, "0.5", "log.cleaner.min.cleanable.ratio", between(0, 1), "How dirty a log must be to be compacted."},
	{"min.compaction.lag.ms", typeLong, "0", "log.cleaner.min.compaction.lag.ms", atLeast(0), "The shortest a record stays uncompacted."},
	{"min.insync.replicas", typeInt, "1", "min.insync.replicas", atLeast(1), "In-sync replicas that acks=all needs, bounded by the number of replicas."},
	{"preallocate", typeBool, "false", "log.preallocate", nil, "Whether files are allocated in advance."},
	{"remote.log.copy.disable", typeBool, "false", "", nil, "Whether a tiered topic is copied no more."},
	{"remote.log.delete.on.disable", typeBool, "false", "", nil, "Whether tiered data goes when tiering is disabled."},
	{"remote.storage.enable", typeBool, "false", "", nil, "Whether the topic is tiered."},
	{"retention.bytes", typeLong, "-1", "log.retention.bytes", nil, "The most bytes kept of a partition; -1 is no bound."},
	{"retention.ms", typeLong, strconv.Itoa(7 * day), "", atLeast(-1), "How long records are kept; -1 is for ever."},
	{"segment.bytes", typeInt, strconv.Itoa(1 << 30), "log.segment.bytes", atLeast(1 << 20), "The size of a segment file."},
	{"segment.index.bytes", typeInt, strconv.Itoa(10 << 20), "log.index.size.max.bytes", atLeast(4), "The size of a segment's index."},
	{"segment.jitter.ms", typeLong, "0", "", atLeast(0), "The most that segment.ms is shortened by at random."},
	{"segment.ms", typeLong, strconv.Itoa(7 * day), "", atLeast(1), "The age at which a segment file is closed."},
	{"unclean.leader.election.enable", typeBool, "false", "unclean.leader.election.enable", nil, "Whether a replica that lacks records may lead."},
}

func findConfig(name string) *config {
	i, ok := slices.BinarySearchFunc(topicConfigs, name, func(c config, n string) int { return strings.Compare(c.name, n) })
	if !ok {
		return nil
	}
	return &topicConfigs[i]
}

// validate says why v is no value for c, in Kafka's words; "" if it is one.
func (c *config) validate(v string) string {
	v = strings.TrimSpace(v)
	why := ""
	switch c.typ {
	case typeBool:
		if l := strings.ToLower(v); l != "true" && l != "false" {
			why = "Expected value to be either true or false"
		}
	case typeInt:
		if _, err := strconv.ParseInt(v, 10, 32); err != nil {
			why = "Not a number of type INT"
		}
	case typeLong:
		if _, err := strconv.ParseInt(v, 10, 64); err != nil {
			why = "Not a number of type LONG"
		}
	case typeDouble:
		if _, err := strconv.ParseFloat(v, 64); err != nil {
			why = "Not a number of type DOUBLE"
		}
	}
	if why == "" && c.check != nil {
		why = c.check(v)
	}
	if why == "" {
		return ""
	}
	if f, err := strconv.ParseFloat(v, 64); c.typ == typeDouble && err == nil {
		if v = strconv.FormatFloat(f, 'f', -1, 64); !strings.Contains(v, ".") {
			v += ".0" // as Java shows it
		}
	}
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", v, c.name, why)
}

// checkConfigs says why a topic cannot have these configs, "" if it can.
func checkConfigs(m map[string]string) string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		c := findConfig(n)
		if c == nil {
			return "Unknown topic config name: " + n
		}
		if why := c.validate(m[n]); why != "" {
			return why
		}
	}
	lo, hi := configInt(m, "min.compaction.lag.ms"), configInt(m, "max.compaction.lag.ms")
	if lo > hi {
		return fmt.Sprintf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", lo, hi)
	}
	if configValue(m, "remote.storage.enable") == "true" {
		return "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
	}
	return ""
}

// configValue is the explicit value of a config, or its default.
func configValue(m map[string]string, name string) string {
	if v, ok := m[name]; ok {
		return strings.TrimSpace(v)
	}
	return findConfig(name).def
}

func configInt(m map[string]string, name string) int64 {
	n, _ := strconv.ParseInt(configValue(m, name), 10, 64)
	return n
}

func policy(m map[string]string, p string) bool {
	for _, v := range strings.Split(configValue(m, "cleanup.policy"), ",") {
		if strings.TrimSpace(v) == p {
			return true
		}
	}
	return false
}

// codecs are the values of compression.type that name one.
var codecs = map[string]wire.Codec{
	"uncompressed": wire.None, "gzip": wire.Gzip, "snappy": wire.Snappy, "lz4": wire.LZ4, "zstd": wire.Zstd,
}

func parseSettings(m map[string]string) settings {
	codec, recompress := codecs[configValue(m, "compression.type")]
	level := 0
	switch codec {
	case wire.Gzip, wire.LZ4, wire.Zstd:
		level = int(configInt(m, "compression."+configValue(m, "compression.type")+".level"))
	}
	return settings{
		recompress: recompress, codec: codec, level: level,

		maxMessageBytes: int(configInt(m, "max.message.bytes")),
		compact:         policy(m, "compact"),
		appendTime:      configValue(m, "message.timestamp.type") == "LogAppendTime",
		beforeMax:       configInt(m, "message.timestamp.before.max.ms"),
		afterMax:        configInt(m, "message.timestamp.after.max.ms"),
	}
}

// apply gives a stream's configuration the limits that the configs ask for.
func apply(m map[string]string, c *core.StreamConfig) {
	c.Retention, c.Overflow = core.KeepLimits, core.DropOldest
	c.Compact = compaction(m)
	c.MaxMessageSize = configInt(m, "max.message.bytes")
	c.MaxAge, c.MaxBytes = 0, 0
	if !policy(m, "delete") {
		return
	}
	if ms := configInt(m, "retention.ms"); ms >= 0 {
		c.MaxAge = duration(max(ms, 1))
	}
	if n := configInt(m, "retention.bytes"); n >= 0 {
		c.MaxBytes = max(n, 1)
	}
}

func compaction(m map[string]string) core.Compaction {
	if !policy(m, "compact") {
		return core.Compaction{}
	}
	dirty, _ := strconv.ParseFloat(configValue(m, "min.cleanable.dirty.ratio"), 64)
	return core.Compaction{
		On: true, Dirty: dirty,
		MinAge:       duration(configInt(m, "min.compaction.lag.ms")),
		MaxAge:       duration(configInt(m, "max.compaction.lag.ms")),
		TombstoneAge: duration(configInt(m, "delete.retention.ms")),
	}
}

// duration is ms milliseconds, or as many as a Duration holds.
func duration(ms int64) time.Duration {
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

package kafkawire

import (
	"strconv"
	"strings"
	"time"

	"trivium/core"
)

// Views: what other doors made, as topics. Source: mapping.md, Names.
//
// A stream S of realm r is the topic r.S, internal, so that a regular expression
// over all topics does not pick it up. It can be read, written and have
// positions; only its own door creates, changes or deletes it.

// viewName is the topic name of another door's stream.
func viewName(r core.Realm, name string) string {
	return string(r) + "." + strings.Map(func(c rune) rune {
		if illegal(c) {
			return '_'
		}
		return c
	}, name)
}

// view resolves a view's name, or returns nil.
func (r *registry) view(name string) *topic {
	realm, rest, ok := strings.Cut(name, ".")
	if !ok || realm == "" || core.Realm(realm) == Realm {
		return nil
	}
	if s := r.ns.Stream(core.Realm(realm), rest); s != nil && !s.Config().Internal {
		if t := r.of(s); t.name == name {
			return t
		}
	}
	if !strings.Contains(rest, "_") {
		return nil
	}
	// The first stream whose name reads like this.
	var t *topic
	r.ns.Streams(func(s *core.Stream) bool {
		if o := r.of(s); !o.own && o.name == name && !s.Config().Internal {
			t = o
		}
		return t == nil
	})
	return t
}

// viewSource is what a view takes from its stream, which its own door may change.
type viewSource struct {
	maxAge, dedupWindow              time.Duration
	maxBytes, maxMessageSize, perKey int64
	compact                          core.Compaction
	keyIndex                         bool
}

func sourceOf(c core.StreamConfig) viewSource {
	return viewSource{c.MaxAge, c.DedupWindow, c.MaxBytes, c.MaxMessageSize, c.MaxMessagesPerKey, c.Compact, c.KeyIndex}
}

// viewConfigs shows another door's stream as topic configs.
func viewConfigs(c *core.StreamConfig) map[string]string {
	m := map[string]string{"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
	if c.MaxAge > 0 {
		m["retention.ms"] = strconv.FormatInt(c.MaxAge.Milliseconds(), 10)
	}
	if c.MaxBytes > 0 {
		m["retention.bytes"] = strconv.FormatInt(c.MaxBytes, 10)
	}
	if c.MaxMessageSize > 0 {
		m["max.message.bytes"] = strconv.FormatInt(min(c.MaxMessageSize, 1<<31-1), 10)
	}
	if c.Compact.On || c.MaxMessagesPerKey > 0 {
		m["cleanup.policy"] = "compact"
	}
	return m
}

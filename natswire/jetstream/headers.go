package jetstream

import (
	"bytes"
	"strings"
	"time"

	"trivium/core"
	"trivium/natswire/wire"
)

// seqField is a header that holds a sequence.
type seqField struct {
	set bool
	seq uint64
}

func (f *seqField) parse(v []byte) {
	if f.set || len(v) == 0 {
		return
	}
	f.set = true
	n, ok := parseUint(v)
	if !ok {
		n = 1<<64 - 1 // matches no sequence
	}
	f.seq = n
}

// publishHeaders are the fields of a publish that a stream acts on. The first field of a
// name counts; names are case-sensitive.
type publishHeaders struct {
	id, stream, lastID, ttl, rollup []byte
	last, lastSubject               seqField
	lastSubjectFilter               []byte
	// Fields of features that a stream must allow, or that only a server may set.
	counter, batch, schedule, scheduler, scheduleNext, source bool
}

// parseHeaders reads a header block once.
func parseHeaders(h wire.Header) (p publishHeaders) {
	first := func(to *[]byte, v []byte) {
		if *to == nil {
			*to = v
		}
	}
	rest := []byte(h)
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[i+1:]
	}
	for len(rest) > 0 {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		if len(line) < 6 || string(line[:5]) != "Nats-" {
			continue
		}
		i := bytes.IndexByte(line, ':')
		if i < 0 {
			continue
		}
		v := bytes.TrimRight(bytes.TrimLeft(line[i+1:], " "), "\r")
		switch string(line[5:i]) {
		case "Msg-Id":
			first(&p.id, v)
		case "Expected-Stream":
			first(&p.stream, v)
		case "Expected-Last-Sequence":
			p.last.parse(v)
		case "Expected-Last-Subject-Sequence":
			p.lastSubject.parse(v)
		case "Expected-Last-Subject-Sequence-Subject":
			first(&p.lastSubjectFilter, v)
		case "Expected-Last-Msg-Id":
			first(&p.lastID, v)
		case "Rollup":
			first(&p.rollup, v)
		case "TTL":
			first(&p.ttl, v)
		case "Incr":
			p.counter = p.counter || len(v) > 0
		case "Batch-Id":
			p.batch = p.batch || len(v) > 0
		case "Schedule":
			p.schedule = p.schedule || len(v) > 0
		case "Scheduler":
			p.scheduler = p.scheduler || len(v) > 0
		case "Schedule-Next":
			p.scheduleNext = p.scheduleNext || len(v) > 0
		case "Stream-Source":
			p.source = p.source || len(v) > 0
		}
	}
	return p
}

// parseTTL reads a Nats-TTL: whole seconds, a duration of at least one, or "never",
// which is reported as -1.
func parseTTL(v []byte) (seconds int64, ok bool) {
	s := string(v)
	if strings.EqualFold(s, "never") {
		return -1, true
	}
	if d, err := time.ParseDuration(s); err == nil {
		return int64(d / time.Second), d >= time.Second
	}
	n, ok := parseUint(v)
	return int64(min(n, 1<<62)), ok
}

// expires is the time at which a message published now ends: 0 for no TTL of its
// own, never for a negative one.
func expires(now, ttlSeconds int64) int64 {
	switch {
	case ttlSeconds == 0:
		return 0
	case ttlSeconds < 0, ttlSeconds >= (core.NeverExpires-now)/1e9:
		return core.NeverExpires
	}
	return now + ttlSeconds*1e9
}

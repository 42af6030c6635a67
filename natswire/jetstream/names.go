package jetstream

import (
	"math"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
)

// Realm is the name space of what NATS clients make; natswire.Realm is the same.
const Realm core.Realm = "nats"

// seqOf and offsetOf convert between a stream's sequences, which count from 1,
// and a Log's offsets. A sequence beyond what an offset can hold is clamped.
func seqOf(o core.Offset) uint64 { return uint64(o + 1) }

func offsetOf(seq uint64) core.Offset {
	if seq > math.MaxInt64 {
		return math.MaxInt64
	}
	return core.Offset(seq) - 1
}

// validName reports whether name may name a stream or consumer.
func validName(name string) bool {
	return name != "" && !strings.ContainsAny(name, " \t\r\n\f.*>\\/")
}

// literal reports whether no word of subject is a wildcard.
func literal(subject string) bool {
	for word := range strings.SplitSeq(subject, ".") {
		if word == "*" || word == ">" {
			return false
		}
	}
	return true
}

// collide reports whether any of a and any of b have a subject in common.
func collide(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if server.SubjectsCollide(x, y) {
				return true
			}
		}
	}
	return false
}

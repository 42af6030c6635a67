package jetstream

import (
	"maps"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
)

// Metadata that the server adds: the level a configuration requires is stored
// with it; the server's own version and level are only shown.
const (
	metaRequired = server.JSRequiredLevelMetadataKey
	metaVersion  = server.JSServerVersionMetadataKey
	metaLevel    = server.JSServerLevelMetadataKey
)

// withRequired returns m with the level that the configuration requires, and
// without what is only shown.
func withRequired(m map[string]string, level int) map[string]string {
	out := make(map[string]string, len(m)+1)
	maps.Copy(out, m)
	delete(out, metaVersion)
	delete(out, metaLevel)
	out[metaRequired] = strconv.Itoa(level)
	return out
}

// sameRequired returns m with the stored required level of prev, or without one, so that two
// configurations compare equal whatever server wrote them.
func sameRequired(m, prev map[string]string) map[string]string {
	out := maps.Clone(m)
	delete(out, metaVersion)
	delete(out, metaLevel)
	delete(out, metaRequired)
	if v, ok := prev[metaRequired]; ok {
		if out == nil {
			out = map[string]string{}
		}
		out[metaRequired] = v
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// shown returns m with the server's version and level added.
func shown(m map[string]string) map[string]string {
	out := make(map[string]string, len(m)+2)
	maps.Copy(out, m)
	out[metaVersion] = server.VERSION
	out[metaLevel] = strconv.Itoa(server.JSApiLevel)
	return out
}

// streamLevel is the API level that a stream's configuration requires.
func streamLevel(c *server.StreamConfig) int {
	switch {
	case c.AllowBatchPublish:
		return 4
	case c.AllowMsgCounter, c.AllowAtomicPublish, c.AllowMsgSchedules, c.PersistMode == server.AsyncPersistMode:
		return 2
	case c.AllowMsgTTL, c.SubjectDeleteMarkerTTL > 0:
		return 1
	}
	return 0
}

// consumerLevel is the API level that a consumer's configuration requires.
func consumerLevel(c *server.ConsumerConfig) int {
	switch {
	case c.AckPolicy == server.AckFlowControl:
		return 4
	case c.PauseUntil != nil && !c.PauseUntil.IsZero(),
		c.PriorityPolicy != server.PriorityNone, c.PinnedTTL != 0, len(c.PriorityGroups) > 0:
		return 1
	}
	return 0
}

func metadataLen(m map[string]string) int {
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
	}
	return n
}

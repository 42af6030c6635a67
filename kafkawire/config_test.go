package kafkawire

import (
	"math"
	"testing"
	"time"

	"trivium/core"
)

func TestCompaction(t *testing.T) {
	for _, tc := range []struct {
		configs map[string]string
		want    core.Compaction
	}{
		{map[string]string{}, core.Compaction{}},
		{map[string]string{"cleanup.policy": "compact"}, core.Compaction{
			On: true, Dirty: 0.5, TombstoneAge: 24 * time.Hour, MaxAge: math.MaxInt64 / time.Millisecond * time.Millisecond,
		}},
		{map[string]string{
			"cleanup.policy": "delete, compact", "min.compaction.lag.ms": "1000", "max.compaction.lag.ms": "2000",
			"delete.retention.ms": "0", "min.cleanable.dirty.ratio": "0.1",
		}, core.Compaction{On: true, Dirty: 0.1, MinAge: time.Second, MaxAge: 2 * time.Second}},
	} {
		var c core.StreamConfig
		if apply(tc.configs, &c); c.Compact != tc.want {
			t.Errorf("%v: %+v, not %+v", tc.configs, c.Compact, tc.want)
		}
	}
}

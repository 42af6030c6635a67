package jetstream_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nats-io/nats.go"

	"trivium/core"
	"trivium/natswire/jetstream"
	"trivium/natswire/wire"
)

// What is found by subject in another door's stream is what a walk over all its messages finds, also
// after it grew and lost messages.
func TestSearchOfView(t *testing.T) {
	w := start(t)
	js, err := w.connect().JetStream(nats.MaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	var cs *core.Stream
	err = w.broker.Committed(func(tx *core.Tx) (err error) {
		cs, err = w.broker.Namespace(core.DefaultNamespace).CreateStream(tx, core.StreamConfig{Realm: "kafka", Name: "T", Partitions: 1})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	keys := map[core.Offset]string{}
	for range 20 {
		err := w.broker.Committed(func(tx *core.Tx) error {
			for range rng.IntN(400) {
				k := fmt.Sprintf("%d.%d", rng.IntN(3), int(40*rng.Float64()*rng.Float64()*rng.Float64()*rng.Float64()))
				o, err := cs.Append(tx, 0, &core.Entry{Key: []byte(k), Format: jetstream.Format, Data: wire.AppendEntry(nil, nil, nil, nil)}, nil)
				if err != nil {
					return err
				}
				keys[o] = k
			}
			if before := core.Offset(rng.IntN(len(keys) + 1)); rng.IntN(3) == 0 {
				cs.Trim(tx, 0, before)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		log := cs.Log(0)
		for range 20 {
			key := fmt.Sprintf("%d.%d", rng.IntN(3), rng.IntN(40))
			if rng.IntN(3) == 0 {
				key = fmt.Sprintf("%d.*", rng.IntN(4))
			}
			from := core.Offset(rng.Int64N(int64(log.End()) + 1))
			first, last := core.NoOffset, core.NoOffset
			for o := log.Start(); o < log.End(); o++ {
				if core.SubjectMatches(key, keys[o]) {
					if last = o; first == core.NoOffset && o >= from {
						first = o
					}
				}
			}
			got := func(m *nats.RawStreamMsg, err error) core.Offset {
				if err == nats.ErrMsgNotFound {
					return core.NoOffset
				}
				if err != nil {
					t.Fatal(err)
				}
				return core.Offset(m.Sequence) - 1
			}
			if o := got(js.GetLastMsg("KAFKA_T", "$KAFKA.T."+key)); o != last {
				t.Errorf("last of %s: %d, want %d", key, o, last)
			}
			if o := got(js.GetMsg("KAFKA_T", uint64(from)+1, nats.DirectGetNext("$KAFKA.T."+key))); o != first {
				t.Errorf("first of %s from %d: %d, want %d", key, from, o, first)
			}
		}
	}
}

package jetstream_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// The last time of a stream is that of the last message it ever had, as is the last
// sequence.
func TestLastTime(t *testing.T) {
	alike(t, func(p *player) {
		p.must("STREAM.CREATE.S", `{"name":"S","subjects":["s.>"]}`)
		shown := func() nats.StreamState {
			si, err := p.js.StreamInfo("S")
			if err != nil {
				t.Fatal(err)
			}
			return si.State
		}
		p.say("none yet: %v", shown().LastTime.IsZero())
		p.pub("s.a", 3)
		last := shown().LastTime
		m, err := p.js.GetMsg("S", 3)
		if err != nil {
			t.Fatal(err)
		}
		p.say("of the last one: %v", m.Time.Equal(last))
		p.must("STREAM.MSG.DELETE.S", `{"seq":3}`)
		p.say("deleted: %v", shown().LastTime.Equal(last))
		p.must("STREAM.PURGE.S", ``)
		p.say("purged: %v, first %v", shown().LastTime.Equal(last), shown().FirstTime.IsZero())
	})
}

func TestLastTimeAfterRestart(t *testing.T) {
	w := start(t)
	js, err := w.connect().JetStream(nats.MaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish("s", nil); err != nil {
		t.Fatal(err)
	}
	last := func() time.Time {
		si, err := js.StreamInfo("S")
		if err != nil {
			t.Fatal(err)
		}
		return si.State.LastTime
	}
	want := last()
	if err := js.PurgeStream("S"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the journal, then from a checkpoint
		w.restart()
		if js, err = w.connect().JetStream(nats.MaxWait(patience)); err != nil {
			t.Fatal(err)
		}
		if got := last(); !got.Equal(want) || want.IsZero() {
			t.Errorf("last time %v after a restart, not %v", got, want)
		}
	}
}

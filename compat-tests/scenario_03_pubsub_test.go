package compat

import (
	"testing"
	"time"
)

// Scenario 3. Sensors publish telemetry and heartbeats; whoever listens hears
// it, and nobody keeps it.
func TestScenario03FireAndForget(t *testing.T) {
	s := start(t)
	sensor := s.nats()
	dashboard := s.nats()

	t.Run("zero configuration", func(t *testing.T) {
		sub, err := dashboard.SubscribeSync("telemetry.*.temperature")
		must(t, err)
		must(t, dashboard.Flush())
		must(t, sensor.Publish("telemetry.hall.temperature", []byte("21.5")))
		if got := heard(t, sub); got != "21.5" {
			t.Errorf("heard %q", got)
		}
		must(t, sub.Unsubscribe())
	})

	t.Run("an offline subscriber misses it", func(t *testing.T) {
		must(t, sensor.Publish("heartbeat", []byte("1")))
		must(t, sensor.Flush())
		sub, err := dashboard.SubscribeSync("heartbeat")
		must(t, err)
		must(t, dashboard.Flush())
		must(t, sensor.Publish("heartbeat", []byte("2")))
		if got := heard(t, sub); got != "2" {
			t.Errorf("heard %q, published before it listened", got)
		}
	})

	t.Run("at once", func(t *testing.T) {
		sub, err := dashboard.SubscribeSync("ping")
		must(t, err)
		must(t, dashboard.Flush())
		quickest(t, func() {
			must(t, sensor.Publish("ping", nil))
			heard(t, sub)
		})
	})

	t.Run("no persistence", func(t *testing.T) {
		if infos, err := sensor.JetStream(); err != nil {
			t.Fatal(err)
		} else if info, err := infos.AccountInfo(); err == nil && info.Store+info.Memory != 0 {
			t.Errorf("telemetry was stored: %d bytes", info.Store+info.Memory)
		}
	})
}

// quickest says how long the quickest of many runs of f takes: about what it takes when the machine does nothing else.
// Nothing is expected of it, because that machine may do anything.
func quickest(t *testing.T, f func()) {
	t.Helper()
	const runs = 500
	best := time.Hour
	for range runs {
		began := time.Now()
		f()
		best = min(best, time.Since(began))
	}
	t.Logf("the quickest of %d: %v", runs, best)
}

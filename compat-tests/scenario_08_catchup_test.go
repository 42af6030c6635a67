package compat

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// Scenario 8. A durable consumer goes away while messages arrive, and catches
// up when it is back.
func TestScenario08OfflineConsumer(t *testing.T) {
	s := start(t)
	ship := s.jetstream(t)
	_, err := ship.CreateStream(within(t), jetstream.StreamConfig{Name: "LOGBOOK", Subjects: []string{"log.>"}})
	must(t, err)
	publish := func(js jetstream.JetStream, from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			_, err := js.Publish(within(t), "log.engine", fmt.Append(nil, "entry-", i))
			must(t, err)
		}
	}
	// reader opens the durable consumer "office" on a connection of its own,
	// takes n entries, and goes away.
	reader := func(t *testing.T, n int) []jetstream.Msg {
		t.Helper()
		nc := s.natsFor(t)
		js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
		must(t, err)
		c, err := js.CreateOrUpdateConsumer(within(t), "LOGBOOK", jetstream.ConsumerConfig{
			Durable: "office", AckPolicy: jetstream.AckExplicitPolicy,
		})
		must(t, err)
		defer nc.Close()
		return fetch(t, c, n, func(m jetstream.Msg) { must(t, m.DoubleAck(within(t))) })
	}
	entries := func(ms []jetstream.Msg) string {
		var all []string
		for _, m := range ms {
			all = append(all, strings.TrimPrefix(string(m.Data()), "entry-"))
		}
		return strings.Join(all, " ")
	}

	publish(ship, 0, 10)
	t.Run("it gets what is there", func(t *testing.T) {
		if got := entries(reader(t, 4)); got != "0 1 2 3" {
			t.Errorf("got %s", got)
		}
	})
	publish(ship, 10, 15) // while it is away
	t.Run("it resumes at its last acknowledgement", func(t *testing.T) {
		if got := entries(reader(t, 8)); got != "4 5 6 7 8 9 10 11" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("its position survives a crash of the server", func(t *testing.T) {
		s.crash(t)
		again := s.jetstream(t)
		publish(again, 15, 17)
		if got := entries(reader(t, 5)); got != "12 13 14 15 16" {
			t.Errorf("got %s", got)
		}
		c, err := again.Consumer(within(t), "LOGBOOK", "office")
		must(t, err)
		info, err := c.Info(within(t))
		must(t, err)
		if info.NumPending != 0 || info.AckFloor.Stream != 17 {
			t.Errorf("pending %d, acknowledged up to %d", info.NumPending, info.AckFloor.Stream)
		}
	})
	t.Run("a single binary, no other process", func(t *testing.T) {
		if original() {
			t.Skip("the original's process is not known here")
		}
		pid := s.cmd.Process.Pid
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if os.IsNotExist(err) {
			t.Skip("this system does not list a process's children")
		}
		must(t, err)
		if len(children) > 0 {
			t.Errorf("the server started processes %s", children)
		}
	})
}

// fetch takes n messages of a pull consumer and hands each to done.
func fetch(t *testing.T, c jetstream.Consumer, n int, done func(m jetstream.Msg)) (got []jetstream.Msg) {
	t.Helper()
	batch, err := c.Fetch(n, jetstream.FetchMaxWait(patience))
	must(t, err)
	for m := range batch.Messages() {
		got = append(got, m)
		done(m)
	}
	must(t, batch.Error())
	if len(got) != n {
		t.Fatalf("%d of %d messages came", len(got), n)
	}
	return got
}

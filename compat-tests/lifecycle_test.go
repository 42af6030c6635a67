package compat

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The server says what keeps it from starting, in words that help, and exits
// with 1.
func TestStartErrors(t *testing.T) {
	if original() {
		t.Skip("the originals have words of their own")
	}
	s := start(t)
	off := []string{"--amqp", "", "--kafka", "", "--nats", "", "--admin", ""}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"data directory in use": {append([]string{"--data", s.dir}, off...), "in use by another trivium"},
		"data is a file":        {append([]string{"--data", executable}, off...), "is not a directory"},
		"port in use":           {[]string{"--data", t.TempDir(), "--amqp", "", "--kafka", "", "--nats", s.addrs["nats"], "--admin", ""}, "another program listens on " + s.addrs["nats"]},
		"no such address":       {[]string{"--data", t.TempDir(), "--amqp", "256.0.0.1:5672"}, "--amqp"},
		"unwritable":            {append([]string{"--data", "/proc/trivium"}, off...), "/proc/trivium"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command(executable, c.args...).CombinedOutput()
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
				t.Errorf("ended with %v", err)
			}
			if !strings.Contains(string(out), c.want) || strings.Contains(string(out), "panic") {
				t.Errorf("it said\n%s", out)
			}
		})
	}
	honest(t, s) // and the one that runs is not disturbed
}

// A clean stop leaves nothing behind, and the next start finds everything.
func TestStopAndStart(t *testing.T) {
	if original() {
		t.Skip("the originals are not ours to stop")
	}
	s := start(t)
	r := s.rabbitFor(t)
	r.queue("q", nil)
	r.publish("", "q", "kept")
	s.topic(t, "topic", 1, nil)
	k := s.kafkaFor(t)
	produce(t, k, record("topic", "", "kept"))
	s.stop() // with clients connected
	s.run()
	t.Logf("ready %v after the start", s.ready)
	r = s.rabbitFor(t)
	if got := bodies(t, r.consume("q", 1), 1); got != "kept" {
		t.Errorf("got %s", got)
	}
	again := s.kafkaFor(t, kgo.ConsumeTopics("topic"))
	poll(t, again, 1, func(r *kgo.Record) {
		if string(r.Value) != "kept" {
			t.Errorf("got %s", r.Value)
		}
	})
}

// What health and metrics say of a server at work.
func TestAdmin(t *testing.T) {
	if original() {
		t.Skip("the originals have none")
	}
	s := start(t)
	honest(t, s)
	if code, body := s.get("/healthz"); code != 200 || !strings.Contains(body, `"ok"`) {
		t.Errorf("/healthz: %d %s", code, body)
	}
	code, body := s.get("/metrics")
	if code != 200 || !strings.Contains(body, "trivium_journal_frames_total") {
		t.Errorf("/metrics: %d\n%s", code, body)
	}
	if entries, err := filepath.Glob(filepath.Join(s.dir, "*")); err != nil || len(entries) == 0 {
		t.Errorf("the data directory holds %v, %v", entries, err)
	}
}

//go:build clients

package compat

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// clientPatience bounds one client's script.
const clientPatience = 10 * time.Minute

// Other people's clients, each in a script of its own against a server of its
// own. They are found where .ci/run puts them: command line tools in PATH, a
// Python with clients/requirements.txt in PYTHON, Kafka's jars (clients/pom.xml)
// in KAFKA_LIB. What is not there fails.
func TestClients(t *testing.T) {
	python := os.Getenv("PYTHON")
	for _, c := range []struct {
		script   string
		listener string
	}{
		{"amqp-tools.sh", "amqp"}, {"pika_client.py", "amqp"},
		{"kcat.sh", "kafka"}, {"kafka_python.py", "kafka"}, {"aio_kafka.py", "kafka"}, {"kafka-tools.sh", "kafka"},
		{"nats-cli.sh", "nats"}, {"nats_client.py", "nats"},
	} {
		t.Run(c.script, func(t *testing.T) {
			s := start(t)
			ctx, cancel := context.WithTimeout(context.Background(), clientPatience)
			defer cancel()
			path := filepath.Join("clients", c.script)
			cmd := exec.CommandContext(ctx, "bash", path)
			if filepath.Ext(c.script) == ".py" {
				if python == "" {
					t.Fatal("PYTHON does not say which Python has the clients")
				}
				cmd = exec.CommandContext(ctx, python, path, s.addrs[c.listener])
			}
			cmd.Env = append(os.Environ(), "AMQP="+s.addrs["amqp"], "KAFKA="+s.addrs["kafka"], "NATS="+s.addrs["nats"], "TMP="+t.TempDir())
			cmd.WaitDelay = 10 * time.Second // what it left in the background does not hold the test
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Errorf("%s: %v", c.script, err)
			}
		})
	}
}

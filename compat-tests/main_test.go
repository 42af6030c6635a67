package compat

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"trivium/internal/race"
)

var (
	peerAMQP  = flag.String("peer-amqp", "", "host:port of a RabbitMQ to hold the scenarios against instead")
	peerKafka = flag.String("peer-kafka", "", "host:port of a Kafka, likewise")
	peerNATS  = flag.String("peer-nats", "", "host:port of a nats-server, likewise")
)

// executable is the server that the tests run.
var executable string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "trivium-compat")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	executable = filepath.Join(dir, "trivium")
	args := []string{"build", "-o", executable}
	if race.Enabled {
		args = append(args, "-race") // races in the server are found here too
	}
	build := exec.Command("go", append(args, "trivium/cmd/trivium")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

package main

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// rabbitServer is where the Debian package puts RabbitMQ.
const rabbitServer = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// goTools are the peers and tools that are Go modules.
var goTools = map[string]string{
	"nats-server": "github.com/nats-io/nats-server/v2@v2.15.2",
	"nats":        "github.com/nats-io/natscli/nats@v0.5.1",
}

// poms names the versions of what Maven brings.
//
//go:embed kafka-pom.xml perftest-pom.xml
var poms embed.FS

// install puts what is needed into work, if it is not there: "nats", "amqp",
// "kafka", "perftest".
func install(work string, need map[string]bool) error {
	bin := filepath.Join(work, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if _, err := run(".", nil, "go", "build", "-o", bin, "./cmd/trivium"); err != nil {
		return err
	}
	if need["nats"] {
		for name, module := range goTools {
			if _, err := os.Stat(filepath.Join(bin, name)); err == nil {
				continue
			}
			if _, err := run(work, []string{"GOBIN=" + bin}, "go", "install", module); err != nil {
				return err
			}
		}
	}
	if need["amqp"] {
		if _, err := os.Stat(rabbitServer); err != nil {
			return fmt.Errorf("RabbitMQ is not installed (Debian package rabbitmq-server): %w", err)
		}
	}
	for _, name := range []string{"kafka", "perftest"} {
		if need[name] {
			if err := jars(work, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// jars fills work/name/lib with what name-pom.xml depends on.
func jars(work, name string) error {
	dir := filepath.Join(work, name)
	lib := filepath.Join(dir, "lib")
	if _, err := os.Stat(lib); err == nil {
		return nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return fmt.Errorf("jars come by Maven: %w", err)
	}
	pom, err := poms.ReadFile(name + "-pom.xml")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	// Under another name until it is complete.
	if _, err := run(dir, nil, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib.new"); err != nil {
		return err
	}
	return os.Rename(lib+".new", lib)
}

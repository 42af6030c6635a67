package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// column says which of the two comparisons a system belongs to.
type column string

const (
	// onDisk: what is acknowledged is on disk.
	onDisk column = "on disk"
	// defaults: the peer as it is shipped, Trivium with durability interval.
	defaults column = "defaults"
)

// system is one server in one configuration.
type system struct {
	name   string // "trivium", or the peer's name
	door   string // "amqp", "kafka" or "nats": what it is measured at
	column column
	start  func(work, dir string) (*process, string, error)
}

func systems() []system {
	var all []system
	for _, door := range []string{"nats", "amqp", "kafka"} {
		all = append(all,
			system{"trivium", door, onDisk, trivium(door, "sync")},
			system{"trivium", door, defaults, trivium(door, "interval")})
	}
	return append(all,
		system{"nats-server", "nats", onDisk, natsServer("always")},
		system{"nats-server", "nats", defaults, natsServer("2m")},
		system{"rabbitmq", "amqp", onDisk, rabbit},
		system{"rabbitmq", "amqp", defaults, rabbit},
		system{"kafka", "kafka", onDisk, kafka("log.flush.interval.messages=1")},
		system{"kafka", "kafka", defaults, kafka("")})
}

// trivium starts ours with all its doors, as its users do.
func trivium(door, durability string) func(work, dir string) (*process, string, error) {
	return func(work, dir string) (*process, string, error) {
		exe := filepath.Join(work, "bin", "trivium")
		command := []string{exe, "--data", filepath.Join(dir, "data"), "--durability", durability, "--admin", ""}
		var at string
		var addrs []string
		for _, d := range []string{"amqp", "kafka", "nats"} {
			addr, err := freeAddr()
			if err != nil {
				return nil, "", err
			}
			command = append(command, "--"+d, addr)
			addrs = append(addrs, addr)
			if d == door {
				at = addr
			}
		}
		p, err := launch(dir, "trivium", nil, addrs, command...)
		return p, at, err
	}
}

func natsServer(sync string) func(work, dir string) (*process, string, error) {
	return func(work, dir string) (*process, string, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, "", err
		}
		conf := fmt.Sprintf("listen: %q\njetstream { store_dir: %q, sync_interval: %s }\n", addr, filepath.Join(dir, "data"), sync)
		if err := os.WriteFile(filepath.Join(dir, "nats.conf"), []byte(conf), 0o644); err != nil {
			return nil, "", err
		}
		p, err := launch(dir, "nats-server", nil, []string{addr}, filepath.Join(work, "bin", "nats-server"), "-c", "nats.conf")
		return p, addr, err
	}
}

// rabbit starts RabbitMQ. Its durable setting is the queue's type, quorum, which
// the driver chooses by the column.
func rabbit(_, dir string) (*process, string, error) {
	const exe = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	if _, err := os.Stat(exe); err != nil {
		return nil, "", fmt.Errorf("RabbitMQ is not installed (Debian package rabbitmq-server): %w", err)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	dist, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(addr)
	_, distPort, _ := net.SplitHostPort(dist)
	if err := os.WriteFile(filepath.Join(dir, "plugins"), []byte("[]."), 0o644); err != nil {
		return nil, "", err
	}
	// The server drops its privileges if it can.
	if err := openUp(dir); err != nil {
		return nil, "", err
	}
	pidFile := filepath.Join(dir, "pid")
	env := []string{
		"RABBITMQ_NODENAME=bench" + port + "@localhost", "RABBITMQ_NODE_PORT=" + port, "RABBITMQ_DIST_PORT=" + distPort,
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE=" + filepath.Join(dir, "log"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(dir, "plugins"), "RABBITMQ_PID_FILE=" + pidFile,
		"HOME=" + dir, "RABBITMQ_CONFIG_FILE=" + filepath.Join(dir, "none"),
	}
	p, err := launch(dir, "rabbitmq", env, []string{addr}, exe)
	if err != nil {
		return nil, "", err
	}
	// The broker is beneath a shell; its pid file names it.
	pid, err := os.ReadFile(pidFile)
	if err == nil {
		_, err = fmt.Sscan(string(pid), &p.pid)
	}
	return p, addr, err
}

func openUp(dir string) error {
	return errors.Join(os.Chmod(dir, 0o777), os.MkdirAll(filepath.Join(dir, "mnesia"), 0o777), os.MkdirAll(filepath.Join(dir, "log"), 0o777),
		os.Chmod(filepath.Join(dir, "mnesia"), 0o777), os.Chmod(filepath.Join(dir, "log"), 0o777))
}

func kafka(setting string) func(work, dir string) (*process, string, error) {
	return func(work, dir string) (*process, string, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, "", err
		}
		control, err := freeAddr()
		if err != nil {
			return nil, "", err
		}
		conf := strings.Join([]string{
			"process.roles=broker,controller", "node.id=1", "controller.quorum.voters=1@" + control,
			"listeners=PLAINTEXT://" + addr + ",CONTROLLER://" + control, "advertised.listeners=PLAINTEXT://" + addr,
			"controller.listener.names=CONTROLLER", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"log.dirs=" + filepath.Join(dir, "data"), "offsets.topic.replication.factor=1",
			"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
			"group.initial.rebalance.delay.ms=0", setting, "",
		}, "\n")
		file := filepath.Join(dir, "server.properties")
		if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
			return nil, "", err
		}
		lib := filepath.Join(work, "kafka", "lib", "*")
		if _, err := run(dir, nil, "java", "-cp", lib, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", file); err != nil {
			return nil, "", err
		}
		p, err := launch(dir, "kafka", nil, []string{addr}, "java", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-cp", lib, "kafka.Kafka", file)
		if err == nil {
			time.Sleep(2 * time.Second) // its port is open before it has a controller
		}
		return p, addr, err
	}
}

// install puts what the systems need into work, if it is not there.
func install(work string, need map[string]bool) error {
	bin := filepath.Join(work, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if _, err := run(".", nil, "go", "build", "-o", bin, "./cmd/trivium"); err != nil {
		return err
	}
	if need["nats"] {
		for name, pkg := range map[string]string{
			"nats-server": "github.com/nats-io/nats-server/v2@v2.15.2", "nats": "github.com/nats-io/natscli/nats@v0.5.1",
		} {
			if _, err := os.Stat(filepath.Join(bin, name)); err == nil {
				continue
			}
			if _, err := run(work, []string{"GOBIN=" + bin}, "go", "install", pkg); err != nil {
				return err
			}
		}
	}
	if need["kafka"] {
		dir := filepath.Join(work, "kafka")
		if jars, _ := filepath.Glob(filepath.Join(dir, "lib", "kafka_*.jar")); len(jars) > 0 {
			return nil
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		pom, err := os.ReadFile(filepath.Join("bench", "kafka-pom.xml"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644); err != nil {
			return err
		}
		if _, err := exec.LookPath("mvn"); err != nil {
			return fmt.Errorf("the jars of Kafka come by Maven: %w", err)
		}
		if _, err := run(dir, nil, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"); err != nil {
			return err
		}
	}
	return nil
}

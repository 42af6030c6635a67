package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// column says which of the two comparisons a system belongs to.
type column string

const (
	// onDisk: what is acknowledged is on disk.
	onDisk column = "on disk"
	// defaults: the peer as it is shipped, Trivium with durability interval.
	defaults column = "defaults"
)

// system is one server, or the peers together, in one configuration.
type system struct {
	name   string // "trivium", or the peer's name
	door   string // "amqp", "kafka" or "nats": what it is measured at; "mix": at all three
	column column
	start  starter
}

// starter starts a system on empty data beneath dir.
type starter func(work, dir string) (*server, error)

func systems() []system {
	var all []system
	for _, peer := range []struct {
		name, door string
		start      func(column) starter
	}{
		{"nats-server", "nats", natsServer},
		{"rabbitmq", "amqp", rabbit},
		{"kafka", "kafka", kafka},
		{"all three", "mix", together},
	} {
		for _, c := range []column{onDisk, defaults} {
			all = append(all, system{"trivium", peer.door, c, trivium(c)}, system{peer.name, peer.door, c, peer.start(c)})
		}
	}
	return all
}

// one is a server of one process with one door.
func one(p *process, door, addr string) *server {
	return &server{processes: []*process{p}, addrs: map[string]string{door: addr}}
}

// trivium starts ours with all its doors, as its users do.
func trivium(c column) starter {
	durability := map[column]string{onDisk: "sync", defaults: "interval"}[c]
	return func(work, dir string) (*server, error) {
		addrs, err := freeAddrs(3)
		if err != nil {
			return nil, err
		}
		p, err := launch(dir, "trivium", nil, addrs, filepath.Join(work, "bin", "trivium"), "--data", filepath.Join(dir, "data"),
			"--durability", durability, "--admin", "", "--amqp", addrs[0], "--kafka", addrs[1], "--nats", addrs[2])
		if err != nil {
			return nil, err
		}
		return &server{processes: []*process{p}, addrs: map[string]string{"amqp": addrs[0], "kafka": addrs[1], "nats": addrs[2]}}, nil
	}
}

func natsServer(c column) starter {
	interval := map[column]string{onDisk: "always", defaults: "2m"}[c]
	return func(work, dir string) (*server, error) {
		addrs, err := freeAddrs(1)
		if err != nil {
			return nil, err
		}
		conf := fmt.Sprintf("listen: %q\njetstream { store_dir: %q, sync_interval: %s }\n", addrs[0], filepath.Join(dir, "data"), interval)
		if err := os.WriteFile(filepath.Join(dir, "nats.conf"), []byte(conf), 0o644); err != nil {
			return nil, err
		}
		p, err := launch(dir, "nats-server", nil, addrs, filepath.Join(work, "bin", "nats-server"), "-c", "nats.conf")
		if err != nil {
			return nil, err
		}
		return one(p, "nats", addrs[0]), nil
	}
}

// rabbit starts RabbitMQ. Its durable setting is the queue's type, quorum, which
// the workloads choose by the column.
func rabbit(column) starter {
	return func(_, dir string) (*server, error) {
		addrs, err := freeAddrs(3)
		if err != nil {
			return nil, err
		}
		port := func(i int) string { _, p, _ := net.SplitHostPort(addrs[i]); return p }
		if err := os.WriteFile(filepath.Join(dir, "plugins"), []byte("[]."), 0o644); err != nil {
			return nil, err
		}
		// Erlang starts this daemon by itself, but never ends it.
		names := []string{"ERL_EPMD_PORT=" + port(2), "ERL_EPMD_ADDRESS=127.0.0.1"}
		epmd, err := launch(dir, "epmd", names, addrs[2:], "epmd")
		if err != nil {
			return nil, err
		}
		env := append(names,
			"RABBITMQ_NODENAME=bench"+port(0)+"@localhost", "RABBITMQ_NODE_PORT="+port(0), "RABBITMQ_DIST_PORT="+port(1),
			"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"),
			"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"), "HOME="+dir, "RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "none"),
			// Without a shell between us and it.
			"RABBITMQ_ALLOW_INPUT=1", "RABBITMQ_SERVER_START_ARGS=-noinput")
		p, err := launch(dir, "rabbitmq", env, addrs[:1], rabbitServer)
		if err != nil {
			epmd.stop()
			return nil, err
		}
		return &server{processes: []*process{epmd, p}, addrs: map[string]string{"amqp": addrs[0]}}, nil
	}
}

func kafka(c column) starter {
	return func(work, dir string) (*server, error) {
		addrs, err := freeAddrs(2)
		if err != nil {
			return nil, err
		}
		conf := []string{
			"process.roles=broker,controller", "node.id=1", "controller.quorum.voters=1@" + addrs[1],
			"listeners=PLAINTEXT://" + addrs[0] + ",CONTROLLER://" + addrs[1], "advertised.listeners=PLAINTEXT://" + addrs[0],
			"controller.listener.names=CONTROLLER", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"log.dirs=" + filepath.Join(dir, "kafka-data"), "offsets.topic.replication.factor=1",
			"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
			"group.initial.rebalance.delay.ms=0",
			// So that what a finished run has written is gone before the next.
			"log.segment.delete.delay.ms=0",
		}
		if c == onDisk {
			conf = append(conf, "log.flush.interval.messages=1")
		}
		file := filepath.Join(dir, "server.properties")
		if err := os.WriteFile(file, []byte(strings.Join(conf, "\n")+"\n"), 0o644); err != nil {
			return nil, err
		}
		lib := filepath.Join(work, "kafka", "lib", "*")
		if _, err := run(dir, nil, "java", "-cp", lib, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", file); err != nil {
			return nil, err
		}
		p, err := launch(dir, "kafka", nil, addrs[:1], "java", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-cp", lib, "kafka.Kafka", file)
		if err != nil {
			return nil, err
		}
		srv := one(p, "kafka", addrs[0])
		if err := awaitBroker(addrs[0]); err != nil {
			srv.stop()
			return nil, err
		}
		return srv, nil
	}
}

// together starts the three peers beside each other.
func together(c column) starter {
	return func(work, dir string) (*server, error) {
		all := &server{addrs: map[string]string{}}
		for _, start := range []starter{natsServer(c), rabbit(c), kafka(c)} {
			s, err := start(work, dir)
			if err != nil {
				all.stop()
				return nil, err
			}
			all.processes = slices.Concat(all.processes, s.processes)
			maps.Copy(all.addrs, s.addrs)
		}
		return all, nil
	}
}

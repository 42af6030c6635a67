package main

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// PerfTest is RabbitMQ's own load tool.

func perfTestWorkloads() []workload {
	return []workload{
		{name: "amqp PerfTest persistent, confirms, 1 queue, 1024 B", door: "amqp",
			run: perfTest(1024, true, "--flag", "persistent", "--confirm", strconv.Itoa(publishWindow), "--qos", strconv.Itoa(prefetch))},
		{name: "amqp PerfTest transient, auto-ack, 1 queue, 1024 B", door: "amqp", columns: []column{defaults},
			run: perfTest(1024, false, "--autoack")},
	}
}

func perfTest(size int, durable bool, args ...string) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		// It counts in whole seconds; the first is its warm-up.
		seconds := int(math.Ceil(t.span.Seconds())) + 1
		command := append([]string{"java", "-cp", filepath.Join(t.work, "perftest", "lib", "*"), "com.rabbitmq.perf.PerfTest", "--uri", amqpURL(t) + "%2f",
			"--producers", "1", "--consumers", "1", "--queue", "bench.perftest", "--size", strconv.Itoa(size), "--time", strconv.Itoa(seconds)}, args...)
		if durable && queueArgs(t) != nil {
			command = append(command, "--quorum-queue")
		}
		defer deleteQueue(t, "bench.perftest")
		out, err := run(t.dir, nil, command...)
		if err != nil {
			return sample{}, err
		}
		return perfTestStats(out, seconds, size)
	}
}

func deleteQueue(t *target, name string) {
	conn, err := amqp.Dial(amqpURL(t))
	if err != nil {
		return
	}
	defer conn.Close()
	if ch, err := conn.Channel(); err == nil {
		ch.QueueDelete(name, false, false, false)
	}
}

var (
	perfTestSecond  = regexp.MustCompile(`time ([0-9.]+) s, .*received: (\d+) msg/s`)
	perfTestAverage = regexp.MustCompile(`receiving rate avg: (\d+) msg/s`)
	perfTestConfirm = regexp.MustCompile(`confirm latency min/median/75th/95th/99th \d+/(\d+)/\d+/\d+/(\d+) µs`)
)

// perfTestStats reads what PerfTest printed every second and at its end.
func perfTestStats(out string, seconds, size int) (sample, error) {
	s := sample{Size: size}
	before := 0.0
	for _, m := range perfTestSecond.FindAllStringSubmatch(out, -1) {
		at, _ := strconv.ParseFloat(m[1], 64)
		rate, _ := strconv.ParseFloat(m[2], 64)
		if before > 0 {
			s.Messages += int(rate * (at - before))
			s.Seconds += at - before
		}
		before = at
	}
	average := perfTestAverage.FindStringSubmatch(out)
	if average == nil || s.Messages == 0 {
		return s, fmt.Errorf("no result in what the tool printed: %s", tail(strings.TrimSpace(out), 1000))
	}
	rate, err := strconv.Atoi(average[1])
	if err != nil {
		return s, err
	}
	s.Served = rate * seconds
	if m := perfTestConfirm.FindStringSubmatch(out); m != nil {
		for i, to := range []*time.Duration{&s.P50, &s.P99} {
			us, err := strconv.Atoi(m[i+1])
			if err != nil {
				return s, err
			}
			*to = time.Duration(us) * time.Microsecond
		}
	}
	return s, nil
}

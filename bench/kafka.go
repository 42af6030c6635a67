package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The load on Kafka comes from its own producer and consumer performance tools.

func kafkaWorkloads() []workload {
	var all []workload
	for _, size := range []int{100, 1000, 10_000} {
		n := map[int]int{100: 3_000_000, 1000: 600_000, 10_000: 60_000}[size]
		for _, partitions := range []int{1, 50} {
			for _, codec := range []string{"none", "lz4"} {
				if codec == "lz4" && (size != 1000 || partitions != 1) {
					continue
				}
				name := fmt.Sprintf("kafka produce acks=all %d B, %d partitions, %s", size, partitions, codec)
				all = append(all, workload{name, "kafka", nil, kafkaProduce(n, size, partitions, codec, -1)})
			}
		}
		all = append(all, workload{fmt.Sprintf("kafka consume %d B", size), "kafka", []column{defaults}, kafkaConsume(n, size)})
	}
	return append(all, workload{"kafka produce 1000 B at 5000/s", "kafka", nil, kafkaProduce(30_000, 1000, 1, "none", 5000)})
}

func kafkaTool(t *target, class string, args ...string) (string, error) {
	command := []string{"java", "-Xmx512m", "-cp", filepath.Join(t.work, "kafka", "lib", "*"), "org.apache.kafka.tools." + class}
	return run(t.dir, nil, append(command, args...)...)
}

// topic makes a topic with a name of its own.
func topic(t *target, partitions int) (string, error) {
	name := "bench" + strconv.FormatInt(time.Now().UnixNano(), 36)
	_, err := kafkaTool(t, "TopicCommand", "--bootstrap-server", t.addr, "--create", "--topic", name, "--partitions", strconv.Itoa(partitions))
	return name, err
}

var (
	kafkaRate    = regexp.MustCompile(`(\d+) records sent, ([0-9.]+) records/sec`)
	kafkaLatency = regexp.MustCompile(`(\d+) ms 50th, \d+ ms 95th, (\d+) ms 99th, (\d+) ms 99\.9th`)
)

func kafkaProduce(n, size, partitions int, codec string, rate int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		name, err := topic(t, partitions)
		if err != nil {
			return sample{}, err
		}
		return produce(t, name, t.count(n), size, codec, rate)
	}
}

func produce(t *target, topic string, n, size int, codec string, rate int) (sample, error) {
	s := sample{Messages: n, Bytes: int64(n) * int64(size)}
	out, err := kafkaTool(t, "ProducerPerformance", "--topic", topic, "--num-records", strconv.Itoa(n), "--record-size", strconv.Itoa(size),
		"--throughput", strconv.Itoa(rate), "--command-property", "bootstrap.servers="+t.addr, "acks=all", "compression.type="+codec)
	if err != nil {
		return s, err
	}
	line := ""
	for l := range strings.Lines(out) {
		if kafkaLatency.MatchString(l) {
			line = l
		}
	}
	m, p := kafkaRate.FindStringSubmatch(line), kafkaLatency.FindStringSubmatch(line)
	if m == nil || p == nil {
		return s, fmt.Errorf("no result in what the tool printed: %s", tail(out, 1000))
	}
	perSecond, err := strconv.ParseFloat(m[2], 64)
	if err != nil || perSecond == 0 {
		return s, fmt.Errorf("no rate in %q", line)
	}
	s.Seconds = float64(n) / perSecond
	for i, to := range []*time.Duration{&s.P50, &s.P99, &s.P999} {
		ms, err := strconv.Atoi(p[i+1])
		if err != nil {
			return s, err
		}
		*to = time.Duration(ms) * time.Millisecond
	}
	return s, nil
}

func kafkaConsume(n, size int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		n := t.count(n)
		name, err := topic(t, 1)
		if err != nil {
			return sample{}, err
		}
		if _, err := produce(t, name, n, size, "none", -1); err != nil {
			return sample{}, err
		}
		out, err := kafkaTool(t, "ConsumerPerformance", "--bootstrap-server", t.addr, "--topic", name, "--num-records", strconv.Itoa(n), "--timeout", "60000", "--hide-header")
		if err != nil {
			return sample{}, err
		}
		// start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, …
		for l := range strings.Lines(out) {
			f := strings.Split(l, ", ")
			if len(f) < 8 {
				continue
			}
			got, err := strconv.Atoi(f[4])
			if err != nil {
				continue
			}
			ms, err := strconv.Atoi(f[7])
			if err != nil || got < n {
				return sample{}, fmt.Errorf("consumed %d of %d: %s", got, n, l)
			}
			return sample{Messages: got, Bytes: int64(got) * int64(size), Seconds: float64(ms) / 1000}, nil
		}
		return sample{}, fmt.Errorf("no result in what the tool printed: %s", tail(out, 1000))
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The load on Kafka comes from its own producer and consumer performance tools, and,
// where a consumer follows a producer, from the Go client.

func kafkaWorkloads() []workload {
	var all []workload
	for _, size := range []int{100, 1000, 10_000} {
		for _, partitions := range []int{1, 50} {
			for _, codec := range []string{"none", "lz4"} {
				var columns []column
				if codec != "none" {
					columns = []column{onDisk} // the server stores what it gets: once is enough
				}
				name := fmt.Sprintf("kafka produce acks=all %d B, %s, %s", size, map[int]string{1: "1 partition", 50: "50 partitions"}[partitions], codec)
				all = append(all, workload{name: name, door: "kafka", columns: columns, first: 4_000_000 / size, warms: true, run: kafkaProduce(size, partitions, codec)})
			}
		}
	}
	for _, size := range []int{100, 1000, 10_000} {
		all = append(all, workload{name: fmt.Sprintf("kafka consume, cold, %d B", size), door: "kafka", columns: []column{defaults}, run: kafkaCold(size)})
	}
	for _, size := range []int{100, 1000, 10_000} {
		all = append(all, workload{name: fmt.Sprintf("kafka produce and consume at the tail, %d B", size), door: "kafka", run: flowing(kafkaFlow, 0, size)})
	}
	return append(all, workload{name: fmt.Sprintf("kafka latency, acks=all, %d/s, %d B", flowRate, flowSize), door: "kafka", paced: true, run: flowing(kafkaFlow, flowRate, flowSize)})
}

func kafkaTool(t *target, class string, args ...string) (string, error) {
	command := []string{"java", "-Xmx512m", "-cp", filepath.Join(t.work, "kafka", "lib", "*"), "org.apache.kafka.tools." + class}
	return run(t.dir, nil, append(command, args...)...)
}

// awaitBroker waits until the cluster has a broker: its port is open before.
func awaitBroker(addr string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for ; ; time.Sleep(20 * time.Millisecond) {
		brokers, err := kadm.NewClient(cl).ListBrokers(ctx)
		if err == nil && len(brokers) > 0 || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// topic makes a topic with a name of its own.
func topic(t *target, partitions int) (name string, remove func(), err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(t.server.addrs["kafka"]))
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	name = "bench" + strconv.FormatInt(time.Now().UnixNano(), 36)
	adm := kadm.NewClient(cl)
	close := func() { cancel(); cl.Close() }
	_, err = adm.CreateTopic(ctx, int32(partitions), 1, nil, name)
	// A broker has it a moment later, after it has removed what others left.
	for err == nil {
		ends, unknown := adm.ListEndOffsets(ctx, name)
		if unknown == nil && ends.Error() == nil && len(ends[name]) == partitions {
			break
		}
		time.Sleep(10 * time.Millisecond)
		err = ctx.Err()
	}
	if err != nil {
		close()
		return "", nil, err
	}
	return name, func() { adm.DeleteTopics(ctx, name); close() }, nil
}

var (
	kafkaRate    = regexp.MustCompile(`(\d+) (?:steady state )?records sent, ([0-9.]+) records/sec`)
	kafkaLatency = regexp.MustCompile(`(\d+) ms 50th, \d+ ms 95th, (\d+) ms 99th, (\d+) ms 99\.9th`)
)

func kafkaProduce(size, partitions int, codec string) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		name, remove, err := topic(t, partitions)
		if err != nil {
			return sample{}, err
		}
		defer remove()
		return produce(t, name, t.n, size, codec)
	}
}

// produce sends n records after some that are not measured.
func produce(t *target, topic string, n, size int, codec string) (sample, error) {
	warm := n / 5
	out, err := kafkaTool(t, "ProducerPerformance", "--topic", topic, "--num-records", strconv.Itoa(n+warm), "--warmup-records", strconv.Itoa(warm),
		"--record-size", strconv.Itoa(size), "--throughput", "-1",
		"--command-property", "bootstrap.servers="+t.server.addrs["kafka"], "acks=all", "compression.type="+codec)
	if err != nil {
		return sample{}, err
	}
	return produceStats(out, n+warm, size)
}

// produceStats reads the last summary of ProducerPerformance: of what it sent after
// its warm-up.
func produceStats(out string, served, size int) (sample, error) {
	s := sample{Size: size, Served: served}
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
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return s, err
	}
	perSecond, err := strconv.ParseFloat(m[2], 64)
	if err != nil || perSecond == 0 {
		return s, fmt.Errorf("no rate in %q", line)
	}
	s.Messages, s.Seconds = n, float64(n)/perSecond
	for i, to := range []*time.Duration{&s.P50, &s.P99, &s.P999} {
		ms, err := strconv.Atoi(p[i+1])
		if err != nil {
			return s, err
		}
		*to = time.Duration(ms) * time.Millisecond
	}
	return s, nil
}

// kafkaColdBytes is how much is consumed from the beginning of a topic.
const kafkaColdBytes = 400 << 20

// kafkaCold consumes a topic from its beginning, from disk: no cache has it.
func kafkaCold(size int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		n := kafkaColdBytes / max(size, 400)
		if t.span < runSpan {
			n /= 100
		}
		name, remove, err := topic(t, 1)
		if err != nil {
			return sample{}, err
		}
		defer remove()
		if _, err := produce(t, name, n, size, "none"); err != nil {
			return sample{}, err
		}
		if err := evict(t.dir); err != nil {
			return sample{}, err
		}
		if err := t.begin(); err != nil {
			return sample{}, err
		}
		out, err := kafkaTool(t, "ConsumerPerformance", "--bootstrap-server", t.server.addrs["kafka"], "--topic", name,
			"--num-records", strconv.Itoa(n), "--timeout", "60000", "--hide-header")
		if err != nil {
			return sample{}, err
		}
		return consumeStats(out, n, size)
	}
}

// consumeStats reads ConsumerPerformance's line: start, end, MB, MB/s, records,
// records/s, rebalance ms, fetch ms, …
func consumeStats(out string, n, size int) (sample, error) {
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
		return sample{Messages: got, Size: size, Seconds: float64(ms) / 1000}, nil
	}
	return sample{}, fmt.Errorf("no result in what the tool printed: %s", tail(out, 1000))
}

// kafkaFlow is a topic of one partition whose consumer reads at its end. Nothing is
// held back to be sent with what follows.
func kafkaFlow(t *target, received func([]byte)) (*flow, error) {
	name, remove, err := topic(t, 1)
	if err != nil {
		return nil, err
	}
	seeds := kgo.SeedBrokers(t.server.addrs["kafka"])
	out, err := kgo.NewClient(seeds, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DefaultProduceTopic(name))
	if err != nil {
		remove()
		return nil, err
	}
	in, err := kgo.NewClient(seeds, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		out.Close()
		remove()
		return nil, err
	}
	var errs firstError
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for ctx.Err() == nil {
			fetches := in.PollFetches(ctx)
			fetches.EachError(func(_ string, _ int32, err error) {
				if !errors.Is(err, context.Canceled) {
					errs.note(err)
				}
			})
			fetches.EachRecord(func(r *kgo.Record) { received(r.Value) })
		}
	})
	return &flow{
		send: func(body []byte) error {
			out.Produce(ctx, &kgo.Record{Value: body}, func(_ *kgo.Record, err error) {
				if err != nil {
					errs.note(err)
				}
			})
			return nil
		},
		failed: errs.get,
		close: func() {
			cancel()
			wg.Wait()
			in.Close()
			out.Close()
			remove()
		},
	}, nil
}

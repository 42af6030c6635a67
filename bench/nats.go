package main

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The load on NATS is the nats command's own `nats bench`.

func natsWorkloads() []workload {
	size := func(n int) string { return strconv.Itoa(n) }
	var all []workload
	core := []column{defaults} // nothing is stored: there is one way only
	for _, b := range []int{16, 128, 16384} {
		n := map[int]int{16: 2_000_000, 128: 2_000_000, 16384: 60_000}[b]
		all = append(all,
			workload{"nats core 1:1 " + size(b) + " B", "nats", core, natsPubSub(n, b, 1, 1)},
			workload{"nats core 1:4 " + size(b) + " B", "nats", core, natsPubSub(n/4, b, 1, 4)},
			workload{"nats core 4:4 " + size(b) + " B", "nats", core, natsPubSub(n/4, b, 4, 4)})
	}
	return append(all,
		workload{"nats request 1 client", "nats", core, natsRequest(20_000, 1)},
		workload{"nats request 50 clients", "nats", core, natsRequest(100_000, 50)},
		workload{"nats jetstream publish sync, 1 client", "nats", nil, natsJS("sync", 5_000, 1)},
		workload{"nats jetstream publish sync, 50 clients", "nats", nil, natsJS("sync", 30_000, 50)},
		workload{"nats jetstream publish async", "nats", nil, natsJS("async", 200_000, 1)},
		workload{"nats jetstream consume, explicit acks", "nats", nil, natsConsume("consume", 200_000)},
		workload{"nats jetstream fetch, explicit acks", "nats", nil, natsConsume("fetch", 100_000)},
		workload{"nats kv put", "nats", nil, natsKV("put", 5_000)},
		workload{"nats kv get", "nats", []column{defaults}, natsKV("get", 20_000)})
}

func natsBench(t *target, args ...string) (string, error) {
	command := append([]string{filepath.Join(t.work, "bin", "nats"), "-s", "nats://" + t.addr, "--no-context", "bench"}, args...)
	return run(t.dir, nil, append(command, "--no-progress")...)
}

func natsPubSub(n, size, publishers, subscribers int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		n := t.count(n) / publishers * publishers
		sub, err := natsBackground(t, "Starting Core NATS subscriber,", subscribers,
			"sub", "bench.core", "--clients", strconv.Itoa(subscribers), "--msgs", strconv.Itoa(n))
		if err != nil {
			return sample{}, err
		}
		defer sub.stop()
		start := time.Now()
		if _, err := natsBench(t, "pub", "bench.core", "--clients", strconv.Itoa(publishers), "--msgs", strconv.Itoa(n), "--size", strconv.Itoa(size)); err != nil {
			return sample{}, err
		}
		if err := sub.wait(); err != nil {
			return sample{}, err
		}
		took := time.Since(start).Seconds()
		return sample{Messages: n * subscribers, Bytes: int64(n) * int64(subscribers) * int64(size), Seconds: took}, nil
	}
}

func natsRequest(n, clients int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		serve, err := natsBackground(t, "Starting Core NATS service server", 1, "service", "serve", "bench.rpc", "--size", "16")
		if err != nil {
			return sample{}, err
		}
		defer serve.stop()
		time.Sleep(200 * time.Millisecond) // its subscription follows what it prints
		out, err := natsBench(t, "service", "request", "bench.rpc", "--msgs", strconv.Itoa(t.count(n)), "--clients", strconv.Itoa(clients), "--size", "16")
		if err != nil {
			return sample{}, err
		}
		return natsStats(out, t.count(n), 16)
	}
}

// natsStream makes the stream bench, natsBucket the KV bucket bench, if they are not there.
func natsStream(t *target) error {
	return natsSetUp(t, func(ctx context.Context, js jetstream.JetStream) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "bench", Subjects: []string{"bench.js"}})
		return err
	})
}

func natsBucket(t *target) error {
	return natsSetUp(t, func(ctx context.Context, js jetstream.JetStream) error {
		_, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "bench"})
		return err
	})
}

func natsSetUp(t *target, f func(ctx context.Context, js jetstream.JetStream) error) error {
	nc, err := nats.Connect("nats://" + t.addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return f(ctx, js)
}

func natsJS(kind string, n, clients int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		n := t.count(n) / clients * clients
		if err := natsStream(t); err != nil {
			return sample{}, err
		}
		out, err := natsBench(t, "js", "pub", kind, "bench.js", "--purge", "--stream", "bench", "--msgs", strconv.Itoa(n), "--clients", strconv.Itoa(clients), "--size", "128")
		if err != nil {
			return sample{}, err
		}
		s, err := natsStats(out, n, 128)
		if kind == "async" {
			s.P50, s.P99, s.P999 = 0, 0, 0 // of whole batches
		}
		return s, err
	}
}

func natsConsume(kind string, n int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		n := t.count(n)
		if err := natsStream(t); err != nil {
			return sample{}, err
		}
		if _, err := natsBench(t, "js", "pub", "async", "bench.js", "--purge", "--stream", "bench", "--msgs", strconv.Itoa(n), "--size", "128"); err != nil {
			return sample{}, err
		}
		out, err := natsBench(t, "js", kind, "--stream", "bench", "--msgs", strconv.Itoa(n), "--acks", "explicit")
		if err != nil {
			return sample{}, err
		}
		return natsStats(out, n, 128)
	}
}

func natsKV(kind string, n int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		n := t.count(n)
		if err := natsBucket(t); err != nil {
			return sample{}, err
		}
		if kind == "get" {
			if _, err := natsBench(t, "kv", "put", "--bucket", "bench", "--msgs", strconv.Itoa(n), "--size", "128"); err != nil {
				return sample{}, err
			}
		}
		args := []string{"kv", kind, "--bucket", "bench", "--msgs", strconv.Itoa(n)}
		if kind == "put" {
			args = append(args, "--size", "128")
		}
		out, err := natsBench(t, args...)
		if err != nil {
			return sample{}, err
		}
		return natsStats(out, n, 128)
	}
}

var (
	natsRate       = regexp.MustCompile(`stats: ([0-9,]+) msgs/sec`)
	natsPercentile = regexp.MustCompile(`P(50|99|99\.9): ([0-9,.]+)us`)
)

// natsStats reads the last summary of `nats bench`: of all clients, if there are
// several.
func natsStats(out string, n, size int) (sample, error) {
	s := sample{Messages: n, Bytes: int64(n) * int64(size)}
	line := ""
	for l := range strings.Lines(out) {
		if natsRate.MatchString(l) && (line == "" || strings.Contains(l, "aggregated")) {
			line = l
		}
	}
	m := natsRate.FindStringSubmatch(line)
	if m == nil {
		return s, fmt.Errorf("no result in what nats bench printed: %s", tail(out, 1000))
	}
	rate, err := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
	if err != nil || rate == 0 {
		return s, fmt.Errorf("no rate in %q", line)
	}
	s.Seconds = float64(n) / rate
	for _, m := range natsPercentile.FindAllStringSubmatch(out, -1) {
		us, err := strconv.ParseFloat(strings.ReplaceAll(m[2], ",", ""), 64)
		if err != nil {
			return s, err
		}
		// Of several clients, the worst.
		d := time.Duration(us * float64(time.Microsecond))
		switch m[1] {
		case "50":
			s.P50 = max(s.P50, d)
		case "99":
			s.P99 = max(s.P99, d)
		case "99.9":
			s.P999 = max(s.P999, d)
		}
	}
	return s, nil
}

// background is a nats command that serves while another drives.
type background struct {
	cmd  *exec.Cmd
	done chan error
}

// natsBackground starts a nats bench command and waits until it printed ready so
// many times.
func natsBackground(t *target, ready string, times int, args ...string) (*background, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	cmd := exec.CommandContext(ctx, filepath.Join(t.work, "bin", "nats"),
		append(append([]string{"-s", "nats://" + t.addr, "--no-context", "bench"}, args...), "--no-progress")...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		cmd.Stderr = cmd.Stdout
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	b := &background{cmd, make(chan error, 1)}
	up := make(chan struct{})
	go func() {
		defer cancel()
		seen := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), ready) {
				if seen++; seen == times {
					close(up)
				}
			}
		}
		b.done <- cmd.Wait()
	}()
	select {
	case <-up:
		return b, nil
	case err := <-b.done:
		return nil, fmt.Errorf("nats bench %v ended: %v", args, err)
	}
}

func (b *background) wait() error { return <-b.done }

// stop ends the command if it has not ended by itself.
func (b *background) stop() { b.cmd.Process.Kill() }

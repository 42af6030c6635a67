package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The load on NATS is the nats command's own `nats bench`, and, for latency, the Go
// client.

func natsWorkloads() []workload {
	var all []workload
	core := []column{defaults} // nothing is stored: there is one way only
	for _, size := range []int{16, 128, 16384} {
		first := map[int]int{16: 200_000, 128: 200_000, 16384: 10_000}[size]
		for _, shape := range [][2]int{{1, 1}, {1, 4}, {4, 4}} {
			all = append(all, workload{name: fmt.Sprintf("nats core %d:%d %d B", shape[0], shape[1], size), door: "nats", columns: core, first: first,
				run: natsPubSub(size, shape[0], shape[1])})
		}
	}
	return append(all,
		workload{name: fmt.Sprintf("nats core latency, %d/s, %d B", flowRate, flowSize), door: "nats", columns: core, paced: true, run: flowing(coreFlow, flowRate, flowSize)},
		workload{name: "nats request 1 client", door: "nats", columns: core, first: 2_000, run: natsRequest(1)},
		workload{name: "nats request 50 clients", door: "nats", columns: core, first: 10_000, run: natsRequest(50)},
		workload{name: "nats jetstream publish sync, 1 client", door: "nats", first: 500, run: natsJS("sync", 1)},
		workload{name: "nats jetstream publish sync, 50 clients", door: "nats", first: 2_000, run: natsJS("sync", 50)},
		workload{name: "nats jetstream publish async", door: "nats", first: 2_000, run: natsJS("async", 1)},
		workload{name: "nats jetstream consume, explicit acks", door: "nats", first: 20_000, run: natsConsume("consume")},
		workload{name: "nats jetstream fetch, explicit acks", door: "nats", first: 20_000, run: natsConsume("fetch")},
		workload{name: fmt.Sprintf("nats jetstream latency, %d/s, %d B", flowRate, flowSize), door: "nats", paced: true, run: flowing(jetStreamFlow, flowRate, flowSize)},
		workload{name: "nats kv put", door: "nats", first: 500, run: natsKV("put")},
		workload{name: "nats kv get", door: "nats", columns: core, first: 2_000, run: natsKV("get")})
}

func natsURL(t *target) string { return "nats://" + t.server.addrs["nats"] }

func natsCommand(t *target, args ...string) []string {
	command := append([]string{filepath.Join(t.work, "bin", "nats"), "-s", natsURL(t), "--no-context", "bench"}, args...)
	return append(command, "--no-progress")
}

func natsBench(t *target, args ...string) (string, error) {
	return run(t.dir, nil, natsCommand(t, args...)...)
}

// natsPubSub tries again if subscribers miss messages: they print that they start
// before they have subscribed, and on a busy machine are sometimes too late.
func natsPubSub(size, publishers, subscribers int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		const attempts = 3
		for i := 1; ; i++ {
			grace := time.Duration(i*i) * 200 * time.Millisecond
			s, err := natsPubSubOnce(t, size, publishers, subscribers, grace)
			if !errors.Is(err, errNotEnded) || i == attempts {
				return s, err
			}
			fmt.Fprintln(os.Stderr, "subscribers missed messages: again")
		}
	}
}

func natsPubSubOnce(t *target, size, publishers, subscribers int, grace time.Duration) (sample, error) {
	n := max(1, t.n/subscribers/publishers) * publishers
	sub, err := natsBackground(t, "Starting Core NATS subscriber,", subscribers,
		"sub", "bench.core", "--clients", strconv.Itoa(subscribers), "--msgs", strconv.Itoa(n))
	if err != nil {
		return sample{}, err
	}
	defer sub.stop()
	time.Sleep(grace)
	if err := t.begin(); err != nil {
		return sample{}, err
	}
	if _, err := natsBench(t, "pub", "bench.core", "--clients", strconv.Itoa(publishers), "--msgs", strconv.Itoa(n), "--size", strconv.Itoa(size)); err != nil {
		return sample{}, err
	}
	out, err := sub.wait()
	if err != nil {
		return sample{}, err
	}
	return natsStats(out, n*subscribers, size)
}

func natsRequest(clients int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		serve, err := natsBackground(t, "Starting Core NATS service server", 1, "service", "serve", "bench.rpc", "--size", "16")
		if err != nil {
			return sample{}, err
		}
		defer serve.stop()
		if err := awaitResponder(t, "bench.rpc"); err != nil { // its subscription follows what it prints
			return sample{}, err
		}
		n := max(1, t.n/clients) * clients
		out, err := natsBench(t, "service", "request", "bench.rpc", "--msgs", strconv.Itoa(n), "--clients", strconv.Itoa(clients), "--size", "16")
		if err != nil {
			return sample{}, err
		}
		return natsStats(out, n, 16)
	}
}

func awaitResponder(t *target, subject string) error {
	nc, err := nats.Connect(natsURL(t))
	if err != nil {
		return err
	}
	defer nc.Close()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, err := nc.Request(subject, nil, time.Second)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// natsSetUp does something with a JetStream context.
func natsSetUp(t *target, f func(ctx context.Context, js jetstream.JetStream) error) error {
	nc, err := nats.Connect(natsURL(t))
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

// natsSize is a message's size in JetStream and KV workloads.
const natsSize = 128

// natsStream makes a stream whose subject is its name; batches lets it be filled in
// atomic batches.
func natsStream(t *target, name string, batches bool) error {
	return natsSetUp(t, func(ctx context.Context, js jetstream.JetStream) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}, AllowAtomicPublish: batches})
		return err
	})
}

func natsJS(kind string, clients int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		if err := t.once("bench-js", func() error { return natsStream(t, "bench-js", false) }); err != nil {
			return sample{}, err
		}
		n := max(1, t.n/clients) * clients
		out, err := natsBench(t, "js", "pub", kind, "bench-js", "--purge", "--stream", "bench-js", "--msgs", strconv.Itoa(n), "--clients", strconv.Itoa(clients), "--size", strconv.Itoa(natsSize))
		if err != nil {
			return sample{}, err
		}
		s, err := natsStats(out, n, natsSize)
		if kind == "async" {
			s.P50, s.P99, s.P999 = 0, 0, 0 // of whole batches
		}
		return s, err
	}
}

// natsConsumeMax is how many messages are there to be consumed.
const natsConsumeMax = 400_000

func natsConsume(kind string) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		n := min(t.n, natsConsumeMax)
		err := t.once("bench-consume", func() error {
			if err := natsStream(t, "bench-consume", true); err != nil {
				return err
			}
			fill := natsConsumeMax
			if t.span < runSpan {
				fill = n
			}
			// In batches: with a sync for each message, filling would take minutes.
			_, err := natsBench(t, "js", "pub", "atomic", "bench-consume", "--stream", "bench-consume", "--msgs", strconv.Itoa(fill), "--size", strconv.Itoa(natsSize))
			return err
		})
		if err != nil {
			return sample{}, err
		}
		// A consumer of its own: the command's goes on where it was.
		const consumer = "bench"
		err = natsSetUp(t, func(ctx context.Context, js jetstream.JetStream) error {
			err := js.DeleteConsumer(ctx, "bench-consume", consumer)
			if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return err
			}
			_, err = js.CreateConsumer(ctx, "bench-consume", jetstream.ConsumerConfig{Durable: consumer, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: prefetch})
			return err
		})
		if err != nil {
			return sample{}, err
		}
		if err := t.begin(); err != nil {
			return sample{}, err
		}
		out, err := natsBench(t, "js", kind, "--stream", "bench-consume", "--consumer", consumer, "--msgs", strconv.Itoa(n), "--acks", "explicit")
		if err != nil {
			return sample{}, err
		}
		s, err := natsStats(out, n, natsSize)
		s.P50, s.P99, s.P999 = 0, 0, 0 // of whole batches
		return s, err
	}
}

// natsKeys is how many keys are read.
const natsKeys = 5_000

func natsKV(kind string) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		put := func(n int) (string, error) {
			return natsBench(t, "kv", "put", "--bucket", "bench", "--msgs", strconv.Itoa(n), "--size", strconv.Itoa(natsSize))
		}
		err := t.once("bucket", func() error {
			return natsSetUp(t, func(ctx context.Context, js jetstream.JetStream) error {
				_, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "bench"})
				return err
			})
		})
		if err != nil {
			return sample{}, err
		}
		if kind == "put" {
			out, err := put(t.n)
			if err != nil {
				return sample{}, err
			}
			return natsStats(out, t.n, natsSize)
		}
		if err := t.once("keys", func() error { _, err := put(natsKeys); return err }); err != nil {
			return sample{}, err
		}
		if err := t.begin(); err != nil {
			return sample{}, err
		}
		out, err := natsBench(t, "kv", "get", "--bucket", "bench", "--msgs", strconv.Itoa(t.n), "--randomize", strconv.Itoa(natsKeys))
		if err != nil {
			return sample{}, err
		}
		return natsStats(out, t.n, natsSize)
	}
}

// coreFlow is a subject with one subscriber.
func coreFlow(t *target, received func([]byte)) (*flow, error) {
	in, out, err := natsPair(t)
	if err != nil {
		return nil, err
	}
	var errs firstError
	f := &flow{failed: errs.get, close: func() { in.Close(); out.Close() }}
	_, err = in.Subscribe("bench.flow", func(m *nats.Msg) { received(m.Data) })
	if err == nil {
		err = in.Flush()
	}
	if err != nil {
		f.close()
		return nil, err
	}
	// Each message is flushed: the client's own buffering is not the server's latency.
	f.send = func(body []byte) error {
		return errors.Join(out.Publish("bench.flow", body), out.FlushTimeout(patience))
	}
	return f, nil
}

// natsPair are the connections of a consumer and a publisher.
func natsPair(t *target) (in, out *nats.Conn, err error) {
	if in, err = nats.Connect(natsURL(t)); err != nil {
		return nil, nil, err
	}
	if out, err = nats.Connect(natsURL(t)); err != nil {
		in.Close()
	}
	return in, out, err
}

// jetStreamFlow is a stream with one consumer that acknowledges each message.
func jetStreamFlow(t *target, received func([]byte)) (*flow, error) {
	in, out, err := natsPair(t)
	if err != nil {
		return nil, err
	}
	var errs firstError
	f := &flow{failed: errs.get, close: func() { in.Close(); out.Close() }}
	fail := func(err error) (*flow, error) { f.close(); return nil, err }
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	consumer, err := jetstream.New(in)
	if err != nil {
		return fail(err)
	}
	if err := natsStream(t, "bench-flow", false); err != nil {
		return fail(err)
	}
	f.close = func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		consumer.DeleteStream(ctx, "bench-flow")
		in.Close()
		out.Close()
	}
	c, err := consumer.CreateConsumer(ctx, "bench-flow", jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		return fail(err)
	}
	_, err = c.Consume(func(m jetstream.Msg) {
		received(m.Data())
		if err := m.Ack(); err != nil {
			errs.note(err)
		}
	})
	if err != nil {
		return fail(err)
	}
	publisher, err := jetstream.New(out, jetstream.WithPublishAsyncMaxPending(flowWindow), jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) { errs.note(err) }))
	if err != nil {
		return fail(err)
	}
	f.send = func(body []byte) error {
		_, err := publisher.PublishAsync("bench-flow", body, jetstream.WithStallWait(patience))
		return err
	}
	return f, nil
}

var (
	natsRate       = regexp.MustCompile(`stats: ([0-9,]+) msgs/sec`)
	natsPercentile = regexp.MustCompile(`P(50|99|99\.9): ([0-9,.]+)us`)
)

// natsStats reads the last summary of `nats bench`: of all clients, if there are
// several.
func natsStats(out string, n, size int) (sample, error) {
	s := sample{Messages: n, Size: size}
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
	done chan struct{}
	out  strings.Builder // what it printed, once done
	err  error
}

// natsBackground starts a nats bench command and waits until it printed ready so
// many times.
func natsBackground(t *target, ready string, times int, args ...string) (*background, error) {
	command := natsCommand(t, args...)
	b := &background{cmd: exec.Command(command[0], command[1:]...), done: make(chan struct{})}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.cmd.Stderr = b.cmd.Stdout
	if err := children.start(b.cmd); err != nil {
		return nil, err
	}
	up := make(chan struct{})
	go func() {
		defer close(b.done)
		seen := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(&b.out, lines.Text())
			if strings.Contains(lines.Text(), ready) {
				if seen++; seen == times {
					close(up)
				}
			}
		}
		b.err = children.wait(b.cmd)
	}()
	select {
	case <-up:
		return b, nil
	case <-b.done:
		return nil, fmt.Errorf("nats bench %v ended: %v\n%s", args, b.err, b.out.String())
	case <-time.After(patience):
		b.stop()
		return nil, fmt.Errorf("nats bench %v does not begin", args)
	}
}

var errNotEnded = errors.New("nats bench does not end")

// wait waits for its end, which must come soon, and returns what it printed.
func (b *background) wait() (string, error) {
	select {
	case <-b.done:
		return b.out.String(), b.err
	case <-time.After(10 * time.Second):
		return "", errNotEnded
	}
}

// stop ends the command if it has not ended by itself.
func (b *background) stop() {
	b.cmd.Process.Kill()
	<-b.done
}

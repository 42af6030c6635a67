package main

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// What the tools print, as they printed it.

func TestNatsStats(t *testing.T) {
	const several = `01:25:54 [1] Starting JetStream synchronous publisher, publishing 100,000 messages

  [1] 363,542 msgs/sec ~ 44 MiB/sec ~ min: 0.08us ~ avg: 1.73us ~ max: 43,715.27us ~ P50: 0.10us ~ P90: 0.11us ~ P99: 1,000.14us ~ P99.9: 13.10us (100,000 msgs)
  [2] 327,123 msgs/sec ~ 40 MiB/sec ~ min: 0.08us ~ avg: 2.74us ~ max: 105,157.04us ~ P50: 2.00us ~ P90: 0.11us ~ P99: 0.17us ~ P99.9: 7.57us (100,000 msgs)

 NATS Core NATS publisher aggregated stats: 641,762 msgs/sec ~ 78 MiB/sec
 message rates min 327,123 | avg 345,332 | max 363,542 | stddev 18,209 msgs
`
	s, err := natsStats(several, 200_000, 128)
	if err != nil {
		t.Fatal(err)
	}
	if rate := s.rate(); rate < 641_761 || rate > 641_763 {
		t.Errorf("rate %f", rate)
	}
	if s.P50 != 2*time.Microsecond || s.P99 != 1000140*time.Nanosecond || s.P999 != 13100*time.Nanosecond {
		t.Errorf("percentiles %v %v %v", s.P50, s.P99, s.P999)
	}
	if _, err := natsStats("nats: error: no responders", 1, 1); err == nil {
		t.Error("no error without a result")
	}
}

func TestProduceStats(t *testing.T) {
	const out = `Warmup first 4000 records. Steady state results will print after the complete test
24000 records sent, 14660.965180 records/sec (1.40 MB/sec), 295.30 ms avg latency, 921.00 ms max latency, 313 ms 50th, 399 ms 95th, 403 ms 99th, 404 ms 99.9th.
20000 steady state records sent, 29895.366218 records/sec (2.85 MB/sec), 319.85 ms avg latency, 404.00 ms max latency, 353 ms 50th, 400 ms 95th, 405 ms 99th, 406 ms 99.9th.
`
	s, err := produceStats(out, 24_000, 100)
	if err != nil {
		t.Fatal(err)
	}
	if s.Messages != 20_000 || s.Served != 24_000 || s.rate() < 29_895 || s.rate() > 29_896 {
		t.Errorf("%+v", s)
	}
	if s.P50 != 353*time.Millisecond || s.P99 != 405*time.Millisecond || s.P999 != 406*time.Millisecond {
		t.Errorf("percentiles %v %v %v", s.P50, s.P99, s.P999)
	}
	if _, err := produceStats("org.apache.kafka.common.errors.TimeoutException", 1, 1); err == nil {
		t.Error("no error without a result")
	}
}

func TestConsumeStats(t *testing.T) {
	const out = "2026-11-26 01:40:00:000, 2026-11-26 01:40:03:000, 95.3674, 31.7891, 1000000, 333333.3333, 500, 2500, 38.1470, 400000.0000\n"
	s, err := consumeStats(out, 1_000_000, 100)
	if err != nil || s.Messages != 1_000_000 || s.Seconds != 2.5 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := consumeStats(out, 1_000_001, 100); err == nil {
		t.Error("no error if messages are missing")
	}
}

func TestPerfTestStats(t *testing.T) {
	const out = `id: test-012556-514, time 1.000 s, sent: 12085 msg/s, confirmed: 11614 msg/s, nacked: 0 msg/s, received: 11614 msg/s, min/median/75th/95th/99th consumer latency: 2097/41950/67623/95126/118023 µs, confirm latency: 745/22865/35509/55486/62111 µs
id: test-012556-514, time 2.000 s, sent: 20004 msg/s, confirmed: 20362 msg/s, nacked: 0 msg/s, received: 20000 msg/s, min/median/75th/95th/99th consumer latency: 1902/13952/27611/54016/58479 µs, confirm latency: 448/11725/21448/40903/53512 µs
id: test-012556-514, time 4.000 s, sent: 19167 msg/s, confirmed: 18318 msg/s, nacked: 0 msg/s, received: 23000 msg/s, min/median/75th/95th/99th consumer latency: 1004/30355/54141/96107/119975 µs, confirm latency: 505/22068/37561/58220/114905 µs
test stopped (Reached time limit)
id: test-012556-514, sending rate avg: 17959 msg/s
id: test-012556-514, receiving rate avg: 17950 msg/s
id: test-012556-514, consumer latency min/median/75th/95th/99th 1504/27503/43576/77298/118288 µs
id: test-012556-514, confirm latency min/median/75th/95th/99th 701/18286/25509/50677/84516 µs
`
	s, err := perfTestStats(out, 4, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if s.Messages != 66_000 || s.Seconds != 3 || s.Served != 71_800 {
		t.Errorf("%+v", s)
	}
	if s.P50 != 18286*time.Microsecond || s.P99 != 84516*time.Microsecond {
		t.Errorf("percentiles %v %v", s.P50, s.P99)
	}
}

func TestMedian(t *testing.T) {
	rates := func(seconds ...float64) (all []sample) {
		for _, s := range seconds {
			all = append(all, sample{Messages: 100, Seconds: 100 / s})
		}
		return all
	}
	for _, c := range []struct {
		of          []sample
		mid, spread float64
	}{
		{nil, 0, 0},
		{rates(5), 5, 0},
		{rates(6, 4), 5, 0.4},
		{rates(12, 8, 10), 10, 0.4},
	} {
		if mid, spread := median(c.of, sample.rate); mid != c.mid || spread != c.spread {
			t.Errorf("%d samples: %f ± %f, want %f ± %f", len(c.of), mid, spread, c.mid, c.spread)
		}
	}
}

func TestWorkloadsHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range workloads() {
		if seen[w.name] {
			t.Errorf("%q twice", w.name)
		}
		seen[w.name] = true
	}
}

// A report goes on with what was not measured again.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	var old report
	for _, name := range []string{"a", "b", "b: its nats", "bc"} {
		w := workload{name: name}
		old.addRow(name, w, system{name: "trivium"}, sample{Messages: 1})
		old.addRow(name, w, system{name: "peer"}, sample{Messages: 2})
	}
	if err := old.save(dir); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := r.resume(dir, []workload{{name: "b"}}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range r.Rows {
		got = append(got, fmt.Sprintf("%s %d %d", o.Workload, len(o.Ours), len(o.Theirs)))
	}
	if want := []string{"a 1 1", "b 0 0", "b: its nats 0 0", "bc 1 1"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err := new(report).resume(t.TempDir(), nil); err != nil {
		t.Errorf("without an old one: %v", err)
	}
}

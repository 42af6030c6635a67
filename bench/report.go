package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report gathers the samples of all rounds.
type report struct {
	Rows []*row
}

// row is one workload in one column: ours beside the peer's.
type row struct {
	Workload string
	Column   column
	Peer     string
	Ours     []sample
	Theirs   []sample
}

func (r *report) add(w workload, s system, got sample) {
	i := slices.IndexFunc(r.Rows, func(o *row) bool { return o.Workload == w.name && o.Column == s.column })
	if i < 0 {
		i = len(r.Rows)
		r.Rows = append(r.Rows, &row{Workload: w.name, Column: s.column})
	}
	if s.name == "trivium" {
		r.Rows[i].Ours = append(r.Rows[i].Ours, got)
	} else {
		r.Rows[i].Peer = s.name
		r.Rows[i].Theirs = append(r.Rows[i].Theirs, got)
	}
}

func (s sample) rate() float64 {
	if s.Seconds == 0 {
		return 0
	}
	return float64(s.Messages) / s.Seconds
}

// cpuPerMillion is the server's CPU seconds for a million messages.
func (s sample) cpuPerMillion() float64 {
	return s.CPU.Seconds() / float64(max(s.Messages, 1)) * 1e6
}

func (s sample) String() string {
	out := fmt.Sprintf("%9.0f msg/s  %7.1f MB/s  cpu %6.2f s/M  rss %4d MB", s.rate(), float64(s.Bytes)/max(s.Seconds, 1e-9)/1e6, s.cpuPerMillion(), s.PeakRSS>>20)
	if s.P50 > 0 {
		out += fmt.Sprintf("  p50 %v p99 %v p99.9 %v", s.P50.Round(time.Microsecond), s.P99.Round(time.Microsecond), s.P999.Round(time.Microsecond))
	}
	return out
}

// median is the middle of a figure over the rounds, and spread how far the rounds
// are apart, as a share of it.
func median(all []sample, figure func(sample) float64) (mid, spread float64) {
	if len(all) == 0 {
		return 0, 0
	}
	v := make([]float64, len(all))
	for i, s := range all {
		v[i] = figure(s)
	}
	slices.Sort(v)
	mid = v[len(v)/2]
	if mid != 0 {
		spread = (v[len(v)-1] - v[0]) / mid
	}
	return mid, spread
}

func p99(s sample) float64  { return float64(s.P99.Microseconds()) }
func peak(s sample) float64 { return float64(s.PeakRSS) }

// machine describes where the figures come from.
func machine() string {
	model := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d × %s, %s/%s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// ratio formats ours divided by theirs.
func ratio(ours, theirs float64) string {
	if ours == 0 || theirs == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f×", ours/theirs)
}

// markdown is the table of ratios.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s. Medians; ± is the spread between rounds.\n", time.Now().UTC().Format("2 January 2006"), machine())
	for _, c := range []column{onDisk, defaults} {
		fmt.Fprintf(&b, "\n### %s\n\n", c)
		b.WriteString("| work | peer | ours msg/s | theirs msg/s | throughput | server CPU per message | p99 | peak RSS |\n|---|---|---|---|---|---|---|---|\n")
		for _, o := range r.Rows {
			if o.Column != c {
				continue
			}
			ours, oursSpread := median(o.Ours, sample.rate)
			theirs, theirsSpread := median(o.Theirs, sample.rate)
			oursCPU, _ := median(o.Ours, sample.cpuPerMillion)
			theirsCPU, _ := median(o.Theirs, sample.cpuPerMillion)
			oursP99, _ := median(o.Ours, p99)
			theirsP99, _ := median(o.Theirs, p99)
			oursRSS, _ := median(o.Ours, peak)
			theirsRSS, _ := median(o.Theirs, peak)
			fmt.Fprintf(&b, "| %s | %s | %.0f ± %.0f %% | %.0f ± %.0f %% | **%s** | %s | %s | %s |\n", strings.TrimSpace(o.Workload), o.Peer,
				ours, oursSpread*100, theirs, theirsSpread*100, ratio(ours, theirs), ratio(oursCPU, theirsCPU), ratio(oursP99, theirsP99), ratio(oursRSS, theirsRSS))
		}
	}
	return b.String()
}

// preface opens the page that save writes.
const preface = `# Benchmarks

Written by ` + "`go run ./bench -out docs`" + ` (see its package comment for how it measures): Trivium beside the real RabbitMQ,
Kafka and nats-server, one after the other on one machine, driven by the same tools. Throughput, CPU, latency and memory
are ours divided by theirs: more than 1 is better for throughput, less for the rest. "On disk" means that
what is acknowledged is on disk: nats-server with ` + "`sync_interval: always`" + `, RabbitMQ with quorum queues, Kafka with
` + "`log.flush.interval.messages=1`" + `, Trivium as it is. "Defaults" are the peers as they are shipped, and Trivium with
` + "`--durability interval`" + `. Clients and servers share the cores, so the server's own CPU per message says as much as
throughput. The samples are in [benchmarks.json](benchmarks.json), the picture in [benchmarks.svg](benchmarks.svg).

`

// save writes the results, the table and the picture.
func (r *report) save(dir string) error {
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return cmp.Or(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "benchmarks.json"), raw, 0o644),
		os.WriteFile(filepath.Join(dir, "benchmarks.md"), []byte(preface+r.markdown()), 0o644),
		os.WriteFile(filepath.Join(dir, "benchmarks.svg"), []byte(r.picture()), 0o644))
}

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// preface opens the page that save writes.
const preface = `# Benchmarks

Written by ` + "`go run ./bench -out docs`" + `: Trivium beside the real RabbitMQ, Kafka and nats-server, one after the other on one
machine, driven by the same load tools; [bench/doc.go](../bench/doc.go) says how. The samples are in
[benchmarks.json](benchmarks.json).

- **on disk**: what is acknowledged is on disk: RabbitMQ with quorum queues, Kafka with ` + "`log.flush.interval.messages=1`" + `,
  nats-server with ` + "`sync_interval: always`" + `, Trivium as it is. **defaults**: the peers as they are shipped, which acknowledge
  before, and Trivium with ` + "`--durability interval`" + `.
- Each cell has ours, theirs, and in bold the one divided by the other: more is better for throughput, less for all else.
- Medians; ± is how far the rounds are apart. A ratio closer to 1 than that says nothing.
- Load tools and servers share the cores: a tool that is slower than both servers hides the difference, which then
  shows in the CPU time of the server alone. So it is with PerfTest, ConsumerPerformance, and one synchronous client.
- Latency is what the load tool reports: of a confirm or an acknowledgement, or, in rows at a fixed rate and at the tail,
  from when a message was due until the consumer has it. ProducerPerformance counts in whole milliseconds, and what it
  sends as fast as it can waits in its own buffer first: the row at a fixed rate says what the server takes.
- "mix": one flow through each door at once, through one Trivium and through the three peers beside each other, whose
  CPU time and memory are added up.

![Throughput and CPU time beside the peers](benchmarks.svg)

`

// markdown is the tables.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s.\n", time.Now().UTC().Format("2 January 2006"), r.Machine, r.rounds())
	for _, c := range []column{onDisk, defaults} {
		rows := r.column(c)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s: throughput and cost\n\n", title(c))
		b.WriteString("| work | peer | messages/s | CPU s per million | CPU s per GB | peak RSS, MB |\n|---|---|---|---|---|---|\n")
		for _, o := range rows {
			rate := o.rate()
			if o.Paced {
				rate = "fixed rate"
			}
			if o.Paced && !o.figure(sample.cpuPerMillion).measured() {
				continue // a part of the row above
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", o.Workload, o.Peer, rate, o.cell("%.2f", sample.cpuPerMillion), o.cell("%.2f", sample.cpuPerGB), o.cell("%.0f", memory))
		}
		rows = slices.DeleteFunc(rows, func(o *row) bool { return !o.figure(p50).measured() })
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s: latency, ms\n\n", title(c))
		b.WriteString("| work | peer | p50 | p99 | p99.9 |\n|---|---|---|---|---|\n")
		for _, o := range rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", o.Workload, o.Peer, o.cell("%.2f", p50), o.noisy("%.2f", p99), o.cell("%.2f", p999))
		}
	}
	return b.String()
}

func title(c column) string { return strings.ToUpper(string(c[:1])) + string(c[1:]) }

// rounds says how many samples the medians are of.
func (r *report) rounds() string {
	least, most := 1<<30, 0
	for _, o := range r.Rows {
		n := min(len(o.Ours), len(o.Theirs))
		least, most = min(least, n), max(most, n)
	}
	switch {
	case most <= 1:
		return "one round"
	case least < most:
		return fmt.Sprintf("%d to %d rounds", least, most)
	}
	return fmt.Sprintf("%d rounds", most)
}

func (o *row) rate() string { return o.noisy("%.0f", sample.rate) }

// cell is a figure of both sides and their ratio.
func (o *row) cell(format string, of func(sample) float64) string {
	f := o.figure(of)
	if !f.measured() {
		return "–"
	}
	return fmt.Sprintf(format+" / "+format+" **%.2f×**", f.ours, f.theirs, f.ratio())
}

// noisy is cell with the spread of each side, if there is more than one round.
func (o *row) noisy(format string, of func(sample) float64) string {
	f := o.figure(of)
	if !f.measured() || len(o.Ours) < 2 {
		return o.cell(format, of)
	}
	return fmt.Sprintf(format+" ± %.0f %% / "+format+" ± %.0f %% **%.2f×**", f.ours, f.oursSpread*100, f.theirs, f.theirsSpread*100, f.ratio())
}

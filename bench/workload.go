package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// target is a running system, seen by a workload.
type target struct {
	system
	server *server
	work   string // where tools and jars are
	dir    string // scratch
	// n is how many messages a run shall send, span how long it shall take: a
	// workload goes by one of them.
	n    int
	span time.Duration
	// made names what workloads have set up in this visit, for those after them.
	made map[string]bool

	usedBefore time.Duration
}

// begin says that setting up is over: what the server uses counts from here. A
// workload that sets nothing up that costs anything need not call it.
func (t *target) begin() error {
	if err := t.server.forgetPeak(); err != nil {
		return err
	}
	var err error
	t.usedBefore, err = t.server.cpu()
	return err
}

// once does what name stands for, unless this visit has done it.
func (t *target) once(name string, do func() error) error {
	if t.made[name] {
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	t.made[name] = true
	return nil
}

// sample is what one run of a workload measured. A field of 0 was not measured.
type sample struct {
	Messages int
	Size     int // of a message, in bytes
	Seconds  float64
	// Served is how many messages the server moved while its CPU time was taken:
	// more than Messages if the tool warmed up first.
	Served         int
	P50, P99, P999 time.Duration
	CPU            time.Duration
	PeakRSS        int64
	// Parts are the doors' own samples, if several were busy: rate and latency of
	// each. Of servers' CPU time and memory there is only the sum.
	Parts map[string]sample `json:",omitempty"`
}

// rate is in messages a second.
func (s sample) rate() float64 {
	if s.Seconds == 0 {
		return 0
	}
	return float64(s.Messages) / s.Seconds
}

// cpuPerMillion is the server's CPU seconds for a million messages.
func (s sample) cpuPerMillion() float64 {
	return s.CPU.Seconds() / float64(max(s.Served, 1)) * 1e6
}

// cpuPerGB is the server's CPU seconds for 10⁹ bytes of messages.
func (s sample) cpuPerGB() float64 { return s.cpuPerMillion() * 1e3 / float64(max(s.Size, 1)) }

func (s sample) String() string {
	out := fmt.Sprintf("%9.0f msg/s  %7.1f MB/s  %4.1f s  cpu %6.2f s/M  rss %4d MB", s.rate(), s.rate()*float64(s.Size)/1e6, s.Seconds, s.cpuPerMillion(), s.PeakRSS>>20)
	if s.P50 > 0 {
		out += fmt.Sprintf("  p50 %v p99 %v p99.9 %v", s.P50.Round(time.Microsecond), s.P99.Round(time.Microsecond), s.P999.Round(time.Microsecond))
	}
	return out
}

// percentiles sorts d.
func percentiles(d []time.Duration) (p50, p99, p999 time.Duration) {
	if len(d) == 0 {
		return
	}
	slices.Sort(d)
	at := func(p float64) time.Duration { return d[min(len(d)-1, int(p*float64(len(d))))] }
	return at(.5), at(.99), at(.999)
}

// workload is one kind of load. Its name begins with its door.
type workload struct {
	name string
	// door is "nats", "amqp", "kafka", or "mix" for all three at once.
	door string
	// columns it is run in; none means both.
	columns []column
	// first is how many messages to begin with, before its rate is known; 0: the
	// workload goes by time, and warms up by itself.
	first int
	// warms: its tool sends messages that it does not measure before those it does.
	warms bool
	// paced: it sends at a fixed rate, so that its rate says nothing, but its
	// latency all the more.
	paced bool
	run   func(t *target) (sample, error)
}

func (w workload) in(c column) bool { return len(w.columns) == 0 || slices.Contains(w.columns, c) }

// needs names what must be installed.
func (w workload) needs() []string {
	switch {
	case w.door == "mix":
		return []string{"nats", "amqp", "kafka"}
	case strings.Contains(w.name, "PerfTest"):
		return []string{w.door, "perftest"}
	}
	return []string{w.door}
}

func workloads() []workload {
	return slices.Concat(natsWorkloads(), amqpWorkloads(), kafkaWorkloads(), mixWorkloads())
}

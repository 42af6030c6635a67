package main

import (
	"fmt"
	"time"
)

// target is a running system, seen by a workload.
type target struct {
	system
	addr string
	work string // where tools and jars are
	dir  string // scratch
	// scale multiplies the number of messages.
	scale float64
}

// count is how many of n messages to send.
func (t *target) count(n int) int { return max(1, int(float64(n)*t.scale)) }

// sample is what one run of a workload measured. A field of 0 was not measured.
type sample struct {
	Messages       int
	Bytes          int64
	Seconds        float64
	P50, P99, P999 time.Duration
	CPU            time.Duration
	PeakRSS        int64
}

// workload is one kind of load. Its name begins with its door.
type workload struct {
	name string
	door string
	// columns it is run in; none means both.
	columns []column
	run     func(t *target) (sample, error)
}

func (w workload) in(c column) bool {
	if len(w.columns) == 0 {
		return true
	}
	for _, have := range w.columns {
		if have == c {
			return true
		}
	}
	return false
}

func workloads() []workload {
	return append(append(natsWorkloads(), amqpWorkloads()...), kafkaWorkloads()...)
}

// measure runs w against a started server and adds what the server used.
func measure(w workload, t *target, p *process) (sample, error) {
	if err := p.forgetPeak(); err != nil {
		return sample{}, err
	}
	before, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	s, err := w.run(t)
	if err != nil {
		return s, fmt.Errorf("%s against %s (%s): %w", w.name, t.name, t.column, err)
	}
	after, err := p.cpu()
	if err != nil {
		return s, err
	}
	s.CPU = after - before
	s.PeakRSS, err = p.peakRSS()
	return s, err
}

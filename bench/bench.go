package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

type options struct {
	short     bool
	scale     bool
	only      string
	rounds    int
	work, out string
}

const (
	// runSpan is how long a measured run shall take, warmSpan the run before it.
	runSpan  = 2500 * time.Millisecond
	warmSpan = 400 * time.Millisecond
	// shortSpan is a run of -short.
	shortSpan = 300 * time.Millisecond
)

// bench is one comparison.
type bench struct {
	options
	report report
	// rates is what each workload reached against each system: messages a second.
	rates map[pairing]float64
	// failed is what went wrong with single runs; the others go on.
	failed error
}

// pairing is a workload against a system.
type pairing struct {
	workload, system string
	column           column
}

// compare runs every workload against every system of its door. A round takes each
// system once, so that whatever else the machine does is spread over all.
func compare(o options) error {
	b := bench{options: o, rates: map[pairing]float64{}}
	if b.short {
		b.rounds = 1
	}
	var chosen []workload
	need := map[string]bool{}
	only, err := regexp.Compile(b.only)
	if err != nil {
		return err
	}
	for _, w := range workloads() {
		if only.MatchString(w.name) {
			chosen = append(chosen, w)
			for _, n := range w.needs() {
				need[n] = true
			}
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no workload's name matches %q", b.only)
	}
	work, err := filepath.Abs(b.work)
	if err != nil {
		return err
	}
	if err := install(work, need); err != nil {
		return err
	}
	if b.out != "" && b.only != "" {
		if err := b.report.resume(b.out, chosen); err != nil {
			return err
		}
	}
	began := time.Now()
	for round := range b.rounds {
		for _, s := range systems() {
			if err := b.visit(s, chosen, work, round); err != nil {
				return err
			}
		}
	}
	fmt.Print(b.report.markdown())
	fmt.Fprintf(os.Stderr, "took %v\n", time.Since(began).Round(time.Second))
	return b.failed
}

// visit starts a system, runs its door's workloads against it, and stops it.
func (b *bench) visit(s system, chosen []workload, work string, round int) error {
	var mine []workload
	for _, w := range chosen {
		if w.door == s.door && w.in(s.column) {
			mine = append(mine, w)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	dir, err := scratch.add(work, s.door)
	if err != nil {
		return err
	}
	defer scratch.remove(dir)
	srv, err := s.start(work, dir)
	if err != nil {
		return err
	}
	defer srv.stop()
	t := &target{system: s, server: srv, work: work, dir: dir, made: map[string]bool{}}
	for _, w := range mine {
		got, err := b.measure(w, t)
		if err != nil {
			err = fmt.Errorf("%s against %s (%s): %w", w.name, s.name, s.column, err)
			fmt.Fprintln(os.Stderr, err)
			b.failed = errors.Join(b.failed, err)
			if srv.ended() {
				return nil
			}
			continue
		}
		b.report.add(w, s, got)
		fmt.Fprintf(os.Stderr, "round %d: %-11s %-8s %-48s %s\n", round+1, s.name, s.column, w.name, got)
		if b.out != "" {
			if err := b.report.save(b.out); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure runs w against t: for a moment to warm up, then for a sample.
func (b *bench) measure(w workload, t *target) (sample, error) {
	pair := pairing{w.name, t.name, t.column}
	t.span, t.n = runSpan, 0
	if b.short {
		t.span, t.n = shortSpan, w.first
		return b.take(w, t)
	}
	if w.first > 0 {
		if err := b.warmUp(w, t, pair); err != nil {
			return sample{}, err
		}
		t.n = int(b.rates[pair] * runSpan.Seconds())
	}
	s, err := b.take(w, t)
	if err == nil && s.rate() > 0 {
		b.rates[pair] = s.rate()
	}
	return s, err
}

// warmUp runs w for a moment, and finds its rate if it has none yet.
func (b *bench) warmUp(w workload, t *target, pair pairing) error {
	if rate, known := b.rates[pair]; known {
		if w.warms {
			return nil
		}
		t.n = int(rate * warmSpan.Seconds())
		_, err := w.run(t)
		return err
	}
	// What takes too little time says too little about the rate.
	const attempts = 3
	t.n = w.first
	for range attempts {
		s, err := w.run(t)
		if err != nil {
			return err
		}
		b.rates[pair] = s.rate()
		if s.Seconds > warmSpan.Seconds()/2 {
			break
		}
		t.n = int(s.rate() * warmSpan.Seconds())
	}
	return nil
}

// take runs w once and adds what the server used.
func (b *bench) take(w workload, t *target) (sample, error) {
	if !b.short {
		syscall.Sync()
	}
	if err := t.begin(); err != nil {
		return sample{}, err
	}
	s, err := w.run(t)
	if err != nil {
		return s, err
	}
	if s.Served == 0 {
		s.Served = s.Messages
	}
	used, err := t.server.cpu()
	if err != nil {
		return s, err
	}
	s.CPU = used - t.usedBefore
	s.PeakRSS, err = t.server.peakRSS()
	return s, err
}

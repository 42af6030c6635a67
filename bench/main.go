package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	var o options
	flag.BoolVar(&o.short, "short", false, "one small round, to see that everything works")
	flag.StringVar(&o.only, "only", "", "run the workloads whose name contains this")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each workload is run against each system")
	flag.StringVar(&o.work, "work", filepath.Join(os.TempDir(), "trivium-bench"), "where the peers are installed and store their data")
	flag.StringVar(&o.out, "out", "", "write benchmarks.json, benchmarks.md and benchmarks.svg into this directory")
	flag.BoolVar(&o.scale, "scale", false, "measure how cost grows with what there is, of Trivium alone; -out writes scale.json and scale.md")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench takes no arguments, only flags")
		os.Exit(2)
	}
	do := bench
	if o.scale {
		do = scale
	}
	if err := do(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	short     bool
	scale     bool
	only      string
	rounds    int
	work, out string
}

// shortScale is the share of the messages that a short round sends.
const shortScale = 0.02

// bench runs every workload against every system of its door. A round takes each
// system once, so that whatever else the machine does is spread over all.
func bench(o options) error {
	scale := 1.0
	if o.short {
		scale, o.rounds = shortScale, 1
	}
	var chosen []workload
	need := map[string]bool{}
	for _, w := range workloads() {
		if strings.Contains(w.name, o.only) {
			chosen = append(chosen, w)
			need[w.door] = true
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no workload's name contains %q", o.only)
	}
	work, err := filepath.Abs(o.work)
	if err != nil {
		return err
	}
	if err := install(work, need); err != nil {
		return err
	}
	var r report
	for round := range o.rounds {
		for _, s := range systems() {
			if !need[s.door] {
				continue
			}
			if err := visit(&r, s, chosen, work, scale, round); err != nil {
				return err
			}
		}
	}
	fmt.Print(r.markdown())
	if o.out == "" {
		return nil
	}
	return r.save(o.out)
}

// visit starts a system, runs its door's workloads against it, and stops it.
func visit(r *report, s system, chosen []workload, work string, scale float64, round int) error {
	dir, err := os.MkdirTemp(work, s.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, addr, err := s.start(work, dir)
	if err != nil {
		return err
	}
	defer p.stop()
	t := &target{system: s, addr: addr, work: work, dir: dir, scale: scale}
	for _, w := range chosen {
		if w.door != s.door || !w.in(s.column) {
			continue
		}
		got, err := measure(w, t, p)
		if err != nil {
			return err
		}
		r.add(w, s, got)
		fmt.Fprintf(os.Stderr, "round %d: %-11s %-8s %-48s %s\n", round+1, s.name, s.column, w.name, got)
	}
	return nil
}

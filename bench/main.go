package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// init rather than main, because the main thread runs it: see dieWithGoRun.
func init() { dieWithGoRun() }

func main() {
	var o options
	flag.BoolVar(&o.short, "short", false, "one moment of each workload, to see that everything works")
	flag.StringVar(&o.only, "only", "", "run the workloads whose name matches this regular expression")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each workload is run against each system")
	flag.StringVar(&o.work, "work", filepath.Join(os.TempDir(), "trivium-bench"), "where the peers are installed and store their data")
	flag.StringVar(&o.out, "out", "", "write benchmarks.json, benchmarks.md and benchmarks.svg into this directory")
	flag.BoolVar(&o.scale, "scale", false, "measure how cost grows with what there is, of Trivium alone; -out writes scale.json and scale.md")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench takes no arguments, only flags")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := compare
	if o.scale {
		do = scale
	}
	done := make(chan error, 1)
	go func() { done <- do(o) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	children.killAll()
	scratch.removeAll()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// trial is one thing of which there may be many, measured at three sizes so that
// it shows how cost grows.
type trial struct {
	name string
	// aim is what the largest size has to reach.
	aim   string
	sizes []int
	run   func(b *bout) error
}

// scaleShort divides the smallest size of each trial; a short run has only that.
const scaleShort = 10

func trials() []trial {
	all := []trial{startTrial}
	all = append(all, connTrials()...)
	return append(all, queuesTrial, topicsTrial, subjectsTrial, bucketTrial, amqpBacklog, kafkaBacklog, natsBacklog, recoveryTrial)
}

// scale runs the trials whose name contains o.only, each size against a server
// and a directory of its own.
func scale(o options) error {
	work, err := filepath.Abs(o.work)
	if err != nil {
		return err
	}
	// As the README has it built.
	if _, err := run(".", []string{"CGO_ENABLED=0"}, "go", "build", "-o", filepath.Join(work, "bin", "trivium"), "./cmd/trivium"); err != nil {
		return err
	}
	r, err := loadScale(o.out)
	if err != nil {
		return err
	}
	ran := false
	for _, t := range trials() {
		if !strings.Contains(t.name, o.only) {
			continue
		}
		ran = true
		var got []bout
		for _, n := range t.sizes {
			if o.short {
				n = max(1, n/scaleShort)
			}
			b := bout{N: n, short: o.short}
			if err := b.visit(t, work); err != nil {
				return fmt.Errorf("%s, %d: %w", t.name, n, err)
			}
			got = append(got, b)
			if o.short {
				break
			}
		}
		r.set(t, got)
		fmt.Print(r.table(t.name))
		if o.out != "" {
			if err := r.save(o.out); err != nil {
				return err
			}
		}
	}
	if !ran {
		return fmt.Errorf("no trial's name contains %q", o.only)
	}
	return nil
}

// visit runs t in a directory that is removed afterwards.
func (b *bout) visit(t trial, work string) error {
	dir, err := scratch.add(work, "scale")
	if err != nil {
		return err
	}
	defer scratch.remove(dir)
	b.dir, b.exe = dir, filepath.Join(work, "bin", "trivium")
	fmt.Fprintf(os.Stderr, "%s, %d\n", t.name, b.N)
	if err := b.start(); err != nil {
		return err
	}
	defer b.stop()
	return t.run(b)
}

// figure is one measured value; Unit is one of the keys of units.
type figure struct {
	Name  string
	Value float64
	Unit  string
}

// bout is one trial at one size.
type bout struct {
	N       int
	Figures []figure

	short    bool
	dir, exe string
	p        *process
	addr     map[string]string
}

func (b *bout) note(name string, v float64, unit string) {
	b.Figures = append(b.Figures, figure{name, v, unit})
	fmt.Fprintf(os.Stderr, "  %-44s %s\n", name, units[unit](v))
}

// timed notes how long f took, as a whole and for each of count items.
func (b *bout) timed(name string, count int, f func() error) error {
	before, err := b.p.exactCPU()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	took := time.Since(start)
	after, err := b.p.exactCPU()
	if err != nil {
		return err
	}
	b.note(name, took.Seconds(), "s")
	b.note(name+", each", took.Seconds()/float64(count), "s")
	b.note(name+", server CPU each", (after-before).Seconds()/float64(count), "s")
	return nil
}

// A server that is looked at rests before, for longer than it waits to give memory back, and is watched
// for a while if it is to do nothing.
const (
	rest  = 8 * time.Second
	watch = 10 * time.Second
)

// pause lets d pass, a tenth of it in a short run.
func (b *bout) pause(d time.Duration) time.Duration {
	if b.short {
		d /= 10
	}
	time.Sleep(d)
	return d
}

// memory notes the resident size after a moment of rest, and returns it.
func (b *bout) memory(name string) (float64, error) {
	b.pause(rest)
	rss, err := b.p.rss()
	if err == nil {
		b.note(name, float64(rss), "B")
	}
	return float64(rss), err
}

// idle notes the CPU that the server uses while nothing is asked of it, as a share of one core.
func (b *bout) idle(name string) error {
	before, err := b.p.exactCPU()
	if err != nil {
		return err
	}
	watched := b.pause(watch)
	after, err := b.p.exactCPU()
	if err != nil {
		return err
	}
	b.note(name, (after-before).Seconds()/watched.Seconds()*100, "%")
	return nil
}

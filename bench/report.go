package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// report gathers the samples of all rounds.
type report struct {
	Machine string
	Rows    []*row
}

// row is one workload in one column: ours beside the peer's.
type row struct {
	Workload string
	Column   column
	Peer     string
	// Paced: messages were sent at a fixed rate.
	Paced  bool `json:",omitempty"`
	Ours   []sample
	Theirs []sample
}

func (r *report) add(w workload, s system, got sample) {
	r.addRow(w.name, w, s, got)
	for _, door := range []string{"amqp", "kafka", "nats"} {
		if part, busy := got.Parts[door]; busy {
			r.addRow(w.name+": its "+door, w, s, part)
		}
	}
}

func (r *report) addRow(name string, w workload, s system, got sample) {
	r.Machine = machine()
	i := slices.IndexFunc(r.Rows, func(o *row) bool { return o.Workload == name && o.Column == s.column })
	if i < 0 {
		i = len(r.Rows)
		r.Rows = append(r.Rows, &row{Workload: name, Column: s.column, Paced: w.paced})
	}
	if s.name == "trivium" {
		r.Rows[i].Ours = append(r.Rows[i].Ours, got)
	} else {
		r.Rows[i].Peer = s.name
		r.Rows[i].Theirs = append(r.Rows[i].Theirs, got)
	}
}

// resume goes on from the report in dir, without the samples of the workloads that are measured again.
func (r *report) resume(dir string, again []workload) error {
	raw, err := os.ReadFile(filepath.Join(dir, "benchmarks.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, r)
	}
	for _, o := range r.Rows {
		if slices.ContainsFunc(again, func(w workload) bool { return o.Workload == w.name || strings.HasPrefix(o.Workload, w.name+": its ") }) {
			o.Ours, o.Theirs = nil, nil
		}
	}
	return err
}

// column returns the rows of c in which both sides have samples.
func (r *report) column(c column) []*row {
	var rows []*row
	for _, o := range r.Rows {
		if o.Column == c && len(o.Ours) > 0 && len(o.Theirs) > 0 {
			rows = append(rows, o)
		}
	}
	return rows
}

// The figures of a sample that are compared, each with 0 for not measured.
func p50(s sample) float64    { return float64(s.P50.Nanoseconds()) / 1e6 }
func p99(s sample) float64    { return float64(s.P99.Nanoseconds()) / 1e6 }
func p999(s sample) float64   { return float64(s.P999.Nanoseconds()) / 1e6 }
func memory(s sample) float64 { return float64(s.PeakRSS) / (1 << 20) }

// contrast is one figure of both sides over the rounds: its medians, and how far the
// rounds are apart, as a share of it.
type contrast struct {
	ours, theirs             float64
	oursSpread, theirsSpread float64
}

func (o *row) figure(of func(sample) float64) contrast {
	var f contrast
	f.ours, f.oursSpread = median(o.Ours, of)
	f.theirs, f.theirsSpread = median(o.Theirs, of)
	return f
}

// measured says whether there is something to compare.
func (f contrast) measured() bool { return f.ours > 0 && f.theirs > 0 }

// ratio is ours divided by theirs.
func (f contrast) ratio() float64 { return f.ours / f.theirs }

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
	if len(v)%2 == 0 {
		mid = (mid + v[len(v)/2-1]) / 2
	}
	if mid != 0 {
		spread = (v[len(v)-1] - v[0]) / mid
	}
	return mid, spread
}

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
	out := fmt.Sprintf("%d × %s", runtime.NumCPU(), model)
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kib); err == nil {
			out += fmt.Sprintf(", %.0f GiB", float64(kib)/(1<<20))
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s, %s/%s %s, %s", out, runtime.GOOS, runtime.GOARCH, bytes.TrimSpace(kernel), runtime.Version())
}

// save writes the samples, the tables and the picture.
func (r *report) save(dir string) error {
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var failed error
	for name, data := range map[string][]byte{
		"benchmarks.json": raw, "benchmarks.md": []byte(preface + r.markdown()), "benchmarks.svg": []byte(r.picture()),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file+".new", data, 0o644); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		failed = errors.Join(failed, os.Rename(file+".new", file))
	}
	return failed
}

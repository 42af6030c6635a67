package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// units format a figure.
var units = map[string]func(float64) string{
	"s": func(v float64) string {
		switch {
		case v == 0:
			return "0"
		case v < 1e-3:
			return fmt.Sprintf("%.1f µs", v*1e6)
		case v < 1:
			return fmt.Sprintf("%.1f ms", v*1e3)
		}
		return fmt.Sprintf("%.2f s", v)
	},
	"B": func(v float64) string {
		switch {
		case v < 10<<10 && v > -10<<10:
			return fmt.Sprintf("%.0f B", v)
		case v < 10<<20 && v > -10<<20:
			return fmt.Sprintf("%.1f KiB", v/(1<<10))
		}
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	},
	"%": func(v float64) string { return fmt.Sprintf("%.1f %%", v) },
	"n": func(v float64) string { return fmt.Sprintf("%.0f", v) },
}

// scaleReport holds the last run of each trial.
type scaleReport struct {
	Trials []scaleRow
}

type scaleRow struct {
	Name, Aim, When string
	Bouts           []bout
}

const (
	scaleJSON = "scale.json"
	scalePage = "scale.md"
	// scaleMark is the line of the page below which save writes; what is above it is prose.
	scaleMark = "<!-- below: written by go run ./bench -scale -out docs -->"
)

// loadScale reads what save wrote, so that trials may be run one by one.
func loadScale(dir string) (*scaleReport, error) {
	r := new(scaleReport)
	if dir == "" {
		return r, nil
	}
	raw, err := os.ReadFile(filepath.Join(dir, scaleJSON))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	return r, cmp.Or(err, json.Unmarshal(raw, r))
}

// set replaces what is known of t.
func (r *scaleReport) set(t trial, got []bout) {
	row := scaleRow{Name: t.name, Aim: t.aim, When: time.Now().UTC().Format("2 January 2006"), Bouts: got}
	if i := slices.IndexFunc(r.Trials, func(o scaleRow) bool { return o.Name == t.name }); i >= 0 {
		r.Trials[i] = row
		return
	}
	r.Trials = append(r.Trials, row)
	var order []string
	for _, t := range trials() {
		order = append(order, t.name)
	}
	slices.SortFunc(r.Trials, func(a, b scaleRow) int {
		return cmp.Compare(slices.Index(order, a.Name), slices.Index(order, b.Name))
	})
}

// table is a trial's figures, a column for each size.
func (r *scaleReport) table(name string) string {
	i := slices.IndexFunc(r.Trials, func(o scaleRow) bool { return o.Name == name })
	row := r.Trials[i]
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\nAim: %s. Measured %s.\n\n| |", row.Name, row.Aim, row.When)
	for _, o := range row.Bouts {
		fmt.Fprintf(&b, " %d |", o.N)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(row.Bouts)) + "\n")
	for k, f := range row.Bouts[0].Figures {
		fmt.Fprintf(&b, "| %s |", f.Name)
		for _, o := range row.Bouts {
			fmt.Fprintf(&b, " %s |", units[f.Unit](o.Figures[k].Value))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// save writes the figures below the page's prose, and all of them as JSON.
func (r *scaleReport) save(dir string) error {
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	page := filepath.Join(dir, scalePage)
	old, err := os.ReadFile(page)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	prose, _, ok := strings.Cut(string(old), scaleMark)
	if !ok {
		prose = "# Scale\n\n"
	}
	b := prose + scaleMark + "\n\n" + machine() + ". \"Memory\" is the resident size of the process.\n"
	for _, t := range r.Trials {
		b += r.table(t.Name)
	}
	return cmp.Or(
		os.WriteFile(filepath.Join(dir, scaleJSON), raw, 0o644),
		os.WriteFile(page, []byte(b), 0o644))
}

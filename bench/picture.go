package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The picture has a line for each workload and a panel for each column. On a
// logarithmic scale around 1, a bar says how many times faster Trivium is
// (throughput; at a fixed rate, p99), a dot how many times less CPU time its server
// takes: right of the middle it is ahead, left of it the peer is.
const (
	pictureLine   = 18
	pictureTop    = 82
	pictureLabels = 370 // where panels begin
	panelWidth    = 290
	panelMiddle   = 80 // of panelWidth: 1×
	perDoubling   = 28
	// What is further out is drawn at the edge; the number tells.
	panelLeft, panelRight = 8, panelWidth - 52
)

// pictureStyle follows the reader's choice of light or dark, ground included, so
// that it can be read on any page.
const pictureStyle = `<style>
text{fill:#1f2328;font:12px system-ui,sans-serif}.t{font-size:14px;font-weight:600}.s{fill:#59636e;font-size:11px}
.g{fill:#fff}.b{fill:#2f9e62}.w{fill:#cf4a3f}.c{fill:#6a4fc4;stroke:#fff}.l{stroke:#8c959f}.d{stroke:#d1d9e0}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9198a1}.g{fill:#0d1117}.b{fill:#2ea36a}.w{fill:#e5655a}.c{fill:#b49cff;stroke:#0d1117}.d{stroke:#3d444d}}
</style>
`

func (r *report) picture() string {
	var names []string
	lines := map[string]map[column]*row{}
	for _, o := range r.Rows {
		if len(o.Ours) == 0 || len(o.Theirs) == 0 {
			continue
		}
		if lines[o.Workload] == nil {
			names = append(names, o.Workload)
			lines[o.Workload] = map[column]*row{}
		}
		lines[o.Workload][o.Column] = o
	}
	width, height := pictureLabels+2*panelWidth, pictureTop+pictureLine*len(names)+12
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Trivium beside its peers: throughput and CPU time">`+"\n", width, height, width, height)
	b.WriteString(pictureStyle)
	fmt.Fprintf(&b, `<rect class="g" width="%d" height="%d" rx="6"/>`+"\n", width, height)
	b.WriteString(`<text class="t" x="14" y="24">Trivium beside the peers: how many times faster, and how many times less CPU</text>` + "\n")
	b.WriteString(`<text class="s" x="14" y="48">bar: throughput; at a fixed rate, p99</text>` + "\n")
	b.WriteString(`<text class="s" x="14" y="66">dot: the server’s CPU time per message</text>` + "\n")
	for i, c := range []column{onDisk, defaults} {
		x := pictureLabels + i*panelWidth
		fmt.Fprintf(&b, `<text class="t" x="%d" y="48">%s</text>`+"\n", x+panelLeft, title(c))
		for power := -2; power <= 4; power += 2 {
			at, class := x+panelMiddle+power*perDoubling, "d"
			if power == 0 {
				class = "l"
			}
			fmt.Fprintf(&b, `<line class="%s" x1="%d" x2="%d" y1="%d" y2="%d"/><text class="s" x="%d" y="66" text-anchor="middle">%s</text>`+"\n",
				class, at, at, pictureTop-8, height-8, at, number(math.Pow(2, float64(power))))
		}
	}
	for i, name := range names {
		y := pictureTop + i*pictureLine
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", pictureLabels-8, y+11, html.EscapeString(name))
		for j, c := range []column{onDisk, defaults} {
			if o := lines[name][c]; o != nil {
				o.draw(&b, pictureLabels+j*panelWidth, y)
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// draw adds the row's bar and dot to the panel that begins at x.
func (o *row) draw(b *strings.Builder, x, y int) {
	at := func(better float64) int {
		return int(min(panelRight, max(panelLeft, panelMiddle+perDoubling*math.Log2(better))))
	}
	middle, right := panelMiddle, panelMiddle
	if better := o.better(); better > 0 {
		end, class := at(better), "b"
		if end < middle {
			class = "w"
		}
		right = max(end, middle)
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="12"/>`, class, x+min(end, middle), y, max(end, middle)-min(end, middle))
		defer func() {
			fmt.Fprintf(b, `<text class="s" x="%d" y="%d">%s</text>`+"\n", x+right+8, y+10, number(better))
		}()
	}
	if cpu := o.figure(sample.cpuPerMillion); cpu.measured() {
		dot := at(1 / cpu.ratio())
		right = max(right, dot)
		fmt.Fprintf(b, `<circle class="c" cx="%d" cy="%d" r="4"/>`, x+dot, y+6)
	}
}

// better is how many times faster we are; 0: it was not measured.
func (o *row) better() float64 {
	if o.Paced {
		if f := o.figure(p99); f.measured() {
			return 1 / f.ratio()
		}
		return 0
	}
	if f := o.figure(sample.rate); f.measured() {
		return f.ratio()
	}
	return 0
}

// number is a ratio with two digits.
func number(x float64) string {
	switch {
	case x >= 9.95:
		return fmt.Sprintf("%.0f×", x)
	case x >= 0.995:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0") + "×"
	}
	return fmt.Sprintf("%.2f×", x)
}

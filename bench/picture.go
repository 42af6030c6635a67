package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// picture draws each workload's throughput ratio as a bar on a logarithmic scale
// around 1: right of the line we are faster, left of it the peer is.
func (r *report) picture() string {
	const (
		line, left, middle, width = 20, 420, 620, 900
		perDoubling               = 45
	)
	var rows []*row
	for _, c := range []column{onDisk, defaults} {
		for _, o := range r.Rows {
			if o.Column == c && len(o.Ours) > 0 && len(o.Theirs) > 0 {
				rows = append(rows, o)
			}
		}
	}
	var b strings.Builder
	height := line * (len(rows) + 3)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/><text x="10" y="18" font-size="14">Throughput, Trivium ÷ peer</text>`+"\n", width, height)
	for i, o := range rows {
		ours, _ := median(o.Ours, sample.rate)
		theirs, _ := median(o.Theirs, sample.rate)
		ratio := ours / max(theirs, 1e-9)
		x := max(left, min(float64(width-60), middle+perDoubling*math.Log2(max(ratio, 1e-3))))
		y := line * (i + 2)
		from, to, fill := float64(middle), x, "#2a7"
		if x < middle {
			from, to, fill = x, middle, "#c53"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s (%s)</text><rect x="%.0f" y="%d" width="%.0f" height="14" fill="%s"/><text x="%.0f" y="%d">%.2g×</text>`+"\n",
			left-10, y+12, html.EscapeString(o.Workload), o.Column, from, y, to-from, fill, max(x, middle)+6, y+12, ratio)
	}
	fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="black"/>`+"\n</svg>\n", middle, line+10, middle, height-line)
	return b.String()
}

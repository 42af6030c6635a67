package core

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawHeaderMatch makes a condition on headers a to c, with the values "", "1", "2" or any.
func drawHeaderMatch(t *rapid.T) *HeaderMatch {
	m := &HeaderMatch{Any: rapid.Bool().Draw(t, "any")}
	for range rapid.IntRange(0, 3).Draw(t, "wants") {
		w := HeaderWant{Name: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")}
		if v := rapid.SampledFrom([]string{"*", "", "1", "2"}).Draw(t, "value"); v != "*" {
			w.Value = []byte(v)
		}
		m.Want = append(m.Want, w)
	}
	return m
}

// A headers exchange finds what asking every binding finds, through changes.
func TestHeadersLikeTheBindings(t *testing.T) {
	p := newTopology(t)
	for i := range 8 {
		p.queue(fmt.Sprint("q", i))
	}
	rapid.Check(t, func(t *rapid.T) {
		live := map[bindingID]Binding{}
		for i := range rapid.IntRange(1, 20).Draw(t, "steps") {
			b := p.binding("amq.headers", fmt.Sprint("q", rapid.IntRange(0, 7).Draw(t, "queue")), "")
			b.Match, b.ArgsID = drawHeaderMatch(t), fmt.Sprint(i%5)
			tx := p.b.Begin()
			if _, ok := live[b.id()]; ok {
				if _, err := p.ns.Unbind(tx, b); err != nil {
					t.Error(err)
				}
				delete(live, b.id())
			} else {
				if err := p.ns.Bind(tx, b); err != nil {
					t.Error(err)
				}
				live[b.id()] = b
			}
			tx.Commit()
			h := headers{}
			for _, name := range []string{"a", "b", "c"} {
				if v := rapid.SampledFrom([]string{"absent", "", "1", "2", "unmatchable"}).Draw(t, "header"); v != "absent" {
					h[name] = v
				}
			}
			want := map[string]bool{}
			for _, b := range live {
				holds := func(w HeaderWant) bool {
					v, ok := h.Header(w.Name)
					return ok && (w.Value == nil || v != nil && string(v) == string(w.Value))
				}
				all := !slices.ContainsFunc(b.Match.Want, func(w HeaderWant) bool { return !holds(w) })
				if b.Match.Any && slices.ContainsFunc(b.Match.Want, holds) || !b.Match.Any && all {
					want[b.Queue.Config().Name] = true
				}
			}
			var r Routes
			p.ns.Route(p.ns.Exchange("amq.headers"), []string{""}, h, &r)
			if len(r.Queues) != len(want) {
				t.Fatalf("%v goes to %q, want %v", h, queueNames(&r), want)
			}
			for _, q := range r.Queues {
				if !want[q.Config().Name] {
					t.Fatalf("%v goes to %q, want %v", h, queueNames(&r), want)
				}
			}
		}
		tx := p.b.Begin()
		for _, b := range live {
			if _, err := p.ns.Unbind(tx, b); err != nil {
				t.Error(err)
			}
		}
		tx.Commit()
	})
}

package core

import (
	"testing"

	"pgregory.net/rapid"
)

func TestValidSubject(t *testing.T) {
	for s, want := range map[string]struct{ valid, literal bool }{
		"":          {},
		"a":         {true, true},
		"a.b":       {true, true},
		".a":        {},
		"a.":        {},
		"a..b":      {},
		"*":         {true, false},
		">":         {true, false},
		"a.*.b":     {true, false},
		"a.>":       {true, false},
		"a.>.b":     {},
		"a.b*":      {true, true},
		"a.>b":      {true, true},
		"a.**":      {true, true},
		"a.#":       {true, true},
		"a b":       {},
		"a.\t":      {},
		"a.b\r":     {},
		"a.\n.b":    {},
		"a\f":       {},
		"größe.été": {true, true},
	} {
		if v := ValidSubject(s); v != want.valid {
			t.Errorf("ValidSubject(%q) = %v", s, v)
		}
		if l := LiteralSubject(s); l != want.literal {
			t.Errorf("LiteralSubject(%q) = %v", s, l)
		}
	}
}

func TestSubjectMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a.b", "a", false},
		{"a", "a.b", false},
		{"*", "a", true},
		{"*", "a.b", false},
		{"a.*", "a.b", true},
		{"a.*", "a", false},
		{">", "a", true},
		{">", "a.b.c", true},
		{"a.>", "a", false},
		{"a.>", "a.b.c", true},
		{"a.*.c", "a.b.c", true},
		{"a.#", "a.b", false},
		{"a.#", "a.#", true},
		// Subsets.
		{"a.*", "a.*", true},
		{"a.b", "a.*", false},
		{"a.>", "a.*", true},
		{"a.*", "a.>", false},
		{"a.>", "a.>", true},
		{">", "*.>", true},
		{"*.>", ">", false},
		// Empty words match nothing.
		{">", "", false},
		{">", "a..b", true}, // stops reading at >, as nats-server does
		{"a.*.b", "a..b", false},
		{"*", "", false},
	} {
		if got := SubjectMatches(c.pattern, c.s); got != c.want {
			t.Errorf("SubjectMatches(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

var subjectPatterns = drawWords([]string{"a", "b", "*", "*", ">", "c"}, 4).Filter(ValidSubject)

// literals are all subjects of up to 5 words that can tell the patterns apart.
var literals = func() []string {
	all, last := []string(nil), []string{""}
	for range 5 {
		var next []string
		for _, p := range last {
			for _, w := range []string{"a", "b", "c", "z"} {
				next = append(next, p+w)
			}
		}
		all = append(all, next...)
		last = nil
		for _, n := range next {
			last = append(last, n+".")
		}
	}
	return all
}()

func TestSubjectsOverlapLikeTheirSubjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := subjectPatterns.Draw(t, "a"), subjectPatterns.Draw(t, "b")
		overlap, subset := false, true
		for _, s := range literals {
			inA, inB := SubjectMatches(a, s), SubjectMatches(b, s)
			if inA != dumbMatch(dumbWords(a), dumbWords(s), subjectDialect) {
				t.Fatalf("SubjectMatches(%q, %q) = %v", a, s, inA)
			}
			overlap = overlap || inA && inB
			subset = subset && (inA || !inB)
		}
		if got := SubjectsOverlap(a, b); got != overlap {
			t.Fatalf("SubjectsOverlap(%q, %q) = %v", a, b, got)
		}
		if got := SubjectMatches(a, b); got != subset {
			t.Fatalf("SubjectMatches(%q, %q) = %v, want %v", a, b, got, subset)
		}
	})
}

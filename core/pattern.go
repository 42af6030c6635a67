package core

import "strings"

// dialect says which words of a pattern are wildcards.
type dialect uint8

const (
	// subjects: * is one word, > one or more at the end.
	subjectDialect dialect = iota
	// topics: * is one word, # zero or more anywhere.
	topicDialect
	// both: all three.
	bothDialects
)

// wordKind is what a word of a pattern stands for.
type wordKind uint8

const (
	noWord wordKind = iota // the pattern has ended
	literalWord
	starWord
	hashWord
	tailWord
)

// pattern is what is left of a pattern that is being read. The empty pattern has
// no words.
type pattern struct {
	rest string
	more bool
	d    dialect
	// hashed patterns hold a #. In them a > is read as *.#, which matches the same,
	// so that a > is never below a #; owed is the # that is still to come.
	hashed, owed bool
}

func newPattern(s string, d dialect) pattern {
	p := pattern{rest: s, more: s != "", d: d}
	if d == bothDialects && strings.Contains(s, "#") {
		for q := p; !p.hashed; {
			kind, _ := q.next()
			if kind == noWord {
				break
			}
			p.hashed = kind == hashWord
		}
	}
	return p
}

// next reads a word. A run of # is read as one, which matches the same.
func (p *pattern) next() (wordKind, string) {
	if p.owed {
		p.owed = false
		return hashWord, "#"
	}
	if !p.more {
		return noWord, ""
	}
	var w string
	w, p.rest, p.more = strings.Cut(p.rest, ".")
	switch {
	case w == "*":
		return starWord, w
	case w == "#" && p.d != subjectDialect:
		for p.more && (p.rest == "#" || strings.HasPrefix(p.rest, "#.")) {
			_, p.rest, p.more = strings.Cut(p.rest, ".")
		}
		return hashWord, w
	case w == ">" && p.d != topicDialect && !p.more:
		if p.hashed {
			p.owed = true
			return starWord, "*"
		}
		return tailWord, w
	}
	return literalWord, w
}

// literal is what is left of p, and whether there is no wildcard in it.
func (p pattern) literal() (ending, bool) {
	left := ending{p.rest, p.more}
	for {
		switch kind, _ := p.next(); kind {
		case noWord:
			return left, true
		case literalWord:
		default:
			return ending{}, false
		}
	}
}

// ValidSubject reports whether s is a subject pattern: words between dots, none
// empty, without white space; * alone is one word, > alone at the end one or more.
// Within a longer word they are ordinary characters.
func ValidSubject(s string) bool {
	for w, more := "", true; more; {
		w, s, more = strings.Cut(s, ".")
		if w == "" || w == ">" && more || strings.ContainsAny(w, "\t\n\f\r ") {
			return false
		}
	}
	return true
}

// LiteralSubject reports whether s is a subject without wildcards.
func LiteralSubject(s string) bool {
	if !ValidSubject(s) {
		return false
	}
	for w, more := "", true; more; {
		if w, s, more = strings.Cut(s, "."); w == "*" || w == ">" {
			return false
		}
	}
	return true
}

// SubjectMatches reports whether s matches pattern. If s is itself a pattern: whether all that
// matches s matches pattern too.
func SubjectMatches(pattern, s string) bool {
	for {
		p, prest, pmore := strings.Cut(pattern, ".")
		w, srest, smore := strings.Cut(s, ".")
		switch {
		case p == "" || w == "":
			return false
		case p == ">" && !pmore:
			return true
		case w == ">" && !smore || w == "*" && p != "*" || p != "*" && p != w:
			return false
		case !pmore || !smore:
			return pmore == smore
		}
		pattern, s = prest, srest
	}
}

// SubjectsOverlap reports whether some subject matches both patterns.
func SubjectsOverlap(a, b string) bool {
	for {
		v, arest, amore := strings.Cut(a, ".")
		w, brest, bmore := strings.Cut(b, ".")
		switch {
		case v == "" || w == "":
			return false
		case v == ">" && !amore || w == ">" && !bmore:
			return true
		case v != "*" && w != "*" && v != w:
			return false
		case !amore || !bmore:
			return amore == bmore
		}
		a, b = arest, brest
	}
}

// wellWorded reports that s has words and none of them is empty: only then can it
// match a subject pattern.
func wellWorded(s string) bool {
	return s != "" && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}

// insideSubject reports whether s is of the subjects that stay among the subject
// space's own users: those that begin with $ or _.
func insideSubject(s string) bool { return s != "" && (s[0] == '$' || s[0] == '_') }

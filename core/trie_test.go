package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"trivium/internal/hamt"
)

// dumbMatch follows the definition of the wildcards, one word at a time.
func dumbMatch(pattern, key []string, d dialect) bool {
	if len(pattern) == 0 {
		return len(key) == 0
	}
	w, rest := pattern[0], pattern[1:]
	switch {
	case w == "#" && d != subjectDialect:
		return dumbMatch(rest, key, d) || len(key) > 0 && dumbMatch(pattern, key[1:], d)
	case w == ">" && d != topicDialect && len(rest) == 0:
		return len(key) > 0
	case len(key) == 0:
		return false
	case w == "*" || w == key[0]:
		return dumbMatch(rest, key[1:], d)
	}
	return false
}

func dumbWords(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ".")
}

func drawWords(words []string, most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, most).Draw(t, "words"), ".")
	})
}

var (
	patternWords = drawWords([]string{"a", "b", "", "*", "*", "#", "#", ">"}, 6)
	keyWords     = drawWords([]string{"a", "b", "", "c", "*", ">", "#"}, 7)
)

type trieEntry struct {
	pattern string
	d       dialect
}

// The trie answers as the definition does, after any inserts and removals, with
// batches changed in place or not; snapshots taken before do not change.
func TestTrieMatchesLikeTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tr trie[*trieEntry]
		live := map[trieEntry]*trieEntry{}
		// change adds a random pattern, or removes it if it is there.
		change := func(edit *hamt.Edit) {
			e := trieEntry{patternWords.Draw(t, "pattern"), dialect(rapid.IntRange(0, 2).Draw(t, "dialect"))}
			if old, ok := live[e]; ok {
				tr = tr.update(edit, e.pattern, e.d, func(v *trieEntry) *trieEntry {
					if v == old {
						return nil
					}
					return v
				})
				delete(live, e)
				return
			}
			tr = tr.update(edit, e.pattern, e.d, func(v *trieEntry) *trieEntry {
				if v == nil { // else the place is another dialect's
					v = &e
					live[e] = v
				}
				return v
			})
		}
		check := func(tr trie[*trieEntry], live map[trieEntry]*trieEntry) {
			key := keyWords.Draw(t, "key")
			var want, got []string
			for e := range live {
				if dumbMatch(dumbWords(e.pattern), dumbWords(key), e.d) {
					want = append(want, fmt.Sprint(e))
				}
			}
			for _, v := range tr.match(key, nil) {
				got = append(got, fmt.Sprint(*v))
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Fatalf("key %q: got %q, want %q", key, got, want)
			}
		}
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			before, liveBefore := tr, maps.Clone(live)
			var e *hamt.Edit
			if rapid.Bool().Draw(t, "batch") {
				e = new(hamt.Edit)
			}
			for range rapid.IntRange(1, 12).Draw(t, "changes") {
				change(e)
			}
			for range 4 {
				check(tr, live)
				check(before, liveBefore)
			}
		}
		for e, old := range live {
			tr = tr.update(nil, e.pattern, e.d, func(v *trieEntry) *trieEntry {
				if v != old {
					t.Fatalf("%v lost", e)
				}
				return nil
			})
		}
		if tr.root != nil {
			t.Fatal("nodes are left in an empty trie")
		}
	})
}

// Patterns whose every path would take years.
func TestTrieManyHashes(t *testing.T) {
	var tr trie[*trieEntry]
	for i := range 12 {
		for _, w := range []string{"a", "*"} {
			e := &trieEntry{strings.Repeat("#."+w+".", 4*i+1) + "#", topicDialect}
			tr = tr.update(nil, e.pattern, e.d, func(*trieEntry) *trieEntry { return e })
		}
	}
	if got := tr.match(strings.TrimSuffix(strings.Repeat("a.", 120), "."), nil); len(got) != 24 {
		t.Fatalf("%d patterns match, want 24", len(got))
	}
	if got := tr.match("b.a.b", nil); len(got) != 2 {
		t.Fatalf("%d patterns match, want 2", len(got))
	}
}

package core

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// ear is a Receiver that counts.
type ear struct {
	name string
	n    atomic.Int64
	deaf bool
}

func (e *ear) Receive([]byte, *Message) bool {
	if e.deaf {
		return false
	}
	e.n.Add(1)
	return true
}

// described renders a Matched in a canonical order.
func described(m *Matched) []string {
	var all []string
	for _, r := range m.Receivers {
		all = append(all, r.(*ear).name)
	}
	for i, g := range m.Groups {
		var members []string
		for _, r := range g {
			members = append(members, r.(*ear).name)
		}
		slices.Sort(members)
		all = append(all, m.names[i]+": "+strings.Join(members, ","))
	}
	slices.Sort(all)
	return all
}

// Match and HasInterest answer as the patterns' definition does, whatever came
// and went; an answer that was given does not change.
func TestSubjectsMatchLikeTheDefinition(t *testing.T) {
	subjects := drawWords([]string{"a", "b", "c", "", "*", "$x"}, 4)
	patterns := drawWords([]string{"a", "b", "*", "*", ">", "$x"}, 4).Filter(ValidSubject)
	rapid.Check(t, func(t *rapid.T) {
		s := newSubjects()
		var live []*Interest
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			if len(live) > 0 && rapid.IntRange(0, 2).Draw(t, "op") == 0 {
				i := rapid.IntRange(0, len(live)-1).Draw(t, "close")
				live[i].Close()
				live[i].Close()
				live = slices.Delete(live, i, i+1)
			} else {
				group := rapid.SampledFrom([]string{"", "", "g", "h"}).Draw(t, "group")
				live = append(live, s.Subscribe(patterns.Draw(t, "pattern"), group, &ear{name: fmt.Sprint(i)}))
			}
			subject := subjects.Draw(t, "subject")
			want, groups := []string{}, map[string][]string{}
			for _, i := range live {
				if !wellWorded(subject) || !dumbMatch(dumbWords(i.pattern), dumbWords(subject), subjectDialect) {
					continue
				}
				if n := i.r.(*ear).name; i.group == "" {
					want = append(want, n)
				} else {
					groups[i.group] = append(groups[i.group], n)
				}
			}
			for g, members := range groups {
				slices.Sort(members)
				want = append(want, g+": "+strings.Join(members, ","))
			}
			slices.Sort(want)
			before := s.Version()
			m := s.Match([]byte(subject))
			if got := described(m); !slices.Equal(got, want) {
				t.Fatalf("Match(%q): %q, want %q", subject, got, want)
			}
			if m.Empty() != (len(want) == 0) {
				t.Fatalf("Match(%q) is empty: %v", subject, m.Empty())
			}
			if s.Version() != before {
				t.Fatal("Match changed the version")
			}
			p := patterns.Draw(t, "overlap")
			overlap := slices.ContainsFunc(live, func(i *Interest) bool { return SubjectsOverlap(i.pattern, p) })
			if got := s.HasInterest(p); got != overlap {
				t.Fatalf("HasInterest(%q) = %v", p, got)
			}
		}
		for _, i := range live {
			i.Close()
		}
		if s.now.Load().trie.root != nil {
			t.Fatal("something is left")
		}
		for i := range s.merges.slots {
			if s.merges.slots[i].Load() != nil {
				t.Fatal("an answer with closed receivers is kept")
			}
		}
		if n := s.merges.size.Load(); n != 0 {
			t.Fatalf("merge cache claims to hold %d", n)
		}
	})
}

func TestVersionChangesWithInterest(t *testing.T) {
	s := newSubjects()
	v := s.Version()
	i := s.Subscribe("a", "", &ear{})
	if s.Version() == v {
		t.Fatal("Subscribe kept the version")
	}
	v = s.Version()
	i.Close()
	if s.Version() == v {
		t.Fatal("Close kept the version")
	}
}

func TestPublishGivesOneMemberOfAGroup(t *testing.T) {
	s := newSubjects()
	plain, one, two := &ear{}, &ear{}, &ear{}
	s.Subscribe("a.>", "", plain)
	s.Subscribe("a.b", "g", one)
	s.Subscribe("a.*", "g", two) // one group, whatever its members' patterns
	for range 100 {
		if n := s.Publish([]byte("a.b"), &Message{}); n != 2 {
			t.Fatalf("%d took it, want 2", n)
		}
	}
	if plain.n.Load() != 100 || one.n.Load()+two.n.Load() != 100 {
		t.Fatalf("plain %d, group %d + %d", plain.n.Load(), one.n.Load(), two.n.Load())
	}
	if one.n.Load() == 0 || two.n.Load() == 0 {
		t.Fatalf("one member got all: %d and %d", one.n.Load(), two.n.Load())
	}
}

func TestPublishTriesTheNextMember(t *testing.T) {
	s := newSubjects()
	hears := &ear{}
	for range 5 {
		s.Subscribe("a", "g", &ear{deaf: true})
	}
	s.Subscribe("a", "g", hears)
	for range 20 {
		if n := s.Publish([]byte("a"), &Message{}); n != 1 {
			t.Fatalf("%d took it, want 1", n)
		}
	}
	if hears.n.Load() != 20 {
		t.Fatalf("got %d of 20", hears.n.Load())
	}
}

// A reader that saw Subscribe return sees the interest, one that saw Close
// return does not, whatever others do meanwhile.
func TestSubscribeAgainstMatch(t *testing.T) {
	s := newSubjects()
	s.Subscribe(">", "", &ear{name: "all"}) // so that answers are merged
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			subject := fmt.Appendf(nil, "_INBOX.%d.x", w%4)
			mine := &ear{}
			for range 300 {
				i := s.Subscribe(fmt.Sprintf("_INBOX.%d.*", w%4), "", mine)
				if !slices.Contains(s.Match(subject).Receivers, Receiver(mine)) {
					t.Error("Match misses what was subscribed")
				}
				i.Close()
				if slices.Contains(s.Match(subject).Receivers, Receiver(mine)) {
					t.Error("Match finds what was closed")
				}
			}
		})
	}
	wg.Wait()
	if m := s.Match([]byte("_INBOX.1.x")); len(m.Receivers) != 1 {
		t.Fatalf("%d receivers are left, want 1", len(m.Receivers))
	}
}

// One-shot subjects share an answer: they allocate nothing and crowd nothing out.
func TestMatchDoesNotAllocate(t *testing.T) {
	s := newSubjects()
	for i := range 1000 {
		s.Subscribe(fmt.Sprintf("_INBOX.c%d.*", i), "", &ear{})
		s.Subscribe(fmt.Sprintf("orders.%d.new", i), "workers", &ear{})
	}
	s.Subscribe(">", "", &ear{})
	s.Subscribe("orders.*.new", "", &ear{})
	warm, inbox := []byte("orders.17.new"), []byte("_INBOX.c3.00000000")
	n := 0
	match := func() {
		s.Match(warm)
		n++
		for i, x := len(inbox)-1, n; x > 0; i, x = i-1, x/10 {
			inbox[i] = byte('0' + x%10)
		}
		s.Match(inbox)
		s.Match([]byte("nobody.but.all"))
	}
	match()
	if n := testing.AllocsPerRun(1000, match); n != 0 {
		t.Fatalf("Match allocates %v times", n)
	}
}

func TestPublishDoesNotAllocate(t *testing.T) {
	s := newSubjects()
	for i := range 20 {
		s.Subscribe("a.*", fmt.Sprint("g", i%3), &ear{})
	}
	s.Subscribe("a.b", "", &ear{})
	m := &Message{}
	subject := []byte("a.b")
	if n := testing.AllocsPerRun(100, func() { s.Publish(subject, m) }); n != 0 {
		t.Fatalf("Publish allocates %v times", n)
	}
}

// A change among 100,000 interests copies a path, not the trie.
func TestSubscribeAllocatesLittle(t *testing.T) {
	s := newSubjects()
	for i := range 100000 {
		s.Subscribe(fmt.Sprintf("a.%d", i), "", &ear{})
	}
	r := &ear{}
	if n := testing.AllocsPerRun(100, func() { s.Subscribe("a.x.y", "", r).Close() }); n > 60 {
		t.Fatalf("Subscribe and Close allocate %v times", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	s := newSubjects()
	for i := range 100000 {
		s.Subscribe(fmt.Sprintf("orders.%d.new", i), "", &ear{})
	}
	one := []byte("orders.777.new")
	run := func(name string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Match(one)
			}
		})
	}
	run("literal")
	s.Subscribe("orders.>", "", &ear{})
	s.Subscribe("orders.*.new", "g", &ear{})
	run("three-patterns")
}

func BenchmarkSubscribe(b *testing.B) {
	s := newSubjects()
	for i := range 100000 {
		s.Subscribe(fmt.Sprintf("_INBOX.%d.*", i), "", &ear{})
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Subscribe("_INBOX.me.*", "", &ear{}).Close()
	}
}

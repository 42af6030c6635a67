package storage

import (
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ordered notes the order in which Completions of several committers and passes are heard of.
type ordered struct {
	mu     sync.Mutex
	heard  []int
	passed int // of heard, those that a pass ended after
	wake   sync.Cond
}

type orderedOne struct {
	o *ordered
	n int
}

func (c orderedOne) Durable(error) {
	c.o.mu.Lock()
	c.o.heard = append(c.o.heard, c.n)
	c.o.mu.Unlock()
}

func (o *ordered) pass() {
	o.mu.Lock()
	o.passed = len(o.heard)
	o.mu.Unlock()
	o.wake.Broadcast()
}

func (o *ordered) await(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.passed < n {
		o.wake.Wait()
	}
}

// TestPassed: whether the writer completes a cycle or the completer does, Completions keep their order, one is
// running at a time, and after the last of them somebody is told.
func TestPassed(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()), nil)
	defer mustClose(t, s)
	o := &ordered{}
	o.wake.L = &o.mu
	end := s.Passed(o.pass)
	var log *Log
	commit(t, s, func(tx *Tx) { log = tx.CreateLog(LogOptions{}) })
	n := 0
	say := func(tx *Tx) { tx.Then(orderedOne{o, n}); n++ }
	for range 200 { // alone: the writer completes
		tx := s.Begin()
		tx.Append(log, &Entry{Count: 1, Data: []byte("x")})
		say(tx)
		tx.Commit()
		o.await(n)
	}
	var many sync.WaitGroup // together: mostly the completer does, and some have nothing to write
	var next sync.Mutex
	for w := range 8 {
		many.Go(func() {
			for i := range 100 {
				next.Lock()
				tx := s.Begin()
				if (i+w)%3 > 0 {
					tx.Append(log, &Entry{Count: 1, Data: []byte("x")})
				} else {
					tx.touch(log)
				}
				say(tx)
				tx.Commit()
				next.Unlock()
			}
		})
	}
	many.Wait()
	o.await(n)
	if !slices.IsSorted(o.heard) || len(o.heard) != n {
		t.Fatalf("%d of %d completions, in the order %v", len(o.heard), n, o.heard)
	}
	end()
	passed := o.passed
	commit(t, s, func(tx *Tx) { say(tx) })
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.passed != passed {
		t.Fatal("told of a pass after the end")
	}
}

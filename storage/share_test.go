package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// gate holds up whoever completes the transaction it is told of, so that what is committed meanwhile is in one cycle.
type gate struct{ in, out chan struct{} }

func (g gate) Durable(error) {
	g.in <- struct{}{}
	<-g.out
}

// TestGatherMore: the writer waits for half of who was there, as long as waiting brings somebody, and never for
// anybody who was not.
func TestGatherMore(t *testing.T) {
	var s *Store
	var log *Log
	var joins []int // how many join, each time the writer lets them
	yields := 0
	o := testOptions(vfs.NewMem())
	heard := &ordered{}
	heard.wake.L = &heard.mu
	n := 0
	say := func(data []byte) {
		tx := s.Begin()
		tx.Append(log, &Entry{Count: 1, Data: data})
		tx.Then(orderedOne{heard, n})
		n++
		tx.Commit()
	}
	o.yield = func() {
		yields++
		if len(joins) == 0 {
			return
		}
		for range joins[0] {
			say([]byte("x"))
		}
		joins = joins[1:]
	}
	s = mustOpen(t, o, nil)
	defer mustClose(t, s)
	defer s.Passed(heard.pass)()
	commit(t, s, func(tx *Tx) { log = tx.CreateLog(LogOptions{}) })

	// together has several transactions in one cycle, with the one before it by itself.
	together := func(several int, data []byte) {
		g := gate{make(chan struct{}), make(chan struct{})}
		tx := s.Begin()
		tx.Note(0, nil)
		tx.Then(g)
		tx.Commit()
		<-g.in
		for range several {
			say(data)
		}
		g.out <- struct{}{}
		heard.await(n)
	}
	large := make([]byte, shareBytes)
	for _, test := range []struct {
		name         string
		before       int    // in the last cycle; in that before it is one
		data         []byte // of each of these
		joins        []int
		want, yields int // Completions in the next cycle, and how often the writer let others join
	}{
		{"one by itself waits for nobody", 1, nil, []int{1}, 1, 0},
		{"nor after two", 2, nil, []int{1}, 1, 0},
		{"half of many", 19, nil, []int{3, 2, 4, 9}, 10, 3},
		{"nobody comes", 19, nil, []int{0, 5}, 1, 1},
		{"no more come", 19, nil, []int{1, 2, 0, 5}, 4, 3},
		{"no longer than others may take", 99, nil, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 1 + yieldMost, yieldMost},
		{"no more than are worth a sync", 999, nil, []int{shareMost, 1}, 1 + shareMost, 1},
		{"large ones are worth it anyhow", 19, large, []int{1}, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			joins = nil
			together(test.before, test.data)
			frames, first := s.Metrics().Frames, n
			joins, yields = test.joins, 0
			say([]byte("x"))
			heard.await(first + test.want)
			if n-first != test.want || yields != test.yields {
				t.Errorf("%d in the cycle, let %d times, not %d and %d", n-first, yields, test.want, test.yields)
			}
			if f := s.Metrics().Frames - frames; f != 1 {
				t.Errorf("%d frames, not 1", f)
			}
		})
	}
}

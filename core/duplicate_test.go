package core

import (
	"errors"
	"sync"
	"testing"
)

// told is a Completion that looks at something when it runs.
type told struct {
	wg  *sync.WaitGroup
	see func()
}

func (c *told) Durable(error) { c.see(); c.wg.Done() }

// Who publishes a duplicate hears nothing before the first copy is on disk.
func TestDuplicateWaitsForTheFirst(t *testing.T) {
	p := newTopology(t)
	var s *Stream
	p.do(func(tx *Tx) (err error) {
		s, err = p.ns.CreateStream(tx, StreamConfig{Realm: "r", Name: "s", Partitions: 1, DedupWindow: 1 << 40})
		return err
	})
	for i := range 50 {
		id := []byte{byte(i)}
		tx := p.b.Begin()
		first, err := s.Append(tx, 0, &Entry{ID: id, Data: []byte("x")}, nil)
		if err != nil {
			t.Error(err)
		}
		tx.Commit()
		var wg sync.WaitGroup
		wg.Add(1)
		shown := NoOffset
		tx = p.b.Begin()
		_, err = s.Append(tx, 0, &Entry{ID: id, Data: []byte("x")}, nil)
		tx.Then(&told{&wg, func() { shown = s.Log(0).End() - 1 }})
		tx.Commit()
		wg.Wait()
		var e *Error
		if !errors.As(err, &e) || e.Code != Duplicate || e.Got != first {
			t.Fatalf("%v, want a duplicate of %d", err, first)
		}
		if shown < first {
			t.Fatalf("the duplicate's completion ran with %d on disk, the first copy is at %d", shown, first)
		}
	}
}

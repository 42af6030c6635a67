package core

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func positions(o *Offsets) []string {
	var all []string
	o.Each(func(p Place, pos Position) bool {
		all = append(all, fmt.Sprintf("%d/%d=%d,%d,%q,%d", p.Stream, p.Partition, pos.Offset, pos.Epoch, pos.Metadata, pos.Time))
		return true
	})
	return all
}

func TestOffsets(t *testing.T) {
	p := newTopology(t)
	if p.ns.Offsets("kafka", "g") != nil {
		t.Fatal("a group that nobody made")
	}
	var g *Offsets
	p.do(func(tx *Tx) error {
		g = p.ns.CreateOffsets(tx, "kafka", "g")
		if p.ns.CreateOffsets(tx, "kafka", "g") != g || p.ns.CreateOffsets(tx, "amqp", "g") == g {
			t.Error("groups are told apart by realm and name")
		}
		p.ns.CreateOffsets(tx, "kafka", "f")
		g.Commit(tx, Place{7, 1}, Position{Offset: 10, Epoch: -1, Metadata: "m", Time: 5})
		g.Commit(tx, Place{7, 0}, Position{Offset: 11, Time: -1})
		g.Commit(tx, Place{7, 0}, Position{Offset: 12})
		g.Commit(tx, Place{6, 3}, Position{Offset: 0})
		g.Forget(tx, Place{6, 3})
		g.Forget(tx, Place{6, 4})
		if _, ok := g.Position(Place{7, 0}); ok {
			t.Error("a position is seen before it is durable")
		}
		return nil
	})
	want := []string{`7/0=12,0,"",0`, `7/1=10,-1,"m",5`}
	if got := positions(g); !slices.Equal(got, want) {
		t.Fatalf("positions %q", got)
	}
	if pos, ok := g.Position(Place{7, 1}); !ok || pos.Offset != 10 {
		t.Fatalf("position %v %v", pos, ok)
	}
	var names []string
	p.ns.Groups("kafka", func(o *Offsets) bool { names = append(names, o.Group()); return true })
	if !slices.Equal(names, []string{"f", "g"}) {
		t.Fatalf("groups %q", names)
	}
	p.restart()
	g = p.ns.Offsets("kafka", "g")
	if got := positions(g); !slices.Equal(got, want) {
		t.Fatalf("positions after a restart %q", got)
	}
	p.do(func(tx *Tx) error { g.Delete(tx); g.Delete(tx); return nil })
	if p.ns.Offsets("kafka", "g") != nil {
		t.Fatal("the group is still there")
	}
	p.do(func(tx *Tx) error { p.ns.CreateOffsets(tx, "kafka", "g"); return nil })
	p.restart()
	if got := positions(p.ns.Offsets("kafka", "g")); len(got) != 0 {
		t.Fatalf("a new group has the old one's positions: %q", got)
	}
}

// Whatever is committed and forgotten, with checkpoints and restarts anywhere, positions are
// those of a plain map.
func TestOffsetsLikeAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newTopology(rt)
		want := map[Place]Position{}
		p.do(func(tx *Tx) error { p.ns.CreateOffsets(tx, "kafka", "g"); return nil })
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			g := p.ns.Offsets("kafka", "g")
			place := Place{uint64(rapid.IntRange(1, 3).Draw(rt, "stream")), rapid.IntRange(0, 2).Draw(rt, "partition")}
			switch rapid.IntRange(0, 9).Draw(rt, "op") {
			case 0:
				if err := p.b.store.Checkpoint(); err != nil {
					rt.Fatal(err)
				}
			case 1:
				p.restart()
			case 2, 3:
				p.do(func(tx *Tx) error { g.Forget(tx, place); return nil })
				delete(want, place)
			default:
				pos := Position{Offset: Offset(rapid.Int64Range(0, 1<<40).Draw(rt, "offset")), Metadata: rapid.String().Draw(rt, "metadata")}
				p.do(func(tx *Tx) error { g.Commit(tx, place, pos); return nil })
				want[place] = pos
			}
			g = p.ns.Offsets("kafka", "g")
			n := 0
			g.Each(func(pl Place, pos Position) bool {
				if want[pl] != pos {
					rt.Fatalf("%v is at %v, want %v", pl, pos, want[pl])
				}
				n++
				return true
			})
			if n != len(want) {
				rt.Fatalf("%d positions, want %d", n, len(want))
			}
		}
	})
}
func TestPositionsGoWithTheirStream(t *testing.T) {
	p := newTopology(t)
	var s *Stream
	var g *Offsets
	create := func(tx *Tx) (err error) {
		s, err = p.ns.CreateStream(tx, StreamConfig{Realm: "kafka", Name: "T", Partitions: 3})
		return err
	}
	p.do(create)
	p.do(func(tx *Tx) error {
		g = p.ns.CreateOffsets(tx, "kafka", "g")
		for i := range 3 {
			g.Commit(tx, Place{s.ID(), i}, Position{Offset: 1})
		}
		g.Commit(tx, Place{1 << 40, 0}, Position{Offset: 1})
		return nil
	})
	p.do(func(tx *Tx) error { s.Delete(tx); return nil })
	if got := positions(g); len(got) != 1 {
		t.Fatalf("positions %q", got)
	}
	p.do(create)
	if _, ok := g.Position(Place{s.ID(), 0}); ok {
		t.Fatal("a stream made anew has a position")
	}
}

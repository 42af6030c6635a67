package hamt

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// Every version of the map answers like a copy of a plain map taken at its time,
// whatever came after it, with and without editing in place.
func TestMapIsPersistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			m    Map[int, int]
			want map[int]int
		}
		var m Map[int, int]
		want := map[int]int{}
		var edit *Edit
		var old []version
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := rapid.IntRange(0, 60).Draw(t, "key")
			switch rapid.IntRange(0, 9).Draw(t, "op") {
			case 0: // show this version, so that the edit ends
				old = append(old, version{m, maps.Clone(want)})
				edit = nil
			case 1:
				old = append(old, version{m, maps.Clone(want)})
				edit = new(Edit)
			case 2, 3, 4:
				m = m.Delete(edit, k)
				delete(want, k)
			default:
				if edit == nil {
					old = append(old, version{m, maps.Clone(want)})
				}
				v := rapid.Int().Draw(t, "value")
				m = m.Set(edit, k, v)
				want[k] = v
			}
		}
		for _, v := range append(old, version{m, want}) {
			if v.m.Len() != len(v.want) {
				t.Fatalf("Len %d, want %d", v.m.Len(), len(v.want))
			}
			got := map[int]int{}
			v.m.Each(func(k, x int) bool { got[k] = x; return true })
			if !maps.Equal(got, v.want) {
				t.Fatalf("Each %v, want %v", got, v.want)
			}
			for k := range 61 {
				x, ok := v.m.Get(k)
				if w, wok := v.want[k]; x != w || ok != wok {
					t.Fatalf("Get(%d) %d %v, want %d %v", k, x, ok, w, wok)
				}
			}
		}
	})
}

func TestLargeMapShrinksToNothing(t *testing.T) {
	var m Map[int, int]
	for i := range 10000 {
		m = m.Set(nil, i, i)
	}
	for i := range 10000 {
		m = m.Delete(nil, i)
	}
	if m.Len() != 0 || m.root != nil {
		t.Fatalf("left: %d, root %v", m.Len(), m.root)
	}
}

func TestGetDoesNotAllocate(t *testing.T) {
	var m Map[string, int]
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}
	for i, k := range keys {
		m = m.Set(nil, k, i)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, k := range keys {
			m.Get(k)
		}
	}); n != 0 {
		t.Fatalf("Get allocates %v times", n)
	}
}

package storage

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(leftBehind...); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leftBehind are goroutines that may stay: those of a Pebble whose disk failed, see guardFS.
var leftBehind []goleak.Option

// done is a Completion to wait for.
type done chan error

func (d done) Durable(err error) { d <- err }

func testOptions(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "data", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func mustOpen(t testing.TB, o Options, sm StateMachine) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(sm); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// commit runs f in a transaction and waits for it.
func commit(t testing.TB, s *Store, f func(tx *Tx)) {
	t.Helper()
	d := make(done, 1)
	tx := s.Begin()
	f(tx)
	tx.Then(d)
	tx.Commit()
	if err := <-d; err != nil {
		t.Fatal(err)
	}
}

func all(t testing.TB, l *Log) []Entry {
	t.Helper()
	es, next, err := l.Read(0, Limit{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if next != l.End() {
		t.Fatalf("read on from %d, end %d", next, l.End())
	}
	return es
}

func texts(es []Entry) string {
	var b bytes.Buffer
	for _, e := range es {
		fmt.Fprintf(&b, "%d:%s ", e.Offset, e.Data)
	}
	return b.String()
}

func TestRoundTrip(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs), nil)
	var a, b, v *Log
	full := Entry{
		Count: 3, Format: 7, Priority: 4, Time: 11, Expires: 12, Key: []byte("k"), ID: []byte("id"),
		Producer: Producer{Set: true, ID: -5, Epoch: 3, First: -1, Last: 9, Transactional: true, Control: true},
		Data:     []byte("batch"),
	}
	commit(t, s, func(tx *Tx) {
		a, b = tx.CreateLog(LogOptions{}), tx.CreateLog(LogOptions{First: 100})
		v = tx.CreateLog(LogOptions{Volatile: true})
		data := []byte("both")
		tx.Append(a, &Entry{Data: data, Key: []byte{}})
		tx.Append(b, &Entry{Data: data})
		e := full
		tx.Append(a, &e)
		tx.Append(v, &Entry{Data: []byte("memory")})
		tx.Set([]byte("x"), []byte("1"))
		tx.Set([]byte("xy"), []byte("2"))
		tx.Set([]byte("y"), []byte("3"))
	})
	commit(t, s, func(tx *Tx) {
		for i := range 5 {
			tx.Append(a, &Entry{Data: fmt.Appendf(nil, "m%d", i), Volatile: i == 2})
		}
		tx.Unset([]byte("xy"))
		tx.Delete(a, 1, 2)
		tx.Delete(a, 5, 6)
		tx.Delete(b, 0, 101)
	})
	check := func(memory bool) {
		t.Helper()
		es := all(t, a)
		want := "0:both 1:batch 4:m0 6:m2 7:m3 8:m4 "
		if !memory {
			want = "0:both 1:batch 4:m0 7:m3 8:m4 "
		}
		if got := texts(es); got != want {
			t.Fatalf("got %q want %q", got, want)
		}
		e := es[1]
		full.Offset = 1
		if fmt.Sprint(e) != fmt.Sprint(full) {
			t.Fatalf("got %v want %v", e, full)
		}
		if es[0].Key == nil || es[2].Key != nil {
			t.Fatal("nil and empty keys are confused")
		}
		if got := texts(all(t, b)); got != "" || b.Start() != 101 || b.End() != 101 {
			t.Fatalf("b: %q %d %d", got, b.Start(), b.End())
		}
		if x, _ := s.Get([]byte("xy")); x != nil {
			t.Fatal("unset key is there")
		}
		n := 0
		s.Scan([]byte("x"), func(k, v []byte) bool { n++; return string(k) == "x" && string(v) == "1" })
		if n != 1 {
			t.Fatal("scan")
		}
		if a.Live(1) || !a.Live(2) || a.Live(5) || a.Live(100) || a.Live(6) != memory {
			t.Fatal("live")
		}
	}
	check(true)
	if got := texts(all(t, v)); got != "0:memory " {
		t.Fatal(got)
	}
	if n := a.Messages(); n != 7 {
		t.Fatalf("messages %d", n)
	}
	mustClose(t, s)
	s = mustOpen(t, testOptions(fs), nil)
	a, b = s.Log(a.ID()), s.Log(b.ID())
	check(false)
	if n, bytes := a.Messages(), a.Bytes(); n != 6 || bytes != int64(4+8+2+2+2) {
		t.Fatalf("messages %d bytes %d", n, bytes)
	}
	if s.Log(v.ID()) != nil {
		t.Fatal("a volatile Log survived")
	}
	commit(t, s, func(tx *Tx) {
		if l := tx.CreateLog(LogOptions{}); l.ID() <= v.ID() {
			t.Errorf("id %d given again", l.ID())
		}
		if a.Next() < 9+reserveOffsets/2 {
			t.Errorf("next %d: offsets of volatile entries are given again", a.Next())
		}
		tx.DropLog(b)
	})
	mustClose(t, s)
	s = mustOpen(t, testOptions(fs), nil)
	if s.Log(b.ID()) != nil || s.Log(a.ID()) == nil {
		t.Fatal("drop")
	}
	mustClose(t, s)
}

func TestConcurrentCommitters(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs), nil)
	var l *Log
	commit(t, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
	const n, each = 8, 200
	end := make(chan error)
	for g := range n {
		go func() {
			d := make(done, 1)
			for i := range each {
				tx := s.Begin()
				tx.Append(l, &Entry{Data: fmt.Appendf(nil, "%d-%d", g, i), Volatile: i%5 == 1})
				tx.Then(d)
				tx.Commit()
				if err := <-d; err != nil {
					end <- err
					return
				}
			}
			end <- nil
		}()
	}
	for range n {
		if err := <-end; err != nil {
			t.Fatal(err)
		}
	}
	next := [n]int{}
	es := all(t, l)
	for i, e := range es {
		var g, k int
		fmt.Sscanf(string(e.Data), "%d-%d", &g, &k)
		if e.Offset != Offset(i) || next[g] != k {
			t.Fatalf("entry %d: %s", i, e.Data)
		}
		next[g]++
	}
	if len(es) != n*each {
		t.Fatal(len(es))
	}
	mustClose(t, s)
}

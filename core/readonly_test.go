package core

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// code is the core code of err, 0 if it has none.
func code(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// TestReadOnly lets the disk fail: nothing is acknowledged any more, everything is
// refused with the reason, nothing spins, and a restart finds what was acknowledged.
func TestReadOnly(t *testing.T) {
	var broken atomic.Bool
	disk := errors.New("the disk is on fire")
	mem := vfs.NewMem()
	h := &harness{t: t, subs: map[string]*recorder{}, out: new(strings.Builder)}
	h.fs = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, "journal") {
			return disk
		}
		return nil
	}))
	h.now.Store(1000 * second)
	h.open()
	setup := errors.Join(
		h.cmdQueue("q", parseArgs([]string{"dlk=dead", "ttl=1000"})), h.cmdQueue("dead", parseArgs(nil)),
		h.cmdStream("s", parseArgs([]string{"age=1000", "max=2"})), h.cmdCursor("s/c", parseArgs([]string{"ack=none"})),
		h.cmdPublish("q", parseArgs([]string{"a", "b"})), h.cmdAppend("s", parseArgs([]string{"k:a", "k:b"})),
	)
	if setup != nil {
		t.Fatal(setup)
	}
	broken.Store(true)
	if err := h.cmdPublish("q", parseArgs([]string{"c"})); code(err) != Unwritable {
		t.Errorf("publish: %v", err)
	}
	if err := h.b.Err(); code(err) != Unwritable || !errors.Is(err, disk) {
		t.Errorf("broker: %v", err)
	}
	for name, f := range map[string]func() error{
		"publish": func() error { return h.cmdPublish("q", parseArgs([]string{"d"})) },
		"append":  func() error { return h.cmdAppend("s", parseArgs([]string{"k:c"})) },
		"queue":   func() error { return h.cmdQueue("q2", parseArgs(nil)) },
		"stream":  func() error { return h.cmdStream("s2", parseArgs(nil)) },
		"cursor":  func() error { return h.cmdCursor("s/d", parseArgs(nil)) },
	} {
		if err := f(); code(err) != Unwritable {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.now.Add(10 * second) // everything is due to expire
	h.b.timers.fire()
	if err := h.cmdSub("k", parseArgs([]string{"s/c"})); err != nil {
		t.Error(err)
	}
	for !h.b.workers.idle() {
	}
	if err := h.b.Close(); err != nil {
		t.Error(err)
	}
	broken.Store(false)
	_ = h.store.Close() // reports the disk again
	h.now.Store(1000 * second)
	h.open()
	defer h.close()
	for _, l := range []*Log{h.ns.Queue(defaultRealm, "q").Log(), h.ns.Stream(defaultRealm, "s").Log(0)} {
		if n := l.Messages(); n != 2 {
			t.Errorf("%d messages after the restart", n)
		}
	}
}

func TestErrorText(t *testing.T) {
	for c := Code(1); c < codeEnd; c++ {
		e := &Error{Code: c, Op: "append", Name: "s", Want: "w", Got: 7, Err: errors.New("why")}
		if got := e.Error(); !strings.Contains(got, codeText[c]) || codeText[c] == "" || !strings.Contains(got, "why") {
			t.Errorf("code %d: %s", c, got)
		}
		if !errors.Is(e, e.Err) {
			t.Errorf("code %d hides its cause", c)
		}
	}
}

package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"trivium/storage"
)

// TestTranscripts plays the files in testdata: each line of input is a command, the
// output is what subscriptions and callers saw once everything had come to rest.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		h := newHarness(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				if f := strings.Fields(line); len(f) > 0 && f[0][0] != '#' {
					h.command(&out, f)
				}
			}
			return out.String()
		})
	})
}

// second is where the fake clock begins.
const second = int64(time.Second)

// harness is a broker under test with a clock that stands still.
type harness struct {
	t      testing.TB
	fs     vfs.FS
	store  *storage.Store
	b      *Broker
	ns     *Namespace
	now    atomic.Int64
	subs   map[string]*recorder
	queues []string // made, and not gone yet
	// warnings counts what was logged as a warning or worse.
	warnings atomic.Int64
	out      *strings.Builder

	mu  sync.Mutex
	log []string
}

// warnings counts.
type warnings struct {
	slog.Handler
	n *atomic.Int64
}

func (w warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (w warnings) Handle(context.Context, slog.Record) error {
	w.n.Add(1)
	return nil
}

// recorder is a Sink that writes down what it gets.
type recorder struct {
	h       *harness
	name    string
	s       *Subscription
	windows []*Window
}

func (h *harness) note(format string, args ...any) {
	h.mu.Lock()
	h.log = append(h.log, fmt.Sprintf(format, args...))
	h.mu.Unlock()
}

func (r *recorder) Deliver(_ *Subscription, ds []Delivery) {
	for _, d := range ds {
		extra := ""
		if d.Redelivered {
			extra = fmt.Sprintf(" redelivered attempt=%d", d.Attempt)
		}
		r.h.note("%s: %d %s%s pending=%d", r.name, d.Offset, d.Entry.Data, extra, d.Pending)
	}
}
func (r *recorder) Idle(*Subscription)               { r.h.note("%s: idle", r.name) }
func (r *recorder) Ended(_ *Subscription, err error) { r.h.note("%s: ended: %v", r.name, err) }

// Exhausted and Deleted are CursorEvents.
func (h *harness) Exhausted(c *Cursor, o Offset, attempts int) {
	h.note("exhausted %s: %d after %d", c.Config().Name, o, attempts)
}
func (h *harness) Deleted(c *Cursor, inactive bool) {
	h.note("deleted %s inactive=%v", c.Config().Name, inactive)
}

func newHarness(t testing.TB) *harness {
	h := &harness{t: t, fs: vfs.NewMem(), subs: map[string]*recorder{}}
	h.now.Store(1000 * second)
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *harness) open() {
	h.t.Helper()
	log := slog.New(warnings{slog.DiscardHandler, &h.warnings})
	if os.Getenv("TRIVIUM_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	var err error
	h.store, err = storage.Open(storage.Options{FS: h.fs, Dir: "data", Log: log, JournalFileBytes: 1 << 20, Now: h.now.Load})
	if err != nil {
		h.t.Fatal(err)
	}
	if h.b, err = Open(h.store, Options{Log: log, Now: h.now.Load, Codecs: []Codec{plainCodec{}}}); err != nil {
		h.t.Fatal(err)
	}
	h.ns = h.b.Namespace(DefaultNamespace)
}

func (h *harness) close() {
	if err := errors.Join(h.b.Close(), h.store.Close()); err != nil {
		h.t.Errorf("close: %v", err)
	}
}

// plainCodec reads entries of format 0: the body is the data, none if it is empty.
type plainCodec struct{}

func (plainCodec) Format() Format { return 0 }
func (plainCodec) Messages(e *Entry, dst []Message) ([]Message, error) {
	m := Message{Key: e.Key, Time: e.Time}
	if len(e.Data) > 0 {
		m.Value = e.Data
	}
	for range e.Count {
		dst = append(dst, m)
	}
	return dst, nil
}

// DeadLettered is a DeadLetterer: deaths are written behind the body.
func (plainCodec) DeadLettered(e *Entry, d Death) (Dead, error) {
	k := string(e.Key)
	if d.HasKey {
		k = d.Key
	}
	been := string(e.Data)
	return Dead{
		Data: fmt.Appendf(nil, "%s+%s@%s", e.Data, d.Reason, d.Queue),
		Keys: []string{k},
		Cycles: func(queue string) bool {
			return d.Reason != Rejected && !strings.Contains(been, Rejected) &&
				(queue == d.Queue || strings.Contains(been, "@"+queue))
		},
	}, nil
}

// rest waits until everything that was started has happened.
func (h *harness) rest() {
	h.t.Helper()
	for range 3 {
		if err := h.b.Committed(func(tx *Tx) error { tx.Note(0, nil); return nil }); err != nil {
			h.t.Fatal(err)
		}
		h.b.timers.fire()
		for !h.b.workers.idle() {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// tx runs f in a transaction and waits until it is durable.
func (h *harness) tx(f func(tx *Tx) error) error { return h.b.Committed(f) }

// args are a command's words and its name=value options.
type args struct {
	words []string
	opts  map[string]string
}

func parseArgs(f []string) args {
	a := args{opts: map[string]string{}}
	for _, w := range f {
		if k, v, ok := strings.Cut(w, "="); ok {
			a.opts[k] = v
		} else {
			a.words = append(a.words, w)
		}
	}
	return a
}

func (a args) has(name string) bool { _, ok := a.opts[name]; return ok }
func (a args) flag(name string) bool {
	return slices.Contains(a.words, name)
}
func (a args) int(name string, or int64) int64 {
	if v, ok := a.opts[name]; ok {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	return or
}
func (a args) ms(name string) time.Duration { return time.Duration(a.int(name, 0)) * time.Millisecond }
func (a args) offsets() (os []Offset) {
	for _, w := range a.words {
		if n, err := strconv.ParseInt(w, 10, 64); err == nil {
			os = append(os, Offset(n))
		}
	}
	return os
}

// cursor finds what must be there: "queue" or "stream/cursor".
func (h *harness) cursor(name string) *Cursor {
	if s, c, ok := strings.Cut(name, "/"); ok {
		return h.ns.Stream(defaultRealm, s).Cursor(c)
	}
	return h.ns.Queue(defaultRealm, name).Cursor()
}

func (h *harness) command(out *strings.Builder, f []string) {
	h.t.Helper()
	a := parseArgs(f[min(len(f), 2):])
	arg := ""
	if len(f) > 1 {
		arg = f[1]
	}
	run, ok := commands[f[0]]
	if !ok {
		fmt.Fprintf(out, "unknown command %s\n", f[0])
		return
	}
	h.out = out
	fmt.Fprintf(out, "> %s\n", strings.Join(f, " "))
	if err := run(h, arg, a); err != nil {
		fmt.Fprintf(out, "error: %v\n", err)
	}
	h.rest()
	h.queues = slices.DeleteFunc(h.queues, func(n string) bool {
		gone := h.ns.Queue(defaultRealm, n) == nil
		if gone {
			h.note("gone %s", n)
		}
		return gone
	})
	h.mu.Lock()
	// Workers run side by side: only the order of one receiver's lines means anything.
	slices.SortStableFunc(h.log, func(a, b string) int {
		x, _, _ := strings.Cut(a, ":")
		y, _, _ := strings.Cut(b, ":")
		return cmp.Compare(x, y)
	})
	for _, l := range h.log {
		fmt.Fprintln(out, l)
	}
	h.log = nil
	h.mu.Unlock()
}

var commands map[string]func(h *harness, arg string, a args) error

func init() {
	commands = map[string]func(h *harness, arg string, a args) error{
		"queue":    (*harness).cmdQueue,
		"publish":  (*harness).cmdPublish,
		"stream":   (*harness).cmdStream,
		"update":   (*harness).cmdUpdate,
		"append":   (*harness).cmdAppend,
		"cursor":   (*harness).cmdCursor,
		"sub":      (*harness).cmdSub,
		"unsub":    (*harness).cmdUnsub,
		"credit":   (*harness).cmdCredit,
		"get":      (*harness).cmdGet,
		"ack":      (*harness).cmdAck,
		"return":   (*harness).cmdReturn,
		"reject":   (*harness).cmdReject,
		"extend":   (*harness).cmdExtend,
		"seek":     (*harness).cmdSeek,
		"purge":    (*harness).cmdPurge,
		"delete":   (*harness).cmdDelete,
		"remove":   (*harness).cmdRemove,
		"rollup":   (*harness).cmdRollup,
		"state":    (*harness).cmdState,
		"log":      (*harness).cmdLog,
		"keys":     (*harness).cmdKeys,
		"count":    (*harness).cmdCount,
		"next":     (*harness).cmdNext,
		"advance":  (*harness).cmdAdvance,
		"restart":  (*harness).cmdRestart,
		"keep":     (*harness).cmdKeep,
		"producer": (*harness).cmdProducer,
	}
}

package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"trivium/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a server whose state a test sets.
type fake struct {
	low, readOnly, stopping atomic.Bool
	base                    string
	client                  http.Client
}

func start(t *testing.T) *fake {
	t.Helper()
	f := new(fake)
	s := New(Options{
		Log: slog.New(slog.DiscardHandler), Users: guests{new(auth.Store)},
		Err: func() error {
			if f.readOnly.Load() {
				return errors.New("no space left on device")
			}
			return nil
		},
		Low: func() error {
			if f.low.Load() {
				return errors.New("7 bytes are free")
			}
			return nil
		},
		Ready: func() error {
			if f.stopping.Load() {
				return errors.New("stopping")
			}
			return nil
		},
		Collect: func(emit func(Metric)) {
			emit(Metric{Name: "trivium_connections", Help: "Open connections.", Kind: Gauge, Door: "amqp", Value: 3})
			emit(Metric{Name: "trivium_connections", Help: "Open connections.", Kind: Gauge, Door: "nats", Value: 4})
			emit(Metric{Name: "trivium_journal_frames_total", Help: "Frames written.", Value: 7})
		},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	f.base = "http://" + l.Addr().String()
	t.Cleanup(func() {
		f.client.CloseIdleConnections()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve after Shutdown: %v", err)
		}
	})
	f.client.Transport = &http.Transport{}
	return f
}

func (f *fake) get(t *testing.T, path string) (int, string) {
	t.Helper()
	r, err := f.client.Get(f.base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, strings.TrimSpace(string(body))
}

// ask makes a request, as nobody if user is "", and returns the status and the whole answer.
func (f *fake) ask(t *testing.T, user, password, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, f.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	resp, err := f.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String()
}

func TestHealth(t *testing.T) {
	f := start(t)
	want := func(path string, code int, body string) {
		t.Helper()
		if c, b := f.get(t, path); c != code || b != body {
			t.Errorf("%s: %d %s, want %d %s", path, c, b, code, body)
		}
	}
	want("/healthz", 200, `{"status":"ok"}`)
	want("/readyz", 200, `{"status":"ok"}`)
	f.low.Store(true)
	want("/healthz", 200, `{"status":"low on disk","reason":"7 bytes are free"}`)
	want("/readyz", 503, `{"status":"low on disk","reason":"7 bytes are free"}`)
	f.readOnly.Store(true)
	want("/healthz", 200, `{"status":"read-only","reason":"no space left on device"}`)
	want("/readyz", 503, `{"status":"read-only","reason":"no space left on device"}`)
	f.stopping.Store(true)
	want("/readyz", 503, `{"status":"not ready","reason":"stopping"}`)
}

func TestMetrics(t *testing.T) {
	f := start(t)
	code, body := f.get(t, "/metrics")
	if code != 200 {
		t.Fatal(code, body)
	}
	for _, line := range []string{
		`trivium_connections{door="amqp"} 3`, `trivium_connections{door="nats"} 4`,
		"# TYPE trivium_connections gauge", "# TYPE trivium_journal_frames_total counter",
		"trivium_journal_frames_total 7", "# HELP trivium_connections Open connections.",
	} {
		if !strings.Contains(body+"\n", line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if !strings.Contains(body, "go_goroutines ") {
		t.Error("nothing of the Go runtime")
	}
}

func TestPaths(t *testing.T) {
	f := start(t)
	if code, body := f.get(t, "/"); code != 200 || !strings.Contains(body, "/healthz") {
		t.Errorf("/: %d %s", code, body)
	}
	if code, _ := f.get(t, "/nothing"); code != 404 {
		t.Errorf("/nothing: %d", code)
	}
	r, err := f.client.Post(f.base+"/metrics", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 405 {
		t.Errorf("POST: %d", r.StatusCode)
	}
}

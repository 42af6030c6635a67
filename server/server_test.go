package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"trivium/server"
	"trivium/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, url string) string {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != 200 {
		t.Fatalf("%s: %d %s", url, r.StatusCode, body)
	}
	return string(body)
}

// What /metrics serves is what docs/operations.md says, and nothing else.
func TestMetricsAreDocumented(t *testing.T) {
	s := servertest.Start(t, nil)
	served := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (trivium_\w+) (\w+)$`).FindAllStringSubmatch(get(t, "http://"+s.Addr(server.Admin)+"/metrics"), -1) {
		served[m[1]] = m[2]
	}
	doc, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	said := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `(trivium_\\w+)(?:\\{door\\})?` \\| (\\w+) \\| [^|]+\\|$").FindAllStringSubmatch(string(doc), -1) {
		said[m[1]] = m[2]
	}
	for name, kind := range served {
		if said[name] != kind {
			t.Errorf("%s, a %s, is documented as %q", name, kind, said[name])
		}
	}
	for name := range said {
		if served[name] == "" {
			t.Errorf("%s is documented and not served", name)
		}
	}
}

func TestListenersCanBeOff(t *testing.T) {
	s := servertest.Start(t, func(o *server.Options) { o.AMQP, o.Kafka, o.Admin = "", "", "" })
	for _, name := range []string{server.AMQP, server.Kafka, server.Admin} {
		if addr := s.Addr(name); addr != "" {
			t.Errorf("%s listens on %s", name, addr)
		}
	}
	if _, port, err := net.SplitHostPort(s.Addr(server.NATS)); err != nil || port == "0" {
		t.Errorf("NATS listens on %q", s.Addr(server.NATS))
	}
}

// Nothing is left behind by a start that fails, so that the next one can succeed.
func TestFailedStartLeavesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := server.Options{Dir: t.TempDir(), AMQP: "127.0.0.1:0", Admin: taken.Addr().String()}
	var l *server.ListenError
	if _, err := server.Start(o); !errors.As(err, &l) || l.Listener != server.Admin {
		t.Errorf("a taken port: %v", err)
	}

	file := o.Dir + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Admin = file, ""
	var d *server.DirError
	if _, err := server.Start(o); !errors.As(err, &d) || d.Dir != file {
		t.Errorf("a file as directory: %v", err)
	}
}

// A directory belongs to one server at a time, and to the next one after it.
func TestOneServerPerDirectory(t *testing.T) {
	o := server.Options{Dir: t.TempDir()}
	first, err := server.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	var d *server.DirError
	if second, err := server.Start(o); !errors.As(err, &d) {
		t.Errorf("a second server: %v", err)
		if err == nil {
			second.Shutdown(context.Background())
		}
	}
	for range 2 { // the second time does nothing
		if err := first.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	again, err := server.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestNotReadyAfterShutdown(t *testing.T) {
	s, err := server.Start(server.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s.Ready() == nil {
		t.Error("ready after Shutdown")
	}
}

// Clients that say nothing do not hold a shutdown up beyond its context, and no
// goroutine of theirs stays.
func TestShutdownCutsIdleConnections(t *testing.T) {
	s, err := server.Start(server.Options{Dir: t.TempDir(), AMQP: "127.0.0.1:0", Kafka: "127.0.0.1:0", NATS: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	var held []net.Conn
	for _, name := range []string{server.AMQP, server.Kafka, server.NATS} {
		c, err := net.Dial("tcp", s.Addr(name))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, c := range held {
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(fmt.Sprint(err), "reset") {
			t.Errorf("%v: %v", c.RemoteAddr(), err)
		}
	}
}

func TestErrorsName(t *testing.T) {
	for _, err := range []error{
		&server.ListenError{Listener: "amqp", Addr: "x:1", Err: io.EOF}, &server.DirError{Dir: "x:1", Err: io.EOF},
	} {
		if !errors.Is(err, io.EOF) || !bytes.Contains([]byte(err.Error()), []byte("x:1")) {
			t.Errorf("%v", err)
		}
	}
}

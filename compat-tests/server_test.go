package compat

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests: what takes longer has failed.
const patience = time.Minute

// server is a running trivium, or the originals' addresses in its place.
type server struct {
	t     *testing.T
	dir   string
	flags []string
	addrs map[string]string // by the listener's flag
	cmd   *exec.Cmd
	log   *safeBuffer
	// ready took so long, from exec to the ready line.
	ready time.Duration
}

// start runs the executable on free ports, with an empty directory.
func start(t *testing.T, flags ...string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), flags: flags, log: new(safeBuffer)}
	if original() {
		s.addrs = map[string]string{"amqp": *peerAMQP, "kafka": *peerKafka, "nats": *peerNATS}
		return s
	}
	s.addrs = freeAddrs(t, "amqp", "kafka", "nats", "admin")
	t.Cleanup(func() {
		if s.cmd != nil {
			s.stop()
		}
		if t.Failed() {
			t.Logf("the server's output:\n%s", s.log)
		}
	})
	s.run()
	return s
}

// original reports whether the tests run against the original systems.
func original() bool { return *peerAMQP+*peerKafka+*peerNATS != "" }

// freeAddrs are different loopback addresses nobody listens on, below the ports that the
// system gives to outgoing connections: a client that reconnects while the
// server is down must not be given the server's own port.
func freeAddrs(t *testing.T, names ...string) map[string]string {
	t.Helper()
	addrs := make(map[string]string)
	for _, name := range names {
		for range 100 {
			addr := "127.0.0.1:" + strconv.Itoa(10000+rand.IntN(20000))
			if l, err := net.Listen("tcp", addr); err == nil {
				defer l.Close() // the others are not chosen before
				addrs[name] = addr
				break
			}
		}
		if addrs[name] == "" {
			t.Fatal("no free port")
		}
	}
	return addrs
}

// run starts the process and waits until it says that it is ready.
func (s *server) run() {
	s.t.Helper()
	args := append([]string{"serve", "--data", s.dir}, s.flags...)
	for _, name := range []string{"amqp", "kafka", "nats", "admin"} {
		args = append(args, "--"+name, s.addrs[name])
	}
	s.cmd = exec.Command(executable, args...)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(io.TeeReader(out, s.log))
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready") {
				ready <- true
			}
		}
		close(ready)
	}()
	select {
	case ok := <-ready:
		s.ready = time.Since(began)
		if !ok {
			s.cmd.Wait()
			s.cmd = nil
			s.t.Fatal("the server ended before it was ready")
		}
	case <-time.After(patience):
		s.t.Fatal("the server did not get ready")
	}
}

// stop asks the server to end, as an operator does: it must end well.
func (s *server) stop() {
	s.t.Helper()
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Errorf("the server had ended by itself: %v", err)
	}
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	if err := cmd.Wait(); err != nil {
		s.t.Errorf("the server ended with %v", err)
	}
}

// kill is kill -9.
func (s *server) kill() {
	s.t.Helper()
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Kill(); err != nil {
		s.t.Fatalf("the server had ended by itself: %v", err)
	}
	cmd.Wait() // says "killed"
}

// crash kills the server and starts it again with the same ports and data.
func (s *server) crash(t *testing.T) {
	t.Helper()
	if original() {
		t.Skip("the originals are not ours to kill")
	}
	s.kill()
	s.run()
}

// rss is the server's resident memory in bytes.
func (s *server) rss() int64 {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// get asks the admin listener.
func (s *server) get(path string) (code int, body string) {
	s.t.Helper()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get("http://" + s.addrs["admin"] + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.StatusCode, string(data)
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// safeBuffer may be written and read at once.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

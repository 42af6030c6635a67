package natswire

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cockroachdb/datadriven"

	"trivium/auth"
)

// peer runs the transcripts against a real nats-server instead: with -rewrite its answers
// become the expected ones.
var peer = flag.String("peer", "", "nats-server `binary` to run the transcripts against")

// TestTranscripts compares what goes over the socket, byte by byte, with what nats-server
// 2.15.2 answers. A file is a conversation:
//
//	server max_payload=64         options; before the first connection
//	a [until=TEXT|closed]         sends the lines below over connection a, which is opened (and its
//	                              INFO read) when first used. A line in double quotes is Go syntax
//	                              and sent as it is; others end in \r\n. Prints what is
//	                              received up to the line that begins with TEXT; by default, as
//	                              many PONGs as PINGs were sent.
//	hello                         opens a connection and prints its INFO
//
// What differs from server to server is shown as *.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		c := &conversation{t: t, conns: map[string]*peerConn{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return c.run(d)
		})
		c.end()
	})
}

type conversation struct {
	t     *testing.T
	addr  string
	pings bool // are part of the conversation
	conns map[string]*peerConn
}

type peerConn struct {
	net.Conn
	r *bufio.Reader
}

var transcriptOptions = map[string]struct {
	ours   func(o *Options, v int)
	theirs string
}{
	"max_payload":          {func(o *Options, v int) { o.MaxPayload = v }, "max_payload: %d"},
	"max_control_line":     {func(o *Options, v int) { o.MaxControlLine = v }, "max_control_line: %d"},
	"max_connections":      {func(o *Options, v int) { o.MaxConnections = v }, "max_connections: %d"},
	"max_subscriptions":    {func(o *Options, v int) { o.MaxSubscriptions = v }, "max_subscriptions: %d"},
	"ping_interval_ms":     {func(o *Options, v int) { o.PingInterval = time.Duration(v) * time.Millisecond }, `ping_interval: "%dms"`},
	"auth_timeout_seconds": {func(o *Options, v int) { o.AuthTimeout = time.Duration(v) * time.Second; requireAuth(o) }, `authorization { user: ann, password: secret, timeout: %d }`},
}

func requireAuth(o *Options) {
	o.RequireAuth, o.Auth = true, new(auth.Store)
	if err := o.Auth.Add("ann", "secret", ""); err != nil {
		panic(err)
	}
}

// server starts the one or the other.
func (c *conversation) server(args []datadriven.CmdArg) {
	var edits []func(*Options)
	var conf strings.Builder
	fmt.Fprintln(&conf, "listen: 127.0.0.1:-1")
	for _, a := range args {
		v, err := strconv.Atoi(a.Vals[0])
		if err != nil {
			c.t.Fatal(err)
		}
		o, ok := transcriptOptions[a.Key]
		if !ok {
			c.t.Fatalf("no option %s", a.Key)
		}
		c.pings = c.pings || a.Key == "ping_interval_ms"
		edits = append(edits, func(x *Options) { o.ours(x, v) })
		fmt.Fprintf(&conf, o.theirs+"\n", v)
	}
	if *peer == "" {
		c.addr = start(c.t, edits...).addr
		return
	}
	dir := c.t.TempDir()
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(*peer, "-c", file, "--ports_file_dir", dir)
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ports := filepath.Join(dir, fmt.Sprintf("%s_%d.ports", filepath.Base(*peer), cmd.Process.Pid))
	eventually(c.t, "ports file", func() bool {
		b, _ := os.ReadFile(ports)
		m := regexp.MustCompile(`nats://([^"]+)"`).FindSubmatch(b)
		if m != nil {
			c.addr = string(m[1])
		}
		return m != nil
	})
}

func (c *conversation) run(d *datadriven.TestData) string {
	if d.Cmd == "server" {
		c.server(d.CmdArgs)
		return ""
	}
	if c.addr == "" {
		c.server(nil)
	}
	n := c.conns[d.Cmd]
	opened := n == nil
	if opened {
		nc, err := net.Dial("tcp", c.addr)
		if err != nil {
			d.Fatalf(c.t, "%v", err)
		}
		n = &peerConn{nc, bufio.NewReader(nc)}
		nc.SetDeadline(time.Now().Add(patience))
		c.conns[d.Cmd] = n
		hello, err := n.r.ReadString('\n')
		if err != nil {
			d.Fatalf(c.t, "%v", err)
		}
		if d.Cmd == "hello" {
			return mask(hello)
		}
	}
	var in bytes.Buffer
	for _, l := range strings.Split(d.Input, "\n") {
		if s, err := strconv.Unquote(l); err == nil && strings.HasPrefix(l, `"`) {
			in.WriteString(s)
		} else if l != "" {
			in.WriteString(l + "\r\n")
		}
	}
	if _, err := n.Write(in.Bytes()); err != nil {
		d.Fatalf(c.t, "%v", err)
	}
	until, times := "PONG", strings.Count(in.String(), "PING")
	for _, a := range d.CmdArgs {
		if a.Key == "until" {
			until, times = strings.ReplaceAll(a.Vals[0], "_", " "), 1
		}
	}
	var out strings.Builder
	for times > 0 {
		l, err := n.r.ReadString('\n')
		if l == "PING\r\n" && !c.pings {
			continue // a slow run meets the first ping
		}
		out.WriteString(mask(l))
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				d.Fatalf(c.t, "timeout after %q", out.String())
			}
			out.WriteString("closed\n")
			break
		}
		if strings.HasPrefix(l, until) {
			times--
		}
	}
	return out.String()
}

func (c *conversation) end() {
	for _, n := range c.conns {
		n.Close()
	}
}

var (
	masked  = regexp.MustCompile(`"(server_id|server_name|go|host|client_ip)":"[^"]*"`)
	masked2 = regexp.MustCompile(`"(port|client_id)":\d+`)
	extras  = regexp.MustCompile(`,"xkey":"[^"]*"`)
)

func mask(l string) string {
	l = masked.ReplaceAllString(l, `"$1":*`)
	l = masked2.ReplaceAllString(l, `"$1":*`)
	l = extras.ReplaceAllString(l, "")
	l = strings.ReplaceAll(l, "\r\n", "\n")
	if !utf8.ValidString(l) {
		return strconv.QuoteToASCII(l) + "\n"
	}
	return l
}

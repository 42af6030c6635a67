package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"trivium/server"
)

// execute runs the command line and returns what it printed.
func execute(args ...string) (string, error) {
	var out bytes.Buffer
	c := command()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&out)
	err := c.Execute()
	return out.String(), err
}

func TestVersion(t *testing.T) {
	out, err := execute("version")
	if err != nil || !strings.HasPrefix(out, "trivium ") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"--durability", "fast"}, {"--min-free", "much"}, {"serve", "now"}, {"nonsense"}, {"--amqp"}} {
		if _, err := execute(args...); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

// A command of ctl that is not complete says how it is meant, and asks nobody.
func TestCtlUsage(t *testing.T) {
	for args, want := range map[string]string{
		"ctl expose kafka/x":              "usage: trivium ctl expose amqp|kafka|nats/NAME amqp|kafka|nats/NEW-NAME",
		"ctl expose x amqp/y":             "is not amqp/NAME, kafka/NAME or nats/NAME",
		"ctl expose remove":               "usage: trivium ctl expose remove",
		"ctl user add":                    "usage: trivium ctl user add NAME",
		"ctl user delete a b":             "usage: trivium ctl user delete NAME",
		"ctl --server nowhere: user list": "nowhere:",
	} {
		if _, err := execute(strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestDurabilityNames(t *testing.T) {
	for _, name := range []string{"sync", "interval", "os"} {
		var d durability
		if err := d.Set(name); err != nil || d.String() != name {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	if d := durability(server.Sync); d.String() != "sync" {
		t.Error("sync is not the default")
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = execute("--data", t.TempDir(), "--amqp", "", "--kafka", l.Addr().String(), "--nats", "", "--admin", "")
	if err == nil {
		t.Fatal("served on a port that was taken")
	}
	if got := advice(err); !strings.Contains(got, "another program listens on "+l.Addr().String()) || !strings.Contains(got, "--kafka") {
		t.Error(got)
	}
}

func TestAdvice(t *testing.T) {
	dir := func(err error) error {
		return &server.DirError{Dir: "/d", Err: &os.PathError{Op: "open", Path: "/d/x", Err: err}}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{dir(syscall.EAGAIN), "in use by another trivium"},
		{dir(fs.ErrPermission), "cannot write to"},
		{dir(syscall.EROFS), "cannot write to"},
		{dir(syscall.ENOTDIR), "not a directory"},
		{dir(syscall.ENOSPC), "no space left"},
		{&server.ListenError{Listener: "nats", Addr: "1.2.3.4:5", Err: syscall.EADDRNOTAVAIL}, "--nats"},
		{&server.ListenError{Listener: "admin", Addr: ":80", Err: syscall.EACCES}, "above 1023"},
		{errors.New("as it is"), "as it is"},
	} {
		if got := advice(c.err); !strings.Contains(got, c.want) {
			t.Errorf("%v: %q", c.err, got)
		}
	}
}

//go:build clients

package compat

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// transcript is a command of the README with what it is said to print.
type transcript struct {
	line          int
	command, want string
}

// transcripts are the commands ("$ …") of the README's console blocks.
func transcripts(t *testing.T, readme string) (all []transcript) {
	t.Helper()
	data, err := os.ReadFile(readme)
	must(t, err)
	inside := false
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case strings.HasPrefix(line, "$ "):
			all = append(all, transcript{line: i + 1, command: line[2:]})
		case len(all) == 0:
			t.Fatalf("README.md:%d: output before any command", i+1)
		default:
			all[len(all)-1].want += line + "\n"
		}
	}
	return all
}

// The README's commands, one after the other, in a fresh clone, do what it says
// they do. A line "…" stands for any lines.
func TestReadme(t *testing.T) {
	repo, err := filepath.Abs("..")
	must(t, err)
	clone := filepath.Join(t.TempDir(), "trivium")
	if out, err := exec.Command("git", "clone", "-q", repo, clone).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	all := transcripts(t, filepath.Join(repo, "README.md"))
	if len(all) < 5 {
		t.Fatalf("the README has %d commands", len(all))
	}
	env := append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir())
	for _, c := range all {
		cmd := exec.Command("bash", "-c", c.command)
		cmd.Dir, cmd.Env = clone, env
		if c.command == "go run ./cmd/trivium" {
			serve(t, cmd)
			continue
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("README.md:%d: %s: %v\n%s", c.line, c.command, err, out)
		}
		if !matches(string(out), c.want) {
			t.Errorf("README.md:%d: %s printed\n%s\nand the README says\n%s", c.line, c.command, out, c.want)
		}
		t.Logf("$ %s\n%s", c.command, out)
	}
}

// serve starts the server that the README starts, until the end of the test.
func serve(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run is the server's parent
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = cmd.Stdout
	must(t, cmd.Start())
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		late := time.AfterFunc(patience, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer late.Stop()
		cmd.Wait() // go run says how the server ended, the signal included
	})
	ready := make(chan string, 1)
	go func() {
		defer close(ready)
		said := ""
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said += lines.Text() + "\n"
			if strings.HasPrefix(lines.Text(), "ready") {
				ready <- said
			}
		}
		ready <- "" // ended
		t.Log(said)
	}()
	select {
	case said := <-ready:
		if said == "" {
			t.Fatal("the server ended")
		}
		t.Logf("$ %s\n%s", cmd.Args[2], said)
	case <-time.After(clientPatience): // it may compile everything first
		t.Fatal("the server did not get ready")
	}
}

// matches compares output with what is said, in which "…" stands for any lines.
func matches(got, want string) bool {
	pattern := regexp.QuoteMeta(strings.TrimSpace(want))
	pattern = strings.ReplaceAll(pattern, "…", "(?s:.*)")
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(got))
}

package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// start starts a server on the bout's directory and waits until it says that it is ready.
func (b *bout) start() error {
	log, err := os.OpenFile(filepath.Join(b.dir, "trivium.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	const any = "127.0.0.1:0"
	cmd := exec.Command(b.exe, "--data", filepath.Join(b.dir, "data"), "--amqp", any, "--kafka", any, "--nats", any, "--admin", any)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if b.p, err = startProcess(cmd, log); err != nil {
		return err
	}
	b.addr = map[string]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		if name == "ready" {
			go io.Copy(io.Discard, out) // ends with the process
			return nil
		}
		if _, addr, ok := strings.Cut(rest, "on "); ok {
			b.addr[name] = addr
		}
	}
	b.p.stop()
	return fmt.Errorf("the server did not start: see %s", log.Name())
}

func (b *bout) stop() {
	if b.p != nil {
		b.p.stop()
		b.p = nil
	}
}

// kill ends the server as a crash does.
func (b *bout) kill() error {
	err := b.p.cmd.Process.Kill()
	<-b.p.done
	err = errors.Join(err, b.p.log.Close())
	b.p = nil
	return err
}

// restart notes how long a server takes to be ready again, and its memory then: after
// a clean stop, and after a crash.
func (b *bout) restart() error {
	began := time.Now()
	b.stop()
	b.note("stop", time.Since(began).Seconds(), "s")
	if err := b.startTimed("restart"); err != nil {
		return err
	}
	if _, err := b.memory("memory after restart"); err != nil {
		return err
	}
	if err := b.kill(); err != nil {
		return err
	}
	return b.startTimed("restart after kill -9")
}

func (b *bout) startTimed(name string) error {
	began := time.Now()
	if err := b.start(); err != nil {
		return err
	}
	b.note(name, time.Since(began).Seconds(), "s")
	return nil
}

// rss is the resident size of the process, in bytes.
func (p *process) rss() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return kib << 10, err
}

// exactCPU is the CPU time of all threads that the process has, in nanoseconds. Go ends a thread
// only with a goroutine that kept it for itself.
func (p *process) exactCPU() (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("the threads of %d: %w", p.cmd.Process.Pid, cmp.Or(err, fs.ErrNotExist))
	}
	var sum time.Duration
	for _, t := range threads {
		stat, err := os.ReadFile(t)
		if err != nil {
			return 0, err
		}
		ran, err := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ran)
	}
	return sum, nil
}

// metric reads one of the server's own metrics.
func (b *bout) metric(name string) (float64, error) {
	resp, err := http.Get("http://" + b.addr["admin"] + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(v, 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// goroutines notes how many the server has.
func (b *bout) goroutines(name string) error {
	n, err := b.metric("go_goroutines")
	if err == nil {
		b.note(name, n, "n")
	}
	return err
}

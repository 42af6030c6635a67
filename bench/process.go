package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience bounds every wait for a process.
const patience = 2 * time.Minute

// process is a running server.
type process struct {
	cmd *exec.Cmd
	// pid is the process that does the work: not cmd's own if that is a wrapper.
	pid int
	log *os.File
}

// launch starts a command whose output goes to dir/name.log, and waits until it
// listens on addrs.
func launch(dir, name string, env []string, addrs []string, command ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, pid: cmd.Process.Pid, log: log}
	for _, addr := range addrs {
		if err := awaitListener(addr); err != nil {
			p.stop()
			return nil, fmt.Errorf("%s: %w (see %s)", name, err, log.Name())
		}
	}
	return p, nil
}

func awaitListener(addr string) error {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var c net.Conn
		if c, err = net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
	}
	return err
}

// stop ends the process with everything it started.
func (p *process) stop() {
	defer p.log.Close()
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	syscall.Kill(p.pid, syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(20 * time.Second):
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
}

// clockTick is the kernel's USER_HZ, in which /proc counts CPU time.
const clockTick = 10 * time.Millisecond

// cpu is the CPU time that the process has used.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(after)
	user, err := strconv.ParseInt(f[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

// forgetPeak makes peakRSS count from now.
func (p *process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.pid), []byte("5"), 0)
}

// peakRSS is the largest resident size of the process, in bytes.
func (p *process) peakRSS() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return kib << 10, err
}

// freeAddr is a loopback address nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// run runs a command to its end and returns what it printed.
func run(dir string, env []string, command ...string) (string, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, tail(string(out), 2000))
	}
	return string(out), nil
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

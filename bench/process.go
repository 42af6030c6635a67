package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait for a process.
const patience = 2 * time.Minute

// children are the processes that bench has started and that have not ended, each
// the leader of a process group of its own.
var children family

type family struct {
	mu      sync.Mutex
	pids    map[int]bool
	starter chan func()
}

// start starts cmd such that it ends when bench does.
func (f *family) start(cmd *exec.Cmd) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.starter == nil {
		f.pids, f.starter = map[int]bool{}, make(chan func())
		// The kernel takes the end of the thread that started a child for the end of
		// its parent, so one thread that never ends starts them all.
		go func() {
			runtime.LockOSThread()
			for do := range f.starter {
				do()
			}
		}()
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	done := make(chan error)
	f.starter <- func() { done <- cmd.Start() }
	if err := <-done; err != nil {
		return err
	}
	f.pids[cmd.Process.Pid] = true
	return nil
}

// wait waits for the end of a process of start, and ends what it left behind.
func (f *family) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	delete(f.pids, cmd.Process.Pid)
	return err
}

func (f *family) killAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for pid := range f.pids {
		syscall.Kill(-pid, syscall.SIGKILL)
	}
}

// run runs a command to its end and returns what it printed.
func run(dir string, env []string, command ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := children.start(cmd)
	if err == nil {
		err = children.wait(cmd)
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, tail(out.String(), 2000))
	}
	return out.String(), nil
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// server is a running system: one process, or several that serve together.
type server struct {
	processes []*process
	// addrs says where each door is.
	addrs map[string]string
}

// stop ends its processes, the last to be started first.
func (s *server) stop() {
	for i := len(s.processes) - 1; i >= 0; i-- {
		s.processes[i].stop()
	}
}

// ended says whether one of its processes has ended.
func (s *server) ended() bool {
	for _, p := range s.processes {
		select {
		case <-p.done:
			return true
		default:
		}
	}
	return false
}

func (s *server) forgetPeak() error {
	var err error
	for _, p := range s.processes {
		err = errors.Join(err, p.forgetPeak())
	}
	return err
}

func (s *server) cpu() (time.Duration, error) { return sum(s.processes, (*process).cpu) }

func (s *server) peakRSS() (int64, error) { return sum(s.processes, (*process).peakRSS) }

func sum[N time.Duration | int64](all []*process, figure func(*process) (N, error)) (N, error) {
	var total N
	for _, p := range all {
		n, err := figure(p)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// process is a running process of a server.
type process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when it has ended
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
	p, err := startProcess(cmd, log)
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if err := p.awaitListener(addr); err != nil {
			p.stop()
			printed, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s: %w\n%s", name, err, tail(string(printed), 2000))
		}
	}
	return p, nil
}

// startProcess starts cmd, which writes to log.
func startProcess(cmd *exec.Cmd, log *os.File) (*process, error) {
	if err := children.start(cmd); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	p := &process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		children.wait(cmd)
	}()
	return p, nil
}

func (p *process) awaitListener(addr string) error {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var c net.Conn
		if c, err = net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
		select {
		case <-p.done:
			return errors.New("it ended")
		default:
		}
	}
	return err
}

// stop ends the process with everything it started.
func (p *process) stop() {
	defer p.log.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
}

// clockTick is the kernel's USER_HZ, in which /proc counts CPU time.
const clockTick = 10 * time.Millisecond

// cpu is the CPU time that the process has used.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
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
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}

// peakRSS is the largest resident size of the process, in bytes.
func (p *process) peakRSS() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(string(status), "VmHWM:")
	if !found {
		return 0, fmt.Errorf("process %d has ended", p.cmd.Process.Pid)
	}
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return kib << 10, err
}

// freeAddrs are n loopback addresses nobody listens on.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	var open []net.Listener
	defer func() {
		for _, l := range open {
			l.Close()
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		open = append(open, l)
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

package main

import (
	"bytes"
	"errors"
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

// process is a server, with its children.
type process struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{}
}

// Processors: one is the server's alone.
const (
	serverProcessor = "0"
	loadProcessor   = "1"
)

const (
	fewFiles   = 1024 // descriptors that a process has where it is not known better
	otherFiles = 200  // descriptors of a server that are none of a connection's, at most
)

// mostConnections is how many a server can hand on: each takes two descriptors.
func mostConnections() int { return (mostFiles() - otherFiles) / 2 }

// startProcess starts a program on one processor.
func startProcess(processor, dir string, env []string, args ...string) (*process, error) {
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.Command("taskset", append([]string{"-c", processor}, args...)...)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	bind(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait() // how it ended does not matter
		close(p.ended)
	}()
	return p, nil
}

// stop ends the program and waits for it.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(3 * time.Second):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// waitFor waits until all addresses take connections.
func (p *process) waitFor(addrs ...string) error {
	deadline := time.Now().Add(20 * time.Second)
	for _, addr := range addrs {
		for {
			c, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				c.Close()
				break
			}
			select {
			case <-p.ended:
				return fmt.Errorf("the server has ended: %s", p.output.String())
			case <-time.After(20 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				return errors.New("the server does not listen")
			}
		}
	}
	return nil
}

// tree lists the process and all below it.
func (p *process) tree() []int {
	pids := []int{p.cmd.Process.Pid}
	for i := 0; i < len(pids); i++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pids[i]))
		for _, file := range tasks {
			text, _ := os.ReadFile(file)
			for _, field := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil {
					pids = append(pids, pid)
				}
			}
		}
	}
	return pids
}

// cpu is what the tree has taken of the processor so far: the first number of each thread's schedstat, nanoseconds on
// the processor. utime and stime in stat count in hundredths of a second, which is too coarse for a short turn.
func (p *process) cpu() (time.Duration, error) {
	var sum time.Duration
	for _, pid := range p.tree() {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil || len(tasks) == 0 {
			return 0, errors.New("the server has gone, or this system has no /proc/PID/task/TID/schedstat")
		}
		for _, file := range tasks {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // the thread has just ended
			}
			first, _, _ := strings.Cut(string(text), " ")
			n, err := strconv.ParseInt(first, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n)
		}
	}
	return sum, nil
}

// memory is what a tree of processes has in memory, in bytes.
type memory struct {
	pss int64 // resident pages, shared ones divided among those that have them
	rss int64 // resident pages, the program's own code among them
}

func (p *process) memory() (memory, error) {
	var sum memory
	for _, pid := range p.tree() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return memory{}, err
		}
		for line := range strings.Lines(string(text)) {
			name, rest, _ := strings.Cut(line, ":")
			to, ok := map[string]*int64{"Pss": &sum.pss, "Rss": &sum.rss}[name]
			if !ok {
				continue
			}
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return memory{}, err
			}
			*to += n << 10
		}
	}
	return sum, nil
}

// freeAddr finds a port of the loopback that nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

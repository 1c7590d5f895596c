package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// helper is this program in another role, in a process of its own so that its work is not counted as the monitor's.
type helper struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Reader
}

// startHelper starts it and waits for the line "ready".
func startHelper(args ...string) (*helper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &helper{cmd: exec.Command(self, args...)}
	h.cmd.Stderr = os.Stderr
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.lines = bufio.NewReader(out)
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := h.lines.ReadString('\n'); line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("the helper %v said %q: %w", args, line, err), h.stop())
	}
	return h, nil
}

// stop ends it: it ends with its input.
func (h *helper) stop() error {
	_ = h.stdin.Close() // it may have ended
	return h.cmd.Wait()
}

// usage is what a process took.
type usage struct {
	Wall, CPU time.Duration
	RSS       int64 // bytes, at most
}

// timed runs a program to its end. How it ended is the second result.
func timed(args ...string) (usage, string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err := cmd.Run()
	u := usage{Wall: time.Since(begin)}
	var exit *exec.ExitError
	if cmd.ProcessState == nil || err != nil && !errors.As(err, &exit) {
		return u, "", err
	}
	u.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	u.RSS = mostMemory(cmd.ProcessState)
	return u, lastLines(out.String(), 2), nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}

// status reads a line in kB of /proc/self/status, in bytes; 0 where there is none.
func status(name string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64) // 0 is "unknown"
			return kb << 10
		}
	}
	return 0
}

// load is how many processes wanted a processor in the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// size is that of a database with what lies beside it.
func size(db string) int64 {
	var sum int64
	files, _ := filepath.Glob(db + "*") // the pattern is good
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

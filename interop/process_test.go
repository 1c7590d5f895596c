package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/freeport"
)

// caseTimeout ends a case that hangs, with everything it started. No case waits for it: Chromium alone may take half a
// minute until it speaks on a busy machine.
const caseTimeout = 2 * time.Minute

// needProgram skips the test without the program, and fails it where CI=true.
func needProgram(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := findProgram(name); err != nil {
			missing(t, fmt.Sprintf("%s is not installed", name))
		}
	}
}

func missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// findProgram also looks where Debian keeps servers, which is not in everybody's PATH.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", name))
}

// program is a running peer.
type program struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.ReadCloser // nil where it goes into log
	log    *tail
	done   chan struct{} // closed when it ended
	err    error         // of Wait, once done
}

// start runs a program. It ends with the context, or with stop.
func start(ctx context.Context, wantStdout bool, name string, args ...string) (*program, error) {
	return startOn(ctx, nil, wantStdout, name, args...)
}

// startOn is start for a program whose stdin is this file; nil: a pipe.
func startOn(ctx context.Context, stdin *os.File, wantStdout bool, name string, args ...string) (*program, error) {
	path, err := findProgram(name)
	if err != nil {
		return nil, err
	}
	p := &program{cmd: exec.CommandContext(ctx, path, args...), log: &tail{}, done: make(chan struct{})}
	p.cmd.WaitDelay = 20 * time.Second // for what it started and left behind; one that went well must not fail for a slow reader
	p.cmd.Stderr = p.log
	if stdin != nil {
		p.cmd.Stdin = stdin
	} else if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	var out *os.File
	if wantStdout {
		// A pipe of our own: that of StdoutPipe is closed by Wait, perhaps before all is read.
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		p.stdout, out, p.cmd.Stdout = r, w, w
	} else {
		p.cmd.Stdout = p.log
	}
	err = p.cmd.Start()
	if out != nil {
		out.Close()
	}
	if err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop ends the program and waits until it is gone.
func (p *program) stop() {
	p.cmd.Process.Kill()
	<-p.done
	if p.stdin != nil {
		p.stdin.Close()
	}
	if p.stdout != nil {
		p.stdout.Close()
	}
}

// mentions polls what the program printed, for text in lower case.
func (p *program) mentions(ctx context.Context, text string) error {
	if text == "" {
		return errors.New("nobody knows what the peer calls this alert")
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(strings.ToLower(p.log.String()), text) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not speak of %q: %w", text, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// startServer runs a server on a free port and returns when the port answers. Between choosing a free port and its use
// another program may take it: then the server ends, and the next port is tried.
func startServer(ctx context.Context, wantStdout bool, name string, args func(port string) []string) (*program, string, error) {
	for range 5 {
		port, err := freeport.Number()
		if err != nil {
			return nil, "", err
		}
		p, err := start(ctx, wantStdout, name, args(port)...)
		if err != nil {
			return nil, "", err
		}
		addr := net.JoinHostPort("127.0.0.1", port)
		if err = p.waitListening(addr); err == nil {
			return p, addr, nil
		}
		p.stop()
		if !strings.Contains(strings.ToLower(p.log.String()), "in use") {
			return nil, "", fmt.Errorf("%s did not start: %w\n%s", name, err, p.log)
		}
	}
	return nil, "", fmt.Errorf("%s found no free port", name)
}

// waitListening polls, for these programs have no other way to say that they are ready.
func (p *program) waitListening(addr string) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(caseTimeout)
	for !p.listens(addr) {
		select {
		case <-p.done:
			return errors.New("it ended at once")
		case <-deadline:
			return errors.New("nobody listens on " + addr)
		case <-tick.C:
		}
	}
	return nil
}

// listens says whether it is this program that has the port: somebody else may have taken it in the meantime. Where there
// is no /proc it asks whether anybody has.
func (p *program) listens(addr string) bool {
	sockets, err := os.ReadFile("/proc/net/tcp")
	sockets6, _ := os.ReadFile("/proc/net/tcp6") // selfserv listens on an IPv6 socket, which takes IPv4 as well
	if err != nil {
		c, err := net.Dial("tcp", addr)
		return err == nil && c.Close() == nil
	}
	_, text, _ := strings.Cut(addr, ":")
	port, _ := strconv.Atoi(text)
	own := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	fds, _ := os.ReadDir(own)
	for _, line := range strings.Split(string(sockets)+string(sockets6), "\n") {
		f := strings.Fields(line) // number, local address, remote address, state (10: listening), …, inode
		if len(f) < 10 || f[3] != "0A" || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			continue
		}
		for _, fd := range fds {
			if to, _ := os.Readlink(filepath.Join(own, fd.Name())); to == "socket:["+f[9]+"]" {
				return true
			}
		}
	}
	return false
}

// tail keeps the first and the last part of what a program prints.
type tail struct {
	mu         sync.Mutex
	head, last []byte
	dropped    bool
}

const tailKeeps = 8 << 10 // bytes at each end

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	if room := tailKeeps - len(t.head); room > 0 {
		room = min(room, len(b))
		t.head = append(t.head, b[:room]...)
		b = b[room:]
	}
	t.last = append(t.last, b...)
	if extra := len(t.last) - tailKeeps; extra > 0 {
		t.dropped = true
		t.last = append(t.last[:0], t.last[extra:]...)
	}
	return n, nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dropped {
		return string(t.head) + "\n[…]\n" + string(t.last)
	}
	return string(bytes.Join([][]byte{t.head, t.last}, nil))
}

// firstLine runs a program for its version.
func firstLine(name string, args ...string) (string, error) {
	path, err := findProgram(name)
	if err != nil {
		return "", err
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line), err
}

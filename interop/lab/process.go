package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// startTimeout is how long a server may take until it listens; Java and MariaDB take seconds on a busy machine.
const startTimeout = 60 * time.Second

// stopper is what runs and can be stopped.
type stopper interface{ stop() }

// process is a server that runs, with all processes of its group.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	log   *bounded
	done  chan struct{} // closed when it ended
}

// findProgram also looks where Debian puts servers, which is not in everybody's PATH.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, pattern := range []string{"/usr/sbin/", "/sbin/", "/usr/lib/postfix/sbin/", "/usr/lib/postgresql/*/bin/", "/usr/lib/news/bin/"} {
		if found, _ := filepath.Glob(pattern + name); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// command prepares a program in a folder, with environment variables beside ours.
func command(dir string, environment []string, name string, args ...string) (*exec.Cmd, error) {
	path, err := findProgram(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environment...)
	return cmd, nil
}

// run starts the program and waits until it listens on all ports.
func run(cmd *exec.Cmd, ports ...int) (*process, error) {
	p := &process{cmd: cmd, log: &bounded{}, done: make(chan struct{})}
	if cmd.Stdin == nil {
		stdin, err := cmd.StdinPipe() // which stays open: some servers end with it
		if err != nil {
			return nil, err
		}
		p.stdin = stdin
	}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.WaitDelay = 2 * time.Second
	inOwnGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(p.done)
	}()
	for _, port := range ports {
		if err := p.awaits(port); err != nil {
			p.stop()
			return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, p.log)
		}
	}
	return p, nil
}

// awaits polls until somebody listens, for these programs have no other way to say that they are ready.
func (p *process) awaits(port int) error {
	deadline, tick := time.After(startTimeout), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return errors.New("it ended at once")
		case <-deadline:
			return fmt.Errorf("nobody listens on port %d", port)
		case <-tick.C:
			if listens(port) {
				return nil
			}
		}
	}
}

// listens looks into the kernel's table, for a connection would disturb servers that take one at a time.
func listens(port int) bool {
	suffix := fmt.Sprintf(":%04X", port)
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, line := range bytes.Split(text, []byte("\n")) {
			f := bytes.Fields(line) // number, local address, remote address, state (0A: listening), …
			if len(f) > 3 && string(f[3]) == "0A" && bytes.HasSuffix(f[1], []byte(suffix)) {
				return true
			}
		}
	}
	return false
}

// stop ends the server and what it has started, and waits until it is gone.
func (p *process) stop() {
	if p.stdin != nil {
		p.stdin.Close()
	}
	pid := p.cmd.Process.Pid
	endGroup(pid)
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
	}
	killGroup(pid) // daemons' children outlive them
	<-p.done
}

// output runs a program to its end; the error holds what it said.
func output(ctx context.Context, dir string, stdin io.Reader, name string, args ...string) ([]byte, error) {
	path, err := findProgram(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Stdin, cmd.WaitDelay = dir, stdin, 2*time.Second
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %v: %w\n%s", name, args, err, said.String())
	}
	return out.Bytes(), nil
}

// bounded keeps the last part of what a program prints.
type bounded struct {
	mu   sync.Mutex
	text []byte
}

const boundedKeeps = 16 << 10 // bytes

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	if extra := len(b.text) - boundedKeeps; extra > 0 {
		b.text = append(b.text[:0], b.text[extra:]...)
	}
	return len(p), nil
}

func (b *bounded) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

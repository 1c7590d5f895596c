package cli

import (
	"bufio"
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

// How long a command of a page may take, and how long a background one until it says what is shown.
const (
	commandPatience = 2 * time.Minute
	startPatience   = time.Minute
)

// session is a shell in which the commands of a page are run, one after the other.
type session struct {
	home   string // the home and the folder in which it begins
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	status *bufio.Reader // a line for each command that has ended
	pipe   *os.File
	jobs   []job // in the background, in the order in which they were started
	count  int
}

// job is a command in the background.
type job struct {
	name, pid, out string
}

// newSession starts a shell with an empty home, where possible in a network of its own: pages may then name any port.
func newSession(home string) (*session, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	s := &session{home: home, cmd: lonelyShell(), status: bufio.NewReader(r), pipe: r}
	s.cmd.Dir = home
	for _, name := range []string{"PATH", "GOCOVERDIR", "LANG"} {
		if value := os.Getenv(name); value != "" {
			s.cmd.Env = append(s.cmd.Env, name+"="+value)
		}
	}
	tmp := filepath.Join(home, ".tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return nil, err
	}
	s.cmd.Env = append(s.cmd.Env, "HOME="+home, "TMPDIR="+tmp, "SSL_CERT_FILE="+filepath.Join(tmp, "roots.pem"), "SSL_CERT_DIR="+tmp)
	s.cmd.ExtraFiles = []*os.File{w}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	// With job control a command in the background can be interrupted as by Ctrl-C, whole.
	_, err = io.WriteString(s.stdin, "set -m\n")
	return s, err
}

// ask has the shell do something that ends with a line to descriptor 3, and returns that line.
func (s *session) ask(script string) (string, error) {
	if _, err := io.WriteString(s.stdin, script); err != nil {
		return "", fmt.Errorf("the shell has ended: %w", err)
	}
	stop := time.AfterFunc(commandPatience, func() { s.cmd.Process.Kill(); s.pipe.Close() })
	defer stop.Stop()
	line, err := s.status.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("no end in sight: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// file writes a command where the shell finds it, and says where its output goes.
func (s *session) file(command string) (in, out string, err error) {
	s.count++
	in = filepath.Join(s.home, ".tmp", strconv.Itoa(s.count)+".sh")
	return in, in + ".out", os.WriteFile(in, []byte(command+"\n"), 0o600)
}

// run runs a command to its end.
func (s *session) run(command string) (printed string, exit int, err error) {
	in, out, err := s.file(command)
	if err != nil {
		return "", 0, err
	}
	answer, err := s.ask(fmt.Sprintf("eval \"$(cat '%s')\" >'%s' 2>&1 </dev/null 3>&-; echo $? >&3\n", in, out))
	if err != nil {
		return s.read(out), 0, err
	}
	exit, err = strconv.Atoi(answer)
	return s.read(out), exit, err
}

// start runs a command in the background and waits until it has printed what is shown.
func (s *session) start(name, command string, shown []string) error {
	if len(shown) == 0 {
		return errors.New("a command in the background must show the line that says that it is ready")
	}
	in, out, err := s.file(command)
	if err != nil {
		return err
	}
	pid, err := s.ask(fmt.Sprintf("eval \"$(cat '%s')\" >'%s' 2>&1 </dev/null 3>&- & echo $! >&3\n", in, out))
	if err != nil {
		return err
	}
	j := job{name, pid, out}
	s.jobs = append(s.jobs, j)
	return s.await(j, shown)
}

// prints waits until a command in the background has printed these lines, whatever else it has printed.
func (s *session) prints(name string, lines []string) error {
	for _, j := range s.jobs {
		if j.name == name {
			return s.await(j, append([]string{"..."}, lines...))
		}
	}
	return fmt.Errorf("nothing called %q runs in the background", name)
}

func (s *session) await(j job, shown []string) error {
	for deadline := time.Now().Add(startPatience); ; time.Sleep(10 * time.Millisecond) {
		gone, err := s.ask(fmt.Sprintf("kill -0 %s 2>/dev/null; echo $? >&3\n", j.pid)) // first: its last words come before its end
		if err != nil {
			return err
		}
		differs := agree(shown, s.read(j.out), true)
		if differs == nil {
			return nil
		}
		if gone != "0" || time.Now().After(deadline) {
			return fmt.Errorf("not ready: %w", differs)
		}
	}
}

// stop interrupts a command in the background, as Ctrl-C does, and demands that it ends well.
func (s *session) stop(name string) error {
	for i, j := range s.jobs {
		if j.name != name {
			continue
		}
		s.jobs = append(s.jobs[:i], s.jobs[i+1:]...)
		exit, err := s.ask(fmt.Sprintf("kill -INT -- -%s; wait %s; echo $? >&3\n", j.pid, j.pid))
		if err == nil && exit != "0" && exit != strconv.Itoa(exitInterrupted) {
			err = fmt.Errorf("interrupted, it ended with %s:\n%s", exit, s.read(j.out))
		}
		return err
	}
	return fmt.Errorf("nothing called %q runs in the background", name)
}

// end stops what still runs, the last first, and the shell.
func (s *session) end() error {
	var errs []error
	for len(s.jobs) > 0 {
		last := s.jobs[len(s.jobs)-1]
		if err := s.stop(last.name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", last.name, err))
		}
	}
	_, err := io.WriteString(s.stdin, "exit 0\n")
	errs = append(errs, err, s.stdin.Close(), s.cmd.Wait())
	s.pipe.Close()
	return errors.Join(errs...)
}

// read returns what a command has printed, with the home written as the shell writes it.
func (s *session) read(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(data), s.home, "~")
}

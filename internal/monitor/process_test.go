//go:build unix

package monitor

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/notify"
	"github.com/tlswright/tlswright/pki"
)

// processEnv is set in the processes that the tests start, and kill.
const processEnv = "TLSWRIGHT_MONITOR_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(processEnv) != "" {
		if err := beProcess(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// orders are what such a process does: it watches until it is told to end.
type orders struct {
	Name     string
	Database string
	Monitor  config.Monitor
	Lease    time.Duration // 0: as usual
}

func beProcess() error {
	var o orders
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return err
	}
	go func() { // whoever started it is gone: so are we
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := history.Open(ctx, o.Database)
	if err != nil {
		return err
	}
	e, err := New(&o.Monitor, Options{History: h, Link: func(string) string { return "http://" + o.Name + ".example/" }})
	if err != nil {
		return err
	}
	e.leaseFor = o.Lease
	fmt.Println(e.holder)
	if err := e.Run(ctx); err != nil {
		return err
	}
	return h.Close()
}

// process is one of them.
type process struct {
	name   string
	holder string // its name in claims, and in the queue
	cmd    *exec.Cmd
	stdin  io.WriteCloser // when it is closed, the process ends
}

// process starts one that watches all of the lab.
func (l *lab) process(name, database string, lease time.Duration) *process {
	l.Helper()
	text, err := json.Marshal(orders{name, database, *l.c, lease})
	if err != nil {
		l.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		l.Fatal(err)
	}
	p := &process{name: name, cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), processEnv+"=1")
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		l.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		l.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { p.kill() })
	if _, err := p.stdin.Write(text); err != nil {
		l.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		l.Fatalf("%s does not start: %v", name, err)
	}
	p.holder = strings.TrimSpace(line)
	return p
}

// kill ends it as a power cut does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// end asks it to end, and tells how it did.
func (p *process) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// roots writes the lab's roots into a file that targets can name.
func (l *lab) roots() string {
	l.Helper()
	var text []byte
	for _, c := range l.ca.Roots() {
		text = pki.AppendCertificatePEM(text, c.Raw)
	}
	path := filepath.Join(l.TempDir(), "roots.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		l.Fatal(err)
	}
	return path
}

// arrival is a message that a webhook got.
type arrival struct {
	notify.Payload
	Key string // Idempotency-Key
	At  time.Time
}

// inbox is a webhook that remembers everything. before is called for each message before it is answered.
type inbox struct {
	*httptest.Server
	mu  sync.Mutex
	got []arrival
}

func newInbox(t *testing.T, before func(arrival)) *inbox {
	i := &inbox{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a := arrival{Key: r.Header.Get(notify.IDHeader), At: time.Now()}
		if err := json.NewDecoder(r.Body).Decode(&a.Payload); err != nil {
			return // the sender was killed meanwhile
		}
		i.mu.Lock()
		i.got = append(i.got, a)
		i.mu.Unlock()
		if before != nil {
			before(a)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

// all are the messages that arrived so far.
func (i *inbox) all() []arrival {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]arrival(nil), i.got...)
}

// eventually waits until something is so.
func eventually(t *testing.T, within time.Duration, what string, isSo func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !isSo() {
		if time.Since(begin) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(begin)
}

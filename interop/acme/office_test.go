package acme

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/internal/freeport"
)

// office is a running `tlswright ca serve`, with a DNS server that sends every name to loopback and a web server for proofs
// that clients do not serve by themselves.
type office struct {
	t         *testing.T
	program   string
	home      string
	dir       string
	directory string // URL
	root      string // file
	webPort   string
	tlsPort   string
	control   string // URL at which hooks set TXT records
	names     string

	mu  sync.Mutex
	txt map[string][]string
}

func missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" && os.Getenv("TLSWRIGHT_ACCEPT") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func freePort(t testing.TB) string {
	t.Helper()
	port, err := freeport.Number()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// build makes the program once.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tlswright")
	out, err := exec.Command("go", "build", "-o", path, "github.com/tlswright/tlswright/cmd/tlswright").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func newOffice(t *testing.T, program string, args ...string) *office {
	t.Helper()
	o := prepareOffice(t, program)
	o.open(args...)
	return o
}

// prepareOffice makes one whose service is not open yet.
func prepareOffice(t *testing.T, program string) *office {
	t.Helper()
	o := &office{t: t, program: program, dir: t.TempDir(), webPort: freePort(t), tlsPort: freePort(t), txt: make(map[string][]string)}
	o.home = filepath.Join(o.dir, "home")
	o.serveNames()
	o.serveControl()
	return o
}

// open starts the service.
func (o *office) open(args ...string) {
	o.t.Helper()
	o.serve(args...)
	o.root = filepath.Join(o.dir, "root.pem")
	text := o.ours("ca", "show", "--pem")
	if err := os.WriteFile(o.root, []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// ours runs our program to its end and returns what it prints.
func (o *office) ours(args ...string) string {
	o.t.Helper()
	cmd := exec.Command(o.program, args...)
	cmd.Env = append(os.Environ(), "TLSWRIGHT_HOME="+o.home)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		o.t.Fatalf("tlswright %v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// serve starts the service, which ends with the test.
func (o *office) serve(args ...string) {
	o.t.Helper()
	cmd := exec.Command(o.program, append([]string{"ca", "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--http01-port", o.webPort,
		"--tls-alpn01-port", o.tlsPort, "--resolver", o.names, "--allow-network", "127.0.0.0/8", "--caa-identity", "ca.test"}, args...)...)
	cmd.Env = append(os.Environ(), "TLSWRIGHT_HOME="+o.home)
	log, err := os.Create(filepath.Join(o.dir, "office.log"))
	if err != nil {
		o.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	o.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case err := <-ended:
			if err != nil {
				o.t.Errorf("the service ended with %v", err)
			}
		case <-time.After(time.Minute):
			_ = cmd.Process.Kill()
			o.t.Error("the service does not end")
		}
	})
	line := regexp.MustCompile(`(?m)^ACME directory: (https://\S+)$`)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			o.t.Fatal(err)
		}
		if m := line.FindSubmatch(text); m != nil {
			o.directory = string(m[1])
			return
		}
	}
	o.t.Fatalf("the service does not start:\n%s", o.log())
}

func (o *office) log() string {
	text, err := os.ReadFile(filepath.Join(o.dir, "office.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (o *office) serveNames() {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	o.names = pc.LocalAddr().String()
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, Handler: o, NotifyStartedFunc: func() { close(ready) }}
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	o.t.Cleanup(func() { _ = s.Shutdown() })
}

// ServeDNS sends every name to loopback, and answers with the texts that hooks have set.
func (o *office) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	name := q.Question[0].Name
	head := dns.RR_Header{Name: name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch q.Question[0].Qtype {
	case dns.TypeA:
		m.Answer = append(m.Answer, &dns.A{Hdr: head, A: net.IPv4(127, 0, 0, 1)})
	case dns.TypeTXT:
		for _, text := range o.txt[strings.ToLower(name)] {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: head, Txt: []string{text}})
		}
	}
	_ = w.WriteMsg(m)
}

// serveControl takes "/set?name=…&value=…" from hooks.
func (o *office) serveControl() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.t.Fatal(err)
	}
	o.control = "http://" + l.Addr().String()
	s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		name := strings.ToLower(dns.Fqdn(r.FormValue("name")))
		o.txt[name] = append(o.txt[name], r.FormValue("value"))
	})}
	go func() { _ = s.Serve(l) }()
	o.t.Cleanup(func() { _ = s.Close() })
}

// webroot serves a folder where the CA looks for proofs, until stop.
func (o *office) webroot(dir string) (stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:"+o.webPort)
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: http.FileServer(http.Dir(dir))}
	go func() { _ = s.Serve(l) }()
	return func() { _ = s.Close() }, nil
}

// run starts a client and returns what it says.
func (o *office) run(env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", name, err, tail(out))
	}
	return string(out), nil
}

func tail(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-6):], " / ")
}

// script writes a hook.
func (o *office) script(name, text string) string {
	o.t.Helper()
	path := filepath.Join(o.dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\nset -e\n"+text+"\n"), 0o755); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// state is what our records say of the newest certificate of a name.
func (o *office) state(name string) string {
	cmd := exec.Command(o.program, "ca", "search", name, "--json") // status 1: there is none
	cmd.Env = append(os.Environ(), "TLSWRIGHT_HOME="+o.home)
	out, _ := cmd.Output()
	m := regexp.MustCompile(`"state":\s*"([a-z ]+)"`).FindSubmatch(out)
	if m == nil {
		return "none"
	}
	return string(m[1])
}

var errState = errors.New("our records say something else")

func (o *office) want(name, state string) error {
	if got := o.state(name); got != state {
		return fmt.Errorf("%w: %s is %s, not %s", errState, name, got, state)
	}
	return nil
}

package cli

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/devhttps"
	"github.com/tlswright/tlswright/internal/freeport"
)

// startDev runs `tlswright dev` before a folder. stop ends it as Ctrl-C does, and demands that it ends well.
func startDev(t *testing.T, home string, args ...string) (port string, stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "tlswright") // see TestMain
	if err := os.Symlink(self, program); err != nil {
		t.Skip("the test binary cannot be linked: ", err)
	}
	if port, err = freeport.Number(); err != nil {
		t.Fatal(err)
	}
	site := t.TempDir()
	if err := os.WriteFile(filepath.Join(site, "index.html"), []byte("the application itself"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"dev", site, "--no-trust", "--port", port, "--name", "shop"}, args...)...)
	cmd.Env = append(os.Environ(), "TLSWRIGHT_HOME="+home, "HOME="+t.TempDir())
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	isOver := false
	stop = func() {
		if isOver {
			return
		}
		isOver = true
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := <-ended; err != nil {
			t.Errorf("dev ended with %v\n%s", err, said.String())
		}
	}
	t.Cleanup(stop)
	return port, stop
}

// devClient trusts what `dev` has made, and nothing else; it makes a connection for each request.
func devClient(t *testing.T, home string) *http.Client {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		if ca, err := devhttps.Open(home); err == nil {
			roots := x509.NewCertPool()
			roots.AddCert(ca.Root)
			return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
		}
		if time.Now().After(deadline) {
			t.Fatal("dev has made no root")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// serialNow is the serial number of the certificate that is shown; "": the request has failed.
func serialNow(c *http.Client, port string) (serial string, err error) {
	r, err := c.Get("https://localhost:" + port + "/")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	return r.TLS.PeerCertificates[0].SerialNumber.String(), nil
}

// waitForSerial asks until the certificate is another one than before.
func waitForSerial(t *testing.T, c *http.Client, port, before string) string {
	t.Helper()
	var last error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		serial, err := serialNow(c, port)
		if err == nil && serial != before {
			return serial
		}
		last = err
	}
	t.Fatalf("no other certificate is served (last error: %v)", last)
	return ""
}

// TestDevRenewsWhileItServes: with a short life another certificate is served by the same process.
func TestDevRenewsWhileItServes(t *testing.T) {
	home := t.TempDir()
	port, _ := startDev(t, home, "--lifetime", "3s")
	client := devClient(t, home)
	first := waitForSerial(t, client, port, "")
	waitForSerial(t, client, port, first)
}

// TestAcceptDevRenewalsDisturbNobody: in a minute of renewals every request of a steady client succeeds.
func TestAcceptDevRenewalsDisturbNobody(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") != "1" {
		t.Skip("it takes a minute; TLSWRIGHT_ACCEPT=1 runs it")
	}
	home := t.TempDir()
	port, stop := startDev(t, home, "--lifetime", "15s")
	client := devClient(t, home)
	waitForSerial(t, client, port, "")
	var asked atomic.Int64
	serials := map[string]bool{}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		serial, err := serialNow(client, port)
		if err != nil {
			t.Errorf("request %d: %v", asked.Load(), err)
		}
		asked.Add(1)
		serials[serial] = true
	}
	stop()
	t.Logf("%d requests, %d certificates", asked.Load(), len(serials))
	if len(serials) < 5 {
		t.Errorf("only %d certificates in a minute", len(serials))
	}
}

// TestDevTakesTheNextFreePort: without --port a second one stands beside the first.
func TestDevTakesTheNextFreePort(t *testing.T) {
	home := t.TempDir()
	s := &devServer{o: &devFlags{lifetime: devhttps.DefaultLifetime}, app: &app{ui: &ui{}, now: time.Now}, target: &devTarget{dir: home, name: "shop"}, refused: map[string]bool{}, ctx: t.Context()}
	var err error
	if s.ca, _, err = devhttps.OpenOrMake(t.Context(), home, time.Now()); err != nil {
		t.Fatal(err)
	}
	first, err := s.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	port := s.port
	second, err := s.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if s.port <= port {
		t.Errorf("ports %d and %d", port, s.port)
	}
	s.o.port = port
	if _, err := s.listen(); err == nil || !strings.Contains(asFailure(err).hint, "leave --port out") {
		t.Errorf("error %v", err)
	}
}

// TestApplicationsOnEitherLoopbackAreReached: servers for developers listen on one of the two, seldom on both.
func TestApplicationsOnEitherLoopbackAreReached(t *testing.T) {
	for _, at := range []string{"127.0.0.1", "::1"} {
		port, err := freeport.Number() // nobody is given it once it is let go
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", net.JoinHostPort(at, port))
		if err != nil {
			t.Log("not on this machine: ", at)
			continue
		}
		c, err := dialTarget(t.Context(), "tcp", "localhost:"+port)
		if err != nil {
			t.Errorf("%s: %v", at, err)
		} else if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if c, err := dialTarget(t.Context(), "tcp", "localhost:"+port); err == nil {
			t.Errorf("%s: something answers where nothing listens: %v", at, c.RemoteAddr())
		}
	}
}

// TestQRCodesAreDrawnWhole: every line is as wide as the others, the margin is light, the corners hold finders.
func TestQRCodesAreDrawnWhole(t *testing.T) {
	lines := qrCode("https://192.168.178.123:3443")
	if len(lines) < 10 {
		t.Fatalf("%d lines", len(lines))
	}
	width := len([]rune(lines[0]))
	for _, l := range lines {
		r := []rune(l)
		if len(r) != width || (r[0] != '█' && r[0] != '▀') || r[width-1] != r[0] {
			t.Errorf("line %q", l)
		}
	}
	if finder := string([]rune(lines[1])[2:9]); finder != " ▄▄▄▄▄ " {
		t.Errorf("the finder begins with %q", finder)
	}
}

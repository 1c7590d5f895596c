package interop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// needAccept keeps the long tests out of "go test ./...".
func needAccept(t testing.TB) {
	t.Helper()
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip(`a long load: "make accept" runs it (TLSWRIGHT_ACCEPT=1)`)
	}
}

// binary builds the program once per test.
func binary(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tlswright")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../cmd/tlswright").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// serving is a running "tlswright serve".
type serving struct {
	*program
	url string // https://127.0.0.1:PORT
}

// startServing runs "tlswright serve" and waits for the line that says where it listens.
func startServing(t testing.TB, bin string, id *identity, args ...string) *serving {
	t.Helper()
	all := append([]string{"serve", "--quiet", "--listen", "127.0.0.1:0", "--cert", id.certFile, "--key", id.keyFile,
		"--home", t.TempDir()}, args...)
	// Not t.Context: that ends before the clean-up, and the goroutines are counted there.
	prog, err := start(context.Background(), true, bin, all...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(prog.stop)
	lines := bufio.NewScanner(prog.stdout)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			go io.Copy(io.Discard, prog.stdout)
			return &serving{prog, strings.TrimSuffix(strings.Fields(url)[0], "/")}
		}
	}
	t.Fatalf("serve said nothing of listening (%v)\n%s", lines.Err(), prog.log)
	return nil
}

// descriptors counts the open files of the server.
func (s *serving) descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Skipf("this system has no /proc to count with: %v", err)
	}
	return len(entries)
}

// resident is the server's memory in bytes, as the kernel counts it.
func (s *serving) resident(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		t.Skipf("this system has no /proc to measure with: %v", err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

var goroutineLine = regexp.MustCompile(`(?m)^goroutine \d+`)

// goroutines ends the server the way that makes Go's runtime list its goroutines, and counts them.
func (s *serving) goroutines(t testing.TB) (int, string) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(caseTimeout):
		t.Fatal("the server did not end")
	}
	list := s.program.log.String()
	return len(goroutineLine.FindAllString(list, -1)), list
}

// curl runs curl against the server; what it received goes to out.
func curl(ctx context.Context, p *pki, out io.Writer, args ...string) (stderr string, err error) {
	cmd := exec.CommandContext(ctx, "curl", append([]string{"--disable", "--silent", "--show-error", "--fail",
		"--cacert", p.rootFile}, args...)...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = out, &said
	err = cmd.Run()
	return said.String(), err
}

// gigabyte writes a file of 1 GiB that no compression or hole could help with, and returns its digest.
func gigabyte(t testing.TB, path string) [32]byte {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := newDigest()
	_, err = io.CopyN(io.MultiWriter(f, sum), rand.NewChaCha8([32]byte{'G'}), 1<<30)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return sum.value()
}

func TestAcceptServeDirHandsOutAGigabyteIntact(t *testing.T) {
	needAccept(t)
	needProgram(t, "curl")
	p, dir := newPKI(t), t.TempDir()
	want := gigabyte(t, filepath.Join(dir, "gigabyte.bin"))
	s := startServing(t, binary(t), p.leaves[ecdsaP256], "--dir", dir)
	for _, version := range []string{"1.1", "2"} {
		t.Run("HTTP "+version, func(t *testing.T) {
			sum := newDigest()
			r, w := io.Pipe()
			copied := make(chan error, 1)
			var report string
			go func() {
				_, err := io.Copy(sum, r)
				copied <- err
			}()
			report, err := curl(t.Context(), p, w, "--http"+version, "--write-out", "%{stderr}HTTP %{http_version}, %{size_download} bytes", s.url+"/gigabyte.bin")
			w.Close()
			if err = errors.Join(err, <-copied); err != nil {
				t.Fatalf("%v: %s\n%s", err, report, s.program.log)
			}
			if report != fmt.Sprintf("HTTP %s, %d bytes", version, 1<<30) {
				t.Errorf("curl says: %s", report)
			}
			if sum.value() != want {
				t.Error("the file arrived changed")
			}
		})
	}
}

const refusedClients = 200

// TestAcceptRefusedClientsReadTheAlert: a server that refuses and closes at once makes the kernel answer what the client is
// still sending with a reset, which takes the alert away from it.
func TestAcceptRefusedClientsReadTheAlert(t *testing.T) {
	needAccept(t)
	needProgram(t, "curl")
	p, dir := newPKI(t), t.TempDir()
	body := filepath.Join(dir, "body")
	if err := os.WriteFile(body, upPayload()[:64<<10], 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServing(t, binary(t), p.leaves[ecdsaP256], "--dir", dir, "--client-ca", p.rootFile)
	if said, err := curl(t.Context(), p, io.Discard, "--cert", p.leaves[ecdsaP256].certFile, "--key", p.leaves[ecdsaP256].keyFile, s.url+"/body"); err != nil {
		t.Fatalf("a client with a certificate is refused: %v: %s", err, said)
	}
	impostor := []string{"--cert", p.impostor.certFile, "--key", p.impostor.keyFile}
	for name, c := range map[string]struct {
		args  []string
		alert string
	}{
		"no certificate, HTTP 1.1":         {[]string{"--http1.1"}, "alert certificate required"},
		"no certificate, HTTP 2":           {[]string{"--http2"}, "alert certificate required"},
		"no certificate, posting 64 KiB":   {[]string{"--http1.1", "--header", "Expect:", "--data-binary", "@" + body}, "alert certificate required"},
		"impostor's certificate, HTTP 1.1": {append(impostor, "--http1.1"), "alert"},
		"impostor's certificate, HTTP 2":   {append(impostor, "--http2"), "alert"},
	} {
		t.Run(name, func(t *testing.T) {
			read, others := refuse(t.Context(), p, c.alert, append(c.args, s.url+"/body")...)
			if read != refusedClients {
				t.Errorf("%d of %d clients read the alert; others:\n%s", read, refusedClients, strings.Join(others, ""))
			}
		})
	}
}

// refuse runs the clients, eight at a time, and returns how many name the alert.
func refuse(ctx context.Context, p *pki, alert string, args ...string) (read int, others []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	turns := make(chan struct{}, refusedClients)
	for range refusedClients {
		turns <- struct{}{}
	}
	close(turns)
	for range 8 {
		wg.Go(func() {
			for range turns {
				said, err := curl(ctx, p, io.Discard, args...)
				mu.Lock()
				if err != nil && strings.Contains(said, alert) && !strings.Contains(said, "reset") {
					read++
				} else if len(others) < 5 {
					others = append(others, fmt.Sprintf("%v: %s", err, said))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return read, others
}

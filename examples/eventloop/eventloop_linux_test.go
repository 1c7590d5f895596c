package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram is set where the test's own binary is to be the program: memory is a matter of whole processes.
const asProgram = "EVENTLOOP_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// patience bounds every wait of these tests.
const patience = time.Minute

// program is a process of the example.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: cmd, stdin: stdin, lines: make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return p
}

// expect reads what the program prints until a line matches, and reads values from that.
func (p *program) expect(within time.Duration, format string, into ...any) string {
	p.t.Helper()
	limit := time.NewTimer(within)
	defer limit.Stop()
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("the program ended without saying %q", format)
			}
			if n, err := fmt.Sscanf(line, format, into...); err == nil && n == len(into) {
				return line
			}
		case <-limit.C:
			p.t.Fatalf("the program has not said %q in time", format)
		}
	}
}

// server starts a server, and returns its address and the digest of its certificate.
func server(t *testing.T) (p *program, address, pin string) {
	t.Helper()
	p = start(t, "-listen", "127.0.0.1:0")
	p.expect(patience, "listening address=%s pin=%s", &address, &pin)
	return p, address, pin
}

// hold has a client hold a number of connections, and looks at what they cost the server. It does so with several pairs of
// processes at once where one cannot have that many descriptors.
func hold(t *testing.T, count, pairs int, within time.Duration) {
	var servers, clients []*program
	for range pairs {
		p, address, pin := server(t)
		servers = append(servers, p)
		clients = append(clients, start(t, "-connect", address, "-pin", pin, "-connections", fmt.Sprint(count), "-hold"))
	}
	for i, p := range clients {
		var open, alive float64
		p.expect(within, fmt.Sprintf("open connections=%d seconds=%%g", count), &open)
		p.expect(within, fmt.Sprintf("alive connections=%d seconds=%%g", count), &alive)
		t.Logf("client %d: all open after %.1f seconds, all heard again in %.1f", i, open, alive)
	}
	for i, p := range servers { // nobody has gone
		var goroutines, heap, resident int
		line := p.expect(within, fmt.Sprintf("connections=%d goroutines=%%d heap=%%d resident=%%d", count), &goroutines, &heap, &resident)
		t.Logf("server %d: %s; each connection: %d bytes of the heap, %d resident", i, line, heap/count, resident/count)
		if goroutines != 1 {
			t.Errorf("%d goroutines hold %d connections, want one", goroutines, count)
		}
		if heap/count > 6<<10 {
			t.Errorf("%d bytes of the heap for each connection", heap/count)
		}
	}
	for i, p := range clients {
		p.stdin.Write([]byte("\n"))
		var alive float64
		p.expect(within, fmt.Sprintf("alive connections=%d seconds=%%g", count), &alive)
		p.stdin.Close()
		if err := p.cmd.Wait(); err != nil {
			t.Error("client:", err)
		}
		var goroutines int
		servers[i].expect(within, "connections=0 goroutines=%d", &goroutines) // the server has noticed that all are gone
	}
}

func TestOneGoroutineHoldsThousandsOfConnections(t *testing.T) { hold(t, 2000, 1, patience) }

// TestAcceptHundredThousandConnections takes one server, or as many as the descriptors of this machine make necessary.
func TestAcceptHundredThousandConnections(t *testing.T) {
	if os.Getenv("TLSWRIGHT_ACCEPT") == "" {
		t.Skip("a hundred thousand connections are made with TLSWRIGHT_ACCEPT=1")
	}
	const count, others = 100_000, 100
	limit := syscall.Rlimit{Cur: count + others, Max: count + others}
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	if now.Max >= limit.Max {
		limit.Max = now.Max
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now)
		hold(t, count, 1, 10*time.Minute)
		return
	}
	pairs := 1
	for count/pairs+others > int(now.Max) {
		pairs++
	}
	t.Logf("this machine allows a process %d files: %d servers share the connections", now.Max, pairs)
	hold(t, count/pairs, pairs, 10*time.Minute)
}

// pieces writes in pieces of a few bytes at most.
type pieces struct{ net.Conn }

func (p pieces) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = p.Conn.Write(b[n:min(len(b), n+1+rand.IntN(700))])
		n += k
	}
	return n, err
}

// TestOthersTalkToTheLoop has crypto/tls send much, in pieces, without reading at first: the loop keeps what it cannot
// send and reads no more, and the bytes come back whole.
func TestOthersTalkToTheLoop(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			_, address, pin := server(t)
			nc, err := net.DialTimeout("tcp", address, patience)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(patience))
			c := tls.Client(pieces{nc}, &tls.Config{MaxVersion: version, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
				if sum := sha256.Sum256(s.PeerCertificates[0].Raw); hex.EncodeToString(sum[:]) != pin {
					return errors.New("another certificate")
				}
				return nil
			}})
			sent := make([]byte, 4<<20)
			rand.NewChaCha8([32]byte{}).Read(sent)
			done := make(chan error, 1)
			go func() {
				_, err := c.Write(sent)
				done <- errors.Join(err, c.CloseWrite())
			}()
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(c, got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, sent) {
				t.Error("the echo is another")
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if n, err := c.Read(got); err != io.EOF {
				t.Errorf("after close_notify came %d bytes and %v, want the server's close_notify", n, err)
			}
		})
	}
}

func TestWhatIsNoTLSIsRefused(t *testing.T) {
	_, address, _ := server(t)
	nc, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(nc)
	if !strings.HasPrefix(string(answer), "\x15\x03\x03\x00\x02\x02") {
		t.Errorf("the answer is %q, want an alert", answer)
	}
}

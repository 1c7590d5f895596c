package relay_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/tlsnet"
)

// The benchmarks measure the processor time of the server alone: it is a process of its own, as is the server behind it.
// They run this test's own program again, with a role.
const (
	roleVariable    = "TLSWRIGHT_RELAY_ROLE"
	backendVariable = "TLSWRIGHT_RELAY_BACKEND"
	profileVariable = "TLSWRIGHT_RELAY_PROFILE" // a file for the server's processor profile
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		play(role)
		return
	}
	os.Exit(m.Run())
}

// play serves in a role until standard input ends. The address is printed.
func play(role string) {
	t := new(testing.B)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if name := os.Getenv(profileVariable); name != "" && role != "backend" {
		f, err := os.Create(name)
		if err != nil {
			log.Fatal(err)
		}
		pprof.StartCPUProfile(f)
		defer f.Close()
		defer pprof.StopCPUProfile()
	}
	go playOn(t, role, l)
	fmt.Println(l.Addr())
	io.Copy(io.Discard, os.Stdin)
}

func playOn(t testing.TB, role string, l net.Listener) {
	to := &url.URL{Scheme: "http", Host: os.Getenv(backendVariable)}
	if role == "backend" {
		respond(l)
		return
	}
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256)
	c := &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: leaf.Chain, Key: leaf.Key}}}
	c.Core.ALPN = []string{"http/1.1"}
	tl, err := tlsnet.NewListener(l, c)
	if err != nil {
		log.Fatal(err)
	}
	s := &tlsnet.HTTPServer{}
	switch role {
	case "relay":
		up, err := relay.NewUpstream(to, relay.UpstreamOptions{Client: func(*http.Request) relay.Client { return relay.Client{} }})
		if err != nil {
			log.Fatal(err)
		}
		f := &relay.Front{Handler: up}
		s.Handler, s.HTTP1 = up, func(ctx context.Context, c *tlsnet.Conn) { f.ServeConn(ctx, c) }
	case "reverseproxy":
		s.Handler = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded()
		}, Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	case "join", "copy":
		carryAll(tl, to.Host, role)
		return
	}
	s.Serve(tl)
}

// carryAll joins each connection with one to the backend.
func carryAll(l *tlsnet.Listener, to, role string) {
	var joiner relay.Joiner
	for {
		c, err := l.AcceptConn()
		if err != nil {
			return
		}
		go func() {
			b, err := net.Dial("tcp", to)
			if err != nil || c.Handshake() != nil {
				c.Close()
				return
			}
			if role == "join" {
				go joiner.Join(context.Background(), c, b, time.Minute)
				return
			}
			go func() {
				io.Copy(b, c)
				b.Close()
			}()
			io.Copy(c, b)
			c.Close()
		}()
	}
}

// respond answers every request with the same few bytes.
func respond(l net.Listener) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nServer: b\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\n\r\nhello, world\n"
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			r := bufio.NewReader(c)
			for {
				for {
					line, err := r.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) == 2 {
						break
					}
				}
				io.WriteString(c, answer)
			}
		}()
	}
}

// child starts this program in a role.
func child(b *testing.B, role, backend string) (addr string, stop func() time.Duration) {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^$")
	cmd.Env = append(os.Environ(), roleVariable+"="+role, backendVariable+"="+backend)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line), func() time.Duration {
		in.Close()
		cmd.Wait()
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
}

const benchRequest = "GET /index.html?x=1 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n"

// ask sends n requests over c, one after the other.
func ask(c net.Conn, n int) error {
	r := bufio.NewReader(c)
	for range n {
		if _, err := io.WriteString(c, benchRequest); err != nil {
			return err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != 13 {
			return fmt.Errorf("%d bytes, %v", n, err)
		}
	}
	return nil
}

// BenchmarkServerTime measures the server's own processor time for one request on a connection that is kept, over TLS.
func BenchmarkServerTime(b *testing.B) {
	for _, role := range []string{"relay", "reverseproxy", "join", "copy"} {
		b.Run(role, func(b *testing.B) {
			backend, stopBackend := child(b, "backend", "")
			defer stopBackend()
			addr, stop := child(b, role, backend)
			const clients = 8
			var wg sync.WaitGroup
			b.ResetTimer()
			for i := range clients {
				wg.Go(func() {
					c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}})
					if err == nil {
						defer c.Close()
						err = ask(c, (b.N+i)/clients)
					}
					if err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(stop().Nanoseconds())/1000/float64(b.N), "server-µs/op")
		})
	}
}

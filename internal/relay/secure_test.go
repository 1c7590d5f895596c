package relay_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// gate is a tlsnet.HTTPServer whose HTTP/1.1 is ours.
type gate struct {
	ca  *pkitest.CA
	url string
	s   *tlsnet.HTTPServer
}

func newGate(t testing.TB, h http.Handler, change func(*tlsnet.Config)) *gate {
	t.Helper()
	g := &gate{ca: pkitest.New(t, pkitest.P256)}
	leaf := g.ca.Server(pkitest.P256)
	c := &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: leaf.Chain, Key: leaf.Key}}, ClientRoots: g.ca.Roots()}
	c.Core.ALPN = tlsnet.HTTPProtocols()
	if change != nil {
		change(c)
	}
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	f := &relay.Front{Handler: h, ErrorLog: quiet}
	g.s = &tlsnet.HTTPServer{Handler: h, ErrorLog: quiet, HTTP1: func(ctx context.Context, c *tlsnet.Conn) { f.ServeConn(ctx, c) }}
	g.url = "https://" + l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- g.s.Serve(l) }()
	t.Cleanup(func() {
		g.s.Close()
		<-served
	})
	return g
}

// client returns a client of crypto/tls for one version of HTTP.
func (g *gate) client(t testing.TB, http2 bool, cert *pkitest.Leaf) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(g.ca.Root)
	c := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	if cert != nil {
		c.Certificates = []tls.Certificate{{Certificate: cert.Chain, PrivateKey: cert.Key}}
	}
	tr := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: http2}
	if !http2 {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetHTTP1(true)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// whoAsks says so of a request over TLS.
func whoAsks(r *http.Request) relay.Client {
	i, _ := tlsnet.InfoFromContext(r.Context())
	c := relay.Client{Chain: i.Peer.Chain}
	c.Addr, _ = netip.ParseAddrPort(r.RemoteAddr)
	return c
}

func TestBothVersionsOfHTTPReachTheUpstream(t *testing.T) {
	to := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d %v cert=%v for=%s cookie=%s", r.Method, r.RequestURI, len(b), err, r.Header["Client-Cert"] != nil, r.Header.Get("X-Forwarded-For"), r.Header.Get("Cookie"))
		w.Write(b)
	}))
	g := newGate(t, upstream(t, to, relay.UpstreamOptions{Client: whoAsks}), func(c *tlsnet.Config) { c.Core.ClientAuth = tlscore.RequestClientCert })
	alice := g.ca.Client(pkitest.P256, "alice")
	for _, http2 := range []bool{false, true} {
		for _, cert := range []*pkitest.Leaf{nil, alice} {
			c := g.client(t, http2, cert)
			for _, size := range []int{0, 1, 5000, 100_000, 3 << 20} {
				for _, known := range []bool{true, false} {
					body := io.Reader(bytes.NewReader(bytes.Repeat([]byte("x"), size)))
					if !known {
						body = io.MultiReader(body)
					}
					req, err := http.NewRequestWithContext(t.Context(), "POST", g.url+"/p%20q?r=s", body)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Cookie", "a=b; c=d")
					req.Header.Set("Client-Cert", "forged")
					resp, err := c.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					b, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					want := fmt.Sprintf("POST /p%%20q?r=s %d <nil> cert=%v for=127.0.0.1 cookie=a=b; c=dx", size, cert != nil)
					if size == 0 {
						want = strings.TrimSuffix(want, "x")
					}
					if err != nil || !strings.HasPrefix(string(b), want) || len(b) < size || (resp.ProtoMajor == 2) != http2 {
						t.Errorf("h2=%v %d: %s %.200q %v", http2, size, resp.Proto, b, err)
					}
				}
			}
		}
	}
}

func TestAnHTTPSUpstreamIsVerified(t *testing.T) {
	g := newGate(t, http.HandlerFunc(echo), nil)
	stranger := g.ca.Stranger()
	for _, c := range []struct {
		config *tlsnet.Config
		ok     bool
	}{
		{&tlsnet.Config{Roots: g.ca.Roots()}, true},
		{&tlsnet.Config{Roots: g.ca.Roots(), ServerName: "localhost"}, true},
		{&tlsnet.Config{Roots: g.ca.Roots(), ServerName: "other.example"}, false},
		{&tlsnet.Config{Roots: stranger.Roots()}, false},
		{nil, false},
	} {
		var failed error
		up := upstream(t, g.url, relay.UpstreamOptions{TLS: c.config, Failed: func(_ *http.Request, err error) { failed = err }})
		addr := serve(t, &relay.Front{Handler: up})
		for range 5 {
			answer := raw(t, addr, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
			if strings.Contains(answer, "GET /x host=a") != c.ok || (failed == nil) != c.ok {
				t.Errorf("%+v: %q %v", c.config, answer, failed)
			}
		}
	}
}

func TestEarlyDataReachesTheUpstreamMarkedAndOnlyWhereSafe(t *testing.T) {
	var early int
	to := backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Early-Data") == "1" {
			early++
		}
		echo(w, r)
	}))
	g := newGate(t, upstream(t, to, relay.UpstreamOptions{Client: whoAsks}), func(c *tlsnet.Config) { c.Core.MaxEarlyData = 16 << 10 })
	d, err := tlsnet.NewDialer(&tlsnet.Config{Roots: g.ca.Roots(), ServerName: "localhost", Core: tlscore.Config{ALPN: []string{"http/1.1"}}})
	if err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimPrefix(g.url, "https://")
	ask := func(request string) (string, tlscore.EarlyData) {
		c, err := d.DialEarly(t.Context(), "tcp", addr, []byte(request))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		status := c.Facts().EarlyData
		if status != tlscore.EarlyDataAccepted {
			c.ForgetEarly()
			io.WriteString(c, request)
		}
		b, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), status
	}
	ask("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	accepted := 0
	for range 5 {
		answer, status := ask("GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if !strings.Contains(answer, "GET /2") {
			t.Errorf("answered %q", answer)
		}
		if status == tlscore.EarlyDataAccepted {
			accepted++
		}
	}
	if accepted == 0 || early > accepted {
		t.Errorf("%d accepted, %d marked", accepted, early)
	}
	answer, status := ask("POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
	if status == tlscore.EarlyDataAccepted && !strings.HasPrefix(answer, "HTTP/1.1 425 ") && !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Errorf("answered %q", answer)
	}
}

func TestShutdownWaitsForOurHTTP1(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	g := newGate(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(began)
			<-goOn
		}
		io.WriteString(w, "done")
	}), nil)
	c := g.client(t, false, nil)
	answered := make(chan string, 1)
	go func() {
		resp, err := c.Get(g.url + "/slow")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answered <- string(b)
	}()
	<-began
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := g.s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a request under way: %v", err)
	}
	close(goOn)
	if got := <-answered; got != "done" {
		t.Errorf("answered %q", got)
	}
	if err := g.s.Shutdown(context.Background()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

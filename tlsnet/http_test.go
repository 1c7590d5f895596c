package tlsnet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tlswright/tlswright/tlsnet"
)

// web serves h over our stack and returns its URL.
func web(t *testing.T, c *tlsnet.Config, h http.Handler) (string, *tlsnet.HTTPServer) {
	t.Helper()
	if c.Core.ALPN == nil {
		c.Core.ALPN = tlsnet.HTTPProtocols()
	}
	l := listen(t, c)
	s := &tlsnet.HTTPServer{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
	return "https://" + l.Addr().String(), s
}

// report answers with what the handler knows of the connection, and the digest of the body.
func report(w http.ResponseWriter, r *http.Request) {
	i, ok := tlsnet.InfoFromContext(r.Context())
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	fmt.Fprintf(w, "%s %v alpn=%s peer=%s tls=%v %d %x %v", r.Proto, ok, i.Facts.ALPN, i.Peer.CommonName(), r.TLS != nil, n, h.Sum(nil), err)
}

func get(t *testing.T, rt http.RoundTripper, url string, body []byte) (string, *http.Response) {
	t.Helper()
	method := "GET"
	if body != nil {
		method = "POST"
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: rt}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp
}

var protocols = map[string]struct{ alpn, proto string }{
	"h1":      {"http/1.1", "HTTP/1.1"},
	"h2":      {"h2", "HTTP/2.0"},
	"no alpn": {"", "HTTP/1.1"},
}

func alpn(p string) []string {
	if p == "" {
		return nil
	}
	return []string{p}
}

func TestNetHTTPClientUsesOurServer(t *testing.T) {
	s := newSite(t)
	url, _ := web(t, s.mutual(), http.HandlerFunc(report))
	body := bytes.Repeat([]byte("data"), 1<<18)
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			cc := s.stdClient()
			cc.Certificates = []tls.Certificate{stdCertificate(s.client)}
			cc.NextProtos = alpn(p.alpn)
			rt := &http.Transport{TLSClientConfig: cc, ForceAttemptHTTP2: p.alpn == "h2"}
			if p.alpn != "h2" {
				rt.Protocols = new(http.Protocols)
				rt.Protocols.SetHTTP1(true)
			}
			defer rt.CloseIdleConnections()
			for range 3 {
				got, _ := get(t, rt, url, body)
				want := fmt.Sprintf("%s true alpn=%s peer=alice tls=false %d %x <nil>", p.proto, p.alpn, len(body), sha256.Sum256(body))
				if p.alpn == "" {
					want = strings.Replace(want, "alpn=", "alpn="+got[strings.Index(got, "alpn=")+5:strings.Index(got, " peer")], 1)
				}
				if got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
		})
	}
}

func TestOurTransportUsesNetHTTPServer(t *testing.T) {
	s := newSite(t)
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			var remote atomic.Value
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				remote.Store(r.RemoteAddr)
				b, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %d %v", r.Proto, len(b), r.TLS.PeerCertificates[0].Subject.CommonName)
			}))
			srv.TLS = s.stdServer()
			srv.TLS.ClientAuth = tls.RequireAndVerifyClientCert
			srv.TLS.NextProtos = alpn(p.alpn)
			srv.EnableHTTP2 = p.alpn == "h2"
			if p.alpn == "" {
				srv.TLS.NextProtos = []string{"unused"}
				srv.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
					c := srv.TLS.Clone()
					c.NextProtos = nil
					return c, nil
				}
			}
			srv.StartTLS()
			defer srv.Close()
			cc := &tlsnet.Config{Roots: s.ca.Roots(), Identities: []tlsnet.Identity{identity(s.client)}}
			rt := &tlsnet.Transport{Config: cc}
			defer rt.CloseIdleConnections()
			// net/http gives a connection up whose writer does not say within 50 ms that the request has left.
			row, before := 0, any(nil)
			for tries := 0; row < 5 && tries < 50; tries++ {
				got, resp := get(t, rt, srv.URL, make([]byte, 100_000))
				if got != p.proto+" 100000 alice" {
					t.Errorf("got %s", got)
				}
				i, ok := tlsnet.InfoFromResponse(resp)
				if !ok || !i.Peer.Verified() || i.Facts.ALPN != p.alpn && p.alpn != "" {
					t.Errorf("info %v: %+v", ok, i.Facts)
				}
				if now := remote.Load(); now == before {
					row++
				} else {
					row, before = 1, now
				}
			}
			if row < 5 {
				t.Errorf("%d requests in a row over one connection", row)
			}
		})
	}
}

func TestOurTransportUsesOurServer(t *testing.T) {
	s := newSite(t)
	body := bytes.Repeat([]byte("data"), 1<<18)
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			sc := s.mutual()
			sc.Core.ALPN = alpn(p.alpn)
			if p.alpn == "" {
				sc.Core.ALPN = []string{}
			}
			url, _ := web(t, sc, http.HandlerFunc(report))
			rt := &tlsnet.Transport{Config: &tlsnet.Config{Roots: s.ca.Roots(), Identities: []tlsnet.Identity{identity(s.client)}}}
			defer rt.CloseIdleConnections()
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					got, _ := get(t, rt, url, body)
					want := fmt.Sprintf("%s true alpn=%s peer=alice tls=false %d %x <nil>", p.proto, p.alpn, len(body), sha256.Sum256(body))
					if got != want {
						t.Errorf("got  %s\nwant %s", got, want)
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestMismatchWithALPNCloses speaks the version of HTTP that was not negotiated.
func TestMismatchWithALPNCloses(t *testing.T) {
	s := newSite(t)
	sc := s.serverConfig()
	sc.Core.ALPN = []string{"h2", "http/1.1", "other"}
	url, _ := web(t, sc, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a handler was reached") }))
	for _, c := range []struct{ alpn, text string }{
		{"h2", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{"http/1.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"other", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
	} {
		cc := s.clientConfig()
		cc.Core.ALPN = alpn(c.alpn)
		conn, err := tlsnet.Dial(t.Context(), "tcp", strings.TrimPrefix(url, "https://"), cc)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, c.text)
		if b, _ := io.ReadAll(conn); bytes.Contains(b, []byte("200")) {
			t.Errorf("%q was answered on %q: %q", c.text, c.alpn, b)
		}
		conn.Close()
	}
}

func TestSlowHandshakeBlocksNobody(t *testing.T) {
	s := newSite(t)
	url, _ := web(t, s.serverConfig(), http.HandlerFunc(report))
	for range 20 {
		nc, err := net.Dial("tcp", strings.TrimPrefix(url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close() // says nothing
	}
	rt := &tlsnet.Transport{Config: &tlsnet.Config{Roots: s.ca.Roots()}}
	defer rt.CloseIdleConnections()
	get(t, rt, url, nil)
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	s := newSite(t)
	for _, p := range []string{"h2", "http/1.1"} {
		t.Run(p, func(t *testing.T) {
			entered, leave := make(chan struct{}), make(chan struct{})
			sc := s.serverConfig()
			sc.Core.ALPN = []string{p}
			url, srv := web(t, sc, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(entered)
				<-leave
				io.WriteString(w, "finished")
			}))
			rt := &tlsnet.Transport{Config: &tlsnet.Config{Roots: s.ca.Roots()}}
			defer rt.CloseIdleConnections()
			var wg sync.WaitGroup
			wg.Go(func() {
				if got, _ := get(t, rt, url, nil); got != "finished" {
					t.Errorf("got %q", got)
				}
			})
			<-entered
			down := make(chan error, 1)
			go func() { down <- srv.Shutdown(t.Context()) }()
			// New connections are refused while the old request lives.
			for {
				nc, err := net.Dial("tcp", strings.TrimPrefix(url, "https://"))
				if err != nil {
					break
				}
				nc.Close()
			}
			close(leave)
			wg.Wait()
			if err := <-down; err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
	}
}

func TestTransportRefusesPlaintext(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "plain") }))
	defer srv.Close()
	rt := &tlsnet.Transport{}
	if _, err := (&http.Client{Transport: rt}).Get(srv.URL); !errors.Is(err, tlsnet.ErrPlaintext) {
		t.Errorf("http URL: %v", err)
	}
	if _, err := (&http.Client{Transport: rt}).Get("ftp://localhost/"); err == nil {
		t.Error("ftp URL: no error")
	}
	rt = &tlsnet.Transport{AllowPlaintext: true}
	defer rt.CloseIdleConnections()
	got, resp := get(t, rt, srv.URL, nil)
	if _, ok := tlsnet.InfoFromResponse(resp); got != "plain" || ok {
		t.Errorf("allowed: %q, %v", got, ok)
	}
}

func TestTransportReportsTheDialError(t *testing.T) {
	s := newSite(t)
	url, _ := web(t, s.serverConfig(), http.HandlerFunc(report))
	rt := &tlsnet.Transport{Config: &tlsnet.Config{Roots: s.ca.Stranger().Roots()}}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			_, err := (&http.Client{Transport: rt}).Get(url)
			var de *tlsnet.DialError
			if !errors.As(err, &de) || de.Failure != tlsnet.FailureTLS {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
}

func TestTransportOutlivesServersThatClose(t *testing.T) {
	s := newSite(t)
	for _, p := range []string{"h2", "http/1.1"} {
		t.Run(p, func(t *testing.T) {
			sc := s.serverConfig()
			sc.Core.ALPN = []string{p}
			l := listenToReturn(t, sc)
			rt := &tlsnet.Transport{Config: &tlsnet.Config{Roots: s.ca.Roots()}}
			defer rt.CloseIdleConnections()
			addr := l.Addr().String()
			for range 3 {
				srv := &tlsnet.HTTPServer{Handler: http.HandlerFunc(report)}
				done := make(chan error, 1)
				go func() { done <- srv.Serve(l) }()
				for range 3 {
					get(t, rt, "https://"+addr, nil)
				}
				srv.Close()
				<-done
				nl, err := net.Listen("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				if l, err = tlsnet.NewListener(nl, sc); err != nil {
					t.Fatal(err)
				}
			}
			l.Close()
		})
	}
}

func TestCanceledRequestLeavesTheConnectionUsable(t *testing.T) {
	s := newSite(t)
	url, _ := web(t, s.serverConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
			return
		}
		io.WriteString(w, "ok")
	}))
	rt := &tlsnet.Transport{Config: &tlsnet.Config{Roots: s.ca.Roots()}}
	defer rt.CloseIdleConnections()
	get(t, rt, url, nil)
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", url+"/hang", nil)
	go cancel()
	if _, err := rt.RoundTrip(req); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled request: %v", err)
	}
	if got, _ := get(t, rt, url, nil); got != "ok" {
		t.Errorf("next request: %q", got)
	}
}

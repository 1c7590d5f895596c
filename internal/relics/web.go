package relics

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlsnet"
)

// modern is the configuration of a sound server of today, with a certificate for localhost.
func modern(t testing.TB) *tlsnet.Config {
	t.Helper()
	leaf := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	return &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: leaf.Chain, Key: leaf.Key}}}
}

// listener makes a listener that never accepts by itself: its connections come from elsewhere.
func listener(t testing.TB, c *tlsnet.Config) *tlsnet.Listener {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tlsnet.NewListener(nl, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Web serves HTTP/1.1 over TLS 1.2 and 1.3; answer writes everything, the status line included.
func Web(t testing.TB, answer func(w io.Writer, r *http.Request)) *Server {
	t.Helper()
	l := listener(t, modern(t))
	return Start(t, func(nc net.Conn) {
		c := l.Upgrade(nc)
		defer c.Close()
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			answer(c, r)
			if r.Close {
				return
			}
		}
	})
}

// page is a page with headers as an administrator wants them.
func page(w io.Writer, header, body string) {
	fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nServer: relic\r\nStrict-Transport-Security: max-age=63072000; includeSubDomains\r\nContent-Type: text/html\r\n%sContent-Length: %d\r\n\r\n%s", header, len(body), body)
}

// BREACH compresses its pages where that is offered; its twin does not.
func BREACH(t testing.TB, sick bool) *Server {
	t.Helper()
	return Web(t, func(w io.Writer, r *http.Request) {
		body := "<title>What you have asked for</title>" + r.URL.Query().Get("q")
		if !sick || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			page(w, "", body)
			return
		}
		var packed strings.Builder
		z := gzip.NewWriter(&packed)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
		page(w, "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n", packed.String())
	})
}

// HeaderBomb answers with headers without end.
func HeaderBomb(t testing.TB) *Server {
	t.Helper()
	return Web(t, func(w io.Writer, _ *http.Request) {
		_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\n")
		line := "X-Bomb: " + strings.Repeat("boom", 2000) + "\r\n"
		for {
			if _, err := io.WriteString(w, line); err != nil {
				return
			}
		}
	})
}

// BodyWithoutEnd answers with a body without end.
func BodyWithoutEnd(t testing.TB) *Server {
	t.Helper()
	return Web(t, func(w io.Writer, _ *http.Request) {
		_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
		piece := strings.Repeat("and so on ", 1000)
		for {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
		}
	})
}

// RedirectLoop sends whoever asks to itself: over TLS, and at the second server over plain HTTP.
func RedirectLoop(t testing.TB) (secure, plain *Server) {
	t.Helper()
	secure = Web(t, func(w io.Writer, r *http.Request) {
		fmt.Fprintf(w, "HTTP/1.1 301 Moved Permanently\r\nLocation: https://%s%s\r\nContent-Length: 0\r\n\r\n", r.Host, r.URL.Path)
	})
	plain = Plain(t, func(w io.Writer, r *http.Request) {
		fmt.Fprintf(w, "HTTP/1.1 301 Moved Permanently\r\nLocation: http://%s%sx\r\nContent-Length: 0\r\n\r\n", r.Host, r.URL.Path)
	})
	return secure, plain
}

// Plain serves HTTP/1.1 without TLS.
func Plain(t testing.TB, answer func(w io.Writer, r *http.Request)) *Server {
	t.Helper()
	return Start(t, func(nc net.Conn) {
		in := bufio.NewReader(nc)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			answer(nc, r)
		}
	})
}

// Opossum goes over to TLS on its plain port when it is asked to (RFC 2817); its twin leads to https (CVE-2025-49812).
// The first server is the one that speaks TLS from the first byte.
func Opossum(t testing.TB, sick bool) (secure, plain *Server) {
	t.Helper()
	secure = Web(t, func(w io.Writer, _ *http.Request) { page(w, "", "hello") })
	plain = Plain(t, func(w io.Writer, r *http.Request) {
		if sick && strings.Contains(strings.ToLower(r.Header.Get("Upgrade")), "tls/1.") {
			_, _ = io.WriteString(w, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n\r\n")
			return
		}
		_, _ = io.WriteString(w, "HTTP/1.1 301 Moved Permanently\r\nLocation: https://localhost/\r\nContent-Length: 0\r\n\r\n")
	})
	return secure, plain
}

// EarlyData takes requests as 0-RTT data: a sick one answers them like any other, its twin with 425 Too Early (RFC 8470).
func EarlyData(t testing.TB, sick bool) *Server {
	t.Helper()
	config := modern(t)
	config.Core.MaxEarlyData = 16 << 10
	l := listener(t, config)
	return Start(t, func(nc net.Conn) {
		c := l.Upgrade(nc)
		defer c.Close()
		early := readEarly(c)
		if strings.Contains(early, "\r\n\r\n") {
			if sick {
				page(c, "", "early bird")
			} else {
				_, _ = io.WriteString(c, "HTTP/1.1 425 Too Early\r\nContent-Length: 0\r\n\r\n")
			}
		}
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			page(c, "", "hello")
			if r.Close {
				return
			}
		}
	})
}

// readEarly reads early data up to the end of a request, or to the end of it all.
func readEarly(c *tlsnet.Conn) string {
	var early strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := c.ReadEarly(buf)
		early.Write(buf[:n])
		if errors.Is(err, io.EOF) || strings.Contains(early.String(), "\r\n\r\n") {
			return early.String()
		}
		if err != nil {
			return ""
		}
	}
}

// Modern serves a page over TLS 1.2 and 1.3 as it should be.
func Modern(t testing.TB) *Server {
	t.Helper()
	return Web(t, func(w io.Writer, _ *http.Request) { page(w, "", "hello") })
}

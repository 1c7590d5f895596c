package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlsnet"
)

// The security rules of the design for a gateway, tried from outside with other people's clients or with bytes.

// witness is a backend that keeps what it is asked.
type witness struct {
	url  string
	mu   sync.Mutex
	seen []string // request line and header of each request
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &witness{url: "http://" + l.Addr().String()}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var text strings.Builder
		fmt.Fprintf(&text, "%s %s %s\n", r.Method, r.RequestURI, r.Host)
		_ = r.Header.Write(&text)
		body, err := io.ReadAll(r.Body)
		if text.Write(body); err != nil {
			text.WriteString(brokenOff)
		}
		b.mu.Lock()
		b.seen = append(b.seen, text.String())
		b.mu.Unlock()
		fmt.Fprint(w, "seen")
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return b
}

// brokenOff stands behind a request whose body did not come whole: no harm was done.
const brokenOff = " (broken off)"

// taken returns what was asked since the last time.
func (b *witness) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.seen
	b.seen = nil
	return out
}

// raw makes a connection with crypto/tls.
func (w *world) raw(name string, leaf *pkitest.Leaf, alpn ...string) (*tls.Conn, error) {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(w.ca.Root)
	c := &tls.Config{RootCAs: pool, ServerName: name, NextProtos: alpn}
	if leaf != nil {
		c.Certificates = []tls.Certificate{{Certificate: leaf.Chain, PrivateKey: leaf.Key}}
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Second}, "tcp", w.addr(), c)
	if err == nil {
		w.t.Cleanup(func() { conn.Close() })
		err = conn.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return conn, err
}

// say writes bytes on a connection of their own, and returns all that comes back until the server closes.
func (w *world) say(text string, alpn ...string) string {
	w.t.Helper()
	c, err := w.raw("app.test", nil, alpn...)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		return ""
	}
	if err := c.CloseWrite(); err != nil {
		return ""
	}
	out, _ := io.ReadAll(c) // a reset is an answer, too
	return string(out)
}

func TestALPNIsStrict(t *testing.T) {
	w := newWorld(t)
	b := newWitness(t)
	w.config.Sites[0].Target = config.Target{URL: b.url}
	w.start()
	for _, offer := range [][]string{{"ftp"}, {"smtp", "imap"}, {"http/1.0"}, {"acme-tls/1"}, {"acme-tls/1", "h2"}} {
		if _, err := w.raw("app.test", nil, offer...); err == nil || !strings.Contains(err.Error(), "no application protocol") {
			t.Errorf("%q: %v, want no_application_protocol", offer, err)
		}
	}
	if out := w.say("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", "h2"); strings.Contains(out, "200 OK") {
		t.Errorf("HTTP/1.1 was answered where HTTP/2 was agreed on: %q", out)
	}
	if out := w.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "http/1.1"); strings.HasPrefix(out, "\x00") {
		t.Errorf("HTTP/2 was spoken where HTTP/1.1 was agreed on: %q", out)
	}
	if got := b.taken(); len(got) != 0 {
		t.Errorf("the backend was asked %q", got)
	}
}

func TestAmbiguousRequestsNeverReachTheUpstream(t *testing.T) {
	w := newWorld(t)
	b := newWitness(t)
	w.config.Sites[0].Target = config.Target{URL: b.url}
	w.start()
	const evil = "GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n"
	for name, text := range map[string]string{
		"CL and TE":            "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
		"TE and CL":            "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + evil,
		"two CLs":              "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + evil,
		"list of CLs":          "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0, 44\r\n\r\n" + evil,
		"CL with sign":         "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: +0\r\n\r\n" + evil,
		"CL in hex":            "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0x0\r\n\r\n" + evil,
		"TE twice":             "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + evil,
		"TE unknown":           "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + evil,
		"TE with tab":          "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding:\tchunked, identity\r\n\r\n0\r\n\r\n" + evil,
		"TE, space and colon":  "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + evil,
		"TE in HTTP/1.0":       "POST / HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
		"bare LF in header":    "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
		"bare LF at the end":   "GET / HTTP/1.1\nHost: app.test\n\n" + evil,
		"bare CR":              "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\rY: b\r\n\r\n" + evil,
		"folded field":         "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n" + evil,
		"NUL":                  "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\x00b\r\n\r\n" + evil,
		"no colon":             "GET / HTTP/1.1\r\nHost: app.test\r\nX\r\n\r\n" + evil,
		"two Hosts":            "GET / HTTP/1.1\r\nHost: app.test\r\nHost: other.test\r\n\r\n" + evil,
		"no Host":              "GET / HTTP/1.1\r\nX: y\r\n\r\n" + evil,
		"chunk size with sign": "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n-0\r\n\r\n" + evil,
		"chunk size too large": "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + evil,
		"chunk ends with LF":   "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n" + evil,
		"chunk data longer":    "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n" + evil,
		"HTTP/1.2":             "GET / HTTP/1.2\r\nHost: app.test\r\n\r\n" + evil,
		"HTTP/0.9":             "GET /\r\n" + evil,
		"tab in request line":  "GET\t/ HTTP/1.1\r\nHost: app.test\r\n\r\n" + evil,
		"two spaces":           "GET  / HTTP/1.1\r\nHost: app.test\r\n\r\n" + evil,
		"line break in path":   "GET /\x0b HTTP/1.1\r\nHost: app.test\r\n\r\n" + evil,
		"method with colon":    "GE:T / HTTP/1.1\r\nHost: app.test\r\n\r\n" + evil,
		"other host in target": "GET http://other.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n" + evil,
		"host with user":       "GET / HTTP/1.1\r\nHost: user@app.test\r\n\r\n" + evil,
	} {
		out := w.say(text, "http/1.1")
		first, _, _ := strings.Cut(out, "\r\n")
		for _, seen := range b.taken() {
			if !strings.HasSuffix(seen, brokenOff) || strings.Contains(seen, "smuggled") {
				t.Errorf("%s: the upstream was asked %q", name, seen)
			}
		}
		if !strings.HasPrefix(first, "HTTP/1.1 4") && !strings.HasPrefix(first, "HTTP/1.1 5") || strings.Contains(out, "seen") {
			t.Errorf("%s: answered %q", name, out)
		}
	}
	// That this is not refusing everything. A request broken off above may be noticed by the backend only now.
	out := w.say(evil, "http/1.1")
	good := 0
	for _, seen := range b.taken() {
		if strings.Contains(seen, "smuggled") && !strings.HasSuffix(seen, brokenOff) {
			good++
		} else if !strings.HasSuffix(seen, brokenOff) || strings.Contains(seen, "smuggled") {
			t.Errorf("at the end, the upstream was asked %q", seen)
		}
	}
	if !strings.Contains(out, "seen") || good != 1 {
		t.Errorf("a good request reached the upstream %d times, answered %q", good, out)
	}
}

// frame2 is a frame of HTTP/2 (RFC 9113, Section 4.1).
func frame2(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	out := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}
	return append(out, payload...)
}

// fields2 encodes fields as literals without a table (RFC 7541, Section 6.2.2); names and values up to 126 bytes.
func fields2(fields ...string) []byte {
	var out []byte
	for i := 0; i < len(fields); i += 2 {
		out = append(out, 0, byte(len(fields[i])))
		out = append(out, fields[i]...)
		out = append(out, byte(len(fields[i+1])))
		out = append(out, fields[i+1]...)
	}
	return out
}

func TestFieldsOfHTTP2CannotBecomeLinesOfHTTP1(t *testing.T) {
	w := newWorld(t)
	b := newWitness(t)
	w.config.Sites[0].Target = config.Target{URL: b.url}
	w.start()
	ask := func(fields ...string) {
		c, err := w.raw("app.test", nil, "h2")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		head := []string{":method", "GET", ":scheme", "https", ":authority", "app.test", ":path", "/"}
		for i := 0; i < len(fields); i += 2 {
			replaced := false
			for j := 0; j < len(head); j += 2 {
				if head[j] == fields[i] && strings.HasPrefix(fields[i], ":") {
					head[j+1], replaced = fields[i+1], true
				}
			}
			if !replaced {
				head = append(head, fields[i], fields[i+1])
			}
		}
		out := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		out = append(out, frame2(4, 0, 0, nil)...)
		out = append(out, frame2(1, 0x4|0x1, 1, fields2(head...))...)
		if _, err := c.Write(out); err != nil {
			t.Fatal(err)
		}
		awaitEnd(c)
	}
	ask("x-good", "1")
	if got := b.taken(); len(got) != 1 || !strings.Contains(got[0], "X-Good: 1") {
		t.Fatalf("a good request: %q", got)
	}
	for _, fields := range [][]string{
		{"x", "a\r\nX-Injected: 1"}, {"x", "a\nX-Injected: 1"}, {"x", "a\rX-Injected: 1"}, {"x", "a\x00b"}, {"x\r\nx-injected", "1"}, {"x: 1\r\nx-injected", "1"}, {"x injected", "1"}, {"X-Injected", "1"}, {"", "x-injected"},
		{":path", "/ HTTP/1.1\r\nX-Injected: 1\r\n\r\nGET /smuggled"}, {":path", "/\nsmuggled"}, {":path", "smuggled"}, {":path", ""}, {":method", "GET / HTTP/1.1\r\nX-Injected: 1\r\nX:"}, {":method", "G ET"},
		{":authority", "app.test\r\nX-Injected: 1"}, {":authority", "user@app.test"}, {":scheme", "https://smuggled/?"},
		{"transfer-encoding", "chunked"}, {"connection", "x-injected"}, {"content-length", "5"}, {"content-length", "+0"}, {"host", "smuggled.test"}, {":status", "200"}, {"x", "1", ":path", "/late"},
	} {
		ask(fields...)
		for _, seen := range b.taken() {
			if strings.Contains(seen, "njected") || strings.Contains(seen, "smuggled") || strings.Contains(seen, "Transfer-Encoding") || strings.Contains(seen, "\x00") {
				t.Errorf("%q: the upstream was asked %q", fields, seen)
			}
		}
	}
}

// awaitEnd reads until the stream or the connection ends.
func awaitEnd(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		if _, err := r.Discard(int(head[0])<<16 | int(head[1])<<8 | int(head[2])); err != nil {
			return
		}
		onStream := bytes.Equal(head[5:], []byte{0, 0, 0, 1})
		switch kind := head[3]; {
		case kind == 7, onStream && kind == 3, onStream && kind <= 1 && head[4]&1 != 0: // GOAWAY, RST_STREAM, END_STREAM
			return
		}
	}
}

func TestIdentityHeadersFromOutsideNeverArrive(t *testing.T) {
	w := newWorld(t)
	b := newWitness(t)
	s := &w.config.Sites[0]
	s.Target = config.Target{URL: b.url}
	w.mutual(s, access.Rule{Name: "all", CN: "*"})
	s.Clients.Mode = config.ClientsRequest
	s.Clients.Policy.Allow = []access.Rule{{Name: "anyone", Anyone: true}}
	w.start()
	var forged strings.Builder
	for _, name := range []string{
		"Client-Cert", "client-cert", "Client_Cert", "CLIENT-CERT-CHAIN", "Client_Cert_Chain", "X-Forwarded-For", "X_Forwarded_For", "x-forwarded-proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Client-Cert",
		"Forwarded", "X-Real-IP", "X_Real_Ip", "X-Client-Cert", "X-SSL-Client-CN", "X-SSL-Cert", "SSL-Client-Cert", "X-SSL-Client-Verify",
	} {
		fmt.Fprintf(&forged, "%s: forged\r\n", name)
	}
	alice := issueClient(w.ca, "alice")
	for _, leaf := range []*pkitest.Leaf{nil, alice} {
		for _, connection := range []string{"close", "close, client-cert, x-forwarded-for"} { // hop-by-hop must not remove ours
			c, err := w.raw("app.test", leaf, "http/1.1")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: app.test\r\n%sConnection: %s\r\n\r\n", forged.String(), connection)
			if _, err := io.ReadAll(c); err != nil {
				t.Fatal(err)
			}
			got := b.taken()
			if len(got) != 1 || strings.Contains(got[0], "forged") {
				t.Fatalf("the upstream was asked %q", got)
			}
			want := ""
			if leaf != nil { // RFC 9440, Section 2.1: a byte sequence of the DER
				want = "Client-Cert: :" + base64.StdEncoding.EncodeToString(leaf.Chain[0]) + ":\r\n"
			}
			if strings.Contains(got[0], "Client-Cert:") != (leaf != nil) || !strings.Contains(got[0], want) || !strings.Contains(got[0], "X-Forwarded-For: 127.0.0.1\r\n") || !strings.Contains(got[0], "X-Forwarded-Proto: https\r\n") {
				t.Errorf("%q: the upstream was asked %q", connection, got[0])
			}
		}
	}
}

func TestTargetIsNeverTheRequests(t *testing.T) {
	w := newWorld(t)
	b, canary := newWitness(t), newWitness(t)
	w.config.Sites[0].Target = config.Target{URL: b.url}
	w.start()
	other := strings.TrimPrefix(canary.url, "http://")
	for _, head := range []string{
		"GET http://" + other + "/ HTTP/1.1\r\nHost: app.test\r\n", "GET http://" + other + "/ HTTP/1.1\r\nHost: " + other + "\r\n", "GET / HTTP/1.1\r\nHost: " + other + "\r\n",
		"CONNECT " + other + " HTTP/1.1\r\nHost: " + other + "\r\n", "CONNECT " + other + " HTTP/1.1\r\nHost: app.test\r\n", "GET //" + other + "/ HTTP/1.1\r\nHost: app.test\r\n",
		"GET @" + other + "/ HTTP/1.1\r\nHost: app.test\r\n", "GET /@" + other + " HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-Host: " + other + "\r\nForwarded: host=" + other + "\r\n",
		"GET / HTTP/1.1\r\nHost: app.test@" + other + "\r\n", "GET / HTTP/1.1\r\nHost: app.test\r\nUpgrade: http://" + other + "\r\nConnection: upgrade\r\n",
	} {
		w.say(head+"\r\n", "http/1.1")
	}
	if got := canary.taken(); len(got) != 0 {
		t.Errorf("another server was asked %q", got)
	}
}

func TestTicketsWidenNothing(t *testing.T) {
	w := newWorld(t)
	open, closed := w.site("open", "open.test"), w.site("closed", "closed.test")
	open.Target, closed.Target = config.Target{Status: 204}, config.Target{Status: 204}
	w.mutual(&closed, access.Rule{Name: "closed", CN: "alice"})
	w.config.Sites = []config.Site{open, closed}
	w.config.Listeners = append(w.config.Listeners, config.Listener{Name: "second", Address: "127.0.0.1:0", Protocol: config.ProtocolHTTPS, Sites: []string{"closed"}})
	w.start()
	store := &oneSession{}
	dial := func(addr, name string, leaf *pkitest.Leaf) (resumed bool, err error) {
		c := w.client(name, leaf)
		c.Sessions = store
		c.Core.ALPN = []string{"http/1.1"}
		d, err := tlsnet.NewDialer(c)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := d.Dial(context.Background(), "tcp", addr)
		if err != nil {
			return false, err
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name)
		answer, err := io.ReadAll(conn)
		if err == nil && !strings.HasPrefix(string(answer), "HTTP/1.1 204") {
			err = fmt.Errorf("answered %q", answer)
		}
		return conn.Facts().Resumed, err
	}
	second := w.g.Addr("second").String()
	alice := issueClient(w.ca, "alice")
	for _, c := range []struct {
		what, addr, name string
		leaf             *pkitest.Leaf
		resumed, refused bool
	}{
		{"the first time", w.addr(), "open.test", nil, false, false},
		{"again", w.addr(), "open.test", nil, true, false},
		{"a session of the open site at the closed one", w.addr(), "closed.test", nil, false, true},
		{"alice", w.addr(), "closed.test", alice, false, false},
		{"alice again", w.addr(), "closed.test", nil, true, false}, // the session stands for her certificate
		{"alice's session at another listener", second, "closed.test", nil, false, true},
		{"alice's session at the open site", w.addr(), "open.test", nil, false, false},
	} {
		resumed, err := dial(c.addr, c.name, c.leaf)
		if resumed != c.resumed || (err != nil) != c.refused {
			t.Errorf("%s: resumed %v, %v", c.what, resumed, err)
		}
	}
	// And where the rules change meanwhile:
	if _, err := dial(w.addr(), "closed.test", alice); err != nil {
		t.Fatal(err)
	}
	w.reload(func(c *config.Gateway) {
		c.Sites[1].Clients = &config.Clients{CA: closed.Clients.CA, Revocation: config.RevocationOff, Policy: &access.Policy{Allow: []access.Rule{{Name: "closed", CN: "bob"}}}}
	})
	if resumed, err := dial(w.addr(), "closed.test", nil); err == nil || resumed {
		t.Errorf("alice's session outlived the rules that let her in: resumed %v, %v", resumed, err)
	}
}

package relay_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/relay"
)

// forged are names under which somebody could try to be somebody else.
var forged = []string{
	"Client-Cert", "client-cert", "CLIENT-CERT", "Client_Cert", "client.cert", "Client-Cert-Chain", "Client_Cert_Chain", "Client-Cert-Verified",
	"X-Forwarded-For", "X_Forwarded_For", "x-forwarded_for", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server",
	"X-Forwarded-Prefix", "X-Forwarded-Client-Cert", "X-Forwarded-User", "X-Forwarded-Tls-Client-Cert", "Forwarded", "FORWARDED",
	"X-Real-IP", "X_Real_IP", "X-Real.IP", "X-SSL-Client-Cert", "X-SSL-Client-Verify", "X-Ssl-Client-S-Dn", "X_SSL_CLIENT_CN", "SSL-Client-Cert",
	"Ssl_Client_Verify", "X-Client-Cert", "X-Client-Cert-Dn", "X-Client-Dn", "X-Client-Verify", "X-Tls-Client-Subject", "X-Mtls-Cert", "X-Amzn-Mtls-Clientcert",
	"X-Arr-Clientcert", "X-Arr-Ssl", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Client-Ip", "X-Originating-Ip", "X-Remote-Ip",
	"X-Remote-Addr", "X-Remote-User", "Remote-User", "Remote_User", "X-Original-Url", "X-Rewrite-Url", "X-Original-Host", "X-Host", "Proxy",
	"Front-End-Https", "X-Scheme", "X-Envoy-External-Address", "Early-Data", "X-Custom-Secret",
	"X-Forwarded-For-" + strings.Repeat("x", 60), "X!Forwarded~For", "X|Real'IP", "X-Forwarded-", "Client`Cert",
}

// passed are fields that are nobody's but the application's.
var passed = []string{
	"Accept", "Authorization", "Cookie", "Content-Type", "Cache-Control", "Referer", "User-Agent", "X-Requested-With", "X-Api-Key",
	"Client-Id", "Client-Version", "X-Client-Id", "X-Client-Version", "X-Csrf-Token", "X-Forward", "X-Request-Id", "Sec-Websocket-Protocol", "X-Ssltest",
	"Traceparent", "Save-Data", "Priority", "From", "Range", "Dnt", "Date", "Te-St", "X-Real-Estate", "X_Underscore", "Forwarding",
}

// heads keeps the head of every request that a raw upstream gets.
func heads(t *testing.T) (string, chan http.Header) {
	seen := make(chan http.Header, 10)
	return backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		h.Set("Host", r.Host)
		seen <- h
	})), seen
}

func TestHeadersThatSayWhoSomebodyIsAreStripped(t *testing.T) {
	to, seen := heads(t)
	up := upstream(t, to, relay.UpstreamOptions{Strip: []string{"x-custom-secret"}})
	fronts(t, up, func(t *testing.T, addr string) {
		var request strings.Builder
		request.WriteString("GET / HTTP/1.1\r\nHost: a\r\n")
		for _, name := range forged {
			request.WriteString(name + ": evil\r\n")
		}
		for _, name := range passed {
			request.WriteString(name + ": good\r\n")
		}
		f := strings.Replace(request.String(), "Early-Data: evil\r\n", "", 1)
		if answer := raw(t, addr, f+"\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Fatalf("answered %q", answer)
		}
		h := <-seen
		for name, values := range h {
			if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "evil") }) {
				t.Errorf("%s came through", name)
			}
		}
		for _, name := range passed {
			if got := h[http.CanonicalHeaderKey(name)]; len(got) != 1 || got[0] != "good" {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

func TestARequestMarkedAsEarlyStaysMarked(t *testing.T) {
	to, seen := heads(t)
	addr := serve(t, &relay.Front{Handler: upstream(t, to, relay.UpstreamOptions{})})
	if answer := raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\nEarly-Data: no\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Errorf("answered %q", answer)
	}
	if h := <-seen; h.Get("Early-Data") != "1" || len(h["Early-Data"]) != 1 {
		t.Errorf("Early-Data %q", h["Early-Data"])
	}
	if answer := raw(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nEarly-Data: 1\r\nContent-Length: 1\r\n\r\nx"); !strings.HasPrefix(answer, "HTTP/1.1 425") {
		t.Errorf("answered %q", answer)
	}
}

// byteSequences reads a list of byte sequences as RFC 8941 has it.
func byteSequences(t *testing.T, list string) (out [][]byte) {
	t.Helper()
	for _, e := range strings.Split(list, ", ") {
		b, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(strings.TrimPrefix(e, ":"), ":"))
		if err != nil || len(e) < 3 || e[0] != ':' || e[len(e)-1] != ':' {
			t.Fatalf("no byte sequence: %q: %v", e, err)
		}
		out = append(out, b)
	}
	return out
}

func TestClientCertificatesAreToldAsRFC9440Says(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Client(pkitest.P256, "alice")
	cert, err := x509.ParseCertificate(leaf.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	to, seen := heads(t)
	var who relay.Client
	up := upstream(t, to, relay.UpstreamOptions{Client: func(*http.Request) relay.Client { return who }})
	ask := func() http.Header {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "https://site.example/x", nil)
		r.Header.Set("Client-Cert", ":ZXZpbA==:")
		r.Header["client_cert_chain"] = []string{":ZXZpbA==:"}
		r.Header.Set("X-Forwarded-For", "6.6.6.6")
		r.Header.Set("Connection", "Client-Cert, X-Forwarded-For, X-Forwarded-Host")
		up.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatalf("answered %d %s", w.Code, w.Body)
		}
		return <-seen
	}

	who = relay.Client{Addr: netip.MustParseAddrPort("[::ffff:192.0.2.7]:4711"), Chain: []*x509.Certificate{cert, ca.Intermediate, ca.Root}}
	h := ask()
	if got := byteSequences(t, h.Get("Client-Cert")); len(h["Client-Cert"]) != 1 || len(got) != 1 || !bytes.Equal(got[0], leaf.Chain[0]) {
		t.Errorf("Client-Cert %q", h["Client-Cert"])
	}
	if got := byteSequences(t, h.Get("Client-Cert-Chain")); len(h["Client-Cert-Chain"]) != 1 || len(got) != 1 || !bytes.Equal(got[0], ca.Intermediate.Raw) {
		t.Errorf("Client-Cert-Chain %q", h["Client-Cert-Chain"])
	}
	for name, want := range map[string]string{"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "site.example", "Host": "site.example"} {
		if got := h[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", name, got)
		}
	}

	who.Chain = []*x509.Certificate{cert, ca.Intermediate, ca.Intermediate, ca.Root}
	if got := byteSequences(t, ask().Get("Client-Cert-Chain")); len(got) != 2 {
		t.Errorf("a chain of %d", len(got))
	}
	who.Chain = []*x509.Certificate{cert, ca.Root}
	if h := ask(); h.Get("Client-Cert") == "" || h["Client-Cert-Chain"] != nil {
		t.Errorf("%q %q", h["Client-Cert"], h["Client-Cert-Chain"])
	}
	who = relay.Client{Addr: netip.MustParseAddrPort("[2001:db8::1%eth0]:1"), Proto: "http", Host: "other.example:8443", Early: true}
	h = ask()
	if h["Client-Cert"] != nil || h["Client-Cert-Chain"] != nil {
		t.Errorf("a certificate of nobody's: %v", h)
	}
	for name, want := range map[string]string{"X-Forwarded-For": "2001:db8::1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "other.example:8443", "Early-Data": "1"} {
		if got := h[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// plainRequest is one as a server gets it.
func plainRequest() *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Host, r.ProtoMajor, r.ProtoMinor, r.Proto = "a", 2, 0, "HTTP/2.0"
	return r
}

// TestNothingIsInjectedFromHTTP2 makes requests as they could come over HTTP/2, where a field may hold bytes that end a line in HTTP/1.1.
func TestNothingIsInjectedFromHTTP2(t *testing.T) {
	to, seen := scripted(t, func(int, int) string { return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" })
	up := upstream(t, to, relay.UpstreamOptions{})
	for name, change := range map[string]func(*http.Request){
		"line in a value":         func(r *http.Request) { r.Header["X"] = []string{"a\r\nContent-Length: 30"} },
		"line feed in a value":    func(r *http.Request) { r.Header["X"] = []string{"a\nContent-Length: 30"} },
		"null in a value":         func(r *http.Request) { r.Header["X"] = []string{"a\x00"} },
		"line in a name":          func(r *http.Request) { r.Header["X: y\r\nZ"] = []string{"a"} },
		"colon in a name":         func(r *http.Request) { r.Header["X:y"] = []string{"a"} },
		"space in a name":         func(r *http.Request) { r.Header["Content-Length "] = []string{"3"} },
		"empty name":              func(r *http.Request) { r.Header[""] = []string{"3"} },
		"twin of the length":      func(r *http.Request) { r.Header["Content_length"] = []string{"3"} },
		"request in the method":   func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET" },
		"space in the method":     func(r *http.Request) { r.Method = "GET /" },
		"no method":               func(r *http.Request) { r.Method = "" },
		"CONNECT":                 func(r *http.Request) { r.Method = "CONNECT" },
		"TRACE":                   func(r *http.Request) { r.Method = "TRACE" },
		"line in the host":        func(r *http.Request) { r.Host = "a\r\nX: y" },
		"space in the host":       func(r *http.Request) { r.Host = "a b" },
		"user in the host":        func(r *http.Request) { r.Host = "u@a" },
		"no host":                 func(r *http.Request) { r.Host = "" },
		"path in the host":        func(r *http.Request) { r.Host = "a/x" },
		"line in the query":       func(r *http.Request) { r.URL.RawQuery = "x HTTP/1.1\r\nX: y" },
		"space in the query":      func(r *http.Request) { r.URL.RawQuery = "x y" },
		"fragment in the query":   func(r *http.Request) { r.URL.RawQuery = "x#y" },
		"target without slash":    func(r *http.Request) { r.URL = &url.URL{Path: "x"} },
		"another server's target": func(r *http.Request) { r.URL = &url.URL{Opaque: "//evil/x"} },
		"absolute target":         func(r *http.Request) { r.URL = &url.URL{Scheme: "https", Host: "a", Path: "/"} },
		"star":                    func(r *http.Request) { r.URL = &url.URL{Path: "*"} },
		"line in a trailer's name": func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("")), -1
			r.Header[":x"] = []string{"a"}
		},
	} {
		r := plainRequest()
		change(r)
		w := httptest.NewRecorder()
		up.ServeHTTP(w, r)
		if w.Code != 400 && w.Code != 501 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if conns, requests := seen(); conns != 0 || requests != 0 {
		t.Errorf("%d requests on %d connections", requests, conns)
	}
	// What the path holds is encoded, whatever it is.
	r := plainRequest()
	r.URL = &url.URL{Path: "/x HTTP/1.1\r\nX: y\r\n\r\n?#\x00\xff"}
	w := httptest.NewRecorder()
	up.ServeHTTP(w, r)
	if _, requests := seen(); w.Code != 200 || requests != 1 {
		t.Errorf("%d, %d requests", w.Code, requests)
	}
}

func TestTheTargetNeverComesFromTheRequest(t *testing.T) {
	to, seen := scripted(t, func(int, int) string { return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" })
	evil, evilSeen := scripted(t, func(int, int) string { return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" })
	host := strings.TrimPrefix(evil, "http://")
	addr := serve(t, &relay.Front{Handler: upstream(t, to, relay.UpstreamOptions{})})
	for _, request := range []string{
		"GET / HTTP/1.1\nHost: " + host + "\n\n",
		"GET " + evil + "/ HTTP/1.1\nHost: " + host + "\n\n",
		"GET //" + host + "/ HTTP/1.1\nHost: a\n\n",
		"GET /@" + host + "/ HTTP/1.1\nHost: a\n\n",
		"GET / HTTP/1.1\nHost: a\nX-Forwarded-Host: " + host + "\nForwarded: host=" + host + "\n\n",
		"GET /\\" + host + " HTTP/1.1\nHost: a\n\n",
	} {
		if answer := raw(t, addr, written(request)); !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Errorf("%q: %q", request, answer)
		}
	}
	if _, requests := seen(); requests != 6 {
		t.Errorf("%d requests", requests)
	}
	if conns, _ := evilSeen(); conns != 0 {
		t.Errorf("%d connections to where the request pointed", conns)
	}
}

package cli

import (
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// backend starts a server that keeps the last request it saw.
func backend(t *testing.T) (*url.URL, *http.Request) {
	t.Helper()
	seen := new(http.Request)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { *seen = *r }))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, seen
}

func TestProxyTellsTheBackendOnlyWhatIsCertain(t *testing.T) {
	target, seen := backend(t)
	leaf := &x509.Certificate{Raw: []byte("der")}
	p := newProxy(target, http.DefaultTransport, func(*http.Request) *x509.Certificate { return leaf })
	resp := ask(p, "GET", "/a/b?c=d",
		"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "http", "X-Forwarded-Client-Cert", "forged", "Forwarded", "for=6.6.6.6",
		"Client-Cert", ":Zm9yZ2Vk:", "Client-Cert-Chain", ":Zm9yZ2Vk:", "X-Ssl-Client-Dn", "CN=admin", "X-Real-Ip", "6.6.6.6", "Accept", "text/plain")
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For":         "192.0.2.1", // httptest's client
		"X-Forwarded-Proto":       "https",
		"X-Forwarded-Host":        "localhost",
		"Client-Cert":             ":" + base64.StdEncoding.EncodeToString([]byte("der")) + ":",
		"Client-Cert-Chain":       "",
		"X-Forwarded-Client-Cert": "",
		"X-Ssl-Client-Dn":         "",
		"X-Real-Ip":               "",
		"Forwarded":               "",
		"Accept":                  "text/plain",
	} {
		if got := seen.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if seen.URL.RequestURI() != "/a/b?c=d" || seen.Host != "localhost" {
		t.Errorf("asked for %s of %s", seen.URL, seen.Host)
	}
}

func TestProxySendsNoCertificateOfAnUnknownClient(t *testing.T) {
	target, seen := backend(t)
	p := newProxy(target, http.DefaultTransport, func(*http.Request) *x509.Certificate { return nil })
	ask(p, "GET", "/", "Client-Cert", ":Zm9yZ2Vk:")
	if got, ok := seen.Header["Client-Cert"]; ok {
		t.Errorf("Client-Cert %q", got)
	}
}

func TestProxyWithoutBackendIsABadGateway(t *testing.T) {
	target, _ := backend(t)
	target.Host = "127.0.0.1:1"
	var told error
	p := newProxy(target, http.DefaultTransport, func(*http.Request) *x509.Certificate { return nil })
	p.failed = func(_ *http.Request, err error) { told = err }
	if resp := ask(p, "GET", "/"); resp.StatusCode != http.StatusBadGateway || told == nil {
		t.Errorf("%s, told %v", resp.Status, told)
	}
}

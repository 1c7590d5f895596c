package cli

import (
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// proxyHandler hands requests on to another server.
type proxyHandler struct {
	httputil.ReverseProxy
	failed func(*http.Request, error) // told when the backend does not answer; may be nil
}

// newProxy hands requests on to target. The backend learns about the client what we know for certain: X-Forwarded-For,
// -Host and -Proto, and, where the client showed a certificate that was verified, the certificate in Client-Cert
// (RFC 9440, Section 2). Headers of these names that come from outside are dropped, for anybody can write them.
func newProxy(target *url.URL, transport http.RoundTripper, client func(*http.Request) *x509.Certificate) *proxyHandler {
	p := &proxyHandler{}
	p.Transport = transport
	p.Rewrite = func(r *httputil.ProxyRequest) {
		stripIdentity(r.Out.Header)
		r.SetURL(target)
		r.SetXForwarded()
		// Request.TLS belongs to crypto/tls and is nil on our connections.
		r.Out.Header.Set("X-Forwarded-Proto", "https")
		r.Out.Host = r.In.Host
		if leaf := client(r.In); leaf != nil {
			r.Out.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(leaf.Raw)+":")
		}
	}
	p.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
		if p.failed != nil {
			p.failed(r, err)
		}
		http.Error(w, "the server behind this proxy does not answer", http.StatusBadGateway)
	}
	return p
}

// stripIdentity drops every header by which proxies commonly tell a backend who the client is.
func stripIdentity(h http.Header) {
	for name := range h {
		lower := strings.ToLower(name)
		switch {
		case strings.HasPrefix(lower, "x-forwarded-"), strings.HasPrefix(lower, "client-cert"),
			strings.HasPrefix(lower, "x-client-"), strings.HasPrefix(lower, "x-ssl-"), strings.HasPrefix(lower, "ssl-client-"),
			lower == "forwarded", lower == "x-real-ip":
			delete(h, name)
		}
	}
}

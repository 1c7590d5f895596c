package gateway

import (
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/tlswright/tlswright/internal/config"
)

// challengePrefix is where proofs of http-01 are looked for (RFC 8555, Section 8.3).
const challengePrefix = "/.well-known/acme-challenge/"

// servePlainHTTP answers without TLS: proofs for certificates, and the way to https for everything else.
func (l *listener) servePlainHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if token, ok := strings.CutPrefix(r.URL.Path, challengePrefix); ok && r.Method == http.MethodGet {
		if proof, ok := l.g.proofs.http(token); ok {
			h.Set("Content-Type", "application/octet-stream")
			_, _ = io.WriteString(w, proof)
			return
		}
	}
	l.g.metrics.redirects.WithLabelValues(l.name).Inc()
	st := l.g.state.Load()
	host, ok := hostOf(r.Host)
	if reach := st.reach[l.name]; ok && reach != nil {
		if d := reach.find(host); d != nil && !d.site.c.NoRedirect {
			if to := st.secureAddress(l.g, d.site); to != "" {
				redirect(w, r, host, to)
				return
			}
		}
	}
	http.Error(w, "not found", http.StatusNotFound)
}

// redirect sends a client to the same place behind TLS. Methods other than GET and HEAD must stay what they are, which
// 301 does not ask for (RFC 9110, Section 15.4.2).
func redirect(w http.ResponseWriter, r *http.Request, host, port string) {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "443" {
		host += ":" + port
	}
	status := http.StatusPermanentRedirect
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		status = http.StatusMovedPermanently
	}
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/"
	}
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", "https://"+host+path)
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
}

// secureAddress is the port of the first https listener that leads to a site; "": there is none.
func (st *state) secureAddress(g *Gateway, s *site) string {
	for _, d := range s.doors {
		if d.protocol != config.ProtocolHTTPS {
			continue
		}
		address := st.reach[d.listener].listener.Address
		if bound := g.bound(d.listener); bound != nil {
			address = bound.String()
		}
		if _, port, err := net.SplitHostPort(address); err == nil {
			return port
		}
	}
	return ""
}

// bound is the address of a listener; nil: it is not bound. Unlike Addr it waits for no reload.
func (g *Gateway) bound(name string) net.Addr {
	all := g.addresses.Load()
	if all == nil {
		return nil
	}
	return (*all)[name]
}

package admin

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// readyTimeout bounds how long a look at the records may take.
const readyTimeout = 2 * time.Second

// Health answers whether a service lives (/healthz) and whether it can do its work (/readyz), and serves metrics
// (/metrics). It is an http.Handler for an address of its own, without TLS.
type Health struct {
	o        Watched
	mux      *http.ServeMux
	loopback bool
	stopping atomic.Bool
}

// NewHealth makes one. With loopback, requests must call it by an address or as localhost: what a name of somebody else's
// was made to point here for is none of our business (DNS rebinding).
func NewHealth(w Watched, m *Metrics, loopback bool) *Health {
	if w.Now == nil {
		w.Now = time.Now
	}
	h := &Health{o: w, mux: http.NewServeMux(), loopback: loopback}
	h.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { sendHealth(w, map[string]string{}) })
	h.mux.HandleFunc("GET /readyz", h.ready)
	if m != nil {
		h.mux.Handle("GET /metrics", m.Handler())
	}
	return h
}

// Stop has the service no longer ready, so that nobody sends it anything new.
func (h *Health) Stop() { h.stopping.Store(true) }

// ServeHTTP answers a request.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if h.loopback && !isLocalHost(r.Host) {
		http.Error(w, "this service is not known by that name", http.StatusMisdirectedRequest)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// isLocalHost tells whether a Host header has an address in it, or localhost.
func isLocalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// ready looks at everything that the service cannot do without.
func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	checks := map[string]string{}
	if h.stopping.Load() {
		checks["service"] = "it is being stopped"
	}
	if err := h.o.Store.Ping(ctx); err != nil {
		checks["records"] = pki.Printable(err.Error())
	}
	now := h.o.Now()
	for _, i := range h.o.Issuers {
		if c := i.Authority.Issuer.Certificate; now.After(c.NotAfter) {
			checks["issuer "+i.Name] = "its certificate ended on " + c.NotAfter.UTC().Format(time.DateOnly)
		}
	}
	sendHealth(w, checks)
}

// sendHealth answers with what is wrong; nothing: all is well.
func sendHealth(w http.ResponseWriter, wrong map[string]string) {
	status, word := http.StatusOK, "ok"
	if len(wrong) > 0 {
		status, word = http.StatusServiceUnavailable, "not ready"
	}
	text, err := json.Marshal(struct {
		Status string            `json:"status"`
		Wrong  map[string]string `json:"wrong,omitempty"`
	}{word, wrong})
	if err != nil {
		text = []byte(`{}`) // texts can always be encoded
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // nobody to tell
}

// metrics serves the metrics over the admin API.
func (c *call) metrics() (any, error) {
	m := c.s.o.Metrics
	if m == nil {
		return nil, problem("not-found", "nothing is measured: start the service with --metrics")
	}
	m.Handler().ServeHTTP(c.w, c.Request)
	return served{}, nil
}

// served is the answer of a handler that has answered already.
type served struct{}

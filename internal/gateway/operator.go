package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/pki"
)

// operator is the page for those who run the gateway: metrics, health, status. It is for loopback alone.
type operator struct {
	nl     net.Listener
	server *http.Server
}

// serveMetrics binds the operator's page.
func (g *Gateway) serveMetrics(c *config.Gateway) error {
	if c.Metrics == "" {
		return nil
	}
	wrong := func(err error) error { return &ConfigError{Where: "metrics", Err: err} }
	host, _, err := net.SplitHostPort(c.Metrics)
	if err != nil {
		return wrong(err)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return wrong(fmt.Errorf("%s can be reached by others: take an address on loopback, such as 127.0.0.1:9443", c.Metrics))
	}
	nl, err := net.Listen("tcp", c.Metrics)
	if err != nil {
		return wrong(err)
	}
	g.operator = &operator{nl: nl, server: &http.Server{Handler: g.operatorPages(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}}
	return nil
}

// MetricsAddr is the address of the operator's page; nil: there is none.
func (g *Gateway) MetricsAddr() net.Addr {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.operator == nil {
		return nil
	}
	return g.operator.nl.Addr()
}

func (g *Gateway) operatorPages() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", g.metrics.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		s := g.Status()
		w.Header().Set("Content-Type", "application/json")
		if !s.Healthy {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"healthy": s.Healthy, "problems": s.Problems})
	})
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(g.Status())
	})
	mux.HandleFunc("GET /denials.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(g.denials.newest())
	})
	mux.HandleFunc("GET /denials", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = denialsPage().Execute(w, g.denials.newest())
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = statusPage().Execute(w, g.Status())
	})
	return onlyLocal(mux)
}

// onlyLocal answers requests for this machine's own names only, so that no page elsewhere can have a browser read it under
// a name of its own (DNS rebinding).
func onlyLocal(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, ok := hostOf(r.Host)
		ip, err := netip.ParseAddr(host)
		if !ok || host != "localhost" && (err != nil || !ip.IsLoopback()) {
			http.Error(w, "this page is for localhost", http.StatusMisdirectedRequest)
			return
		}
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		h.ServeHTTP(w, r)
	})
}

// Status is how things stand.
type Status struct {
	Healthy     bool             `json:"healthy"`
	Problems    []string         `json:"problems,omitempty"`
	Since       time.Time        `json:"since"`
	Connections int              `json:"connections"`
	Addresses   int              `json:"addresses"` // that connections come from
	Listeners   []ListenerStatus `json:"listeners"`
	Sites       []SiteStatus     `json:"sites"`
	Revocation  RevocationStatus `json:"revocation"`
}

// ListenerStatus is how a listener stands.
type ListenerStatus struct {
	Name     string      `json:"name"`
	Address  string      `json:"address"`
	Protocol string      `json:"protocol"`
	Sites    []string    `json:"sites"`
	ECH      []ECHStatus `json:"ech,omitempty"` // keys for Encrypted ClientHello
}

// SiteStatus is how a site stands.
type SiteStatus struct {
	Name         string             `json:"name"`
	Hosts        []string           `json:"hosts,omitempty"`
	Target       string             `json:"target"`
	Clients      string             `json:"clients"` // none, request, require
	Certificates []certificateFacts `json:"certificates,omitempty"`
}

// Status tells how things stand.
func (g *Gateway) Status() Status {
	st := g.state.Load()
	s := Status{Since: g.began.UTC()}
	s.Connections, s.Addresses = g.limits.open()
	for i := range st.config.Listeners {
		l := &st.config.Listeners[i]
		ls := ListenerStatus{Name: listenerName(l), Address: l.Address, Protocol: string(l.Protocol)}
		if a := g.bound(ls.Name); a != nil {
			ls.Address = a.String()
		}
		ls.ECH = st.reach[ls.Name].hidden.status()
		for _, d := range st.reach[ls.Name].doors {
			ls.Sites = append(ls.Sites, d.site.name)
		}
		s.Listeners = append(s.Listeners, ls)
	}
	now := g.o.Now()
	for _, site := range st.sites {
		ss := SiteStatus{Name: site.name, Hosts: site.c.Hosts, Target: site.target.name(), Clients: "none", Certificates: site.certificates()}
		if c := site.c.Clients; c != nil {
			if ss.Clients = string(c.Mode); ss.Clients == "" {
				ss.Clients = string(config.ClientsRequire)
			}
		}
		for _, c := range ss.Certificates {
			if now.After(c.NotAfter) {
				s.Problems = append(s.Problems, fmt.Sprintf("the certificate of the site %s has expired", site.name))
			}
		}
		if len(ss.Certificates) == 0 && site.takesTLS() {
			s.Problems = append(s.Problems, fmt.Sprintf("the site %s has no certificate yet", site.name))
		}
		s.Sites = append(s.Sites, ss)
	}
	g.addKept(&s)
	s.Healthy = len(s.Problems) == 0
	return s
}

// addKept adds what is known about revocation, of clients and of our own certificates.
func (g *Gateway) addKept(s *Status) {
	pool := g.pool.Status()
	s.Revocation = RevocationStatus{Revoked: pool.Revoked, Watching: pool.Watching, Answers: pool.Answers}
	for _, l := range pool.Lists {
		s.Revocation.Lists = append(s.Revocation.Lists, ListStatus{l.Place, l.Entries, l.NextUpdate.UTC(), l.Problem})
		if l.Problem != "" {
			s.Problems = append(s.Problems, fmt.Sprintf("the list of revoked certificates %s: %s", l.Place, l.Problem))
		}
	}
	for _, l := range pool.Live {
		if l.Problem != "" {
			s.Problems = append(s.Problems, "the records of our own CA: "+l.Problem)
		}
	}
	now := g.o.Now()
	for _, k := range g.staples.Status() {
		switch {
		case k.Revoked:
			s.Problems = append(s.Problems, fmt.Sprintf("the certificate of %s is revoked", pki.Name(k.Leaf.Subject)))
		case k.MustStaple && (k.NextUpdate.IsZero() || now.After(k.NextUpdate)):
			s.Problems = append(s.Problems, fmt.Sprintf("the certificate of %s demands an OCSP answer, and there is none: %s", pki.Name(k.Leaf.Subject), k.Problem))
		}
	}
}

// RevocationStatus is what is known of revoked clients.
type RevocationStatus struct {
	Revoked  int          `json:"revoked"`  // certificates that are remembered as revoked
	Watching int          `json:"watching"` // connections that are closed or refused once theirs is
	Answers  int          `json:"answers"`  // of OCSP
	Lists    []ListStatus `json:"lists,omitempty"`
}

// ListStatus is how a list of revoked certificates stands.
type ListStatus struct {
	Place      string    `json:"place"`
	Entries    int       `json:"entries"`
	NextUpdate time.Time `json:"next_update"`
	Problem    string    `json:"problem,omitempty"`
}

// takesTLS reports whether a listener with TLS leads to the site.
func (s *site) takesTLS() bool {
	for _, d := range s.doors {
		if d.takesTLS() {
			return true
		}
	}
	return false
}

// Health says what is wrong; nil: nothing is.
func (g *Gateway) Health() error {
	var errs []error
	for _, p := range g.Status().Problems {
		errs = append(errs, errors.New(p))
	}
	return errors.Join(errs...)
}

func statusPage() *template.Template {
	return template.Must(template.New("status").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>tlswright gateway</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}code{font:13px ui-monospace,monospace}
@media (prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#444}a{color:#8bf}}</style></head><body>
<h1>Gateway</h1>
<p>{{if .Healthy}}All is well.{{else}}<strong>{{range .Problems}}{{.}}. {{end}}</strong>{{end}} {{.Connections}} connections from {{.Addresses}} addresses; up since {{.Since.Format "2006-01-02 15:04:05 MST"}}.
<a href="/denials">refusals</a> <a href="/metrics">metrics</a> <a href="/healthz">health</a> <a href="/status.json">JSON</a></p>
<h2>Listeners</h2><table><tr><th>name</th><th>protocol</th><th>address</th><th>sites</th><th>Encrypted ClientHello</th></tr>
{{range .Listeners}}<tr><td>{{.Name}}</td><td>{{.Protocol}}</td><td><code>{{.Address}}</code></td><td>{{range .Sites}}{{.}} {{end}}</td>
<td>{{range .ECH}}{{.PublicName}}, config {{.ConfigID}}{{if .Old}}, old{{end}}<br>{{end}}</td></tr>{{end}}</table>
<h2>Sites</h2><table><tr><th>name</th><th>hosts</th><th>target</th><th>client certificates</th><th>certificate until</th></tr>
{{range .Sites}}<tr><td>{{.Name}}</td><td>{{range .Hosts}}{{.}} {{else}}all{{end}}</td><td><code>{{.Target}}</code></td><td>{{.Clients}}</td>
<td>{{range .Certificates}}{{.NotAfter.Format "2006-01-02"}} {{.Key}}{{if .HasStaple}}, stapled{{end}}<br>{{end}}</td></tr>{{end}}</table>
{{with .Revocation}}<h2>Revocation</h2><p>{{.Revoked}} certificates are known to be revoked, {{.Watching}} connections are watched, {{.Answers}} OCSP answers are kept.</p>
{{if .Lists}}<table><tr><th>list</th><th>entries</th><th>next</th><th></th></tr>{{range .Lists}}<tr><td><code>{{.Place}}</code></td><td>{{.Entries}}</td><td>{{.NextUpdate.Format "2006-01-02 15:04 MST"}}</td><td>{{.Problem}}</td></tr>{{end}}</table>{{end}}{{end}}</body></html>
`))
}

func denialsPage() *template.Template {
	return template.Must(template.New("denials").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Refusals</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}section{border-top:1px solid #ddd;padding:.5rem 0}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}dl{display:grid;grid-template-columns:9rem 1fr;margin:.3rem 0}dt{color:#666}dd{margin:0}
@media (prefers-color-scheme:dark){body{color:#ddd;background:#181818}section{border-color:#444}dt{color:#999}a{color:#8bf}}</style></head><body>
<h1>Refusals</h1><p>The newest first. <a href="/denials.json">JSON</a> <a href="/">gateway</a></p>
{{range .}}<section id="{{.ID}}"><strong>{{.Text}}</strong> <code>{{.ID}}</code>
<dl><dt>when, who</dt><dd>{{.Time.Format "2006-01-02 15:04:05 MST"}}, {{.Remote}}</dd>
<dt>where</dt><dd>{{.Site}}{{with .Route}}, route {{.}}{{end}} ({{.Listener}}){{with .ServerName}}, server name <code>{{.}}</code>{{end}}{{if .Method}}, {{.Method}} <code>{{.Host}}{{.Path}}</code>{{end}}</dd>
<dt>reason</dt><dd>{{.Reason}}{{with .Alert}}, alert {{.}}{{end}}{{with .Status}}, status {{.}}{{end}}{{if .Resumed}}, resumed{{end}}</dd>
{{with .Cert}}<dt>certificate</dt><dd><code>{{.Subject}}</code>{{range .SANs}} <code>{{.}}</code>{{end}}<br>issued by <code>{{.Issuer}}</code>, serial <code>{{.Serial}}</code>, {{.NotBefore.Format "2006-01-02"}} to {{.NotAfter.Format "2006-01-02"}}<br>SHA-256 <code>{{.SHA256}}</code></dd>{{end}}
{{with .Rule}}<dt>rule</dt><dd>{{.}}</dd>{{end}}{{with .Nearest}}<dt>nearest</dt><dd>{{.}}</dd>{{end}}{{with .Fix}}<dt>to fix</dt><dd>{{.}}</dd>{{end}}</dl></section>
{{else}}<p>Nobody was refused since the gateway was started.</p>{{end}}</body></html>
`))
}

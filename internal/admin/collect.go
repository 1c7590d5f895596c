package admin

import (
	"context"
	"crypto/x509"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// How much of the database a look at the metrics may take.
const (
	summaryAge    = 15 * time.Second // counts are kept so long: counting reads much
	scrapeTimeout = 5 * time.Second
)

// Watched is what is looked at whenever somebody reads the metrics.
type Watched struct {
	Store   *store.Store
	Issuers []Issuer
	// Certificates gives further ones whose end is told, by what they are for: "root", "service"; nil: there are none.
	Certificates func() map[string]*x509.Certificate
	Now          func() time.Time
}

// Watch adds what is on file to the metrics: how many certificates and orders there are, CRLs and their age, and when
// certificates of the CA's own end.
func (m *Metrics) Watch(w Watched) {
	if m == nil {
		return
	}
	if w.Now == nil {
		w.Now = time.Now
	}
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m.registry.MustRegister(&collector{Watched: w,
		unexpired: gauge("tlswright_certificates_unexpired", "Certificates on file whose validity has not ended."),
		revoked:   gauge("tlswright_certificates_revoked", "Certificates on file that are revoked or on hold."),
		accounts:  gauge("tlswright_acme_accounts", "ACME accounts on file, by status.", "status"),
		orders:    gauge("tlswright_acme_orders", "ACME orders on file, by the status they were left in.", "status"),
		number:    gauge("tlswright_crl_number", "Number of the last CRL.", "issuer", "scope"),
		made:      gauge("tlswright_crl_this_update_timestamp_seconds", "When the last CRL was made.", "issuer", "scope"),
		due:       gauge("tlswright_crl_next_update_timestamp_seconds", "When the last CRL ends.", "issuer", "scope"),
		entries:   gauge("tlswright_crl_entries", "Entries of the last CRL.", "issuer", "scope"),
		ends:      gauge("tlswright_certificate_not_after_timestamp_seconds", "When a certificate of the CA's own ends.", "use", "subject"),
		success:   gauge("tlswright_scrape_success", "Whether everything could be looked up, 0 or 1."),
	})
}

// collector looks things up when metrics are read.
type collector struct {
	Watched
	unexpired, revoked, accounts, orders, number, made, due, entries, ends, success *prometheus.Desc

	mu      sync.Mutex
	summary store.Summary
	at      time.Time // of summary
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.unexpired, c.revoked, c.accounts, c.orders, c.number, c.made, c.due, c.entries, c.ends, c.success} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	if c.Certificates != nil {
		for use, cert := range c.Certificates() {
			gauge(c.ends, float64(cert.NotAfter.Unix()), use, pki.Name(cert.Subject))
		}
	}
	ok := 1.0
	for _, i := range c.Issuers {
		cert := i.Authority.Issuer.Certificate
		gauge(c.ends, float64(cert.NotAfter.Unix()), "issuer "+i.Name, pki.Name(cert.Subject))
		states, err := c.Store.CRLStates(ctx, i.Authority.IssuerID())
		if err != nil {
			ok = 0
		}
		for _, s := range states {
			gauge(c.number, float64(s.Number), i.Name, s.Scope)
			gauge(c.made, float64(s.ThisUpdate.Unix()), i.Name, s.Scope)
			gauge(c.due, float64(s.NextUpdate.Unix()), i.Name, s.Scope)
			gauge(c.entries, float64(s.Entries), i.Name, s.Scope)
		}
	}
	if sum, err := c.count(ctx); err != nil {
		ok = 0
	} else {
		gauge(c.unexpired, float64(sum.Unexpired))
		gauge(c.revoked, float64(sum.Revoked))
		for status, n := range sum.Accounts {
			gauge(c.accounts, float64(n), status)
		}
		for status, n := range sum.Orders {
			gauge(c.orders, float64(n), status)
		}
	}
	gauge(c.success, ok)
}

// count gives counts that are not old.
func (c *collector) count(ctx context.Context) (store.Summary, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	if age := now.Sub(c.at); !c.at.IsZero() && age >= 0 && age < summaryAge {
		return c.summary, nil
	}
	sum, err := c.Store.Summary(ctx, now)
	if err == nil {
		c.summary, c.at = sum, now
	}
	return sum, err
}

// ACMERoute names what a request to an ACME server is for.
func ACMERoute(r *http.Request) string {
	rest, ok := strings.CutPrefix(r.URL.Path, "/acme/")
	if !ok {
		return "other"
	}
	if below, ok := strings.CutPrefix(rest, "ca/"); ok {
		_, rest, _ = strings.Cut(below, "/")
	}
	parts := strings.Split(rest, "/")
	switch parts[0] {
	case "order":
		if len(parts) == 3 {
			return "finalize"
		}
	case "acct":
		if len(parts) == 3 {
			return "orders"
		}
	case "directory", "new-nonce", "renewal-info", "new-account", "new-order", "new-authz", "revoke-cert", "key-change", "authz", "chall", "cert", "star":
	default:
		return "other"
	}
	return parts[0]
}

// PublicRoute names what a request to a publisher is for.
func PublicRoute(r *http.Request) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch kind {
	case "ocsp", "crl", "ca", "sets", "roots.pem":
		return kind
	case "":
		return "page"
	}
	return "other"
}

// AdminRoute names what a request to the admin API is for.
func AdminRoute(r *http.Request) string {
	if r.Pattern == "" {
		return "other"
	}
	return r.Pattern
}

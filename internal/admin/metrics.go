package admin

import (
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/pki/crl"
)

// Metrics counts what the services of a CA do, for Prometheus. It is a meter of ACME servers, publishers and stores, and
// gives one for each authority. Its methods may be called by many goroutines at once; Authority, Requests and Watch also on
// nil, where nothing is measured.
type Metrics struct {
	registry *prometheus.Registry
	handler  http.Handler // one for all who read, because it bounds how many do at a time

	signed      *prometheus.CounterVec
	revoked     *prometheus.CounterVec
	signatures  *prometheus.CounterVec
	submissions *prometheus.HistogramVec

	orders     *prometheus.CounterVec
	validation *prometheus.HistogramVec
	problems   *prometheus.CounterVec
	limited    *prometheus.CounterVec

	ocsp     *prometheus.CounterVec
	answers  sync.Map // answerKey: prometheus.Counter
	requests *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	refused  *prometheus.CounterVec

	writes      prometheus.Counter
	writeErrors prometheus.Counter
	writeTime   prometheus.Histogram
}

// maxScrapes bounds how many read the metrics at a time: each look reads in the database.
const maxScrapes = 4

// buckets are upper bounds of durations, in seconds.
func buckets() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
}

// NewMetrics makes metrics of their own registry, with those of the process and the Go runtime.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(v) // each name is used once, below
		return v
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets()}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.signed = counter("tlswright_x509_signed_total", "Certificates asked of an issuer, by profile and whether they were issued.", "issuer", "profile", "success")
	m.revoked = counter("tlswright_x509_revoked_total", "Certificates revoked or put on hold here, by reason.", "issuer", "reason")
	m.signatures = counter("tlswright_signatures_total", "What an issuer signed besides certificates: crl, delta, ocsp, set.", "issuer", "purpose")
	m.submissions = histogram("tlswright_ct_submission_duration_seconds", "Precertificates shown to logs of Certificate Transparency, by log and result.", "log", "result")
	m.orders = counter("tlswright_acme_orders_total", "ACME orders that came to a status: pending, valid, invalid.", "status")
	m.validation = histogram("tlswright_acme_validation_duration_seconds", "Validations of names, by challenge and result: valid, or the type of the problem.", "type", "result")
	m.problems = counter("tlswright_acme_problems_total", "Problem documents sent to ACME clients, by type.", "type")
	m.limited = counter("tlswright_acme_ratelimit_denied_total", "Requests of ACME clients beyond a limit: account, order, validation.", "limit")
	m.ocsp = counter("tlswright_ocsp_responses_total", "OCSP answers, by what they say and whether they were signed for it or kept from before.", "status", "source")
	m.requests = histogram("tlswright_http_request_duration_seconds", "Requests, by service, route, method and status code.", "service", "route", "method", "code")
	m.inFlight = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tlswright_http_requests_in_flight", Help: "Requests under way, by service."}, []string{"service"})
	m.refused = counter("tlswright_admin_refused_total", "Requests to the admin API that were refused, by type of problem.", "type")
	m.writes = prometheus.NewCounter(prometheus.CounterOpts{Name: "tlswright_store_writes_total", Help: "Writes to the database; several may share a transaction."})
	m.writeErrors = prometheus.NewCounter(prometheus.CounterOpts{Name: "tlswright_store_write_errors_total", Help: "Transactions of which nothing was written."})
	m.writeTime = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tlswright_store_write_duration_seconds", Help: "Transactions that write, from their beginning until they are on disk.", Buckets: buckets()})
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tlswright_build_info", Help: "Always 1; the labels say what runs."}, []string{"version", "goversion"})
	info.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(m.inFlight, m.writes, m.writeErrors, m.writeTime, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, ErrorHandling: promhttp.ContinueOnError})
	return m
}

// Handler serves the metrics, to a few at a time over all addresses together.
func (m *Metrics) Handler() http.Handler { return m.handler }

// Authority gives the meter of an issuer; nil for nil metrics.
func (m *Metrics) Authority(issuer string) authority.Meter {
	if m == nil {
		return nil
	}
	return &issuerMeter{m, issuer}
}

// issuerMeter counts for one issuer.
type issuerMeter struct {
	m      *Metrics
	issuer string
}

func (i *issuerMeter) Issued(profile string) {
	i.m.signed.WithLabelValues(i.issuer, profile, "true").Inc()
}

func (i *issuerMeter) NotIssued(profile string) {
	i.m.signed.WithLabelValues(i.issuer, profile, "false").Inc()
}

func (i *issuerMeter) Revoked(reason crl.Reason) {
	i.m.revoked.WithLabelValues(i.issuer, reason.String()).Inc()
}

func (i *issuerMeter) Signed(what string) { i.m.signatures.WithLabelValues(i.issuer, what).Inc() }

func (i *issuerMeter) Submitted(log string, took time.Duration, err error) {
	result := "taken"
	if err != nil {
		result = "failed"
	}
	i.m.submissions.WithLabelValues(log, result).Observe(took.Seconds())
}

// Ordered counts an ACME order that came to a status.
func (m *Metrics) Ordered(status string) { m.orders.WithLabelValues(status).Inc() }

// Validated counts a validation.
func (m *Metrics) Validated(challenge, problem string, took time.Duration) {
	if problem == "" {
		problem = "valid"
	}
	m.validation.WithLabelValues(challenge, problem).Observe(took.Seconds())
}

// Refused counts a problem that an ACME client was told.
func (m *Metrics) Refused(problem string) { m.problems.WithLabelValues(problem).Inc() }

// Limited counts a request beyond a limit.
func (m *Metrics) Limited(limit string) { m.limited.WithLabelValues(limit).Inc() }

// Answered counts an OCSP answer. There are many in a second: counters are looked up by their labels once.
func (m *Metrics) Answered(says string, kept bool) {
	key := answerKey{says, kept}
	if c, ok := m.answers.Load(key); ok {
		c.(prometheus.Counter).Inc()
		return
	}
	source := "signed"
	if kept {
		source = "kept"
	}
	c := m.ocsp.WithLabelValues(says, source)
	m.answers.Store(key, c)
	c.Inc()
}

type answerKey struct {
	says string
	kept bool
}

// Wrote counts a transaction; it is made for [store.Store.Observe].
func (m *Metrics) Wrote(writes int, took time.Duration, err error) {
	m.writes.Add(float64(writes))
	m.writeTime.Observe(took.Seconds())
	if err != nil {
		m.writeErrors.Inc()
	}
}

// denied counts a refusal of the admin API.
func (m *Metrics) denied(kind string) {
	if m != nil {
		m.refused.WithLabelValues(kind).Inc()
	}
}

// Requests measures what h does for a service, whose routes are named by route: few words, whatever is asked for.
func (m *Metrics) Requests(service string, route func(*http.Request) string, h http.Handler) http.Handler {
	if m == nil {
		return h
	}
	flight := m.inFlight.WithLabelValues(service)
	var durations sync.Map // requestKey: prometheus.Observer, for the reason of Answered
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		flight.Inc()
		counted := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			flight.Dec()
			key := requestKey{route(r), methodWord(r.Method), counted.status}
			d, ok := durations.Load(key)
			if !ok {
				d = m.requests.WithLabelValues(service, key.route, key.method, strconv.Itoa(key.status))
				durations.Store(key, d)
			}
			d.(prometheus.Observer).Observe(time.Since(begun).Seconds())
		}()
		h.ServeHTTP(counted, r)
	})
}

type requestKey struct {
	route, method string
	status        int
}

// methodWord keeps what clients make up out of the labels.
func methodWord(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodOptions:
		return method
	}
	return "other"
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
	begun  bool
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	if !w.begun && (status < 100 || status > 999) {
		status = http.StatusInternalServerError
	}
	if !w.begun {
		w.status, w.begun = status, status >= 200
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

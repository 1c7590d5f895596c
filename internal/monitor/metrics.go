package monitor

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/watch"
)

// MetricsOptions are what metrics are made from. History is needed.
type MetricsOptions struct {
	History *history.History
	Version string
	Now     func() time.Time
	// Stats tells how the engine of this process keeps up; nil: there is none.
	Stats func() Stats
	// Local says that requests must call the page by an address or as localhost: what a name of somebody else's was made to
	// point here for is none of our business (DNS rebinding).
	Local bool
}

// Metrics are for Prometheus: what this process does, and how everything stands that is watched, whoever looked at it. It is
// an http.Handler for an address of its own; it serves /metrics and /healthz.
//
// What is watched may be tens of thousands of certificates: their lines are written as they go, and made anew only
// when a certificate is another one.
type Metrics struct {
	o        MetricsOptions
	own      http.Handler // what is counted here, as text
	looks    *prometheus.CounterVec
	duration prometheus.Histogram
	estate   estate
	slots    chan struct{}
}

// Bounds on who reads metrics.
const (
	maxScrapes    = 3
	scrapeTimeout = 30 * time.Second
)

// NewMetrics makes them.
func NewMetrics(o MetricsOptions) *Metrics {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Metrics{o: o, slots: make(chan struct{}, maxScrapes), estate: estate{h: o.History}}
	m.looks = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tlswright_monitor_looks_total", Help: "Looks that this process has made and filed, by the state that they found."}, []string{"state"})
	for s := watch.OK; s <= watch.Expired; s++ {
		m.looks.WithLabelValues(stateWord(s)) // a counter that appears at one is no rise
	}
	m.duration = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tlswright_monitor_look_duration_seconds", Help: "How long looks at a target took, with all its addresses and files.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}})
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tlswright_build_info", Help: "Always 1; the labels say what runs."}, []string{"version", "goversion"})
	info.WithLabelValues(o.Version, runtime.Version()).Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.looks, m.duration, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if o.Stats != nil {
		registry.MustRegister(newLagCollector(o.Stats))
	}
	m.own = promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true, ErrorHandling: promhttp.ContinueOnError})
	return m
}

// stateWord is a state as a label.
func stateWord(s watch.State) string { return strings.ToLower(s.String()) }

// Looked counts a look; it is made for [Options.Looked].
func (m *Metrics) Looked(_ string, v watch.Verdict, took time.Duration) {
	m.looks.WithLabelValues(stateWord(v.State)).Inc()
	m.duration.Observe(took.Seconds())
}

// ServeHTTP implements http.Handler.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case m.o.Local && !namesThisMachine(r.Host):
		http.Error(w, "this page is not known by that name", http.StatusMisdirectedRequest)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "read only", http.StatusMethodNotAllowed)
	case r.URL.Path == "/metrics":
		m.scrape(w, r)
	case r.URL.Path == "/healthz":
		m.health(w, r)
	default:
		http.NotFound(w, r)
	}
}

// namesThisMachine reports whether a Host header is an address or localhost, with a port or without.
func namesThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

// health says that looks are made in time, or 503.
func (m *Metrics) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout)
	defer cancel()
	now := m.o.Now()
	s, err := m.o.History.Summary(ctx, now)
	w.Header().Set("Content-Type", "application/json")
	text := `{"status":"ok"}`
	switch {
	case err != nil:
		text = `{"status":"the history cannot be read"}`
	case s.Overdue > 0 && now.Sub(s.Oldest) > overdueFor:
		text = `{"status":"looks are overdue"}`
	}
	if text != `{"status":"ok"}` {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, text+"\n") // nobody to tell
}

// scrape writes all metrics in the text form of Prometheus, version 0.0.4.
func (m *Metrics) scrape(w http.ResponseWriter, r *http.Request) {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	default:
		http.Error(w, "others are reading", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Vary", "Accept-Encoding")
	if r.Method == http.MethodHead {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout)
	defer cancel()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * scrapeTimeout)) // where there is no connection, none can be slow
	var out io.Writer = w
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return // the level is one
		}
		defer func() { _ = packed.Close() }() // the reader has gone
		out = packed
	}
	// The registry's handler would choose a form by what the reader takes; here all is text.
	m.own.ServeHTTP(&bodyOnly{header: make(http.Header), to: out}, (&http.Request{Method: http.MethodGet, Header: make(http.Header)}).WithContext(ctx))
	_ = m.estate.write(ctx, out, m.o.Now()) // what is not there is missed by the reader
}

// bodyOnly is a ResponseWriter of which only the body counts.
type bodyOnly struct {
	header http.Header
	to     io.Writer
}

func (b *bodyOnly) Header() http.Header         { return b.header }
func (b *bodyOnly) WriteHeader(int)             {}
func (b *bodyOnly) Write(p []byte) (int, error) { return b.to.Write(p) }

// lagCollector tells how late looks begin.
type lagCollector struct {
	stats     func() Stats
	lag, lost *prometheus.Desc
}

func newLagCollector(stats func() Stats) *lagCollector {
	return &lagCollector{stats,
		prometheus.NewDesc("tlswright_monitor_schedule_lag_seconds", "By how much looks of this process began later than they were due.", nil, nil),
		prometheus.NewDesc("tlswright_monitor_looks_lost_total", "Looks of this process that could not be kept.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (c *lagCollector) Describe(to chan<- *prometheus.Desc) { to <- c.lag; to <- c.lost }

// Collect implements prometheus.Collector.
func (c *lagCollector) Collect(to chan<- prometheus.Metric) {
	s := c.stats()
	to <- prometheus.MustNewConstHistogram(c.lag, s.Lag.Count, s.Lag.Sum, s.Lag.Buckets)
	to <- prometheus.MustNewConstMetric(c.lost, prometheus.CounterValue, float64(s.Unfiled))
}

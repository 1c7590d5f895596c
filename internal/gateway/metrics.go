package gateway

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// metrics counts, in a registry of its own. Labels are names from the configuration, fixed words and numbers of HTTP;
// nothing that a client can make up.
type metrics struct {
	registry *prometheus.Registry
	g        *Gateway

	accept, handshakes, failures, denials, limited, malformed       *prometheus.CounterVec
	hellos                                                          *prometheus.CounterVec
	requests, bytesIn, bytesOut, upstreamErrors, redirects, reloads *prometheus.CounterVec
	active, inFlight                                                *prometheus.GaugeVec
	duration, handshakeTime                                         *prometheus.HistogramVec
	untold                                                          prometheus.Counter
}

const namespace = "tlswright_gateway"

func newMetrics(g *Gateway) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), g: g}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		c := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		c := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(c)
		return c
	}
	m.accept = counter("connections_total", "Connections that were accepted.", "listener")
	m.active = gauge("open_connections", "Connections that are open.", "listener")
	m.handshakes = counter("tls_handshakes_total", "TLS handshakes that were completed.", "listener", "site", "version", "resumed", "client_certificate")
	m.failures = counter("tls_handshake_failures_total", "TLS handshakes that failed.", "listener", "reason")
	m.hellos = counter("encrypted_hellos_total", "ClientHellos that came encrypted, or looked like it (offered), and those of them that a key of the listener has decrypted (accepted).", "listener", "result")
	m.handshakeTime = histogram("tls_handshake_duration_seconds", "From the connection to the end of its handshake.", prometheus.ExponentialBuckets(0.0005, 2, 14), "listener")
	m.denials = counter("denials_total", "Clients and requests that were refused.", "layer", "site", "reason")
	m.untold = prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "denials_untold_total", Help: "Refusals that were counted only, because there were too many at once."})
	m.registry.MustRegister(m.untold)
	m.limited = counter("connections_limited_total", "Connections that were closed because there were too many.", "listener", "limit")
	m.malformed = counter("malformed_requests_total", "Requests that were not understood.", "listener", "reason")
	m.requests = counter("requests_total", "HTTP requests that were answered.", "site", "method", "code")
	m.inFlight = gauge("requests_in_flight", "HTTP requests that are being answered.", "listener")
	m.duration = histogram("request_duration_seconds", "From the head of a request to the end of its answer.", prometheus.DefBuckets, "site")
	m.bytesIn = counter("received_bytes_total", "Bytes of content from clients, without TLS.", "site")
	m.bytesOut = counter("sent_bytes_total", "Bytes of content to clients, without TLS.", "site")
	m.upstreamErrors = counter("upstream_errors_total", "Requests and connections that a target did not answer.", "site")
	m.redirects = counter("redirects_total", "Requests to listeners without TLS.", "listener")
	m.reloads = counter("reloads_total", "Times that configuration or certificates were read again.", "what", "result")
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{Namespace: "tlswright"}), &certificateCollector{g, prometheus.NewDesc(
		namespace+"_certificate_not_after_timestamp_seconds", "When the certificates of sites run out.", []string{"site", "serial", "key"}, nil)})
	return m
}

// handler is the page that Prometheus reads.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

func (m *metrics) accepted(l *listener) {
	m.accept.WithLabelValues(l.name).Inc()
	m.active.WithLabelValues(l.name).Inc()
}

func (m *metrics) closed(l *listener) { m.active.WithLabelValues(l.name).Dec() }

func (m *metrics) connected(c *conn, s *settled) {
	site := ""
	if s.door != nil {
		site = s.door.site.name
	}
	m.handshakes.WithLabelValues(c.l.name, site, s.version.String(), strconv.FormatBool(s.resumed), strconv.FormatBool(s.subject.Present)).Inc()
	m.handshakeTime.WithLabelValues(c.l.name).Observe(m.g.o.Now().Sub(c.began).Seconds())
}

func (m *metrics) handshakeFailed(l *listener, err error) {
	reason := "network"
	var te *tlscore.Error
	switch {
	case errors.Is(err, tlsnet.ErrHandshakeTimeout):
		reason = "timeout"
	case errors.As(err, &te):
		reason = te.Code.String()
	}
	m.failures.WithLabelValues(l.name, reason).Inc()
}

func (m *metrics) denied(d *Denial) {
	m.denials.WithLabelValues(d.Layer, d.Site, d.Reason).Inc()
}

// methodOf keeps the label short: methods that nobody has registered are one.
func methodOf(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE":
		return method
	}
	return "other"
}

func codeOf(status int) string {
	if status == 0 {
		return "0"
	}
	return strconv.Itoa(status)
}

// certificateCollector tells when certificates run out.
type certificateCollector struct {
	g    *Gateway
	desc *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *certificateCollector) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect implements prometheus.Collector.
func (c *certificateCollector) Collect(out chan<- prometheus.Metric) {
	st := c.g.state.Load()
	if st == nil {
		return
	}
	for _, s := range st.sites {
		for _, cert := range s.certificates() {
			out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(cert.NotAfter.Unix()), s.name, cert.Serial, cert.Key)
		}
	}
}

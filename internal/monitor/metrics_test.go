package monitor

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/history"
	"github.com/tlswright/tlswright/internal/incident"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki"
)

// metrics makes those of a lab's history.
func (l *lab) metrics() *Metrics {
	return NewMetrics(MetricsOptions{History: l.h, Version: "1.2.3", Local: true, Now: func() time.Time { return l.now },
		Stats: func() Stats {
			return Stats{Unfiled: 1, Lag: Lag{Count: 3, Sum: 1.5, Buckets: map[float64]uint64{1: 2, 10: 3}}}
		}})
}

func get(m http.Handler, path, host string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w
}

// scrape reads the page as Prometheus does, and has it checked as promtool does.
func scrape(t *testing.T, m http.Handler) string {
	t.Helper()
	w := get(m, "/metrics", "127.0.0.1:9465")
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	text := w.Body.String()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, p := range problems {
		// The names of the field's exporters are not all as promlint wants them.
		if strings.HasPrefix(p.Metric, "tlswright_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	return text
}

// estateOfEverything is a lab in which each metric has something to tell.
func estateOfEverything(t *testing.T) *lab {
	l := newLab(t)
	l.now = time.Now().Truncate(time.Second)
	l.c.Channels = []config.Channel{{Name: "ops", Kind: "command", Command: []string{"false"}}}
	web := l.server(l.leaf(pkitest.P256, 60*day), l.leaf(pkitest.RSA2048, 3*day))
	l.watched("web \"one\"\n", web.address)
	path := filepath.Join(t.TempDir(), "site.pem")
	var text []byte
	for _, der := range l.leaf(pkitest.P256, 60*day).Chain {
		text = pki.AppendCertificatePEM(text, der)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	l.c.Targets = append(l.c.Targets, config.Watched{Name: "files", Files: []string{path, filepath.Join(t.TempDir(), "missing.pem")}})
	l.watched("nobody", "127.0.0.1:1")
	l.check(0)
	d, err := l.h.Force(t.Context(), l.now, l.now.Add(time.Hour), "test", "files")
	if err != nil {
		t.Fatal(err)
	}
	r := history.Result{Target: d.Name, At: l.now, Next: l.now, Verdict: watch.Verdict{State: d.State, Reason: d.Reason, Leaf: d.Leaf}, Grade: "A"} // a full scan takes long
	for _, o := range d.Before {
		r.Places = append(r.Places, history.Seen{Observation: o})
	}
	if _, err := l.h.File(t.Context(), "test", []history.Result{r}, history.Rules{}); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMetricsTellHowEverythingStands(t *testing.T) {
	l := estateOfEverything(t)
	m := l.metrics()
	m.Looked("x", watch.Verdict{State: watch.Critical}, time.Second)
	text := scrape(t, m)
	for _, want := range []string{
		`tlswright_monitor_state{target="web \"one\"\n"} 4`, `tlswright_monitor_state{target="files"} 3`, `tlswright_monitor_grade_info{target="files",grade="A"} 1`,
		fmt.Sprintf(`tlswright_monitor_last_look_timestamp_seconds{target="nobody"} %d`, l.now.Unix()),
		`ssl_probe_success{target="web \"one\"\n",ip="127.0.0.1"} 1`, `ssl_probe_success{target="nobody",ip="127.0.0.1"} 0`,
		`ssl_cert_not_after{target="web \"one\"\n",ip="127.0.0.1",key="RSA",depth="0"} 1`, `ssl_cert_not_after{target="web \"one\"\n",ip="127.0.0.1",key="ECDSA",depth="1"} 1`,
		`ssl_verified_cert_not_after{target="web \"one\"\n",ip="127.0.0.1",key="ECDSA",depth="0"} 1`, `ssl_cert_info{target="web \"one\"\n",ip="127.0.0.1",key="RSA",sha256="`,
		`ssl_tls_version_info{target="web \"one\"\n",ip="127.0.0.1",version="TLS 1.3"} 1`, `probe_tls_cipher_info{target="web \"one\"\n",ip="127.0.0.1",cipher="TLS_`,
		`tlswright_monitor_trusted{target="web \"one\"\n",ip="127.0.0.1",key="ECDSA",store="lab"} 1`, `ssl_ocsp_response_stapled{target="web \"one\"\n",ip="127.0.0.1",key="ECDSA"} 0`,
		`/site.pem",chain_no="0",depth="0"} 1`, `/missing.pem"} 0`, `probe_ssl_earliest_cert_expiry{target="web \"one\"\n"} 1`,
		`tlswright_monitor_targets{state="critical"} 1`, `tlswright_monitor_targets{state="error"} 2`, `tlswright_monitor_targets{state="ok"} 0`,
		`tlswright_monitor_incidents_open{severity="critical"} 2`, `tlswright_monitor_incidents_open_by_kind{kind="expiry"} 1`, `tlswright_monitor_deliveries_waiting{channel="ops"} 2`,
		`tlswright_monitor_looks_total{state="critical"} 1`, `tlswright_monitor_looks_total{state="ok"} 0`, `tlswright_monitor_look_duration_seconds_count 1`,
		`tlswright_monitor_schedule_lag_seconds_bucket{le="10"} 3`, `tlswright_monitor_looks_lost_total 1`, `tlswright_monitor_scrape_success 1`, `tlswright_build_info{`, `go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if again := scrape(t, m); len(again) < len(text)*9/10 {
		t.Errorf("the second page has %d bytes, the first %d", len(again), len(text))
	}
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range familyText() {
		if !strings.Contains(string(doc), "`"+f[0]) {
			t.Errorf("docs/metrics.md does not speak of %s", f[0])
		}
	}
}

func TestWhatWasServedGoesOnRunningOutInMetrics(t *testing.T) {
	l := newLab(t)
	s := l.server(l.leaf(pkitest.P256, 60*day))
	l.watched("web", s.address)
	m := l.metrics()
	line := regexp.MustCompile(`ssl_cert_not_after\{target="web",ip="127.0.0.1",key="ECDSA",depth="0"\} (\d+)`)
	l.check(0)
	before := line.FindString(scrape(t, m))
	s.stop()
	l.check(time.Hour)
	text := scrape(t, m)
	if !strings.Contains(text, `ssl_probe_success{target="web",ip="127.0.0.1"} 0`) || before == "" || line.FindString(text) != before {
		t.Errorf("before %q, with the server down %q", before, line.FindString(text))
	}
	if !strings.Contains(text, fmt.Sprintf(`tlswright_monitor_address_look_timestamp_seconds{target="web",ip="127.0.0.1"} %d`, l.now.Unix())) {
		t.Error("the time of the last look is not told")
	}
}

func TestMetricsAreForThisMachine(t *testing.T) {
	l := newLab(t)
	m := l.metrics()
	for _, c := range []struct {
		path, host string
		status     int
	}{{"/metrics", "rebound.example", 421}, {"/metrics", "localhost", 200}, {"/metrics", "[::1]:9465", 200}, {"/", "localhost", 404}, {"/healthz", "127.0.0.1", 200}} {
		if w := get(m, c.path, c.host); w.Code != c.status {
			t.Errorf("%s at %s: %d, want %d", c.path, c.host, w.Code, c.status)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/metrics", nil)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	if m.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Error(w.Code)
	}
	for range maxScrapes {
		m.slots <- struct{}{}
	}
	if w := get(m, "/metrics", "localhost"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("one reader more gets %d", w.Code)
	}
	for range maxScrapes {
		<-m.slots
	}
	packed, err := gzip.NewReader(get(m, "/metrics", "localhost", "Accept-Encoding", "gzip", "Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily").Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(packed); err != nil || !strings.Contains(string(text), "tlswright_monitor_scrape_success 1") {
		t.Errorf("%v", err)
	}
	l.watched("late", "127.0.0.1:1")
	l.start()
	if err := l.e.Synchronize(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(time.Hour)
	if w := get(m, "/healthz", "localhost"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "overdue") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := l.h.Close(); err != nil {
		t.Fatal(err)
	}
	if w := get(m, "/healthz", "localhost"); w.Code != http.StatusServiceUnavailable {
		t.Error(w.Code)
	}
	if text := scrape(t, m); !strings.Contains(text, "tlswright_monitor_scrape_success 0") {
		t.Error("a history that cannot be read is not told")
	}
}

// manyTargets files so many looks at servers that exist only here.
func manyTargets(t testing.TB, h *history.History, n int, now time.Time) {
	t.Helper()
	wanted := make([]history.Wanted, n)
	for i := range wanted {
		wanted[i] = history.Wanted{Name: fmt.Sprintf("host%05d.example.com:443", i), Spec: json.RawMessage(`{}`), First: now}
	}
	if _, err := h.Synchronize(t.Context(), history.FromFile, wanted); err != nil {
		t.Fatal(err)
	}
	ca := watch.Certificate{Fingerprint: strings.Repeat("ca", 32), Subject: "CN=Intermediate", Issuer: "CN=Root", NotBefore: now, NotAfter: now.Add(3000 * day), Key: "ECDSA P-256", IsCA: true}
	for {
		due, err := h.Claim(t.Context(), now, now.Add(time.Hour), "test", 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		var results []history.Result
		for i, d := range due {
			leaf := watch.Certificate{Fingerprint: fmt.Sprintf("%064x", now.UnixNano()+int64(i)), Subject: "CN=" + d.Name, Issuer: "CN=Intermediate, O=Example Trust Services, C=US", Names: []string{d.Name},
				Serial: "4c1e36a2b94f", NotBefore: now, NotAfter: now.Add(90 * day), Key: "ECDSA P-256", Pin: strings.Repeat("ab", 32), Signature: "ECDSA-SHA256"}
			o := &watch.Observation{Target: d.Name, Place: fmt.Sprintf("10.%d.%d.%d:443", i>>16, i>>8&255, i&255), Source: watch.Served, At: now, Outcome: watch.Answered, Version: "TLS 1.3",
				Suite: "TLS_AES_128_GCM_SHA256", Group: "X25519MLKEM768", Leaves: []watch.Leaf{{Chain: []watch.Certificate{leaf, ca}, Path: []watch.Certificate{leaf, ca}, Trust: []watch.Trust{{Store: "system", Trusted: true}}}}}
			results = append(results, history.Result{Target: d.Name, At: now, Next: now.Add(time.Hour), Places: []history.Seen{{Observation: o}}, Verdict: watch.Verdict{Leaf: leaf.NotAfter, Path: leaf.NotAfter, Sent: leaf.NotAfter}})
		}
		if _, err := h.File(t.Context(), "test", results, history.Rules{Incidents: incident.Rules{}}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMetricsOfManyTargetsAreWhole: nothing is left out, and no series is there twice.
func TestMetricsOfManyTargetsAreWhole(t *testing.T) {
	l := newLab(t)
	const n = 2000
	manyTargets(t, l.h, n, l.now)
	text := get(l.metrics(), "/metrics", "localhost").Body.String() // promlint takes minutes for so many
	seen := make(map[string]bool)
	count := 0
	for line := range strings.Lines(text) {
		series, _, _ := strings.Cut(line, "} ")
		if strings.HasPrefix(line, "#") || !strings.Contains(line, "{") {
			continue
		}
		if seen[series] {
			t.Fatalf("%s is there twice", series)
		}
		seen[series] = true
		if strings.HasPrefix(series, "ssl_cert_not_after{") {
			count++
		}
	}
	if count != 2*n {
		t.Errorf("%d ends of certificates, want %d", count, 2*n)
	}
}

func BenchmarkMetrics(b *testing.B) {
	h, err := history.Open(b.Context(), filepath.Join(b.TempDir(), "history.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	manyTargets(b, h, 10_000, time.Now())
	m := NewMetrics(MetricsOptions{History: h, Local: true})
	began := time.Now()
	size := get(m, "/metrics", "localhost").Body.Len()
	first := time.Since(began)
	b.ReportAllocs()
	for b.Loop() {
		w := &bodyOnly{header: make(http.Header), to: io.Discard}
		m.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
	}
	b.ReportMetric(float64(first.Milliseconds()), "ms/first")
	b.ReportMetric(float64(size), "bytes")
}

// exampleFolder holds what people load into Grafana and Prometheus.
const exampleFolder = "../../examples/grafana"

// TestExamplesNameMetricsThatExist holds the dashboard and the rules against what is served.
func TestExamplesNameMetricsThatExist(t *testing.T) {
	l := estateOfEverything(t)
	served := make(map[string]bool)
	for _, f := range familyText() {
		served[f[0]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)`).FindAllStringSubmatch(scrape(t, l.metrics()), -1) {
		served[m[1]] = true
		if m[2] == "histogram" {
			served[m[1]+"_bucket"], served[m[1]+"_count"], served[m[1]+"_sum"] = true, true, true
		}
	}
	names := regexp.MustCompile(`\b(ssl|probe|x509|tlswright|process|go)_[a-z0-9_]+`)
	check := func(where, expression string) {
		found := names.FindAllString(expression, -1)
		if len(found) == 0 {
			t.Errorf("%s: %q names no metric", where, expression)
		}
		for _, name := range found {
			if !served[name] {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(exampleFolder, "monitor-rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	alerts := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			alerts++
			check(r.Alert, r.Expr)
			if !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) || r.Annotations["summary"] == "" {
				t.Errorf("%s has no severity or no summary", r.Alert)
			}
		}
	}
	var board struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err = os.ReadFile(filepath.Join(exampleFolder, "monitor-dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	ids := make(map[int]bool)
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the number %d", p.ID)
		}
		ids[p.ID] = true
		for _, query := range p.Targets {
			check(p.Title, query.Expr)
		}
	}
	if alerts < 8 || len(board.Panels) < 8 {
		t.Errorf("%d alerts, %d panels", alerts, len(board.Panels))
	}
}

package admin

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/pki/crl"
)

var update = flag.Bool("update", false, "rewrite docs/admin-api.json")

// scrape reads metrics as Prometheus does.
func scrape(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Host = "127.0.0.1"
	h.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetricsTellWhatHappens(t *testing.T) {
	l := newLab(t)
	m := NewMetrics("1.2.3")
	l.au.Meter = m.Authority("default")
	l.au.Store.Observe(m.Wrote)
	l.serve(Options{Metrics: m})
	h := m.Requests("admin", AdminRoute, l.server)
	watched := Watched{Store: l.au.Store, Issuers: l.server.o.Issuers, Now: l.server.o.Now}
	m.Watch(watched)

	made := l.issue("a.test")
	l.refused(l.ask("POST", "/v1/certificates", IssueOrder{CSR: l.csr("a.test"), Names: []string{"a..test"}}), "refused")
	got[Certificate](l, l.ask("POST", "/v1/certificates/"+made.Serial+"/revoke", `{"reason":"superseded"}`), 200)
	got[[]CRLMade](l, l.ask("POST", "/v1/issuers/default/crl", "{}"), http.StatusCreated)
	l.acmeAccount("alice")
	l.acmeOrder("o", "alice", "b.test")
	_, err := l.au.Answer(t.Context(), l.au.Issuer.Certificate.SerialNumber)
	l.must(err)
	m.Ordered("pending")
	m.Validated("http-01", "", time.Second)
	m.Validated("dns-01", "dns", time.Millisecond)
	m.Refused("badNonce")
	m.Limited("order")
	m.Answered("good", true)
	m.Answered("revoked", false)
	m.Wrote(1, time.Second, errors.New("no space"))
	m.Authority("default").Submitted("log of somebody", time.Second, nil)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("BREW", "https://elsewhere.test/v1/status", nil))

	text := scrape(t, NewHealth(watched, m, true))
	for _, want := range []string{
		`tlswright_x509_signed_total{issuer="default",profile="server",success="true"} 2`, `tlswright_x509_signed_total{issuer="default",profile="server",success="false"} 1`,
		`tlswright_x509_revoked_total{issuer="default",reason="superseded"} 1`, `tlswright_signatures_total{issuer="default",purpose="crl"} 1`, `tlswright_signatures_total{issuer="default",purpose="ocsp"} 1`,
		`tlswright_acme_orders_total{status="pending"} 1`, `tlswright_acme_validation_duration_seconds_count{result="valid",type="http-01"} 1`, `tlswright_acme_validation_duration_seconds_count{result="dns",type="dns-01"} 1`,
		`tlswright_acme_problems_total{type="badNonce"} 1`, `tlswright_acme_ratelimit_denied_total{limit="order"} 1`,
		`tlswright_ocsp_responses_total{source="kept",status="good"} 1`, `tlswright_ocsp_responses_total{source="signed",status="revoked"} 1`,
		`tlswright_crl_number{issuer="default",scope="complete"} 1`, `tlswright_crl_entries{issuer="default",scope="complete"} 1`, `tlswright_crl_this_update_timestamp_seconds{issuer="default",scope="complete"} 1.7953`,
		`tlswright_certificate_not_after_timestamp_seconds{subject="CN=tlswright Intermediate CA`, `tlswright_certificates_unexpired 3`, `tlswright_certificates_revoked 1`,
		`tlswright_acme_accounts{status="valid"} 1`, `tlswright_acme_orders{status="valid"} 1`, `tlswright_store_write_errors_total 1`, `tlswright_store_write_duration_seconds_count`,
		`tlswright_ct_submission_duration_seconds_count{log="log of somebody",result="taken"} 1`, `tlswright_admin_refused_total{type="refused"} 1`, `tlswright_scrape_success 1`,
		`tlswright_http_request_duration_seconds_count{code="421",method="other",route="other",service="admin"} 1`, `tlswright_build_info{goversion="go`, `go_goroutines`, `process_`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "ca-admin.md"))
	l.must(err)
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (tlswright_\w+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(string(doc), "`"+name[1]) {
			t.Errorf("docs/ca-admin.md does not speak of %s", name[1])
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) != 0 {
		t.Errorf("%v %v", problems, err)
	}
	if over := l.as("read").ask("GET", "/metrics", nil); over.Code != 200 || !strings.Contains(over.Body.String(), "tlswright_build_info") {
		t.Errorf("%d %s", over.Code, over.Body)
	}
	l.serve(Options{})
	l.refused(l.ask("GET", "/metrics", nil), "not-found")
}

// TestMetersMeasureNothingWithoutMetrics: nil is what services have that nobody measures.
// TestFewReadTheMetricsAtATime holds the bound, no matter where they are read: each look costs the database something.
func TestFewReadTheMetricsAtATime(t *testing.T) {
	l := newLab(t)
	m := NewMetrics("")
	l.serve(Options{Metrics: m})
	looking, release := make(chan struct{}), make(chan struct{})
	m.Watch(Watched{Store: l.au.Store, Issuers: l.server.o.Issuers, Certificates: func() map[string]*x509.Certificate {
		looking <- struct{}{}
		<-release
		return nil
	}})
	var readers sync.WaitGroup
	for range maxScrapes {
		readers.Go(func() { l.ask("GET", "/metrics", nil) })
		<-looking
	}
	refused := make(chan int, 2)
	readers.Go(func() { refused <- l.ask("GET", "/metrics", nil).Code })
	readers.Go(func() {
		w := httptest.NewRecorder()
		NewHealth(Watched{}, m, false).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		refused <- w.Code
	})
	for range 2 {
		select {
		case status := <-refused:
			if status != http.StatusServiceUnavailable {
				t.Errorf("status %d", status)
			}
		case <-looking:
			t.Error("one more looks")
		}
	}
	close(release)
	readers.Wait()
}

func TestMetersMeasureNothingWithoutMetrics(t *testing.T) {
	var m *Metrics
	if m.Authority("x") != authority.Meter(nil) {
		t.Error("a meter")
	}
	h := http.NotFoundHandler()
	if w := httptest.NewRecorder(); true {
		m.Requests("x", AdminRoute, h).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 404 {
			t.Error(w.Code)
		}
	}
	m.Watch(Watched{})
	m.denied("x")
}

func TestRoutesAreFewWords(t *testing.T) {
	for path, want := range map[string]string{
		"/acme/directory": "directory", "/acme/ca/lab/directory": "directory", "/acme/ca/lab/new-order": "new-order", "/acme/order/X": "order", "/acme/order/X/finalize": "finalize",
		"/acme/acct/X/orders": "orders", "/acme/acct/X": "acct", "/acme/chall/A/B": "chall", "/acme/cert/4f/1": "cert", "/acme/": "other", "/acme/%00": "other", "/x": "other", "/acme/ca/": "other",
	} {
		r := httptest.NewRequest("GET", "https://ca.test"+path, nil)
		if got := ACMERoute(r); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for path, want := range map[string]string{"/": "page", "/ocsp/default/AAAA": "ocsp", "/crl/default.crl": "crl", "/ca/default.cer": "ca", "/sets/x": "sets", "/roots.pem": "roots.pem", "/wp-login.php": "other"} {
		if got := PublicRoute(httptest.NewRequest("GET", path, nil)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestHealthTellsWhatIsWrong(t *testing.T) {
	l := newLab(t)
	h := NewHealth(Watched{Store: l.au.Store, Issuers: l.server.o.Issuers, Now: l.server.o.Now}, nil, true)
	ask := func(path, host string) (int, string) {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	check := func(path string, status int, want string) {
		t.Helper()
		if code, body := ask(path, "localhost:9464"); code != status || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	check("/healthz", 200, `"ok"`)
	check("/readyz", 200, `"ok"`)
	check("/metrics", 404, "")
	check("/", 404, "")
	if code, _ := ask("/readyz", "rebound.example"); code != http.StatusMisdirectedRequest {
		t.Error(code)
	}
	if code, _ := ask("/readyz", "[::1]:9464"); code != 200 {
		t.Error(code)
	}
	end := l.au.Issuer.Certificate.NotAfter
	l.now = end.Add(time.Second)
	check("/readyz", 503, "issuer default")
	check("/healthz", 200, `"ok"`)
	l.now = end.Add(-time.Hour)
	h.Stop()
	check("/readyz", 503, "being stopped")
	other := newLab(t)
	l.must(other.au.Store.Close())
	h.o.Store = other.au.Store
	check("/readyz", 503, "records")
}

// TestTheAPIDescribesItself holds the OpenAPI document against the routes: each is in it and nothing else, all references
// lead somewhere, and the copy in the documentation is fresh.
func TestTheAPIDescribesItself(t *testing.T) {
	l := newLab(t)
	w := l.as("read").ask("GET", "/openapi.json", nil)
	var d struct {
		OpenAPI    string                                `json:"openapi"`
		Paths      map[string]map[string]json.RawMessage `json:"paths"`
		Components struct {
			Schemas map[string]struct {
				Type       string
				Properties map[string]json.RawMessage
			} `json:"schemas"`
		} `json:"components"`
	}
	text := w.Body.String()
	l.must(json.Unmarshal(w.Body.Bytes(), &d))
	if d.OpenAPI != "3.1.0" || len(d.Components.Schemas) < 15 {
		t.Errorf("%s, %d schemas", d.OpenAPI, len(d.Components.Schemas))
	}
	routes := 0
	for path, methods := range l.server.routes {
		for method, r := range methods {
			routes++
			var op struct {
				Summary     string
				OperationID string `json:"operationId"`
				Role        string `json:"x-role"`
				Responses   map[string]json.RawMessage
			}
			l.must(json.Unmarshal(d.Paths[path][strings.ToLower(method)], &op))
			if op.Summary == "" || op.OperationID == "" || op.Role != string(r.role) || len(op.Responses) != 2 {
				t.Errorf("%s %s: %+v", method, path, op)
			}
			if n := strings.Count(text, `"operationId": "`+op.OperationID+`"`); n != 1 {
				t.Errorf("%s is there %d times", op.OperationID, n)
			}
		}
	}
	described := 0
	for _, methods := range d.Paths {
		described += len(methods)
	}
	if described != routes {
		t.Errorf("%d described, %d served", described, routes)
	}
	for _, ref := range regexp.MustCompile(`"\$ref": "#/components/schemas/(\w+)"`).FindAllStringSubmatch(text, -1) {
		if s := d.Components.Schemas[ref[1]]; s.Type != "object" || len(s.Properties) == 0 {
			t.Errorf("%s leads nowhere", ref[1])
		}
	}
	file := filepath.Join("..", "..", "docs", "admin-api.json")
	if *update {
		l.must(os.WriteFile(file, []byte(text), 0o644))
	}
	if kept, err := os.ReadFile(file); err != nil || string(kept) != text {
		t.Errorf("%s is not fresh (%v): go test ./internal/admin -update", file, err)
	}
}

func TestReasonsAreThoseOfRevocation(t *testing.T) {
	for _, w := range knownReasons() {
		if r, err := crl.ParseReason(w); err != nil || r == crl.CertificateHold || r == crl.RemoveFromCRL {
			t.Errorf("%s: %v", w, err)
		}
	}
}

package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlsnet"
)

// askOver makes one request on a connection of its own to sni, for host.
func (w *world) askOver(leaf *pkitest.Leaf, sni, host, alpn string) (*http.Response, error) {
	w.t.Helper()
	c := w.client(sni, leaf)
	c.Core.ALPN = []string{alpn}
	tr := &tlsnet.Transport{Config: c, Connect: func(_ context.Context, network, _ string) (net.Conn, error) { return net.Dial(network, w.addr()) }}
	w.t.Cleanup(tr.CloseIdleConnections)
	req, err := http.NewRequest("GET", "https://"+sni+"/", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Host = host
	return tr.RoundTrip(req)
}

func TestHostOutsideOfTheServerNamesPolicyIsMisdirected(t *testing.T) {
	w := newWorld(t)
	open, other, closed := w.site("open", "open.test"), w.site("other", "other.test"), w.site("closed", "closed.test")
	open.Target, other.Target, closed.Target = config.Target{Status: 204}, config.Target{Status: 204}, config.Target{Status: 204}
	w.mutual(&closed)
	w.config.Sites = []config.Site{open, other, closed}
	w.start()
	for _, alpn := range tlsnet.HTTPProtocols() {
		for _, c := range []struct {
			sni, host string
			want      int
		}{
			{"open.test", "open.test", 204}, {"open.test", "OPEN.test.:443", 204}, {"open.test", "other.test", 204},
			{"open.test", "closed.test", 421}, {"open.test", "closed.test:8443", 421}, {"open.test", "nobody.test", 421},
		} {
			resp, err := w.askOver(nil, c.sni, c.host, alpn)
			if err != nil {
				t.Errorf("%s for %s over %s: %v", c.sni, c.host, alpn, err)
				continue
			}
			readAll(t, resp)
			if resp.StatusCode != c.want {
				t.Errorf("%s for %s over %s: %s, want %d", c.sni, c.host, alpn, resp.Status, c.want)
			}
		}
		alice := issueClient(w.ca, "alice")
		resp, err := w.askOver(alice, "closed.test", "open.test", alpn)
		if err != nil || resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("closed for open over %s: %v, %v", alpn, resp, err)
		}
	}
	d := w.told.denial(t, reasonMisdirected)
	if d.Layer != "http" || d.Status != 421 || d.Host == "" || d.Method != "GET" {
		t.Errorf("told: %+v", d)
	}
}

func TestRulesOfRoutes(t *testing.T) {
	w := newWorld(t)
	s := &w.config.Sites[0]
	s.Target = config.Target{Status: 204}
	w.mutual(s, access.Rule{Name: "allow[0]", CN: "*"})
	s.Clients.Mode = config.ClientsRequest
	s.Clients.Policy.Allow[0].Anyone = true
	s.Clients.Policy.Allow[0].CN = ""
	admin := &access.Policy{Allow: []access.Rule{{Name: "admin[0]", OU: "admins"}, {Name: "admin[1]", CN: "alice"}}}
	s.Routes = []config.Route{{Path: "/admin/", Policy: admin}, {Path: "/admin/open", Policy: &access.Policy{Allow: []access.Rule{{Anyone: true}}}, Target: &config.Target{Status: 205}},
		{Path: "=/exact", Target: &config.Target{Status: 206}}, {Path: "/write", Methods: []string{"POST"}, Target: &config.Target{Status: 207}}}
	w.start()
	alice, bob := issueClient(w.ca, "alice"), issueClient(w.ca, "bob")
	for _, c := range []struct {
		leaf *pkitest.Leaf
		path string
		want int
	}{
		{nil, "/", 204}, {nil, "/admin", 403}, {nil, "/admin/x", 403}, {nil, "/administrator", 204}, {bob, "/admin/x", 403}, {alice, "/admin/x", 204}, {alice, "/admin", 204},
		{nil, "/admin/open", 205}, {nil, "/admin/open/x", 205}, {nil, "/exact", 206}, {nil, "/exact/x", 204}, {nil, "/write", 405},
		{nil, "/x/../admin/x", 400}, {nil, "/%61dmin/x", 403}, {nil, "/%2561dmin/x", 400}, {nil, "//admin/x", 400}, {nil, "/x/..%2fadmin/x", 400}, {nil, "/x%5c..%5cadmin/x", 400},
		{nil, "/admin;v=1/x", 400}, {nil, "/./admin/x", 400}, {nil, "/x//y", 204}, {nil, "/a;b/c", 204},
	} {
		for _, alpn := range tlsnet.HTTPProtocols() {
			req, err := http.NewRequest("GET", "https://app.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Opaque = "//app.test" + c.path
			resp, err := w.http(c.leaf, alpn).Do(req)
			if err != nil {
				t.Errorf("%s: %v", c.path, err)
				continue
			}
			if body := readAll(t, resp); resp.StatusCode != c.want || c.want == 403 && !strings.Contains(body, "id: ") {
				t.Errorf("%s over %s: %s %q, want %d", c.path, alpn, resp.Status, body, c.want)
			}
		}
	}
	if d := w.told.denial(t, "no-certificate"); d.Route != "/admin/" || d.Status != 403 || d.Nearest == "" && d.Fix == "" {
		t.Errorf("told: %+v", d)
	}
	if d := w.told.denial(t, "no-rule"); d.Cert == nil || d.Rule != ruleDefault || d.Cert.Serial == "" {
		t.Errorf("told: %+v", d)
	}
}

func TestRefusedRequestsGetAPage(t *testing.T) {
	w := newWorld(t)
	s := &w.config.Sites[0]
	s.Page = true
	w.mutual(s, access.Rule{CN: "alice"})
	w.start()
	resp, body := get(t, w.http(issueClient(w.ca, "<b>bob</b>")), "https://app.test/")
	d := w.told.denial(t, "no-rule")
	if resp.StatusCode != 403 || !strings.Contains(body, d.ID) || strings.Contains(body, "<b>bob") || strings.Contains(body, "alice") || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%s\n%v\n%s", resp.Status, resp.Header, body)
	}
	if resp, _ := get(t, w.http(issueClient(w.ca, "alice")), "https://app.test/"); resp.StatusCode != 200 {
		t.Errorf("alice: %s", resp.Status)
	}
}

func TestSecurityHeaders(t *testing.T) {
	w := newWorld(t)
	w.config.Sites[0].Target = config.Target{Status: 404}
	strict := w.site("strict", "strict.test")
	strict.Headers = config.Headers{CSP: "strict", Frame: "SAMEORIGIN", HSTS: time.Hour, HSTSPreload: true, Extra: map[string]string{"referrer-policy": "", "X-Extra": "1"}}
	strict.Target = config.Target{URL: backend(t)}
	off := w.site("off", "off.test")
	off.Headers.Off = true
	local := w.site("local", "localhost")
	w.config.Sites = append(w.config.Sites, strict, off, local)
	w.start()
	for host, want := range map[string]map[string]string{
		"app.test": {"Strict-Transport-Security": "max-age=63072000", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "strict-origin-when-cross-origin", "Content-Security-Policy": ""},
		"strict.test": {"Strict-Transport-Security": "max-age=3600; includeSubDomains; preload", "X-Frame-Options": "SAMEORIGIN", "Content-Security-Policy": strictCSP,
			"Referrer-Policy": "", "X-Extra": "1", "X-Backend": "yes"},
		"off.test":  {"Strict-Transport-Security": "", "X-Frame-Options": ""},
		"localhost": {"Strict-Transport-Security": "", "X-Frame-Options": "DENY"},
	} {
		for _, alpn := range tlsnet.HTTPProtocols() {
			resp, _ := get(t, w.http(nil, alpn), "https://"+host+"/")
			for name, value := range want {
				if got := resp.Header.Get(name); got != value {
					t.Errorf("%s over %s: %s: %q, want %q", host, alpn, name, got, value)
				}
			}
		}
	}
}

func TestPlainRequestsAreRedirected(t *testing.T) {
	w := newWorld(t)
	silent := w.site("silent", "silent.test")
	silent.NoRedirect = true
	w.config.Sites = append(w.config.Sites, silent)
	w.config.Listeners = append(w.config.Listeners, config.Listener{Name: "plain", Address: "127.0.0.1:0", Protocol: config.ProtocolHTTP})
	w.start()
	_, port, _ := net.SplitHostPort(w.addr())
	for _, c := range []struct {
		method, host, path string
		status             int
		location           string
	}{
		{"GET", "app.test", "/a%20b?c=d", 301, "https://app.test:" + port + "/a%20b?c=d"}, {"HEAD", "APP.test:80", "/", 301, "https://app.test:" + port + "/"},
		{"POST", "app.test", "/", 308, "https://app.test:" + port + "/"}, {"GET", "evil.test", "/", 404, ""}, {"GET", "silent.test", "/", 404, ""},
		{"GET", "app.test", "//evil.test/x", 301, "https://app.test:" + port + "//evil.test/x"}, {"GET", "app.test", "/.well-known/acme-challenge/x", 301, "https://app.test:" + port + "/.well-known/acme-challenge/x"},
	} {
		nc, err := net.Dial("tcp", w.g.Addr("plain").String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		fmt.Fprintf(nc, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", c.method, c.path, c.host)
		resp, err := http.ReadResponse(bufio.NewReader(nc), &http.Request{Method: c.method})
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != c.status || resp.Header.Get("Location") != c.location {
			t.Errorf("%s %s of %s: %s to %q", c.method, c.path, c.host, resp.Status, resp.Header.Get("Location"))
		}
	}
}

func TestAccessLogAndMetrics(t *testing.T) {
	w := newWorld(t)
	w.config.AccessLog = filepath.Join(w.dir, "access.log")
	w.config.Metrics = "127.0.0.1:0"
	w.mutual(&w.config.Sites[0])
	w.start()
	get(t, w.http(issueClient(w.ca, "alice"), "h2"), "https://app.test/x%0ay?z=1")
	page := "http://" + w.g.MetricsAddr().String()
	_, metrics := get(t, http.DefaultClient, page+"/metrics")
	for _, want := range []string{`tlswright_gateway_requests_total{code="200",method="GET",site="app"} 1`, `tlswright_gateway_open_connections{listener="main"} 1`,
		`client_certificate="true",listener="main",resumed="false",site="app",version="TLS 1.3"} 1`, `tlswright_gateway_certificate_not_after_timestamp_seconds{key="ECDSA P-256"`, "go_goroutines", "process_open_fds"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
	if _, err := w.http(nil).Get("https://app.test/"); err == nil {
		t.Error("a client without a certificate was let in")
	}
	w.told.denial(t, "no-certificate")
	for path, want := range map[string]string{"/": "app.test", "/status.json": "app.test", "/healthz": "true", "/denials": "curl --cert", "/denials.json": `"reason": "no-certificate"`} {
		if resp, body := get(t, http.DefaultClient, page+path); resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %s\n%s", path, resp.Status, body)
		}
	}
	req, _ := http.NewRequest("GET", page+"/metrics", nil)
	req.Host = "rebound.test"
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("under another name: %v, %v", resp, err)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(w.config.AccessLog)
	if err != nil {
		t.Fatal(err)
	}
	var line AccessLine
	if err := json.Unmarshal(text, &line); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if line.Status != 200 || line.Client == "" || line.Serial == "" || line.Path != "/x%0ay?z=1" || line.Site != "app" || line.TLS != "TLS 1.3" || line.ALPN != "h2" || line.Host != "app.test" {
		t.Errorf("%s", text)
	}
}

func TestOperatorsPageIsForLoopbackOnly(t *testing.T) {
	w := newWorld(t)
	w.config.Metrics = "0.0.0.0:0"
	g, err := New(w.config, w.options)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Listen(); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("listen: %v", err)
	}
}

func TestEarlyRequestsThatMayBeReplayedAreAnswered425(t *testing.T) {
	w := newWorld(t)
	w.config.Sites[0].EarlyData = 16 << 10
	w.config.Sites[0].Target = config.Target{URL: backend(t)}
	w.start()
	c := w.client("app.test", nil)
	c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	d, err := tlsnet.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(text string) string {
		conn, err := d.DialEarly(t.Context(), "tcp", w.addr(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		early := conn.Facts().EarlyData.String()
		if early != "accepted" {
			conn.ForgetEarly()
			_, _ = io.WriteString(conn, text)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body := readAll(t, resp)
		if strings.Contains(body, "Early-Data: 1") {
			early += ", told"
		}
		return fmt.Sprint(resp.StatusCode, " ", early)
	}
	getText := "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
	post := "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi"
	first := ask(getText)
	if !strings.HasPrefix(first, "200") || strings.Contains(first, "accepted") {
		t.Errorf("the first: %s", first)
	}
	if again := ask(getText); again != "200 accepted, told" {
		t.Errorf("a safe one: %s", again)
	}
	if again := ask(post); again != "425 accepted" {
		t.Errorf("one that is not safe: %s", again)
	}
}

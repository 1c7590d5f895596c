package gateway

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// world is a gateway under test with the CA that its certificates and clients come from.
type world struct {
	t       *testing.T
	ca      *pkitest.CA
	dir     string
	config  *config.Gateway
	options Options
	g       *Gateway
	told    *told
	stop    func() error

	mu         sync.Mutex
	transports []*tlsnet.Transport
}

// told keeps what a gateway tells.
type told struct {
	mu     sync.Mutex
	events []Event
	fresh  chan struct{}
}

func (t *told) add(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
	select {
	case t.fresh <- struct{}{}:
	default:
	}
}

func (t *told) all() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Event(nil), t.events...)
}

// wait returns the first event that fits, when it has come.
func (t *told) wait(tb testing.TB, what string, fits func(Event) bool) Event {
	tb.Helper()
	end := time.After(time.Minute)
	for {
		for _, e := range t.all() {
			if fits(e) {
				return e
			}
		}
		select {
		case <-t.fresh:
		case <-end:
			tb.Fatalf("it was not told: %s; told: %v", what, t.all())
		}
	}
}

// denial waits for a refusal with a reason.
func (t *told) denial(tb testing.TB, reason string) *Denial {
	tb.Helper()
	return t.wait(tb, "a refusal for "+reason, func(e Event) bool { return e.Denial != nil && e.Denial.Reason == reason }).Denial
}

// newWorld lays a site "app" behind an https listener.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ca: pkitest.New(t, pkitest.P256), dir: t.TempDir(), told: &told{fresh: make(chan struct{}, 1)}}
	w.options = Options{Home: filepath.Join(w.dir, "home"), Events: w.told.add, Log: slog.New(slog.DiscardHandler), DenialsFile: filepath.Join(w.dir, "denials.jsonl"),
		AllowPrivate: true, Grace: 5 * time.Second}
	w.config = &config.Gateway{
		Listeners: []config.Listener{{Name: "main", Address: "127.0.0.1:0", Protocol: config.ProtocolHTTPS}},
		Sites:     []config.Site{w.site("app", "app.test")},
	}
	return w
}

// site makes a site with a certificate of files that answers with what it is asked.
func (w *world) site(name string, hosts ...string) config.Site {
	w.t.Helper()
	names := hosts
	if len(names) == 0 {
		names = []string{"localhost"}
	}
	f := w.ca.Server(pkitest.P256, names...).Files()
	return config.Site{Name: name, Hosts: hosts, Certificate: config.Certificates{Files: []config.CertificateFiles{{Chain: f.FullChain, Key: f.Key}}}, Target: config.Target{Echo: true}}
}

// mutual asks a site's clients for certificates of the world's CA.
func (w *world) mutual(s *config.Site, allow ...access.Rule) {
	s.Clients = &config.Clients{CA: []string{w.ca.RootFile()}, Revocation: config.RevocationOff}
	if len(allow) > 0 {
		s.Clients.Policy = &access.Policy{Allow: allow}
	}
}

// start serves until the test ends.
func (w *world) start() *world {
	w.t.Helper()
	g, err := New(w.config, w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		w.t.Fatal(err)
	}
	w.g = g
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx) }()
	var once sync.Once
	var result error
	w.stop = func() error {
		once.Do(func() {
			w.mu.Lock()
			for _, tr := range w.transports { // or the server would wait for them for a while
				tr.CloseIdleConnections()
			}
			w.mu.Unlock()
			cancel()
			result = <-ended
		})
		return result
	}
	w.t.Cleanup(func() {
		if err := w.stop(); err != nil {
			w.t.Errorf("serve: %v", err)
		}
	})
	return w
}

func (w *world) addr() string { return w.g.Addr(w.config.Listeners[0].Name).String() }

// client is a configuration for a client of a host; leaf nil: it has no certificate.
func (w *world) client(host string, leaf *pkitest.Leaf) *tlsnet.Config {
	c := &tlsnet.Config{Roots: w.ca.Roots(), ServerName: host}
	if leaf != nil {
		c.Identities = []tlsnet.Identity{{Chain: leaf.Chain, Key: leaf.Key}}
	}
	return c
}

// http makes an HTTP client whose connections go to the gateway, whatever the URL's host.
func (w *world) http(leaf *pkitest.Leaf, alpn ...string) *http.Client {
	c := &tlsnet.Config{Roots: w.ca.Roots()}
	if leaf != nil {
		c.Identities = []tlsnet.Identity{{Chain: leaf.Chain, Key: leaf.Key}}
	}
	c.Core.ALPN = alpn
	tr := &tlsnet.Transport{Config: c, Connect: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, w.addr())
	}}
	w.t.Cleanup(tr.CloseIdleConnections)
	w.mu.Lock()
	w.transports = append(w.transports, tr)
	w.mu.Unlock()
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// get asks and returns the answer with its body read.
func get(t testing.TB, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatalf("get %s: %v", url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// backend starts an HTTP server that answers with what it saw.
func backend(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Backend", "yes")
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s host=%s\n%s\n", r.Method, r.RequestURI, r.Host, body)
		for name, values := range r.Header {
			fmt.Fprintf(w, "%s: %s\n", name, strings.Join(values, "|"))
		}
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func issueClient(ca *pkitest.CA, cn string, sans ...string) *pkitest.Leaf {
	return ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileClient, CommonName: cn, SANs: sans})
}

func readAll(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tlsClient makes a TLS connection to the site app over a connection that is there.
func tlsClient(nc net.Conn, w *world) (*tlsnet.Conn, error) {
	c, err := tlsnet.Client(nc, w.client("app.test", nil))
	if err != nil {
		return nil, err
	}
	return c, c.Handshake()
}

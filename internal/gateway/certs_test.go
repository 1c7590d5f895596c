package gateway

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// ownCA lets the world's CA issue for the gateway, and counts.
func (w *world) ownCA() (issued func() int) {
	var mu sync.Mutex
	n := 0
	w.options.OwnRoots = w.ca.Roots()
	w.options.OwnCA = func(_ context.Context, names []string, key pki.KeyType) (keystore.Identity, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		if key != pki.P256 {
			w.t.Errorf("a key of type %s", key)
		}
		l := w.ca.Server(pkitest.P256, names...)
		return keystore.Identity{Chain: l.Chain, Key: l.Key}, nil
	}
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

func TestOwnCAIssuesOnceAndARestartNeedsNone(t *testing.T) {
	w := newWorld(t)
	issued := w.ownCA()
	w.config.Sites[0].Certificate = config.Certificates{Own: true}
	w.start()
	get(t, w.http(nil), "https://app.test/")
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w.start()
	get(t, w.http(nil), "https://app.test/")
	if n := issued(); n != 1 {
		t.Errorf("issued %d times", n)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	// Other names need another certificate, and so does one that is about to end.
	w.config.Sites[0].Hosts = []string{"app.test", "new.test"}
	w.start()
	get(t, w.http(nil), "https://new.test/")
	if n := issued(); n != 2 {
		t.Errorf("issued %d times", n)
	}
	_ = w.stop()
	later := time.Now().Add(80 * 24 * time.Hour)
	w.options.Now = func() time.Time { return later }
	w.ca.Now = later
	w.start()
	if n := issued(); n != 3 {
		t.Errorf("issued %d times", n)
	}
}

func TestDefaultSiteHasACertificateForThisMachine(t *testing.T) {
	w := newWorld(t)
	w.ownCA()
	w.config.Sites = []config.Site{{Target: config.Target{Echo: true}}}
	w.start()
	c := &tlsnet.Config{Roots: w.ca.Roots()}
	for _, host := range []string{"localhost", "127.0.0.1"} {
		c.ServerName = host
		conn, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), c)
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		_ = conn.Close()
	}
}

func TestPairsOfKeyTypes(t *testing.T) {
	w := newWorld(t)
	s := &w.config.Sites[0]
	r := w.ca.Server(pkitest.RSA2048, "app.test").Files()
	s.Certificate.Files = append(s.Certificate.Files, config.CertificateFiles{Chain: r.FullChain, Key: r.Key})
	w.start()
	for scheme, want := range map[wire.SignatureScheme]string{wire.SchemeECDSASecp256r1SHA256: "ECDSA", wire.SchemeRSAPSSRSAESHA256: "RSA"} {
		c := w.client("app.test", nil)
		c.Core.Schemes = []wire.SignatureScheme{scheme, wire.SchemeECDSASecp256r1SHA256}
		if want == "RSA" {
			c.Core.Schemes = []wire.SignatureScheme{scheme}
			c.Insecure = true // its chain is signed with ECDSA
		}
		conn, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), c)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if got := conn.Peer().Leaf.PublicKeyAlgorithm.String(); got != want {
			t.Errorf("%s: got %s", want, got)
		}
		_ = conn.Close()
	}
}

func TestTicketKeysAreShared(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tickets")
	put := func(lines string) {
		t.Helper()
		if err := keystore.WriteFile(file, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one := "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3"
	two := "YWJjZGVmZ2hpamFiY2RlZmdoaWphYmNkZWZnaGlqYWJjZGVmZ2hpamFiY2RlZmdo"
	put("# shared\n" + one + "\n")
	first := newWorld(t)
	first.config.Tickets = file
	first.start()
	second := newWorld(t)
	second.ca, second.config.Sites = first.ca, first.config.Sites
	second.config.Tickets = file
	second.start()
	sessions := &oneSession{}
	connect := func(w *world) bool {
		c := w.client("app.test", nil)
		c.Sessions = sessions
		c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
		conn, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
		_, _ = io.ReadAll(conn)
		return conn.Facts().Resumed
	}
	if connect(first) {
		t.Error("resumed out of nothing")
	}
	if !connect(second) {
		t.Error("the ticket of one node does not open at the other")
	}
	// A new key before the old one: tickets of before still open.
	put(two + "\n" + one + "\n")
	for _, w := range []*world{first, second} {
		if err := w.g.readTickets(file); err != nil {
			t.Fatal(err)
		}
	}
	if !connect(first) || !connect(second) {
		t.Error("a new key has ended what the old one opens")
	}
	put(one)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(first.config, Options{}); err == nil || !strings.Contains(err.Error(), "tickets") {
		t.Errorf("keys that others can read: %v", err)
	}
}

func FuzzTicketFile(f *testing.F) {
	f.Add([]byte("# c\n2026-01-02T15:04:05Z MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3\n"))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		now := time.Unix(1_800_000_000, 0)
		keys, err := parseTicketFile(text, now)
		if err == nil && (len(keys) == 0 || len(keys) > maxTicketKeys) {
			t.Errorf("%d keys", len(keys))
		}
	})
}

// acmeCA is an ACME server of ours, for which every name leads to loopback. It looks for proofs on the ports of the world's
// listeners, which are known once it is asked for the first time.
func acmeCA(t *testing.T, w *world) (directory string, transport http.RoundTripper, root *x509.Certificate) {
	t.Helper()
	home := filepath.Join(t.TempDir(), "ca")
	made, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := authority.OpenHome(t.Context(), home, authority.HomeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	names := loopbackNames(t)
	serve := sync.OnceValue(func() http.Handler { return acmeHandler(t, w, a, names) })
	front := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) { serve().ServeHTTP(out, r) }))
	t.Cleanup(front.Close)
	return front.URL + "/acme/directory", front.Client().Transport, made.Root
}

func acmeHandler(t *testing.T, w *world, a *authority.Authority, names string) http.Handler {
	port := func(name string) int { return w.g.bound(name).(*net.TCPAddr).Port }
	validator, err := challenge.New(challenge.Options{Gate: fetch.Gate{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, NoCAA: true,
		Perspectives: []challenge.Perspective{{Resolver: resolve.New(resolve.Options{Server: names})}}, HTTPPort: port("plain"), TLSPort: port("main")})
	if err != nil {
		t.Error(err)
		return http.NotFoundHandler()
	}
	t.Cleanup(validator.Close)
	server, err := acmeserver.New(t.Context(), acmeserver.Options{Store: a.Store, Validator: validator, Directories: []acmeserver.Directory{{Authority: a}}})
	if err != nil {
		t.Error(err)
		return http.NotFoundHandler()
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// loopbackNames is a DNS server that says 127.0.0.1 to everything.
func loopbackNames(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { _ = s.Shutdown() })
	return pc.LocalAddr().String()
}

func TestACMEIsAnsweredByTheGatewayItself(t *testing.T) {
	for _, kind := range []string{"tls-alpn-01", "http-01"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			directory, transport, root := acmeCA(t, w)
			tree, err := acmeclient.OpenTree(filepath.Join(w.dir, "tree"))
			if err != nil {
				t.Fatal(err)
			}
			var ahead atomic.Int64
			w.options.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			w.options.Tree, w.options.Transport = tree, transport
			w.config.Sites[0].Certificate = config.Certificates{ACME: &config.ACME{Directory: directory, Challenge: kind, Email: "ops@app.test"}}
			w.config.Listeners = append(w.config.Listeners, config.Listener{Name: "plain", Protocol: config.ProtocolHTTP, Address: "127.0.0.1:0"})
			w.start()
			w.told.wait(t, "the certificate", func(e Event) bool { return e.Kind == "certificate" })
			c := &tlsnet.Config{Roots: []*x509.Certificate{root}, ServerName: "app.test"}
			shown := func() string {
				t.Helper()
				conn, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), c)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				return conn.Peer().Leaf.SerialNumber.String()
			}
			serial := shown()
			// When it is time, it is renewed in the same way.
			ahead.Store(int64(75 * 24 * time.Hour))
			site := w.g.state.Load().sites[0]
			if due := site.source.due(w.g.o.Now()); due.After(w.g.o.Now()) {
				t.Errorf("due on %v only", due)
			}
			if err := site.source.renew(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := w.g.reloadSite(t.Context(), site, "renewed"); err != nil {
				t.Fatal(err)
			}
			ahead.Store(0)
			if again := shown(); again == serial {
				t.Error("it was not renewed")
			} else {
				serial = again
			}
			if err := w.stop(); err != nil {
				t.Fatal(err)
			}
			// A restart finds it on disk, with nobody to ask.
			w.options.Transport = http.NewFileTransport(http.Dir(w.dir))
			w.start()
			if again := shown(); again != serial {
				t.Error("another certificate after the restart")
			}
			// Whoever asks without an order gets nothing.
			c.Core.ALPN = []string{"acme-tls/1"}
			if _, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), c); err == nil {
				t.Error("a validation without an order was answered")
			}
		})
	}
}

func TestKeysThatOthersCanReadAreRefused(t *testing.T) {
	w := newWorld(t)
	if err := os.Chmod(w.config.Sites[0].Certificate.Files[0].Key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(w.config, w.options); err == nil || !strings.Contains(err.Error(), "chmod") && !strings.Contains(err.Error(), "read") {
		t.Errorf("%v", err)
	}
}

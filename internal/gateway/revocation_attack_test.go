package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// The tests here try to be served with a certificate that was revoked.

// witness is a connection whose end says that the gateway has heard of a revocation.
func (w *world) witness(leaf *pkitest.Leaf) (heard func()) {
	w.t.Helper()
	c, err := tlsnet.Dial(w.t.Context(), "tcp", w.addr(), w.http1(leaf))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	in := bufio.NewReader(c)
	if status, err := w.request(c, in, "app.test"); err != nil || status != http.StatusOK {
		w.t.Fatalf("the witness: %d, %v", status, err)
	}
	return func() {
		w.t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := in.ReadByte(); err == nil || os.IsTimeout(err) {
			w.t.Fatalf("the gateway has not heard of it: %v", err)
		}
	}
}

func (w *world) http1(leaf *pkitest.Leaf) *tlsnet.Config {
	c := w.client("app.test", leaf)
	c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	return c
}

func (w *world) request(c io.Writer, in *bufio.Reader, host string) (int, error) {
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (w *world) revoke(a *authority.Authority, leaf *pkitest.Leaf) {
	w.t.Helper()
	if err := a.Revoke(context.Background(), leaf.Certificate.SerialNumber, crl.KeyCompromise, time.Time{}); err != nil {
		w.t.Fatal(err)
	}
}

// visit makes a connection and a request, and tells whether the session was resumed.
func (w *world) visit(d *tlsnet.Dialer) (resumed bool, status int, err error) {
	w.t.Helper()
	c, err := d.Dial(w.t.Context(), "tcp", w.addr())
	if err != nil {
		return false, 0, err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for range 2 { // the tickets come behind the first answer
		if status, err = w.request(c, in, "app.test"); err != nil {
			return c.Facts().Resumed, status, err
		}
	}
	return c.Facts().Resumed, status, nil
}

func TestRevokedClientResumesNothing(t *testing.T) {
	for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		t.Run(version.String(), func(t *testing.T) {
			w := newWorld(t)
			a, alice := w.estate(true)
			w.start()
			c := w.http1(alice)
			c.Core.MinVersion, c.Core.MaxVersion = version, version
			d, err := tlsnet.NewDialer(c)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				if resumed, status, err := w.visit(d); err != nil || status != 200 || resumed != (i > 0) {
					t.Fatalf("%d: resumed %v, %d, %v", i, resumed, status, err)
				}
			}
			heard := w.witness(alice)
			w.revoke(a, alice)
			heard()
			for range 2 {
				resumed, status, err := w.visit(d)
				if err == nil || status == 200 || resumed || !strings.Contains(err.Error(), "certificate_revoked") {
					t.Errorf("resumed %v, %d, %v", resumed, status, err)
				}
			}
		})
	}
}

// Early data comes before the client's certificate is looked at anew - unless the ticket is judged first.
func TestRevokedClientSendsNothingEarly(t *testing.T) {
	w := newWorld(t)
	a, alice := w.estate(true)
	var served atomic.Int32
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) })}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	s := &w.config.Sites[0]
	s.Target = config.Target{URL: "http://" + l.Addr().String()}
	s.EarlyData, s.Clients.Mode = 16<<10, config.ClientsRequest
	s.Clients.Policy = &access.Policy{Allow: []access.Rule{{Name: "alice", CN: "alice"}}}
	w.start()
	d, err := tlsnet.NewDialer(w.http1(alice))
	if err != nil {
		t.Fatal(err)
	}
	early := func() (string, error) {
		c, err := d.DialEarly(t.Context(), "tcp", w.addr(), []byte("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"))
		if err != nil {
			return "", err
		}
		defer c.Close()
		became := c.Facts().EarlyData.String()
		if became != "accepted" {
			c.ForgetEarly()
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"); err != nil {
				return became, err
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return became, err
		}
		return fmt.Sprint(became, " ", resp.StatusCode), nil
	}
	if _, err := early(); err != nil {
		t.Fatal(err)
	}
	if became, err := early(); err != nil || became != "accepted 200" {
		t.Fatalf("a good client: %s, %v", became, err)
	}
	heard := w.witness(alice)
	before := served.Load()
	w.revoke(a, alice)
	heard()
	for range 3 {
		if became, err := early(); err == nil || strings.Contains(became, "accepted") {
			t.Errorf("%s, %v", became, err)
		}
	}
	if n := served.Load(); n != before {
		t.Errorf("%d requests of a revoked client were handed on", n-before)
	}
}

// Two sites, one of which does not look at revocation: a connection to it carries no request for the other.
func TestRevokedClientDoesNotComeInByAnotherSite(t *testing.T) {
	w := newWorld(t)
	a, alice := w.estate(true)
	lax := w.site("lax", "lax.test")
	lax.Clients = &config.Clients{OwnCA: true, Revocation: config.RevocationOff}
	soft := w.site("soft", "soft.test")
	soft.Clients = &config.Clients{OwnCA: true, Revocation: config.RevocationSoft, CloseOnRevoke: true}
	w.config.Sites = append(w.config.Sites, lax, soft)
	w.start()
	heard := w.witness(alice)
	w.revoke(a, alice)
	heard()
	for _, alpn := range tlsnet.HTTPProtocols() {
		for host, want := range map[string]int{"lax.test": 200, "app.test": 421, "soft.test": 421} {
			resp, err := w.askOver(alice, "lax.test", host, alpn)
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, resp)
			if resp.StatusCode != want {
				t.Errorf("%s over %s: %s", host, alpn, resp.Status)
			}
		}
		if _, err := w.askOver(alice, "soft.test", "soft.test", alpn); err == nil || !strings.Contains(err.Error(), "certificate_revoked") {
			t.Errorf("soft over %s: %v", alpn, err)
		}
	}
}

// The connection was made when nobody looked at revocation.
func TestRevokedClientIsFoundByAReload(t *testing.T) {
	for _, alpn := range tlsnet.HTTPProtocols() {
		w := newWorld(t)
		a, alice := w.estate(false)
		w.config.Sites[0].Clients.Revocation = config.RevocationOff
		w.start()
		w.revoke(a, alice)
		c := w.http(alice, alpn)
		if resp, _ := get(t, c, "https://app.test/"); resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
		w.reload(func(c *config.Gateway) { c.Sites[0].Clients.Revocation = config.RevocationHard })
		if resp, _ := get(t, c, "https://app.test/"); resp.StatusCode != 403 {
			t.Errorf("over %s: %s", alpn, resp.Status)
		}
	}
}

// A stream has no requests that could be refused: the reload itself has to end it.
func TestRevokedClientsStreamIsFoundByAReload(t *testing.T) {
	w := newWorld(t)
	a, alice := w.estate(false)
	w.config.Sites[0].Clients.Revocation = config.RevocationOff
	w.stream(config.Target{Echo: true})
	w.start()
	c, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), w.client("app.test", alice))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := converse(c, "x"); err != nil || got != "x" {
		t.Fatal(got, err)
	}
	w.revoke(a, alice)
	w.reload(func(c *config.Gateway) { c.Sites[0].Clients.Revocation = config.RevocationHard })
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the open connection: %v", err)
	}
}

// Settings change, the connection stays open, and so does the promise to close it.
func TestRevokingClosesConnectionsOlderThanTheSettings(t *testing.T) {
	w := newWorld(t)
	a, alice := w.estate(true)
	w.start()
	heard := w.witness(alice)
	for range 3 {
		w.reload(func(c *config.Gateway) {
			c.Sites[0].Clients.Revocation = config.RevocationSoft
			c.Sites[0].Headers.Off = !c.Sites[0].Headers.Off
		})
		w.reload(func(c *config.Gateway) { c.Sites[0].Clients.Revocation = config.RevocationHard })
	}
	w.revoke(a, alice)
	heard()
}

// After a restart there are neither records nor network, and the site lets in whose status is not known.
func TestRevokedClientDoesNotComeBackWithARestart(t *testing.T) {
	w := newWorld(t)
	a, alice := w.estate(true)
	w.start()
	heard := w.witness(alice)
	w.revoke(a, alice)
	heard()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w.options.Live = nil
	w.config.Sites[0].Clients.Revocation = config.RevocationSoft
	w.start()
	if _, err := w.http(alice).Get("https://app.test/"); err == nil || !strings.Contains(err.Error(), "certificate_revoked") {
		t.Errorf("%v", err)
	}
}

// A ticket of one node is taken by the other, which has heard of the revocation in its own way.
func TestRevokedClientDoesNotResumeOnAnotherNode(t *testing.T) {
	w := newWorld(t)
	a, alice := w.estate(true)
	w.config.Tickets = filepath.Join(w.dir, "tickets")
	if err := keystore.WriteFile(w.config.Tickets, []byte(strings.Repeat("abcd", 16)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	one := w.addr()
	stopOne := w.stop
	w.options.Home = filepath.Join(w.dir, "second")
	w.options.DenialsFile = filepath.Join(w.dir, "second.jsonl")
	w.start()
	two := w.addr()
	sessions := &oneSession{}
	at := func(addr string) (resumed bool, err error) {
		c := w.http1(alice)
		c.Sessions = sessions
		conn, err := tlsnet.Dial(t.Context(), "tcp", addr, c)
		if err != nil {
			return false, err
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for range 2 {
			if status, err := w.request(conn, in, "app.test"); err != nil || status != 200 {
				return conn.Facts().Resumed, fmt.Errorf("%d, %w", status, err)
			}
		}
		return conn.Facts().Resumed, nil
	}
	if resumed, err := at(one); err != nil || resumed {
		t.Fatal(resumed, err)
	}
	if resumed, err := at(two); err != nil || !resumed {
		t.Fatalf("the nodes share no tickets: %v, %v", resumed, err)
	}
	heard := w.witness(alice)
	w.revoke(a, alice)
	heard()
	if resumed, err := at(two); err == nil || resumed {
		t.Errorf("resumed %v, %v", resumed, err)
	}
	if err := stopOne(); err != nil {
		t.Error(err)
	}
}

// A connection that was handed over as a whole, as WebSockets are, is cut as well.
func TestRevokingCutsUpgradedConnections(t *testing.T) {
	w := newWorld(t)
	a, alice := w.estate(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			gone <- err
			return
		}
		defer c.Close()
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err != nil {
			gone <- err
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, err = io.Copy(c, in)
		gone <- err
	}()
	t.Cleanup(func() { _ = l.Close() })
	w.config.Sites[0].Target = config.Target{URL: "http://" + l.Addr().String()}
	w.start()
	c, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), w.http1(alice))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(c)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	_, _ = io.WriteString(c, "hello")
	if _, err := io.ReadFull(in, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	w.revoke(a, alice)
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := in.ReadByte(); err == nil || os.IsTimeout(err) {
		t.Errorf("the client's side: %v", err)
	}
	select {
	case <-gone:
	case <-time.After(time.Minute):
		t.Error("the upstream's side is still open")
	}
}

// A list that comes to name the certificate ends its connections as the records do.
func TestNewCRLClosesOpenConnections(t *testing.T) {
	w := newWorld(t)
	alice := issueClient(w.ca, "alice")
	file := filepath.Join(w.dir, "ca.crl")
	publish := func(number int64, entries ...crl.Entry) {
		der, err := crl.Create(crl.Template{Number: big.NewInt(number), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour), Entries: slices.Values(entries)}, w.ca.Intermediate, w.ca.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := keystore.WriteFile(file, der, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	publish(1)
	w.mutual(&w.config.Sites[0])
	cl := w.config.Sites[0].Clients
	cl.Revocation, cl.CRL, cl.CloseOnRevoke = config.RevocationHard, []string{file}, true
	w.start()
	heard := w.witness(alice)
	publish(2, crl.Entry{Serial: alice.Certificate.SerialNumber.Bytes(), RevokedAt: time.Now(), Reason: crl.KeyCompromise})
	heard()
	if _, err := w.http(alice).Get("https://app.test/"); err == nil || !strings.Contains(err.Error(), "certificate_revoked") {
		t.Errorf("%v", err)
	}
}

// A certificate that is signed with the CA's key and is not in its books was not issued by the CA.
func TestCertificateThatIsNotInTheBooksIsRefused(t *testing.T) {
	w := newWorld(t)
	_, alice := w.estate(false)
	w.start()
	if resp, _ := get(t, w.http(alice), "https://app.test/"); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	ca, err := keystore.OpenCA(filepath.Join(w.dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ca.Issuer().Issue(pki.Request{Profile: pki.ProfileClient, CommonName: "alice", Key: alice.Key.Public()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	forged := &pkitest.Leaf{Certificate: c, Chain: append([][]byte{c.Raw}, ca.Chain()...), Key: alice.Key}
	if _, err := w.http(forged).Get("https://app.test/"); err == nil || !strings.Contains(err.Error(), "certificate_unknown") {
		t.Errorf("%v", err)
	}
	if d := w.told.wait(t, "the refusal", func(e Event) bool { return e.Denial != nil }).Denial; !strings.Contains(d.Text, "know of no such certificate") {
		t.Errorf("told: %v", d)
	}
}

// Who is not trusted cannot make us ask anybody: nothing that a certificate names is fetched before its chain is verified.
func TestNothingIsFetchedForStrangers(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.NotFound(out, r)
	}))
	defer server.Close()
	naming := func(ca *pkitest.CA) *pkitest.Leaf {
		return ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileClient, CommonName: "alice", OCSPServers: []string{server.URL}, CRLDistributionPoints: []string{server.URL + "/crl"},
			IssuingCertificateURLs: []string{server.URL + "/issuer"}})
	}
	w.mutual(&w.config.Sites[0])
	w.config.Sites[0].Clients.Revocation = config.RevocationHard
	w.start()
	stranger := naming(pkitest.New(t, pkitest.P256))
	alone := &pkitest.Leaf{Certificate: stranger.Certificate, Chain: stranger.Chain[:1], Key: stranger.Key}
	for _, leaf := range []*pkitest.Leaf{stranger, alone, naming(w.ca.Namesake())} {
		if _, err := w.http(leaf).Get("https://app.test/"); err == nil {
			t.Error("a stranger was served")
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("asked %d times for strangers", n)
	}
	if _, err := w.http(naming(w.ca)).Get("https://app.test/"); err == nil {
		t.Error("served though nobody knows the status")
	}
	if asked.Load() == 0 {
		t.Error("nobody was asked about our own")
	}
}

// The CA's records are in PostgreSQL, and another node revokes: the gateway's node hears of it.
func TestRevokingOnAnotherNodeTakesEffect(t *testing.T) {
	w := newWorld(t)
	a, alice := w.estateIn(pkitest.Postgres(t, false), true)
	w.start()
	heard := w.witness(alice)
	d, err := tlsnet.NewDialer(w.http1(alice))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if resumed, status, err := w.visit(d); err != nil || status != 200 || resumed != (i > 0) {
			t.Fatalf("%d: resumed %v, %d, %v", i, resumed, status, err)
		}
	}
	w.revoke(a, alice)
	heard()
	if resumed, status, err := w.visit(d); err == nil || resumed || !strings.Contains(err.Error(), "certificate_revoked") {
		t.Errorf("resumed %v, %d, %v", resumed, status, err)
	}
}

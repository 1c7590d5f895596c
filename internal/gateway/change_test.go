package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/revoked"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/tlsnet"
)

// changed is the world's configuration with a change, as a file that is read again would give it.
func (w *world) changed(edit func(*config.Gateway)) *config.Gateway {
	c := *w.config
	c.Sites = slices.Clone(c.Sites)
	c.Listeners = slices.Clone(c.Listeners)
	for i := range c.Sites {
		c.Sites[i].Certificate.Files = slices.Clone(c.Sites[i].Certificate.Files)
		if cl := c.Sites[i].Clients; cl != nil {
			other := *cl
			c.Sites[i].Clients = &other
		}
	}
	edit(&c)
	return &c
}

func (w *world) reload(edit func(*config.Gateway)) []Change {
	w.t.Helper()
	c := w.changed(edit)
	changes, err := w.g.Reload(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.config = c
	return changes
}

func allow(cn string) *access.Policy {
	return &access.Policy{Allow: []access.Rule{{Name: "allow", CN: cn}}}
}

func TestReloadHoldsForRequestsOnOpenConnections(t *testing.T) {
	for _, alpn := range tlsnet.HTTPProtocols() {
		t.Run(strings.ReplaceAll(alpn, "/", ""), func(t *testing.T) {
			w := newWorld(t)
			w.mutual(&w.config.Sites[0], access.Rule{CN: "alice"})
			w.start()
			c := w.http(issueClient(w.ca, "alice"), alpn)
			if resp, _ := get(t, c, "https://app.test/"); resp.StatusCode != 200 {
				t.Fatal(resp.Status)
			}
			changes := w.reload(func(c *config.Gateway) { c.Sites[0].Clients.Policy = allow("bob") })
			if len(changes) != 1 || changes[0] != (Change{"site", "app", "changed"}) {
				t.Errorf("changes: %v", changes)
			}
			if resp, _ := get(t, c, "https://app.test/"); resp.StatusCode != 403 {
				t.Errorf("alice, after the rules have changed: %s", resp.Status)
			}
			w.reload(func(c *config.Gateway) { c.Sites[0].Clients.Policy = allow("alice") })
			if resp, _ := get(t, c, "https://app.test/"); resp.StatusCode != 200 {
				t.Errorf("alice, after they have changed again: %s", resp.Status)
			}
		})
	}
}

func TestReloadClosesStreamsThatTheRulesRefuse(t *testing.T) {
	w := newWorld(t)
	s := w.stream(config.Target{Echo: true})
	w.mutual(s, access.Rule{CN: "*"})
	w.start()
	dial := func(cn string) *tlsnet.Conn {
		c, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), w.client("app.test", issueClient(w.ca, cn)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	alice, bob := dial("alice"), dial("bob")
	w.reload(func(c *config.Gateway) { c.Sites[0].Clients.Policy = allow("alice") })
	_ = bob.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := bob.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("bob's connection: %v", err)
	}
	if d := w.told.denial(t, "no-rule"); d.Cert == nil || !strings.Contains(d.Cert.Subject, "bob") {
		t.Errorf("told: %v", d)
	}
	if got, err := converse(alice, "still"); err != nil || got != "still" {
		t.Errorf("alice's connection: %q, %v", got, err)
	}
}

func TestReloadIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	w.start()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, edit := range map[string]func(*config.Gateway){
		"certificate that is missing": func(c *config.Gateway) { c.Sites[0].Certificate.Files[0].Chain = filepath.Join(w.dir, "none") },
		"address that is taken": func(c *config.Gateway) {
			c.Listeners = append(c.Listeners, config.Listener{Name: "free", Address: "127.0.0.1:0", Protocol: config.ProtocolHTTPS}, config.Listener{Name: "taken", Address: taken.Addr().String(), Protocol: config.ProtocolHTTPS})
		},
		"site without a listener": func(c *config.Gateway) {
			c.Listeners[0].Sites = []string{"app"}
			c.Sites = append(c.Sites, w.site("lost", "lost.test"))
		},
		"user": func(c *config.Gateway) { c.User = "nobody" },
	} {
		c := w.changed(edit)
		c.Sites[0].Certificate.Files = slices.Clone(c.Sites[0].Certificate.Files)
		if name == "certificate that is missing" {
			c.Sites[0].Certificate = config.Certificates{Files: []config.CertificateFiles{{Chain: filepath.Join(w.dir, "none")}}}
		}
		c.Sites[0].Target = config.Target{Status: 204}
		if _, err := w.g.Reload(c); err == nil {
			t.Errorf("%s: no error", name)
		}
		if resp, _ := get(t, w.http(nil), "https://app.test/"); resp.StatusCode != 200 {
			t.Errorf("%s: %s", name, resp.Status)
		}
		if w.g.Addr("free") != nil {
			t.Errorf("%s: a listener was kept", name)
		}
	}
}

func TestReloadAddsAndRemovesListeners(t *testing.T) {
	w := newWorld(t)
	w.config.Listeners[0].Address = freeAddress(t) // which nobody else is given once it is free
	w.start()
	first := w.addr()
	w.reload(func(c *config.Gateway) {
		c.Listeners = []config.Listener{{Name: "second", Address: "127.0.0.1:0", Protocol: config.ProtocolHTTPS}}
	})
	if resp, _ := get(t, w.http(nil), "https://app.test/"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if c, err := net.Dial("tcp", first); err == nil {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Error("the old address still takes connections")
		}
		_ = c.Close()
	}
}

func TestResumedSessionsAreJudgedByTheRulesOfNow(t *testing.T) {
	w := newWorld(t)
	w.mutual(&w.config.Sites[0], access.Rule{CN: "alice"})
	w.start()
	c := w.client("app.test", issueClient(w.ca, "alice"))
	c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	d, err := tlsnet.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	connect := func() (resumed bool, err error) {
		conn, err := d.Dial(t.Context(), "tcp", w.addr())
		if err != nil {
			return false, err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n"); err != nil {
			return false, err
		}
		_, err = io.ReadAll(conn)
		return conn.Facts().Resumed, err
	}
	if resumed, err := connect(); err != nil || resumed {
		t.Fatalf("first: %v, %v", resumed, err)
	}
	if resumed, err := connect(); err != nil || !resumed {
		t.Fatalf("second: resumed %v, %v", resumed, err)
	}
	w.reload(func(c *config.Gateway) { c.Sites[0].Clients.Policy = allow("bob") })
	if _, err := connect(); err == nil || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("after the rules have changed: %v", err)
	}
}

func TestTicketsOfOneSiteDoNotOpenAnother(t *testing.T) {
	w := newWorld(t)
	two := w.site("two", "app.test", "two.test")
	two.Hosts = []string{"two.test"}
	f := w.ca.Server(pkitest.P256, "app.test", "two.test").Files()
	two.Certificate.Files = []config.CertificateFiles{{Chain: f.FullChain, Key: f.Key}}
	w.config.Sites[0].Certificate.Files = two.Certificate.Files
	w.config.Sites = append(w.config.Sites, two)
	w.mutual(&w.config.Sites[1])
	w.start()
	sessions := &oneSession{}
	c := w.client("app.test", nil)
	c.Sessions = sessions
	c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	d, err := tlsnet.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.Dial(t.Context(), "tcp", w.addr())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
	_, _ = io.ReadAll(conn)
	_ = conn.Close()
	// The client offers the ticket of app to two, as one that confuses them would.
	c = w.client("two.test", nil)
	c.Core.ALPN = []string{tlsnet.ProtocolHTTP1}
	c.Sessions = sessions
	conn, err = tlsnet.Dial(t.Context(), "tcp", w.addr(), c)
	if err == nil {
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: two.test\r\nConnection: close\r\n\r\n")
		_, err = io.ReadAll(conn)
		if conn.Facts().Resumed {
			t.Error("the session of another site was resumed")
		}
	}
	if err == nil || !strings.Contains(err.Error(), "certificate_required") {
		t.Errorf("without a certificate: %v", err)
	}
}

func TestFilesAreReadAgainWithoutAFailure(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.dir, "live")
	put := func(l *pkitest.Leaf) {
		t.Helper()
		if err := keystore.WriteLive(dir, l.Chain[0], l.Chain[1:], l.Key); err != nil {
			t.Fatal(err)
		}
	}
	first, second := w.ca.Server(pkitest.P256, "app.test"), w.ca.Server(pkitest.P256, "app.test")
	put(first)
	roots := filepath.Join(w.dir, "clients.pem")
	other := pkitest.New(t, pkitest.P256)
	if err := keystore.WriteCertificates(roots, w.ca.Root.Raw); err != nil {
		t.Fatal(err)
	}
	s := &w.config.Sites[0]
	s.Certificate.Files = []config.CertificateFiles{{Chain: filepath.Join(dir, keystore.FullChainFile), Key: filepath.Join(dir, keystore.KeyFile)}}
	w.mutual(s)
	s.Clients.CA = []string{roots}
	w.start()

	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	alice := issueClient(w.ca, "alice")
	var failed sync.Map
	count := func(alpn string, fresh bool) {
		c := w.http(alice, alpn)
		for ctx.Err() == nil {
			if fresh {
				c.CloseIdleConnections()
			}
			resp, err := c.Get("https://app.test/")
			if err != nil || resp.StatusCode != 200 {
				failed.Store(alpn, errors.Join(err, errors.New("a request failed")))
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
	for _, alpn := range tlsnet.HTTPProtocols() {
		wg.Go(func() { count(alpn, false) })
		wg.Go(func() { count(alpn, true) })
	}
	put(second)
	serial := func() string {
		c, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), w.client("app.test", alice))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Peer().Leaf.SerialNumber.String()
	}
	w.told.wait(t, "the new certificate", func(e Event) bool { return e.Kind == "certificate" })
	if serial() != second.Certificate.SerialNumber.String() {
		t.Error("the old certificate is still shown")
	}
	if err := keystore.WriteCertificates(roots, w.ca.Root.Raw, other.Root.Raw); err != nil {
		t.Fatal(err)
	}
	carol := issueClient(other, "carol")
	for end := time.Now().Add(time.Minute); ; {
		resp, err := w.http(carol).Get("https://app.test/")
		if err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("the new CA is not trusted: ", err)
		}
	}
	stop()
	wg.Wait()
	failed.Range(func(k, v any) bool { t.Errorf("%v: %v", k, v); return true })

	// What cannot be used changes nothing, and a CA that is gone ends what its clients may do.
	if err := os.WriteFile(filepath.Join(dir, keystore.FullChainFile), []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.told.wait(t, "the broken file", func(e Event) bool { return e.Kind == "warning" && strings.Contains(e.Text, "stays in force") })
	keep := w.http(alice, tlsnet.ProtocolHTTP2)
	if resp, _ := get(t, keep, "https://app.test/"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	put(second)
	if err := keystore.WriteCertificates(roots, other.Root.Raw); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; {
		resp, err := keep.Get("https://app.test/")
		if err != nil || resp.StatusCode == http.StatusForbidden {
			break
		}
		_ = resp.Body.Close()
		if time.Now().After(end) {
			t.Fatal("a client of a CA that is gone is still served: ", resp.Status)
		}
	}
}

func TestRevokedClientsAreRefusedByACRL(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.dir, "crl.der")
	alice, bob := issueClient(w.ca, "alice"), issueClient(w.ca, "bob")
	list := func(entries ...crl.Entry) {
		t.Helper()
		der, err := crl.Create(crl.Template{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour), Entries: slices.Values(entries)}, w.ca.Intermediate, w.ca.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := keystore.WriteFile(file, der, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list(crl.Entry{Serial: bob.Certificate.SerialNumber.Bytes(), RevokedAt: time.Now().Add(-time.Hour), Reason: crl.KeyCompromise})
	s := &w.config.Sites[0]
	w.mutual(s)
	s.Clients.Revocation, s.Clients.CRL = "", []string{file}
	w.start()
	if resp, _ := get(t, w.http(alice), "https://app.test/"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if _, err := w.http(bob).Get("https://app.test/"); err == nil || !strings.Contains(err.Error(), "certificate_revoked") {
		t.Errorf("bob: %v", err)
	}
	d := w.told.denial(t, reasonRevoked)
	if d.Cert == nil || !strings.Contains(d.Cert.Subject, "bob") || d.Rule != "clients.revocation" || d.Alert != "certificate_revoked" {
		t.Errorf("told: %v", d)
	}
}

// estate makes a CA with records, and a site whose clients are its own.
func (w *world) estate(closeOnRevoke bool) (*authority.Authority, *pkitest.Leaf) {
	w.t.Helper()
	return w.estateIn("", closeOnRevoke)
}

// estateIn is estate with its records in a database; "": in a file.
func (w *world) estateIn(database string, closeOnRevoke bool) (*authority.Authority, *pkitest.Leaf) {
	w.t.Helper()
	home := filepath.Join(w.dir, "ca")
	ca, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := authority.OpenHome(w.t.Context(), home, authority.HomeOptions{Database: database})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = a.Close() })
	gateway, err := authority.OpenHome(w.t.Context(), home, authority.HomeOptions{WithoutKey: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = gateway.Close() })
	w.options.OwnRoots, w.options.Live = []*x509.Certificate{ca.Root}, []revoked.Live{gateway.Store}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := a.Issue(w.t.Context(), pki.Request{Profile: pki.ProfileClient, CommonName: "alice", Key: key.Public()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.config.Sites[0].Clients = &config.Clients{OwnCA: true, CloseOnRevoke: closeOnRevoke}
	return a, &pkitest.Leaf{Certificate: c, Chain: append([][]byte{c.Raw}, ca.Chain()...), Key: key}
}

func TestRevokingTakesEffectOnOpenConnections(t *testing.T) {
	for _, alpn := range tlsnet.HTTPProtocols() {
		w := newWorld(t)
		a, alice := w.estate(false)
		w.start()
		c := w.http(alice, alpn)
		if resp, _ := get(t, c, "https://app.test/"); resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
		if err := a.Revoke(t.Context(), alice.Certificate.SerialNumber, crl.KeyCompromise, time.Time{}); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(time.Minute); ; {
			if resp, _ := get(t, c, "https://app.test/"); resp.StatusCode == 403 {
				break
			}
			if time.Now().After(end) {
				t.Fatal("still served")
			}
		}
		if _, err := w.http(alice, alpn).Get("https://app.test/"); err == nil || !strings.Contains(err.Error(), "certificate_revoked") {
			t.Errorf("a new connection: %v", err)
		}
		if d := w.told.denial(t, reasonRevoked); d.Cert == nil || d.Cert.Serial == "" {
			t.Errorf("told: %v", d)
		}
	}
}

func TestRevokingClosesOpenConnectionsWhereWanted(t *testing.T) {
	w := newWorld(t)
	a, alice := w.estate(true)
	w.stream(config.Target{Echo: true})
	w.start()
	c, err := tlsnet.Dial(t.Context(), "tcp", w.addr(), w.client("app.test", alice))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := a.Revoke(t.Context(), alice.Certificate.SerialNumber, crl.KeyCompromise, time.Time{}); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the open connection: %v", err)
	}
	if d := w.told.denial(t, reasonRevoked); !strings.Contains(d.Text, "closed") {
		t.Errorf("told: %v", d)
	}
	if _, err := w.talk(w.client("app.test", alice), "x"); err == nil {
		t.Error("a new connection was served")
	}
}

func TestWhatIsUnderWayIsFinished(t *testing.T) {
	w := newWorld(t)
	w.options.Grace = time.Minute
	arrived, finish := make(chan struct{}), make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		_, _ = io.WriteString(out, "finished")
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	w.config.Sites[0].Target = config.Target{URL: "http://" + l.Addr().String()}
	w.start()
	answer := make(chan string, 1)
	go func() {
		resp, err := w.http(nil).Get("https://app.test/")
		if err != nil {
			answer <- err.Error()
			return
		}
		b, _ := io.ReadAll(resp.Body)
		answer <- string(b)
	}()
	<-arrived
	ended := make(chan error, 1)
	go func() { ended <- w.stop() }()
	w.told.wait(t, "the end", func(e Event) bool { return e.Kind == "stopping" })
	close(finish)
	if got := <-answer; got != "finished" {
		t.Errorf("got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

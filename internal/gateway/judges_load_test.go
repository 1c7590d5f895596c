package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// swap puts text into a file as renewals do: in one step.
func swap(t testing.TB, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// stdClient is an HTTP client on crypto/tls whose connections go to the gateway.
func (w *world) stdClient(roots *x509.CertPool, leaf *pkitest.Leaf, kept bool) *http.Client {
	return w.stdClientOf(w.addr(), roots, leaf, kept)
}

func (w *world) stdClientOf(addr string, roots *x509.CertPool, leaf *pkitest.Leaf, kept bool) *http.Client {
	c := &tls.Config{RootCAs: roots, ServerName: "app.test"}
	if leaf != nil {
		c.Certificates = []tls.Certificate{{Certificate: leaf.Chain, PrivateKey: leaf.Key}}
	}
	tr := &http.Transport{TLSClientConfig: c, DisableKeepAlives: !kept, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, addr)
		}}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// serialServed asks once, and returns the serial number of the certificate that was shown.
func serialServed(c *http.Client) (string, error) {
	resp, err := c.Get("https://app.test/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("answered %s", resp.Status)
	}
	return fmt.Sprintf("%x", resp.TLS.PeerCertificates[0].SerialNumber), nil
}

// maxAsked is how many requests wait for their answers at a time: what a machine cannot do is not to pile up until the clients'
// patience ends, which would say nothing of the gateway.
const maxAsked = 16

// steadily asks at a rate, or as fast as the machine can where that is less, until ctx ends, each time the next of the clients,
// and counts.
func steadily(ctx context.Context, clients []*http.Client, perSecond int) (asked *atomic.Int64, failed func() []error) {
	asked = new(atomic.Int64)
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		slots := make(chan struct{}, maxAsked)
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			slots <- struct{}{}
			c := clients[i%len(clients)]
			wg.Go(func() {
				defer func() { <-slots }()
				if _, err := serialServed(c); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
				asked.Add(1)
			})
		}
	})
	return asked, func() []error {
		wg.Wait()
		return errs
	}
}

// TestCertificatesAndCAsAreReplacedUnderLoadAccept: 200 requests a second, half of them on connections of their own, while
// the site's certificate and the CAs of its clients change on disk.
func TestCertificatesAndCAsAreReplacedUnderLoadAccept(t *testing.T) {
	w := newWorld(t)
	b := newWitness(t)
	s := &w.config.Sites[0]
	s.Target = config.Target{URL: b.url}
	w.mutual(s, access.Rule{Name: "all", CN: "*"})
	dir := t.TempDir()
	chain, key, cas := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "clients.pem")
	s.Certificate.Files = []config.CertificateFiles{{Chain: chain, Key: key}}
	s.Clients.CA = []string{cas}
	renew := func() string { // the key stays, as where requests are signed again
		leaf := w.ca.Server(pkitest.P256, "app.test")
		text, err := pki.MarshalPrivateKeyPEM(leaf.Key)
		if err != nil {
			t.Fatal(err)
		}
		var full []byte
		for _, der := range leaf.Chain {
			full = pki.AppendCertificatePEM(full, der)
		}
		swap(t, key, text) // chain and key do not change in one step: what does not fit together must not be taken
		swap(t, chain, full)
		return fmt.Sprintf("%x", leaf.Certificate.SerialNumber)
	}
	renew()
	root := pki.AppendCertificatePEM(nil, w.ca.Root.Raw)
	swap(t, cas, root)
	w.start()

	pool := x509.NewCertPool()
	pool.AddCert(w.ca.Root)
	alice := issueClient(w.ca, "alice")
	fresh := w.stdClient(pool, alice, false)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked, failed := steadily(ctx, []*http.Client{fresh, w.stdClient(pool, alice, true)}, 200)
	until := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !holds(); {
			if time.Now().After(end) {
				t.Fatalf("it never came to pass: %s; told: %v", what, w.told.all())
			}
		}
	}
	for range many(3, 30) {
		serial := renew()
		until("the new certificate is served", func() bool {
			got, err := serialServed(fresh)
			if err != nil {
				t.Fatal(err)
			}
			return got == serial
		})
		other := pkitest.New(t, pkitest.P256)
		stranger := w.stdClient(pool, issueClient(other, "carol"), false)
		if _, err := serialServed(stranger); err == nil {
			t.Fatal("a client of an unknown CA was let in")
		}
		swap(t, cas, pki.AppendCertificatePEM(root[:len(root):len(root)], other.Root.Raw))
		until("the new CA's client is let in", func() bool { _, err := serialServed(stranger); return err == nil })
		swap(t, cas, root)
		until("the former CA's client is refused", func() bool { _, err := serialServed(stranger); return err != nil })
	}
	cancel()
	if errs := failed(); len(errs) > 0 {
		t.Errorf("%d of %d requests failed, the first with %v", len(errs), asked.Load(), errs[0])
	}
	t.Logf("%d requests", asked.Load())
}

// TestSlowClientsDoNotStopTheRestAccept: clients that begin and do not go on, at every stage.
func TestSlowClientsDoNotStopTheRestAccept(t *testing.T) {
	w := newWorld(t)
	b := newWitness(t)
	w.config.Sites[0].Target = config.Target{URL: b.url}
	w.config.Limits.Handshake, w.config.Limits.HeaderTime = time.Hour, time.Hour // all of them are there when the rest come
	w.start()
	pool := x509.NewCertPool()
	pool.AddCert(w.ca.Root)
	slow := many(200, 5000)
	held := make([]net.Conn, slow)
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, slow)
	for range 16 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < slow; i = int(next.Add(1)) - 1 {
				c, err := dawdle(w.addr(), pool, i%5)
				if err != nil {
					errs <- err
				}
				held[i] = c
			}
		})
	}
	wg.Wait()
	defer func() {
		for _, c := range held {
			if c != nil {
				c.Close()
			}
		}
	}()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
	if open, _ := w.g.limits.open(); open < slow/2 {
		t.Fatalf("%d of %d slow clients are held", open, slow)
	}
	fresh, kept := w.stdClient(pool, nil, false), w.stdClient(pool, nil, true)
	for range many(20, 200) {
		for _, c := range []*http.Client{fresh, kept} {
			if _, err := serialServed(c); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// dawdle begins a connection and stops at a stage.
func dawdle(addr string, roots *x509.CertPool, stage int) (net.Conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	begun := map[int]string{1: "\x16", 2: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}[stage]
	if stage < 3 {
		_, err = io.WriteString(c, begun)
		return c, err
	}
	tc := tls.Client(c, &tls.Config{RootCAs: roots, ServerName: "app.test", NextProtos: []string{"http/1.1"}})
	if err := tc.Handshake(); err != nil {
		return c, err
	}
	text := "GET / HTTP/1.1\r\nHost: app.test\r\nX-Slow: "
	if stage == 4 {
		text = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000\r\n\r\nslow"
	}
	_, err = io.WriteString(tc, text)
	return c, err
}

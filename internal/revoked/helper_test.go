package revoked

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"iter"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// world is a CA with a server that publishes what the test wants, and a clock.
type world struct {
	*pkitest.CA
	t      *testing.T
	server *httptest.Server

	mu    sync.Mutex
	now   time.Time
	files map[string][]byte // by path: a CRL
	bad   map[string]*ocsp.Single
	life  time.Duration // of OCSP answers
	asked map[string]int
	down  bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{CA: pkitest.New(t, pkitest.P256), t: t, files: make(map[string][]byte), bad: make(map[string]*ocsp.Single), asked: make(map[string]int), life: time.Hour}
	w.now = w.CA.Now.Truncate(time.Second)
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) setDown(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

// count tells how often an address was asked.
func (w *world) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[path]
}

func (w *world) url(path string) string { return w.server.URL + path }

// ServeHTTP publishes.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[r.URL.Path]++
	file, ok := w.files[r.URL.Path]
	switch {
	case w.down:
		http.Error(out, "down", http.StatusServiceUnavailable)
	case ok:
		_, _ = out.Write(file)
	case r.URL.Path == "/ocsp":
		body := make([]byte, r.ContentLength)
		if _, err := r.Body.Read(body); err != nil && len(body) == 0 {
			w.t.Error(err)
		}
		_, _ = out.Write(w.answer(body))
	default:
		http.NotFound(out, r)
	}
}

// answer makes an OCSP answer; the lock is held.
func (w *world) answer(request []byte) []byte {
	q, err := ocsp.ParseRequest(request)
	if err != nil {
		w.t.Error(err)
		return nil
	}
	s := ocsp.Single{ID: q.IDs[0], ThisUpdate: w.now, NextUpdate: w.now.Add(w.life)}
	if bad := w.bad[string(s.ID.Serial)]; bad != nil {
		s.Status, s.RevokedAt, s.Reason = bad.Status, bad.RevokedAt, bad.Reason
	}
	der, err := ocsp.CreateResponse(ocsp.ResponseTemplate{Singles: []ocsp.Single{s}, ProducedAt: w.now}, w.Intermediate, w.Key)
	if err != nil {
		w.t.Error(err)
	}
	return der
}

// revokeByOCSP lets the responder say that a certificate was revoked.
func (w *world) revokeByOCSP(c *x509.Certificate, reason crl.Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bad[string(c.SerialNumber.Bytes())] = &ocsp.Single{Status: ocsp.Revoked, RevokedAt: w.now, Reason: ocsp.Reason(reason)}
}

// list makes a CRL of the intermediate's that is good for a day.
func (w *world) list(number int64, change func(*crl.Template), revoked ...*x509.Certificate) []byte {
	w.t.Helper()
	return w.listFor(number, crl.KeyCompromise, change, revoked...)
}

func (w *world) listFor(number int64, reason crl.Reason, change func(*crl.Template), revoked ...*x509.Certificate) []byte {
	w.t.Helper()
	now := w.clock()
	tm := crl.Template{Number: big.NewInt(number), ThisUpdate: now, NextUpdate: now.Add(24 * time.Hour), Entries: entries(now, reason, revoked)}
	if change != nil {
		change(&tm)
	}
	der, err := crl.Create(tm, w.Intermediate, w.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	return der
}

func entries(now time.Time, reason crl.Reason, revoked []*x509.Certificate) iter.Seq[crl.Entry] {
	var all []crl.Entry
	for _, c := range revoked {
		all = append(all, crl.Entry{Serial: c.SerialNumber.Bytes(), RevokedAt: now, Reason: reason})
	}
	return slices.Values(all)
}

func (w *world) publish(path string, der []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[path] = der
}

// client is a chain, root included, of a client whose certificate names addresses.
func (w *world) client(change func(*pki.Request)) []*x509.Certificate {
	w.t.Helper()
	r := pki.Request{Profile: pki.ProfileClient, CommonName: "alice"}
	if change != nil {
		change(&r)
	}
	leaf := w.Issue(pkitest.P256, r).Certificate
	return []*x509.Certificate{leaf, w.Intermediate, w.Root}
}

// withCRL and withOCSP are clients whose certificate says where to ask.
func (w *world) withCRL(path string) []*x509.Certificate {
	return w.client(func(r *pki.Request) { r.CRLDistributionPoints = []string{w.url(path)} })
}

func (w *world) withOCSP() []*x509.Certificate {
	return w.client(func(r *pki.Request) { r.OCSPServers = []string{w.url("/ocsp")} })
}

// pool makes a pool in a folder, closed at the end of the test.
func (w *world) pool(dir string, change func(*PoolOptions)) *Pool {
	w.t.Helper()
	f := fetch.New(fetch.Options{AllowPrivate: true, Now: w.clock})
	w.t.Cleanup(f.Close)
	o := PoolOptions{Dir: dir, Fetcher: f, Now: w.clock, Patience: time.Minute}
	if change != nil {
		change(&o)
	}
	p, err := NewPool(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := p.Close(); err != nil && p.journal.file != nil {
			w.t.Log(err)
		}
	})
	return p
}

// checker makes a checker that fails closed.
func (w *world) checker(p *Pool, crls ...string) *Checker {
	w.t.Helper()
	return w.mode(p, pki.RevocationHard, crls...)
}

func (w *world) mode(p *Pool, m pki.RevocationMode, crls ...string) *Checker {
	w.t.Helper()
	c, err := New(Options{Pool: p, Mode: m, CRLs: crls})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// connect opens a connection that rests on a chain; what ends it comes over the channel.
func (w *world) connect(c *Checker, chain []*x509.Certificate) <-chan error {
	w.t.Helper()
	over := make(chan error, 1)
	stop, err := c.Watch(w.t.Context(), chain, func(err error) { over <- err })
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(stop)
	return over
}

// verdictOf is a refusal in a word: "", "revoked" or "unknown".
func verdictOf(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &e):
		return "another error: " + err.Error()
	case e.Revoked():
		return "revoked"
	}
	return "unknown"
}

// expect checks a chain.
func (w *world) expect(c *Checker, chain []*x509.Certificate, want string) error {
	w.t.Helper()
	err := c.Check(context.Background(), chain)
	if got := verdictOf(err); got != want {
		w.t.Errorf("%q, want %q: %v", got, want, err)
	}
	return err
}

// soon waits for something that happens in the background, and fails after a time that no machine takes.
func soon(t *testing.T, what string, happened <-chan error) error {
	t.Helper()
	select {
	case err := <-happened:
		return err
	case <-time.After(time.Minute):
		t.Fatalf("%s: nothing happened", what)
		return nil
	}
}

// lines is the body of a PEM block.
func lines(der []byte) string {
	text, out := base64.StdEncoding.EncodeToString(der), ""
	for len(text) > 64 {
		out, text = out+text[:64]+"\n", text[64:]
	}
	return out + text + "\n"
}

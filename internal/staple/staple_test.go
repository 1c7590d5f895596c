package staple

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/tlsnet"
)

// responder answers as the test wants, and keeps the clock.
type responder struct {
	*pkitest.CA
	t      *testing.T
	server *httptest.Server

	mu     sync.Mutex
	now    time.Time
	age    time.Duration // of answers
	status ocsp.CertStatus
	raw    []byte // is answered instead
	by     *pkitest.CA
	down   bool
	asked  int
	gate   chan struct{} // not nil: answers wait for it
}

func newResponder(t *testing.T) *responder {
	t.Helper()
	r := &responder{CA: pkitest.New(t, pkitest.P256), t: t}
	r.now, r.by = r.CA.Now.Truncate(time.Second), r.CA
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

func (r *responder) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *responder) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *responder) pass(d time.Duration) { r.set(func() { r.now = r.now.Add(d) }) }

func (r *responder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// life is how long answers are in force.
const life = 10 * time.Hour

// ServeHTTP is OCSP over HTTP, and the issuer's certificate.
func (r *responder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	gate := r.gate
	r.mu.Unlock()
	if gate != nil {
		<-gate
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.URL.Path == "/issuer.cer" {
		_, _ = w.Write(r.Intermediate.Raw)
		return
	}
	r.asked++
	switch {
	case r.down:
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	case r.raw != nil:
		_, _ = w.Write(r.raw)
		return
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(q.Body)
	request, err := ocsp.ParseRequest(body.Bytes())
	if err != nil {
		r.t.Error(err)
		return
	}
	at := r.now.Add(-r.age)
	s := ocsp.Single{ID: request.IDs[0], Status: r.status, ThisUpdate: at, NextUpdate: at.Add(life)}
	if s.Status == ocsp.Revoked {
		s.RevokedAt = at
	}
	der, err := ocsp.CreateResponse(ocsp.ResponseTemplate{Singles: []ocsp.Single{s}, ProducedAt: r.now}, r.by.Intermediate, r.by.Key)
	if err != nil {
		r.t.Error(err)
	}
	_, _ = w.Write(der)
}

// issued is a server's certificate that names the responder.
func (r *responder) issued(change func(*pki.Request)) *pkitest.Leaf {
	r.t.Helper()
	q := pki.Request{Profile: pki.ProfileServer, SANs: []string{"localhost"}, OCSPServers: []string{r.server.URL}}
	if change != nil {
		change(&q)
	}
	return r.Issue(pkitest.P256, q)
}

// keeper makes one that tells about changes.
func (r *responder) keeper(dir string, change func(*Options)) (*Keeper, <-chan [][]byte) {
	r.t.Helper()
	f := fetch.New(fetch.Options{AllowPrivate: true, Now: r.clock})
	r.t.Cleanup(f.Close)
	changed := make(chan [][]byte, 100)
	o := Options{Dir: dir, Fetcher: f, Now: r.clock, Changed: func(chain [][]byte) { changed <- chain }}
	if change != nil {
		change(&o)
	}
	k, err := New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = k.Close() })
	return k, changed
}

// next waits for a change.
func (r *responder) next(changed <-chan [][]byte) [][]byte {
	r.t.Helper()
	select {
	case chain := <-changed:
		return chain
	case <-time.After(time.Minute):
		r.t.Fatal("nothing changed")
		return nil
	}
}

// valid insists on a response that a client takes.
func (r *responder) valid(der []byte, l *pkitest.Leaf) *pki.Staple {
	r.t.Helper()
	s, err := pki.CheckStaple(der, l.Certificate, r.Intermediate, r.clock())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func TestResponseIsFetchedAhead(t *testing.T) {
	r := newResponder(t)
	l := r.issued(nil)
	gate := make(chan struct{})
	r.set(func() { r.gate = gate })
	k, changed := r.keeper(t.TempDir(), nil)
	if k.Staple(l.Chain) != nil {
		t.Error("there cannot be one yet")
	}
	close(gate)
	if chain := r.next(changed); !bytes.Equal(chain[0], l.Chain[0]) {
		t.Error("told about another chain")
	}
	first := k.Staple(l.Chain)
	end := r.valid(first, l).NextUpdate
	if n := r.count(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	s := k.Status()[0]
	if !s.NextUpdate.Equal(end) || s.Next.Before(r.clock().Add(life/3)) || s.Next.After(r.clock().Add(2*life/3)) || s.Problem != "" {
		t.Errorf("%+v", s)
	}
	r.pass(2 * life / 3) // past the middle, long before the end
	k.refreshDue()
	second := k.Staple(l.Chain)
	if !r.valid(second, l).NextUpdate.After(end) || bytes.Equal(first, second) {
		t.Error("it was not replaced ahead")
	}
	r.next(changed)
}

func TestResponsesSurviveARestartWithoutNetwork(t *testing.T) {
	r := newResponder(t)
	l := r.issued(nil)
	dir := t.TempDir()
	k, changed := r.keeper(dir, nil)
	k.Staple(l.Chain)
	r.next(changed)
	want := k.Staple(l.Chain)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	r.set(func() { r.down = true })
	again, _ := r.keeper(dir, nil)
	if !bytes.Equal(again.Staple(l.Chain), want) {
		t.Error("it is not there at once")
	}
	r.pass(life + time.Second)
	late, _ := r.keeper(dir, nil)
	if late.Staple(l.Chain) != nil {
		t.Error("one that is over was sent")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.ocsp"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(files[0], []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	torn, _ := r.keeper(dir, nil)
	if torn.Staple(l.Chain) != nil {
		t.Error("a torn file was sent")
	}
}

func TestStapleNeverWaits(t *testing.T) {
	r := newResponder(t)
	gate := make(chan struct{})
	r.set(func() { r.gate = gate })
	l := r.issued(nil)
	k, changed := r.keeper("", nil)
	for range 100 { // while the responder holds its answer back
		if k.Staple(l.Chain) != nil {
			t.Fatal("there cannot be one")
		}
	}
	close(gate)
	r.next(changed)
	r.valid(k.Staple(l.Chain), l)
}

func TestFailuresAreTriedAgain(t *testing.T) {
	r := newResponder(t)
	l := r.issued(nil)
	k, changed := r.keeper("", nil)
	k.Staple(l.Chain)
	r.next(changed)
	good := k.Staple(l.Chain)
	r.set(func() { r.down = true })
	r.pass(2 * life / 3)
	var waits []time.Duration
	for range 4 {
		asked := r.count()
		k.refreshDue()
		if r.count() == asked {
			t.Error("not asked")
		}
		s := k.Status()[0]
		if !strings.Contains(s.Problem, "503") || !bytes.Equal(k.Staple(l.Chain), good) {
			t.Fatalf("%+v", s)
		}
		waits = append(waits, s.Next.Sub(r.clock()))
		r.set(func() { r.now = s.Next })
	}
	if waits[0] < time.Minute || waits[3] < waits[0]*4 {
		t.Errorf("waits %v", waits)
	}
	r.pass(life) // it ends, and whoever serves it hears of that
	k.refreshDue()
	r.next(changed)
	if k.Staple(l.Chain) != nil {
		t.Error("one that is over was sent")
	}
	r.set(func() { r.down = false })
	r.pass(2 * time.Hour)
	k.refreshDue()
	r.next(changed)
	r.valid(k.Staple(l.Chain), l)
}

func TestOnlyGoodResponsesAreSent(t *testing.T) {
	r := newResponder(t)
	l, other := r.issued(nil), r.issued(nil)
	k, changed := r.keeper("", nil)
	k.Staple(l.Chain)
	k.Staple(other.Chain)
	r.next(changed)
	r.next(changed)
	good, ofOther := k.Staple(l.Chain), k.Staple(other.Chain)
	for name, change := range map[string]func(){
		"nonsense":                  func() { r.raw = []byte("nonsense") },
		"an error":                  func() { r.raw = ocsp.ErrorResponse(ocsp.TryLater) },
		"about another certificate": func() { r.raw = ofOther },
		"unknown":                   func() { r.status = ocsp.Unknown },
		"of another CA":             func() { r.by = pkitest.New(t, pkitest.P256) },
		"older":                     func() { r.age = 2 * life / 3 },
		"over":                      func() { r.age = 2 * life },
		"from the future":           func() { r.age = -time.Hour },
	} {
		r.set(func() {
			r.raw, r.status, r.by, r.age = nil, ocsp.Good, r.CA, 0
			change()
		})
		leaf := k.leafOf(l.Chain)
		if err := k.fetch(context.Background(), leaf); err == nil || !bytes.Equal(k.Staple(l.Chain), good) {
			t.Errorf("%s: taken, %v", name, err)
		}
		r.pass(2 * time.Minute) // failures are remembered
	}
	r.set(func() { r.raw, r.status, r.by, r.age = nil, ocsp.Revoked, r.CA, 0 })
	r.pass(life * 2 / 3)
	k.refreshDue()
	r.next(changed)
	if s := k.Status(); k.Staple(l.Chain) != nil || !s[0].Revoked || !strings.Contains(s[0].Problem, "revoked") {
		t.Errorf("a revoked one: %+v", s)
	}
}

func TestIssuerIsFound(t *testing.T) {
	r := newResponder(t)
	l := r.issued(func(q *pki.Request) { q.IssuingCertificateURLs = []string{r.server.URL + "/issuer.cer"} })
	short := l.Chain[:1]
	k, changed := r.keeper("", nil)
	k.Staple(short)
	r.next(changed)
	r.valid(k.Staple(short), l)

	named := r.issued(nil)
	k, changed = r.keeper("", func(o *Options) { o.Issuers = []*x509.Certificate{r.Root, r.Intermediate} })
	k.Staple(named.Chain[:1])
	r.next(changed)
	lost, _ := r.keeper("", nil)
	lost.Staple(named.Chain[:1])
	lost.refreshDue()
	if s := lost.Status()[0]; !strings.Contains(s.Problem, "not at hand") {
		t.Errorf("%+v", s)
	}
}

func TestWhatNeedsNothingGetsNothing(t *testing.T) {
	r := newResponder(t)
	plain := r.Server(pkitest.P256)
	demanding := r.issued(func(q *pki.Request) { q.OCSPServers, q.MustStaple = nil, true })
	k, _ := r.keeper("", nil)
	for _, chain := range [][][]byte{plain.Chain, demanding.Chain, nil, {[]byte("nonsense")}} {
		if k.Staple(chain) != nil {
			t.Error("something is sent")
		}
	}
	k.refreshDue()
	if r.count() != 0 {
		t.Error("somebody was asked")
	}
	var trouble int
	for _, s := range k.Status() {
		if s.MustStaple && s.Problem != "" {
			trouble++
		}
	}
	if trouble != 1 {
		t.Errorf("%+v", k.Status())
	}
	k.Retain(plain.Chain)
	if n := len(k.Status()); n != 1 {
		t.Errorf("%d are kept", n)
	}
}

func TestManyAtOnce(t *testing.T) {
	r := newResponder(t)
	dir := t.TempDir()
	k, _ := r.keeper(dir, nil)
	var leaves []*pkitest.Leaf
	for range 5 {
		leaves = append(leaves, r.issued(nil))
	}
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 50 {
				k.Staple(leaves[(g+i)%5].Chain)
				if i%10 == 0 {
					k.refreshDue()
					k.Status()
				}
				if g == 0 && i%25 == 0 {
					k.Retain(leaves[0].Chain)
				}
			}
		})
	}
	all.Wait()
}

// A client of TLS gets what OpenSSL's responder has said.
func TestStaplesOfOpenSSLReachClients(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	port := freePort(t)
	l := ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileServer, SANs: []string{"localhost"}, OCSPServers: []string{"http://127.0.0.1:" + port}, MustStaple: true})
	dir := t.TempDir()
	key, err := pki.MarshalPrivateKeyPEM(ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := l.Certificate
	index := fmt.Sprintf("V\t%s\t\t%X\tunknown\t/CN=localhost\n", c.NotAfter.UTC().Format("060102150405Z"), c.SerialNumber.Bytes())
	issuer := file("ca.pem", pki.AppendCertificatePEM(nil, ca.Intermediate.Raw))
	cmd := exec.Command(openssl, "ocsp", "-index", file("index.txt", []byte(index)), "-port", port, "-rsigner", issuer, "-rkey", file("ca.key", key), "-CA", issuer, "-nmin", "60")
	waiting(t, cmd)

	f := fetch.New(fetch.Options{AllowPrivate: true})
	defer f.Close()
	changed := make(chan [][]byte, 10)
	k, err := New(Options{Dir: filepath.Join(dir, "staples"), Fetcher: f, Changed: func(chain [][]byte) { changed <- chain }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = k.Close() }()
	k.Staple(l.Chain)
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Fatalf("no response: %+v", k.Status())
	}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: l.Chain, Key: l.Key, Staple: k.Staple(l.Chain)}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		if c, err := listener.Accept(); err == nil {
			_ = c.(*tlsnet.Conn).Handshake()
			_ = c.Close()
		}
	}()
	conn, err := tlsnet.Dial(t.Context(), "tcp", listener.Addr().String(), &tlsnet.Config{Roots: ca.Roots(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err) // the certificate demands a staple
	}
	defer func() { _ = conn.Close() }()
	if p := conn.Peer(); p.Status == nil || p.Status.Revoked {
		t.Errorf("%+v", p.Status)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	port, err := freeport.Number()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// waiting starts OpenSSL's responder, and returns when it says that it waits: it is kept busy by whoever only connects.
func waiting(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = out.Close(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "waiting for OCSP client connections") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	t.Fatal("the responder has ended")
}

// TestEachCertificateOfAChainHasItsResponse: that of the CA above is fetched too, from its own responder.
func TestEachCertificateOfAChainHasItsResponse(t *testing.T) {
	r := newResponder(t)
	root := &responder{CA: r.CA, t: t, now: r.now}
	root.by = &pkitest.CA{Intermediate: r.Root, Key: r.RootKey}
	root.server = httptest.NewServer(root)
	t.Cleanup(root.server.Close)
	upper, err := pki.Issuer{Certificate: r.Root, Key: r.RootKey}.Issue(pki.Request{Profile: pki.ProfileIntermediate, CommonName: "Upper", Key: r.Key.Public(), OCSPServers: []string{root.server.URL}}, r.Now)
	if err != nil {
		t.Fatal(err)
	}
	r.by = &pkitest.CA{Intermediate: upper, Key: r.Key}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := pki.Issuer{Certificate: upper, Key: r.Key}.Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"localhost"}, Key: key.Public(), OCSPServers: []string{r.server.URL}}, r.Now)
	if err != nil {
		t.Fatal(err)
	}
	chain := [][]byte{leaf.Raw, upper.Raw, r.Root.Raw}
	gate := make(chan struct{})
	r.set(func() { r.gate = gate })
	root.set(func() { root.gate = gate })
	k, changed := r.keeper(t.TempDir(), nil)
	if k.Staples(chain) != nil {
		t.Error("there cannot be one yet")
	}
	close(gate)
	r.next(changed)
	r.next(changed)
	got := k.Staples(chain)
	if len(got) != 3 || got[2] != nil {
		t.Fatalf("%d responses", len(got))
	}
	if _, err := pki.CheckStaple(got[0], leaf, upper, r.clock()); err != nil {
		t.Error(err)
	}
	if _, err := pki.CheckStaple(got[1], upper, r.Root, r.clock()); err != nil {
		t.Error(err)
	}
	if k.Retain(chain); len(k.Staples(chain)) != 3 {
		t.Error("forgotten")
	}
	if k.Retain(); len(k.all()) != 0 {
		t.Error("kept")
	}
}

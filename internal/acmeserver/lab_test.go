package acmeserver_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/miekg/dns"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki"
)

// world is a CA with its ACME server on loopback, a DNS server that sends all names there, and a web server for proofs.
type world struct {
	t         testing.TB
	authority *authority.Authority
	server    *acmeserver.Server
	web       *httptest.Server // of the ACME server
	options   acmeserver.Options

	mu     sync.Mutex
	proofs map[string]string   // by path
	texts  map[string][]string // TXT and CAA records, as "name TYPE"
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	proof, ok := w.proofs[r.Host+r.URL.Path]
	w.mu.Unlock()
	if !ok {
		http.NotFound(rw, r)
		return
	}
	_, _ = io.WriteString(rw, proof)
}

func (w *world) ServeDNS(rw dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	add := func(text string) {
		if rr, err := dns.NewRR(fmt.Sprintf("%s 0 IN %s %s", name, dns.TypeToString[kind], text)); err == nil {
			m.Answer = append(m.Answer, rr)
		}
	}
	if kind == dns.TypeA {
		add("127.0.0.1")
	}
	w.mu.Lock()
	for _, text := range w.texts[name+" "+dns.TypeToString[kind]] {
		add(text)
	}
	w.mu.Unlock()
	_ = rw.WriteMsg(m)
}

func (w *world) setText(name, kind string, values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts[name+". "+kind] = values
}

// newWorld makes a world; edit changes the options before the server starts.
func newWorld(t testing.TB, edit func(*acmeserver.Options)) *world {
	t.Helper()
	w := &world{t: t, proofs: make(map[string]string), texts: make(map[string][]string)}
	home := filepath.Join(t.TempDir(), "home")
	if _, err := keystore.CreateCA(home, keystore.CAOptions{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.authority, err = authority.OpenHome(t.Context(), home, authority.HomeOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.authority.Close() })
	proofs := httptest.NewServer(w)
	t.Cleanup(proofs.Close)
	validator, err := challenge.New(challenge.Options{
		Gate:         fetch.Gate{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Perspectives: []challenge.Perspective{{Name: "here", Resolver: resolve.New(resolve.Options{Server: w.serveNames(), Timeout: 20 * time.Second})}},
		Timeout:      time.Minute,
		HTTPPort:     int(netip.MustParseAddrPort(proofs.Listener.Addr().String()).Port()),
		Identities:   []string{"ca.test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(validator.Close)
	// However busy the machine is, an answer waits for what is decided in a moment.
	w.options = acmeserver.Options{Store: w.authority.Store, Validator: validator, NonceFile: filepath.Join(home, "nonces"), Patience: time.Minute,
		Directories: []acmeserver.Directory{{Authority: w.authority, Identities: []string{"ca.test"}}}}
	if edit != nil {
		edit(&w.options)
	}
	w.start()
	return w
}

// clock is a time that stands still until a test sets it. The server looks at it when it likes.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.set(at)
	return c
}

func (c *clock) set(at time.Time) { c.at.Store(&at) }
func (c *clock) now() time.Time   { return *c.at.Load() }

// start begins a server with the options as they are, and stops the one before.
func (w *world) start() {
	w.t.Helper()
	if w.server != nil {
		w.web.Close()
		if err := w.server.Close(); err != nil {
			w.t.Error(err)
		}
	}
	for i := range w.options.Directories {
		if w.options.Directories[i].Authority == nil {
			w.options.Directories[i].Authority = w.authority
		}
	}
	server, err := acmeserver.New(w.t.Context(), w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	w.server, w.web = server, httptest.NewTLSServer(server)
	web := w.web
	w.t.Cleanup(func() {
		web.Close()
		_ = server.Close()
	})
}

func (w *world) serveNames() string {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, Handler: w, NotifyStartedFunc: func() { close(ready) }}
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	w.t.Cleanup(func() { _ = s.Shutdown() })
	return pc.LocalAddr().String()
}

// client speaks ACME one request at a time, and can be made to speak it wrongly.
type client struct {
	*world
	key   crypto.Signer
	alg   jose.SignatureAlgorithm
	kid   string // "": signs with jwk
	nonce string
	base  string // "https://127.0.0.1:port/acme"
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) problem() *acme.Problem {
	var p acme.Problem
	_ = json.Unmarshal(a.body, &p)
	return &p
}

func newECKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// stranger is a client without an account.
func (w *world) stranger() *client {
	return &client{world: w, key: newECKey(w.t), alg: jose.ES256, base: w.web.URL + "/acme"}
}

// register is a client with an account.
func (w *world) register() *client {
	w.t.Helper()
	c := w.stranger()
	c.must(c.post(c.base+"/new-account", map[string]any{"termsOfServiceAgreed": true, "contact": []string{"mailto:a@a.test"}}), 201)
	return c
}

func (c *client) takeNonce() string {
	if n := c.nonce; n != "" {
		c.nonce = ""
		return n
	}
	r, err := c.web.Client().Head(c.base + "/new-nonce")
	if err != nil {
		c.t.Fatal(err)
	}
	_ = r.Body.Close()
	return r.Header.Get("Replay-Nonce")
}

// sign makes a JWS; change may alter the protected header.
func (c *client) sign(url string, payload []byte, change func(map[string]any)) []byte {
	c.t.Helper()
	h := map[string]any{"alg": string(c.alg), "nonce": c.takeNonce(), "url": url}
	if c.kid != "" {
		h["kid"] = c.kid
	} else {
		h["jwk"] = jose.JSONWebKey{Key: c.key.Public()}
	}
	if change != nil {
		change(h)
	}
	head, err := json.Marshal(h)
	if err != nil {
		c.t.Fatal(err)
	}
	input := b64(head) + "." + b64(payload)
	text, err := json.Marshal(map[string]string{"protected": b64(head), "payload": b64(payload), "signature": b64(c.rawSignature(input))})
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// rawSignature signs as JWS wants it (RFC 7518, Section 3.4): for ECDSA both numbers at full length.
func (c *client) rawSignature(input string) []byte {
	hash := map[jose.SignatureAlgorithm]crypto.Hash{jose.ES256: crypto.SHA256, jose.ES384: crypto.SHA384, jose.RS256: crypto.SHA256, jose.EdDSA: 0}[c.alg]
	digest := []byte(input)
	if hash != 0 {
		h := hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	if k, ok := c.key.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, k, digest)
		if err != nil {
			c.t.Fatal(err)
		}
		n := (k.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...)
	}
	sig, err := c.key.Sign(rand.Reader, digest, hash)
	if err != nil {
		c.t.Fatal(err)
	}
	return sig
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// send posts a body as it is.
func (c *client) send(url, kind string, body []byte) *answer {
	c.t.Helper()
	r, err := c.web.Client().Post(url, kind, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	a := &answer{status: r.StatusCode, header: r.Header}
	if a.body, err = io.ReadAll(r.Body); err != nil {
		c.t.Fatal(err)
	}
	if n := r.Header.Get("Replay-Nonce"); n != "" {
		c.nonce = n
	}
	if loc := r.Header.Get("Location"); c.kid == "" && strings.Contains(loc, "/acct/") && a.status < 300 {
		c.kid = loc
	}
	return a
}

// post sends a signed request; payload nil is POST-as-GET.
func (c *client) post(url string, payload any) *answer {
	c.t.Helper()
	var raw []byte
	if payload != nil {
		var err error
		if raw, err = json.Marshal(payload); err != nil {
			c.t.Fatal(err)
		}
	}
	return c.send(url, "application/jose+json", c.sign(url, raw, nil))
}

func (c *client) must(a *answer, status int) *answer {
	c.t.Helper()
	if a.status != status {
		c.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func decode[T any](t testing.TB, a *answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return v
}

func (c *client) thumbprint() []byte {
	p, err := (&jose.JSONWebKey{Key: c.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// placedOrder is an order with its URL.
type placedOrder struct {
	acme.Order
	url string
}

func (c *client) order(names ...string) placedOrder {
	c.t.Helper()
	return c.orderAs(acme.NewOrder{}, names...)
}

func identifiers(names ...string) []acme.Identifier {
	var ids []acme.Identifier
	for _, n := range names {
		id := acme.Identifier{Type: acme.TypeDNS, Value: n}
		if _, err := netip.ParseAddr(n); err == nil {
			id.Type = acme.TypeIP
		}
		ids = append(ids, id)
	}
	return ids
}

func (c *client) orderAs(n acme.NewOrder, names ...string) placedOrder {
	c.t.Helper()
	n.Identifiers = identifiers(names...)
	a := c.must(c.post(c.base+"/new-order", n), 201)
	return placedOrder{decode[acme.Order](c.t, a), a.header.Get("Location")}
}

// prove answers a challenge of every authorization of an order.
func (c *client) prove(o placedOrder, kind string) {
	c.t.Helper()
	for _, url := range o.Authorizations {
		c.proveOne(url, kind)
	}
}

func (c *client) proveOne(url, kind string) {
	c.t.Helper()
	a := decode[acme.Authorization](c.t, c.must(c.post(url, nil), 200))
	if a.Status == acme.StatusValid {
		return
	}
	for _, ch := range a.Challenges {
		if ch.Type != kind {
			continue
		}
		proof := acme.KeyAuthorization(ch.Token, c.thumbprint())
		switch kind {
		case acme.HTTP01:
			c.mu.Lock()
			c.proofs[a.Identifier.Value+acme.HTTP01Path+ch.Token] = proof
			c.mu.Unlock()
		case acme.DNS01:
			c.setText(acme.DNS01Name(a.Identifier.Value), "TXT", `"`+acme.DNS01Value(proof)+`"`)
		case acme.DNSAccount01:
			c.setText(acme.DNSAccount01Name(c.kid, a.Identifier.Value), "TXT", `"`+acme.DNS01Value(proof)+`"`)
		case acme.DNSPersist01:
			c.setText(acme.DNSPersist01Name(a.Identifier.Value), "TXT", fmt.Sprintf(`"ca.test\; accounturi=%s\; policy=wildcard"`, ch.AccountURI))
		}
		got := decode[acme.Challenge](c.t, c.must(c.post(ch.URL, map[string]any{}), 200))
		if got.Status != acme.StatusValid {
			c.t.Fatalf("%s: %+v", a.Identifier.Value, got)
		}
		return
	}
	c.t.Fatalf("%s has no %s", url, kind)
}

func (c *client) csr(key crypto.Signer, names ...string) []byte {
	c.t.Helper()
	der, err := pki.CreateCSR(pki.CSRRequest{SANs: names}, key)
	if err != nil {
		c.t.Fatal(err)
	}
	return der
}

// obtain goes the whole way; the certificate's key comes along.
func (c *client) obtain(kind string, names ...string) (*x509.Certificate, crypto.Signer, placedOrder) {
	c.t.Helper()
	o := c.order(names...)
	c.prove(o, kind)
	return c.finish(o, names...)
}

func (c *client) finish(o placedOrder, names ...string) (*x509.Certificate, crypto.Signer, placedOrder) {
	c.t.Helper()
	key := newECKey(c.t)
	done := c.must(c.post(o.Finalize, acme.Finalize{CSR: b64(c.csr(key, names...))}), 200)
	o.Order = decode[acme.Order](c.t, done)
	if o.Status != acme.StatusValid || o.Certificate == "" {
		c.t.Fatalf("%s", done.body)
	}
	return c.fetch(o.Certificate), key, o
}

func (c *client) fetch(url string) *x509.Certificate {
	c.t.Helper()
	chain, err := pki.ParseCertificatesPEM(c.must(c.post(url, nil), 200).body)
	if err != nil || len(chain) == 0 {
		c.t.Fatal(err)
	}
	return chain[0]
}

func newRSAKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

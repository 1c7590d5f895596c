package acmeserver_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/order"
)

// The tests of this file hold rules of RFC 8555 and what was added to it that no other test looks at; docs/rfc8555.md says
// which holds what.

func (w *world) head(t *testing.T, url string) *answer {
	t.Helper()
	r, err := w.web.Client().Head(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{status: r.StatusCode, header: r.Header, body: body}
}

func TestDirectoryAndNonces(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	nonces := c.base + "/new-nonce"
	seen := make(map[string]bool)
	for range 50 {
		for _, a := range []*answer{c.must(w.head(t, nonces), 200), c.must(w.get(t, nonces), 204), c.must(c.post(nonces, nil), 204), c.must(c.post(c.kid, nil), 200)} {
			n := a.header.Get("Replay-Nonce")
			if raw, err := base64.RawURLEncoding.DecodeString(n); err != nil || len(raw) < 16 || seen[n] || len(a.body) > 0 && a.status == 204 {
				t.Fatalf("nonce %q %v, seen before: %v", n, err, seen[n])
			}
			seen[n] = true
			if !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
				t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
			}
		}
	}
	open := decode[acme.Directory](t, c.must(w.get(t, c.base+"/directory"), 200))
	signed := decode[acme.Directory](t, c.must(c.post(c.base+"/directory", nil), 200))
	if open.NewAccount == "" || open.NewAuthz == "" || open.NewOrder != signed.NewOrder {
		t.Errorf("%+v, signed %+v", open, signed)
	}
	for _, url := range []string{nonces, c.base + "/directory"} {
		if a := c.send(url, "application/jose+json", []byte("{}")); a.status != 400 {
			t.Errorf("a POST that is not signed: %d", a.status)
		}
		if a := c.post(url, map[string]any{}); a.problem().Kind() != acme.Malformed {
			t.Errorf("a POST with a payload: %s", a.body)
		}
	}
}

func TestRefusalsHelpTheClient(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	c.nonce = "bm9uZS1vZi15b3Vycw"
	c.must(c.post(c.kid, nil), 400)
	if c.nonce == "" {
		t.Fatal("a badNonce without a nonce")
	}
	c.must(c.post(c.kid, nil), 200) // by the nonce of the refusal
	for _, alg := range []string{"none", "HS256", "RS1", ""} {
		a := c.send(c.kid, "application/jose+json", c.sign(c.kid, nil, set("alg", alg)))
		p := a.problem()
		if a.status != 400 || p.Kind() != acme.BadSignatureAlgorithm || !slices.Contains(p.Algorithms, "ES256") || !slices.Contains(p.Algorithms, "EdDSA") {
			t.Errorf("%q: %d %s", alg, a.status, a.body)
		}
	}
}

func TestBadPublicKeys(t *testing.T) {
	w := newWorld(t, nil)
	good, err := json.Marshal(jose.JSONWebKey{Key: newECKey(t).Public()})
	if err != nil {
		t.Fatal(err)
	}
	change := func(key, value string) map[string]any {
		var m map[string]any
		unJSON(t, good, &m)
		m[key] = value
		return m
	}
	for name, jwk := range map[string]any{
		"a point that is not on the curve": change("x", b64(bytes.Repeat([]byte{1}, 32))),
		"another curve":                    change("crv", "P-512"),
		"a point that is too short":        change("y", b64([]byte{1})),
		"a type that nobody knows":         change("kty", "XX"),
		"a symmetric key":                  map[string]any{"kty": "oct", "k": b64([]byte("secret"))},
		"a private key":                    change("d", b64(bytes.Repeat([]byte{1}, 32))),
	} {
		c := w.stranger()
		url := c.base + "/new-account"
		a := c.send(url, "application/jose+json", c.sign(url, []byte(`{}`), set("jwk", jwk)))
		if a.status != 400 || a.problem().Kind() != acme.BadPublicKey {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestAccountsAsTheyAre(t *testing.T) {
	w := newWorld(t, func(o *acmeserver.Options) { o.Directories[0].Terms = "https://ca.test/terms" })
	c := w.stranger()
	url := c.base + "/new-account"
	refused := c.post(url, map[string]any{"termsOfServiceAgreed": false})
	if p := refused.problem(); refused.status != 403 || p.Kind() != acme.UserActionRequired || p.Instance != "https://ca.test/terms" {
		t.Errorf("%d %s", refused.status, refused.body)
	}
	made := decode[acme.Account](t, c.must(c.post(url, map[string]any{"termsOfServiceAgreed": true, "orders": "https://elsewhere.test/", "status": "revoked"}), 201))
	if made.Status != acme.StatusValid || !strings.HasPrefix(made.Orders, c.base) {
		t.Errorf("%+v", made)
	}
	for name, change := range map[string]map[string]any{
		"orders": {"orders": "https://elsewhere.test/"}, "status": {"status": "revoked"}, "agreement": {"termsOfServiceAgreed": false}, "unknown": {"x": []int{1}},
		"binding": {"externalAccountBinding": map[string]string{"payload": "x"}},
	} {
		got := decode[acme.Account](t, c.must(c.post(c.kid, change), 200))
		if got.Status != made.Status || got.Orders != made.Orders || !got.TermsOfServiceAgreed || len(got.ExternalAccountBinding) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := decode[acme.Account](t, c.must(c.post(c.kid, nil), 200)); got.Status != made.Status || got.Orders != made.Orders || len(got.Contact) > 0 {
		t.Errorf("%+v", got)
	}
	o := c.order("a.test")
	c.must(c.post(c.kid, map[string]any{"status": "deactivated"}), 200)
	kid := c.kid
	for _, u := range []string{kid, o.url, c.base + "/new-order", c.base + "/directory"} {
		if a := c.post(u, nil); a.status != 401 || a.problem().Kind() != acme.Unauthorized {
			t.Errorf("%s: %d %s", u, a.status, a.body)
		}
	}
	c.kid = ""
	if a := c.post(url, map[string]any{"termsOfServiceAgreed": true}); a.status != 401 {
		t.Errorf("a key that was given up: %d %s", a.status, a.body)
	}
}

func TestBindingIsNotClaimed(t *testing.T) {
	c := newWorld(t, nil).stranger()
	url := c.base + "/new-account"
	if a := c.post(url, map[string]any{"externalAccountBinding": map[string]string{"protected": "", "payload": "", "signature": ""}}); a.status < 400 {
		t.Errorf("a binding that is none: %d %s", a.status, a.body)
	}
	if got := decode[acme.Account](t, c.must(c.post(url, map[string]any{}), 201)); len(got.ExternalAccountBinding) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestKeyChangeLeavesOrdersAlone(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	o := c.order("a.test")
	fresh := newECKey(t)
	url := c.base + "/key-change"
	n := &client{world: w, key: fresh, alg: jose.ES256, nonce: "none"}
	inner := n.sign(url, mustJSON(t, map[string]any{"account": c.kid, "oldKey": jose.JSONWebKey{Key: c.key.Public()}}), drop("nonce"))
	c.must(c.send(url, "application/jose+json", c.sign(url, inner, nil)), 200)
	c.key = fresh
	c.prove(o, acme.HTTP01)
	c.finish(o, "a.test")
}

func TestOrdersKeepTheirContents(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	o := c.order("a.test", "*.b.test")
	same := func(when string) acme.Order {
		got := decode[acme.Order](t, c.must(c.post(o.url, nil), 200))
		if !slices.Equal(got.Identifiers, o.Identifiers) || !slices.Equal(got.Authorizations, o.Authorizations) || got.Finalize != o.Finalize {
			t.Errorf("%s: %+v", when, got)
		}
		return got
	}
	csr := acme.Finalize{CSR: b64(c.csr(newECKey(t), "a.test", "*.b.test"))}
	if a := c.post(o.Finalize, csr); a.status != 403 || a.problem().Kind() != acme.OrderNotReady {
		t.Errorf("%d %s", a.status, a.body)
	}
	same("pending")
	for _, u := range o.Authorizations {
		raw := decode[map[string]any](t, c.must(c.post(u, nil), 200))
		name := raw["identifier"].(map[string]any)["value"]
		if wild, has := raw["wildcard"]; has != (name == "b.test") || has && wild != true || strings.HasPrefix(name.(string), "*") {
			t.Errorf("%v", raw)
		}
	}
	c.prove(o, acme.DNS01)
	if got := same("ready"); got.Status != acme.StatusReady {
		t.Errorf("%+v", got)
	}
	c.finish(o, "a.test", "*.b.test")
	if got := same("valid"); got.Status != acme.StatusValid || got.Expires == "" {
		t.Errorf("%+v", got)
	}
	if a := c.post(o.Finalize, csr); a.status != 403 || a.problem().Kind() != acme.OrderNotReady {
		t.Errorf("finalized twice: %d %s", a.status, a.body)
	}
}

func TestNamesThatAreNoneAreRefused(t *testing.T) {
	c := newWorld(t, nil).register()
	for _, name := range []string{"xn--0.test", "xn--.test", "xn--a.test", "xn--test-.test", "a.*.test", "**.test", "1.2.3.4.test.5", "a..test"} {
		a := c.post(c.base+"/new-order", acme.NewOrder{Identifiers: []acme.Identifier{{Type: acme.TypeDNS, Value: name}}})
		if a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	c.order("xn--bcher-kva.test")
	a := c.post(c.base+"/new-order", acme.NewOrder{Identifiers: []acme.Identifier{{Type: "x", Value: "x"}}})
	if a.problem().Kind() != acme.UnsupportedIdentifier {
		t.Errorf("%s", a.body)
	}
	two := c.post(c.base+"/new-order", acme.NewOrder{Identifiers: []acme.Identifier{{Type: "dns", Value: "a_.test"}, {Type: "dns", Value: "ok.test"}, {Type: "x", Value: "x"}}})
	p := two.problem()
	if p.Identifier != nil || len(p.Subproblems) != 2 || p.Subproblems[0].Identifier == nil {
		t.Errorf("%s", two.body)
	}
	if a := c.post(c.base+"/new-authz", acme.NewAuthz{Identifier: acme.Identifier{Type: "dns", Value: "*.a.test"}}); a.status < 400 {
		t.Errorf("a wildcard without an order: %s", a.body)
	}
}

func TestKeysOfAccountsAreNotCertified(t *testing.T) {
	w := newWorld(t, func(o *acmeserver.Options) {
		second := o.Directories[0]
		second.Name = "inner"
		o.Directories = append(o.Directories, second)
	})
	c, other, inner := w.register(), w.register(), w.stranger()
	inner.must(inner.post(inner.base+"/ca/inner/new-account", map[string]any{}), 201)
	o := c.order("a.test")
	c.prove(o, acme.HTTP01)
	for _, who := range []*client{c, other, inner} {
		a := c.post(o.Finalize, acme.Finalize{CSR: b64(c.csr(who.key, "a.test"))})
		if a.status != 400 || a.problem().Kind() != acme.BadCSR {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	c.finish(o, "a.test") // which is still ready
}

func TestChallengesAsTheyAre(t *testing.T) {
	w := newWorld(t, func(o *acmeserver.Options) {
		o.Patience, o.Chaos = time.Nanosecond, acmeserver.Chaos{ValidationDelay: time.Millisecond}
	})
	c := w.register()
	o := c.order("a.test")
	pending := decode[acme.Authorization](t, c.must(c.post(o.Authorizations[0], nil), 200))
	tokens := make(map[string]bool)
	for _, ch := range pending.Challenges {
		if ch.Status != acme.StatusPending || ch.Validated != "" || ch.Error != nil {
			t.Errorf("%+v", ch)
		}
		if ch.Type == acme.DNSPersist01 {
			continue
		}
		if raw, err := base64.RawURLEncoding.DecodeString(ch.Token); err != nil || len(raw) < 16 || tokens[ch.Token] {
			t.Errorf("the token of %s: %q", ch.Type, ch.Token)
		}
		tokens[ch.Token] = true
	}
	i := slices.IndexFunc(pending.Challenges, func(ch acme.Challenge) bool { return ch.Type == acme.HTTP01 })
	ch := pending.Challenges[i]
	c.mu.Lock()
	c.proofs["a.test"+acme.HTTP01Path+ch.Token] = acme.KeyAuthorization(ch.Token, c.thumbprint())
	c.mu.Unlock()
	begun := c.must(c.post(ch.URL, map[string]any{"keyAuthorization": "ignored", "status": "invalid", "x": 1}), 200)
	if !strings.Contains(strings.Join(begun.header["Link"], ","), "<"+o.Authorizations[0]+`>;rel="up"`) {
		t.Errorf("%v", begun.header)
	}
	var a acme.Authorization
	for a.Status = acme.StatusPending; a.Status == acme.StatusPending; {
		a = decode[acme.Authorization](t, c.must(c.post(o.Authorizations[0], nil), 200))
	}
	if a.Status != acme.StatusValid || a.Expires == "" || len(a.Challenges) != 1 || a.Challenges[0].Validated == "" || a.Challenges[0].Error != nil {
		t.Errorf("%+v", a)
	}
	for _, kind := range decode[acme.Authorization](t, c.must(c.post(c.order("127.0.0.1").Authorizations[0], nil), 200)).Challenges {
		if strings.HasPrefix(kind.Type, "dns-") {
			t.Errorf("an address may be proven by %s", kind.Type)
		}
	}
}

func TestDeactivatedAuthorizationsProveNothing(t *testing.T) {
	c := newWorld(t, nil).register()
	_, _, done := c.obtain(acme.HTTP01, "a.test")
	ready := c.order("a.test")
	c.must(c.post(done.Authorizations[0], acme.StatusChange{Status: acme.StatusDeactivated}), 200)
	if a := c.post(ready.Finalize, acme.Finalize{CSR: b64(c.csr(newECKey(t), "a.test"))}); a.problem().Kind() != acme.OrderNotReady {
		t.Errorf("%d %s", a.status, a.body)
	}
	if o := c.order("a.test"); o.Status != acme.StatusPending || o.Authorizations[0] == done.Authorizations[0] {
		t.Errorf("%+v", o)
	}
}

func TestCertificatesAreChains(t *testing.T) {
	w := newWorld(t, func(o *acmeserver.Options) {
		o.Directories[0].Alternates = [][]*x509.Certificate{{o.Directories[0].Authority.Issuer.Certificate}}
	})
	c := w.register()
	leaf, key, o := c.obtain(acme.HTTP01, "a.test")
	a := c.must(c.post(o.Certificate, nil), 200)
	if a.header.Get("Content-Type") != "application/pem-certificate-chain" {
		t.Errorf("%v", a.header)
	}
	var chain []*x509.Certificate
	for rest := a.body; len(rest) > 0; {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN CERTIFICATE-----\n")) {
			t.Fatalf("%.60q", rest)
		}
		var block *pem.Block
		block, rest = pem.Decode(rest)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(chain); n > 0 && chain[n-1].CheckSignatureFrom(cert) != nil {
			t.Error("a chain out of order")
		}
		chain = append(chain, cert)
	}
	if !chain[0].Equal(leaf) || !leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) || !slices.Equal(leaf.DNSNames, []string{"a.test"}) {
		t.Errorf("%v", leaf.DNSNames)
	}
	link := ""
	for _, l := range a.header["Link"] {
		if target, isAlternate := strings.CutSuffix(l, `>;rel="alternate"`); isAlternate {
			link = strings.TrimPrefix(target, "<")
		}
	}
	if link == "" || !c.fetch(link).Equal(leaf) {
		t.Errorf("alternate %q", link)
	}
	if a := w.get(t, o.Certificate); a.status != http.StatusMethodNotAllowed || a.problem().Kind() != acme.Malformed {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
}

func TestRateLimitsSaySo(t *testing.T) {
	w := newWorld(t, func(o *acmeserver.Options) {
		o.Limits = acmeserver.Limits{OrdersPerAccount: acmeserver.Rate{Count: 2, Per: time.Hour}}
	})
	c := w.register()
	c.order("a.test")
	c.order("b.test")
	a := c.post(c.base+"/new-order", acme.NewOrder{Identifiers: identifiers("c.test")})
	if a.status != 429 || a.problem().Kind() != acme.RateLimited || strings.Trim(a.header.Get("Retry-After"), "0123456789") != "" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

func TestStarCertificates(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	clock := newClock(now)
	w := newWorld(t, func(o *acmeserver.Options) {
		o.Now = clock.now
		o.Directories[0].Policy = order.Policy{Star: order.StarPolicy{MinLifetime: time.Hour, MaxDuration: 60 * 24 * time.Hour, AllowGet: true}}
	})
	c := w.register()
	wish := acme.AutoRenewal{Lifetime: 4 * 3600, LifetimeAdjust: 3600, EndDate: now.Add(12 * time.Hour).UTC().Format(time.RFC3339), AllowCertificateGet: true}
	if a := c.post(c.base+"/new-order", acme.NewOrder{Identifiers: identifiers("a.test"), AutoRenewal: &wish, NotAfter: wish.EndDate}); a.status != 400 || a.problem().Kind() != acme.Malformed {
		t.Errorf("with notAfter: %d %s", a.status, a.body)
	}
	o := c.orderAs(acme.NewOrder{AutoRenewal: &wish}, "a.test")
	if o.AutoRenewal == nil || !o.AutoRenewal.AllowCertificateGet {
		t.Errorf("%+v", o.AutoRenewal)
	}
	if a := c.post(o.url, map[string]any{"status": "canceled"}); a.status != 400 || a.problem().Kind() != acme.AutoRenewalCancelInvalid {
		t.Errorf("canceled before its time: %d %s", a.status, a.body)
	}
	c.prove(o, acme.HTTP01)
	done := decode[acme.Order](t, c.must(c.post(o.Finalize, acme.Finalize{CSR: b64(c.csr(newECKey(t), "a.test"))}), 200))
	first := c.fetch(done.StarCertificate)
	if first.NotBefore.Before(now) {
		t.Errorf("the first begins at %v, before %v", first.NotBefore, now)
	}
	a := w.get(t, done.StarCertificate)
	if a.header.Get("Cert-Not-Before") != `"`+first.NotBefore.Format(http.TimeFormat)+`"` || a.header.Get("Cert-Not-After") != `"`+first.NotAfter.Format(http.TimeFormat)+`"` {
		t.Errorf("%v", a.header)
	}
	half := now.Add(2*time.Hour + time.Second)
	clock.set(half)
	c.nonce = ""
	if second := c.fetch(done.StarCertificate); second.Equal(first) || second.NotBefore.After(half) {
		t.Errorf("half-way there is no other certificate: %v", second.NotBefore)
	}
	clock.set(now.Add(13 * time.Hour))
	c.nonce = ""
	if a := c.post(done.StarCertificate, nil); a.status != 403 || a.problem().Kind() != acme.AutoRenewalExpired {
		t.Errorf("after the end: %d %s", a.status, a.body)
	}
}

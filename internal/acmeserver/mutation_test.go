package acmeserver_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/acmeserver"
)

// resource is a place that takes signed requests, with a payload it would take.
type resource struct {
	name, url string
	payload   []byte // nil: POST-as-GET
	byKey     bool   // signed with jwk
}

// resources are those of an account with an order, and a certificate.
func (c *client) resources(o placedOrder, certificate string, der []byte) []resource {
	a := decode[acme.Authorization](c.t, c.must(c.post(o.Authorizations[0], nil), 200))
	return []resource{
		{"newAccount", c.base + "/new-account", []byte(`{"termsOfServiceAgreed":true}`), true},
		{"newOrder", c.base + "/new-order", []byte(`{"identifiers":[{"type":"dns","value":"m.test"}]}`), false},
		{"newAuthz", c.base + "/new-authz", []byte(`{"identifier":{"type":"dns","value":"m.test"}}`), false},
		{"revokeCert", c.base + "/revoke-cert", fmt.Appendf(nil, `{"certificate":%q}`, b64(der)), false},
		{"keyChange", c.base + "/key-change", []byte(`{}`), false},
		{"account", c.kid, []byte(`{"status":"deactivated"}`), false},
		{"orders", c.kid + "/orders", nil, false},
		{"order", o.url, nil, false},
		{"finalize", o.Finalize, fmt.Appendf(nil, `{"csr":%q}`, b64(c.csr(newECKey(c.t), "pending.test"))), false},
		{"authorization", o.Authorizations[0], []byte(`{"status":"deactivated"}`), false},
		{"challenge", a.Challenges[0].URL, []byte(`{}`), false},
		{"certificate", certificate, nil, false},
	}
}

// mutation damages a request. kind is the problem that must come back, status its HTTP status (0: any of an error).
type mutation struct {
	name   string
	kind   acme.ProblemType
	status int
	header func(map[string]any)                // changes the protected header
	body   func(c *client, body []byte) []byte // changes the JWS
	as     string                              // content type
	send   func(c *client, r resource) *answer // instead of all that
	skip   func(r resource) bool               // does not apply
}

func set(key string, value any) func(map[string]any) {
	return func(h map[string]any) { h[key] = value }
}

func drop(key string) func(map[string]any) {
	return func(h map[string]any) { delete(h, key) }
}

// edited changes one member of the JWS.
func edited(key string, change func(string) any) func(*client, []byte) []byte {
	return func(c *client, body []byte) []byte {
		var m map[string]any
		unJSON(c.t, body, &m)
		text, _ := m[key].(string)
		if v := change(text); v == nil {
			delete(m, key)
		} else {
			m[key] = v
		}
		return mustJSON(c.t, m)
	}
}

func flipped(s string) any {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return b64([]byte{1})
	}
	b[len(b)/2] ^= 4
	return b64(b)
}

func method(m string) func(*client, resource) *answer {
	return func(c *client, r resource) *answer {
		q, err := http.NewRequestWithContext(c.t.Context(), m, r.url, bytes.NewReader(c.sign(r.url, r.payload, nil)))
		if err != nil {
			c.t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/jose+json")
		response, err := c.web.Client().Do(q)
		if err != nil {
			c.t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			c.t.Fatal(err)
		}
		return &answer{status: response.StatusCode, header: response.Header, body: body}
	}
}

func raw(text string) func(*client, []byte) []byte {
	return func(*client, []byte) []byte { return []byte(text) }
}

func mutations(c, other *client, used string) []mutation {
	whole := func(s string) any { return s + s }
	account := func(r resource) bool { return r.byKey }
	return []mutation{
		{name: "no nonce", kind: acme.BadNonce, status: 400, header: drop("nonce")},
		{name: "empty nonce", kind: acme.BadNonce, status: 400, header: set("nonce", "")},
		{name: "used nonce", kind: acme.BadNonce, status: 400, header: set("nonce", used)},
		{name: "invented nonce", kind: acme.BadNonce, status: 400, header: set("nonce", b64(make([]byte, 32)))},
		{name: "damaged nonce", kind: acme.BadNonce, status: 400, header: func(h map[string]any) { h["nonce"] = flipped(h["nonce"].(string)) }},
		{name: "padded nonce", kind: acme.BadNonce, status: 400, header: func(h map[string]any) { h["nonce"] = h["nonce"].(string) + "=" }},
		{name: "nonce is a number", kind: acme.Malformed, status: 400, header: set("nonce", 7)},
		{name: "no url", kind: acme.Unauthorized, status: 403, header: drop("url")},
		{name: "another url", kind: acme.Unauthorized, status: 403, header: set("url", c.base+"/new-nonce")},
		{name: "url with a slash more", kind: acme.Unauthorized, status: 403, header: func(h map[string]any) { h["url"] = h["url"].(string) + "/" }},
		{name: "url with a query", kind: acme.Unauthorized, status: 403, header: func(h map[string]any) { h["url"] = h["url"].(string) + "?x" }},
		{name: "url of http", kind: acme.Unauthorized, status: 403, header: func(h map[string]any) { h["url"] = strings.Replace(h["url"].(string), "https:", "http:", 1) }},
		{name: "url of another host", kind: acme.Unauthorized, status: 403, header: func(h map[string]any) { h["url"] = strings.Replace(h["url"].(string), "127.0.0.1", "ca.example", 1) }},
		{name: "url is a list", kind: acme.Malformed, status: 400, header: set("url", []string{"x"})},
		{name: "neither kid nor jwk", kind: acme.Malformed, status: 400, header: func(h map[string]any) { delete(h, "kid"); delete(h, "jwk") }},
		{name: "kid and jwk", kind: acme.Malformed, status: 400, header: func(h map[string]any) {
			h["kid"], h["jwk"] = other.kid, jose.JSONWebKey{Key: c.key.Public()}
		}},
		{name: "jwk where kid belongs", kind: acme.Malformed, status: 400, header: func(h map[string]any) {
			delete(h, "kid")
			h["jwk"] = jose.JSONWebKey{Key: c.key.Public()}
		}, skip: func(r resource) bool { return r.byKey || r.name == "revokeCert" }},
		{name: "kid where jwk belongs", kind: acme.Malformed, status: 400, header: func(h map[string]any) { delete(h, "jwk"); h["kid"] = other.kid }, skip: func(r resource) bool { return !r.byKey }},
		{name: "unknown account", kind: acme.AccountDoesNotExist, status: 400, header: set("kid", c.base+"/acct/NOBODY"), skip: account},
		{name: "kid is no URL", kind: acme.AccountDoesNotExist, status: 400, header: set("kid", "me"), skip: account},
		{name: "kid is the prefix", kind: acme.AccountDoesNotExist, status: 400, header: set("kid", c.base+"/acct/"), skip: account},
		{name: "kid of another server", kind: acme.AccountDoesNotExist, status: 400, header: func(h map[string]any) { h["kid"] = "https://ca.example/acme/acct/1" }, skip: account},
		{name: "another's kid", kind: acme.Malformed, status: 400, header: set("kid", other.kid), skip: account},
		{name: "alg none", kind: acme.BadSignatureAlgorithm, status: 400, header: set("alg", "none")},
		{name: "alg HS256", kind: acme.BadSignatureAlgorithm, status: 400, header: set("alg", "HS256")},
		{name: "alg unknown", kind: acme.BadSignatureAlgorithm, status: 400, header: set("alg", "ES257")},
		{name: "no alg", kind: acme.BadSignatureAlgorithm, status: 400, header: drop("alg")},
		{name: "alg of another curve", kind: acme.Malformed, status: 400, header: set("alg", "ES384")},
		{name: "alg of another key", kind: acme.Malformed, status: 400, header: set("alg", "RS256")},
		{name: "critical extension", kind: acme.Malformed, status: 400, header: set("crit", []string{"exp"})},
		{name: "b64 false", kind: acme.Malformed, status: 400, header: set("b64", false)},
		{name: "damaged signature", kind: acme.Malformed, status: 400, body: edited("signature", flipped)},
		{name: "empty signature", kind: acme.Malformed, status: 400, body: edited("signature", func(string) any { return "" })},
		{name: "no signature", kind: acme.Malformed, status: 400, body: edited("signature", func(string) any { return nil })},
		{name: "long signature", kind: acme.Malformed, status: 400, body: edited("signature", whole)},
		{name: "damaged payload", kind: acme.Malformed, status: 400, body: edited("payload", flipped)},
		{name: "no payload member", kind: acme.Malformed, status: 400, body: edited("payload", func(string) any { return nil })},
		{name: "payload is an object", kind: acme.Malformed, status: 400, body: edited("payload", func(string) any { return map[string]int{} })},
		{name: "payload is no base64", kind: acme.Malformed, status: 400, body: edited("payload", func(string) any { return "*" })},
		{name: "no protected header", kind: acme.Malformed, status: 400, body: edited("protected", func(string) any { return nil })},
		{name: "protected is no base64", kind: acme.Malformed, status: 400, body: edited("protected", func(s string) any { return s + "=" })},
		{name: "protected is no JSON", kind: acme.Malformed, status: 400, body: edited("protected", func(string) any { return b64([]byte("x")) })},
		{name: "unprotected header", kind: acme.Malformed, status: 400, body: edited("header", func(string) any { return map[string]string{"kid": other.kid} })},
		{name: "several signatures", kind: acme.Malformed, status: 400, body: edited("signatures", func(string) any { return []string{} })},
		{name: "compact form", kind: acme.Malformed, status: 400, body: func(c *client, body []byte) []byte {
			var m map[string]string
			unJSON(c.t, body, &m)
			return []byte(m["protected"] + "." + m["payload"] + "." + m["signature"])
		}},
		{name: "no body", kind: acme.Malformed, status: 400, body: raw("")},
		{name: "null", kind: acme.Malformed, status: 400, body: raw("null")},
		{name: "a list", kind: acme.Malformed, status: 400, body: raw("[]")},
		{name: "no JSON", kind: acme.Malformed, status: 400, body: raw("{")},
		{name: "too large", kind: acme.Malformed, status: 413, body: func(_ *client, body []byte) []byte { return append(body, bytes.Repeat([]byte(" "), 200<<10)...) }},
		{name: "plain JSON", kind: acme.Malformed, status: 415, as: "application/json"},
		{name: "no content type", kind: acme.Malformed, status: 415, as: " "},
		{name: "GET", kind: acme.Malformed, status: 405, send: method(http.MethodGet)},
		{name: "PUT", kind: acme.Malformed, status: 405, send: method(http.MethodPut)},
		{name: "DELETE", kind: acme.Malformed, status: 405, send: method(http.MethodDelete)},
	}
}

// TestMutatedRequests damages a sound request to every resource in every way, and checks that each is refused for the right
// reason, and that nothing has changed at the end.
func TestMutatedRequests(t *testing.T) {
	w := newWorld(t, nil)
	c, other := w.register(), w.register()
	cert, _, done := c.obtain(acme.HTTP01, "a.test")
	o := c.order("pending.test")
	used := c.takeNonce()
	c.nonce = used
	c.must(c.post(o.url, nil), 200)
	cases := 0
	for _, r := range c.resources(o, done.Certificate, cert.Raw) {
		for _, m := range mutations(c, other, used) {
			if m.skip != nil && m.skip(r) {
				continue
			}
			cases++
			who := *c
			who.nonce = ""
			if r.byKey {
				who.kid, who.key = "", newECKey(t)
			}
			var a *answer
			if m.send != nil {
				a = m.send(&who, r)
			} else {
				body := who.sign(r.url, r.payload, m.header)
				if m.body != nil {
					body = m.body(&who, body)
				}
				kind := "application/jose+json"
				if m.as != "" {
					kind = strings.TrimSpace(m.as)
				}
				a = who.send(r.url, kind, body)
			}
			p := a.problem()
			if a.status != m.status || p.Kind() != m.kind {
				t.Errorf("%s, %s: status %d, %v; want %d, %s", r.name, m.name, a.status, p, m.status, m.kind)
			}
			checkError(t, r.name+", "+m.name, a, m.send == nil)
		}
	}
	if cases < 500 {
		t.Errorf("only %d cases", cases)
	}
	t.Logf("%d mutated requests", cases)
	if got := decode[acme.Order](t, c.must(c.post(o.url, nil), 200)); got.Status != acme.StatusPending {
		t.Errorf("the order is %s now", got.Status)
	}
	if got := decode[acme.Account](t, c.must(c.post(c.kid, nil), 200)); got.Status != acme.StatusValid {
		t.Errorf("the account is %s now", got.Status)
	}
	if record, err := w.authority.Get(t.Context(), cert.SerialNumber); err != nil || record.Revocation != nil {
		t.Errorf("the certificate: %+v %v", record, err)
	}
}

// checkError holds an error against what RFC 8555, Section 6.7 and Section 6.5 want of each.
func checkError(t *testing.T, what string, a *answer, isPost bool) {
	t.Helper()
	if a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: content type %q", what, a.header.Get("Content-Type"))
	}
	if isPost && a.header.Get("Replay-Nonce") == "" {
		t.Errorf("%s: an error without a nonce", what)
	}
	if !strings.Contains(strings.Join(a.header["Link"], ","), `rel="index"`) {
		t.Errorf("%s: no link to the directory", what)
	}
	var p acme.Problem
	if err := json.Unmarshal(a.body, &p); err != nil || p.Detail == "" || p.Status != 0 && p.Status != a.status {
		t.Errorf("%s: %s", what, a.body)
	}
}

// TestCrossAccountAccess has one account reach for everything of another.
func TestCrossAccountAccess(t *testing.T) {
	w := newWorld(t, nil)
	c, thief := w.register(), w.register()
	cert, _, done := c.obtain(acme.HTTP01, "a.test")
	o := c.order("pending.test")
	for _, r := range c.resources(o, done.Certificate, cert.Raw) {
		switch r.name {
		case "newAccount", "newOrder", "newAuthz", "keyChange":
			continue // belong to nobody
		}
		for _, payload := range [][]byte{r.payload, nil, []byte(`{}`), []byte(`{"status":"deactivated"}`)} {
			a := thief.send(r.url, "application/jose+json", thief.sign(r.url, payload, nil))
			if a.status < 400 || a.problem().Kind() != acme.Unauthorized && a.problem().Kind() != acme.Malformed {
				t.Errorf("%s with %s: %d %s", r.name, payload, a.status, a.body)
			}
			if bytes.Contains(a.body, []byte("pending.test")) || bytes.Contains(a.body, []byte("mailto:")) {
				t.Errorf("%s tells what is not the thief's: %s", r.name, a.body)
			}
		}
		if a := thief.send(r.url, "application/jose+json", thief.sign(r.url, r.payload, nil)); a.problem().Kind() != acme.Unauthorized {
			t.Errorf("%s: %s", r.name, a.body)
		}
	}
	c.must(c.post(o.url, nil), 200)
}

// TestBadPayloads has every resource take payloads that are signed well and make no sense.
func TestBadPayloads(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	cert, _, done := c.obtain(acme.HTTP01, "a.test")
	o := c.order("pending.test")
	for _, r := range c.resources(o, done.Certificate, cert.Raw) {
		for _, text := range []string{"x", "[]", `"text"`, `7`, `{"identifiers":7,"identifier":7,"csr":7,"certificate":7,"status":7,"contact":7}`, `{} {}`, strings.Repeat("[", 20000)} {
			who := *c
			who.nonce = ""
			if r.byKey {
				who.kid, who.key = "", newECKey(t)
			}
			if r.name == "orders" || r.name == "challenge" && strings.HasPrefix(text, `{"`) {
				continue // what stands there means nothing
			}
			a := who.send(r.url, "application/jose+json", who.sign(r.url, []byte(text), nil))
			if a.status != 400 && a.status != 405 || a.problem().Kind() != acme.Malformed && a.problem().Kind() != acme.BadCSR {
				t.Errorf("%s with %.40s: %d %s", r.name, text, a.status, a.body)
			}
		}
	}
}

// smallCSR is a request with a key that we would not make.
func smallCSR(t *testing.T) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"a.test"}}, newRSAKey(t, 1024))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestBadRequestsForCertificates(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	o := c.order("a.test")
	good := c.csr(newECKey(t), "a.test")
	if a := c.post(o.Finalize, acme.Finalize{CSR: b64(good)}); a.status != 403 || a.problem().Kind() != acme.OrderNotReady {
		t.Errorf("an order that is not ready: %d %s", a.status, a.body)
	}
	c.prove(o, acme.HTTP01)
	damaged := bytes.Clone(good)
	damaged[len(damaged)-3] ^= 1
	for name, csr := range map[string]string{
		"empty": "", "no base64": "***", "standard base64": base64.StdEncoding.EncodeToString(good), "no CSR": b64([]byte("x")),
		"damaged": b64(damaged), "another name": b64(c.csr(newECKey(t), "b.test")), "a name more": b64(c.csr(newECKey(t), "a.test", "b.test")),
		"the account's key": b64(c.csr(c.key, "a.test")), "a small RSA key": b64(smallCSR(t)),
	} {
		at := o
		if name == "a small RSA key" {
			at = c.order("a.test") // it will not be ready afterwards
		}
		a := c.post(at.Finalize, acme.Finalize{CSR: csr})
		if name == "a small RSA key" {
			// The request is sound, so the order takes it; no certificate comes of it.
			got := decode[acme.Order](t, a)
			if a.status != 400 && (got.Status != acme.StatusInvalid || got.Error == nil || got.Error.Kind() != acme.BadCSR) {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
			continue
		}
		if a.status != 400 || a.problem().Kind() != acme.BadCSR {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestNoncesOutliveTheServer uses a nonce of the server before, and tries one twice across the restart.
func TestNoncesOutliveTheServer(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	used, unused := c.takeNonce(), w.stranger().takeNonce()
	c.nonce = used
	c.must(c.post(c.kid, nil), 200)
	kid := strings.TrimPrefix(c.kid, w.web.URL)
	w.start()
	c.base, c.kid = w.web.URL+"/acme", w.web.URL+kid
	c.nonce = used
	if p := c.post(c.kid, nil).problem(); p.Kind() != acme.BadNonce {
		t.Errorf("a nonce is taken twice: %v", p)
	}
	c.nonce = unused
	c.must(c.post(c.kid, nil), 200)
}

func TestOldNoncesAreRefused(t *testing.T) {
	clock := newClock(time.Now())
	w := newWorld(t, func(o *acmeserver.Options) { o.Now = clock.now })
	c := w.register()
	old := c.takeNonce()
	clock.set(clock.now().Add(61 * time.Minute))
	c.nonce = old
	if p := c.post(c.kid, nil).problem(); p.Kind() != acme.BadNonce {
		t.Errorf("%v", p)
	}
}

package admin

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// lab is an admin API of a CA of its own, asked without TLS.
type lab struct {
	testing.TB
	home   string
	ca     *CA
	au     *authority.Authority
	server *Server
	now    time.Time
	client *x509.Certificate // who asks; nil: nobody
	admins map[string]*x509.Certificate
	key    crypto.Signer // of what is asked for
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{TB: t, home: t.TempDir(), now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), admins: map[string]*x509.Certificate{}}
	clock := func() time.Time { return l.now }
	_, err := keystore.CreateCA(l.home, keystore.CAOptions{}, l.now)
	l.must(err)
	l.ca, err = InitCA(l.home, CAOptions{}, l.now)
	l.must(err)
	l.au, err = authority.OpenHome(context.Background(), l.home, authority.HomeOptions{Now: clock, Actor: "test"})
	l.must(err)
	t.Cleanup(func() { l.must(l.au.Close()) })
	l.key, err = pki.GenerateKey(pki.P256)
	l.must(err)
	l.serve(Options{})
	for _, r := range Roles() {
		l.admin(string(r), r)
	}
	l.as("all")
	return l
}

// serve makes the server, with o filled in.
func (l *lab) serve(o Options) {
	l.Helper()
	o.Store, o.Now, o.Hosts = l.au.Store, func() time.Time { return l.now }, []string{"ca.test", "127.0.0.1", "::1"}
	o.Issuers = []Issuer{{Name: "default", Authority: l.au}}
	o.Client = func(*http.Request) *x509.Certificate { return l.client }
	var err error
	l.server, err = New(o)
	l.must(err)
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// admin certifies somebody.
func (l *lab) admin(name string, roles ...Role) *x509.Certificate {
	l.Helper()
	key, err := pki.GenerateKey(pki.P256)
	l.must(err)
	c, entry, err := l.ca.Issue(name, roles, key.Public(), 0, nil, l.now)
	l.must(err)
	l.must(l.au.Store.AddAdmin(context.Background(), entry, store.By{Actor: "test", At: l.now}))
	l.admins[name] = c
	return c
}

// as has the next requests asked by an admin; "": nobody.
func (l *lab) as(name string) *lab {
	l.client = l.admins[name]
	return l
}

// ask sends a request; body is JSON text, or a value that becomes JSON; nil: none.
func (l *lab) ask(method, target string, body any, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	l.Helper()
	var sent io.Reader = http.NoBody
	switch b := body.(type) {
	case nil:
	case string:
		sent = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		l.must(err)
		sent = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, target, sent)
	r.Host = "ca.test:9444"
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	l.server.ServeHTTP(w, r)
	return w
}

// got reads an answer, which must have a status.
func got[T any](l *lab, w *httptest.ResponseRecorder, status int) (v T) {
	l.Helper()
	if w.Code != status {
		l.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if status != http.StatusNoContent {
		d := json.NewDecoder(w.Body)
		d.DisallowUnknownFields()
		l.must(d.Decode(&v))
	}
	return v
}

// refused checks that an answer is a problem document of a kind.
func (l *lab) refused(w *httptest.ResponseRecorder, kind string) {
	l.Helper()
	want := problem(kind, "")
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		l.Errorf("no problem document: %d %s", w.Code, w.Body)
		return
	}
	if w.Code != want.Status || p.Status != want.Status || p.Type != problemPrefix+kind || p.Title != want.Title || p.Detail == "" || p.Instance == "" {
		l.Errorf("%d %+v, want %s", w.Code, p, kind)
	}
}

// csr is a request for names.
func (l *lab) csr(names ...string) string {
	l.Helper()
	want := pki.CSRRequest{SANs: names}
	if len(names) == 0 {
		want.CommonName = "no host"
	}
	der, err := pki.CreateCSR(want, l.key)
	l.must(err)
	return string(pki.AppendCSRPEM(nil, der))
}

// issue has a certificate issued over the API.
func (l *lab) issue(names ...string) Certificate {
	l.Helper()
	return got[Certificate](l, l.ask("POST", "/v1/certificates", IssueOrder{CSR: l.csr(names...)}), http.StatusCreated)
}

// acmeAccount files an account.
func (l *lab) acmeAccount(id string, contact ...string) {
	l.Helper()
	body, err := json.Marshal(order.Account{Contact: contact, Agreed: true})
	l.must(err)
	a := store.ACMEAccount{ID: id, Thumbprint: []byte(id), Status: acme.StatusValid, Key: []byte("{}"), Body: body, CreatedAt: l.now}
	l.must(l.au.Store.AddACMEAccount(context.Background(), a, "", store.By{Actor: "test", At: l.now}))
}

// acmeOrder files an order for a name that was proven, with its certificate; it gives the serial number.
func (l *lab) acmeOrder(id, account, name string) string {
	l.Helper()
	ctx := context.Background()
	a := order.Authorization{ID: "z" + id, Account: account, Identifier: acme.Identifier{Type: "dns", Value: name}, Status: acme.StatusValid, Expires: l.now.Add(time.Hour),
		Challenges: []order.Challenge{{ID: "h", Type: acme.HTTP01, Status: acme.StatusPending}, {ID: "d", Type: acme.DNS01, Status: acme.StatusValid, Validated: l.now}}}
	o := order.Order{ID: id, Account: account, Status: acme.StatusProcessing, Identifiers: []acme.Identifier{a.Identifier}, Authorizations: []string{a.ID},
		Created: l.now, Expires: l.now.Add(time.Hour), Profile: "short", Client: order.Client{Address: "192.0.2.7", Agent: "certbot/5"}}
	orderText, err := json.Marshal(o)
	l.must(err)
	authText, err := json.Marshal(a)
	l.must(err)
	l.must(l.au.Store.AddACMEOrder(ctx, store.ACMEOrder{ID: id, Account: account, Status: o.Status, CreatedAt: l.now, ExpiresAt: o.Expires, Body: orderText},
		[]store.ACMEAuthorization{{ID: a.ID, Account: account, Identifier: a.Identifier.String(), Status: a.Status, ExpiresAt: a.Expires, Body: authText}}, ""))
	issued, err := l.au.Order(ctx, authority.Order{Request: pki.Request{Profile: pki.ProfileServer, SANs: []string{name}, Key: l.key.Public()}, For: id})
	l.must(err)
	return fmt.Sprintf("%x", issued.Certificate.SerialNumber.Bytes())
}

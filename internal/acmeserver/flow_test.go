package acmeserver_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tlswright/tlswright/acme"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/order"
	"github.com/tlswright/tlswright/internal/store"
)

func TestEveryChallenge(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	for _, f := range []struct {
		kind  string
		names []string
	}{
		{acme.HTTP01, []string{"a.test", "b.test"}},
		{acme.HTTP01, []string{"127.0.0.1"}},
		{acme.DNS01, []string{"*.c.test", "c.test"}},
		{acme.DNSAccount01, []string{"d.test", "*.d.test"}},
		{acme.DNSPersist01, []string{"*.e.test"}},
	} {
		cert, _, _ := c.obtain(f.kind, f.names...)
		got := slices.Clone(cert.DNSNames)
		for _, a := range cert.IPAddresses {
			got = append(got, a.String())
		}
		slices.Sort(got)
		slices.Sort(f.names)
		if !slices.Equal(got, f.names) {
			t.Errorf("%s: %v, want %v", f.kind, got, f.names)
		}
		if len(cert.ExtKeyUsage) != 1 || cert.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
			t.Errorf("a certificate over ACME may be used for %v", cert.ExtKeyUsage)
		}
		record, err := w.authority.Get(t.Context(), cert.SerialNumber)
		if err != nil || record.State != store.StateIssued {
			t.Errorf("%+v %v", record, err)
		}
	}
}

func TestAccounts(t *testing.T) {
	w := newWorld(t, func(o *acmeserver.Options) { o.Directories[0].Terms = "https://ca.test/terms" })
	c := w.stranger()
	refused := c.post(c.base+"/new-account", map[string]any{})
	if refused.problem().Kind() != acme.UserActionRequired || !strings.Contains(strings.Join(refused.header["Link"], ","), `<https://ca.test/terms>;rel="terms-of-service"`) {
		t.Errorf("%s %v", refused.body, refused.header)
	}
	if p := c.post(c.base+"/new-account", map[string]any{"onlyReturnExisting": true}).problem(); p.Kind() != acme.AccountDoesNotExist {
		t.Error(p)
	}
	made := c.must(c.post(c.base+"/new-account", map[string]any{"termsOfServiceAgreed": true}), 201)
	url := made.header.Get("Location")
	c.kid = ""
	again := c.must(c.post(c.base+"/new-account", map[string]any{"termsOfServiceAgreed": true, "contact": []string{"mailto:x@x.test"}}), 200)
	if again.header.Get("Location") != url || len(decode[acme.Account](t, again).Contact) != 0 {
		t.Errorf("%s", again.body)
	}
	changed := decode[acme.Account](t, c.must(c.post(url, map[string]any{"contact": []string{"mailto:x@x.test"}, "orders": "ignored"}), 200))
	if !slices.Equal(changed.Contact, []string{"mailto:x@x.test"}) || changed.Status != acme.StatusValid || changed.Orders != url+"/orders" {
		t.Errorf("%+v", changed)
	}
	if got := decode[acme.Account](t, c.must(c.post(url, nil), 200)); !slices.Equal(got.Contact, changed.Contact) {
		t.Errorf("%+v", got)
	}
	for contact, want := range map[string]acme.ProblemType{"tel:+1": acme.UnsupportedContact, "mailto:nobody": acme.InvalidContact, "mailto:a@a.test?subject=x": acme.InvalidContact, "mailto:a@a.test,b@b.test": acme.InvalidContact} {
		if p := c.post(url, map[string]any{"contact": []string{contact}}).problem(); p.Kind() != want {
			t.Errorf("%s: %v", contact, p)
		}
	}
	o := c.order("a.test")
	if got := decode[acme.Account](t, c.must(c.post(url, map[string]any{"status": "deactivated"}), 200)); got.Status != acme.StatusDeactivated {
		t.Errorf("%+v", got)
	}
	for _, u := range []string{url, o.url, c.base + "/new-order"} {
		if a := c.post(u, nil); a.problem().Kind() != acme.Unauthorized {
			t.Errorf("a deactivated account at %s: %s", u, a.body)
		}
	}
	c.kid = ""
	if a := c.post(c.base+"/new-account", map[string]any{"termsOfServiceAgreed": true}); a.problem().Kind() != acme.Unauthorized {
		t.Errorf("%s", a.body)
	}
}

func TestAccountKeysOfEveryKind(t *testing.T) {
	w := newWorld(t, nil)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []*client{
		{world: w, key: p384, alg: jose.ES384},
		{world: w, key: newRSAKey(t, 2048), alg: jose.RS256},
		{world: w, key: ed, alg: jose.EdDSA},
	} {
		c.base = w.web.URL + "/acme"
		c.must(c.post(c.base+"/new-account", map[string]any{"termsOfServiceAgreed": true}), 201)
		c.obtain(acme.HTTP01, fmt.Sprintf("k%d.test", i))
	}
	weak := &client{world: w, key: newRSAKey(t, 1024), alg: jose.RS256, base: w.web.URL + "/acme"}
	if p := weak.post(weak.base+"/new-account", map[string]any{"termsOfServiceAgreed": true}).problem(); p.Kind() != acme.BadPublicKey {
		t.Error(p)
	}
}

func TestKeyChange(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	other := w.register()
	fresh := newECKey(t)
	url := c.base + "/key-change"
	inner := func(key *ecdsa.PrivateKey, change func(map[string]any), payload map[string]any) []byte {
		n := &client{world: w, key: key, alg: jose.ES256, nonce: "none"}
		full := map[string]any{"account": c.kid, "oldKey": jose.JSONWebKey{Key: c.key.Public()}}
		for k, v := range payload {
			full[k] = v
		}
		return n.sign(url, mustJSON(t, full), func(h map[string]any) {
			delete(h, "nonce")
			if change != nil {
				change(h)
			}
		})
	}
	for name, body := range map[string][]byte{
		"another url":     inner(fresh, func(h map[string]any) { h["url"] = c.base }, nil),
		"a nonce":         inner(fresh, func(h map[string]any) { h["nonce"] = "x" }, nil),
		"kid":             inner(fresh, func(h map[string]any) { delete(h, "jwk"); h["kid"] = c.kid }, nil),
		"another account": inner(fresh, nil, map[string]any{"account": other.kid}),
		"another old key": inner(fresh, nil, map[string]any{"oldKey": jose.JSONWebKey{Key: other.key.Public()}}),
		"no JWS":          []byte(`{}`),
	} {
		if a := c.send(url, "application/jose+json", c.sign(url, body, nil)); a.problem().Kind() != acme.Malformed {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	taken := c.send(url, "application/jose+json", c.sign(url, inner(other.key.(*ecdsa.PrivateKey), nil, nil), nil))
	if taken.status != 409 || taken.header.Get("Location") != other.kid {
		t.Errorf("the key of another account: %d %v", taken.status, taken.header)
	}
	c.must(c.send(url, "application/jose+json", c.sign(url, inner(fresh, nil, nil), nil)), 200)
	if a := c.post(c.kid, nil); a.status != 400 {
		t.Errorf("the old key still signs: %d", a.status)
	}
	c.key = fresh
	c.must(c.post(c.kid, nil), 200)
}

func TestExternalAccountBinding(t *testing.T) {
	w := newWorld(t, func(o *acmeserver.Options) { o.Directories[0].RequireBinding = true })
	secret := []byte("a secret that is long enough, really")
	err := w.authority.Store.AddACMEBinding(t.Context(), store.ACMEBinding{KID: "kid-1", Key: secret, Body: []byte(`{"dns":["corp.test"]}`), CreatedAt: time.Now()}, store.By{Actor: "test", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	c := w.stranger()
	url := c.base + "/new-account"
	if p := c.post(url, map[string]any{}).problem(); p.Kind() != acme.ExternalAccountRequired {
		t.Error(p)
	}
	bind := func(kid string, key []byte, at string, over any) map[string]any {
		opts := (&jose.SignerOptions{}).WithHeader("kid", kid).WithHeader("url", at)
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, opts)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.Sign(mustJSON(t, over))
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		unJSON(t, []byte(signed.FullSerialize()), &m)
		return map[string]any{"externalAccountBinding": m}
	}
	own := jose.JSONWebKey{Key: c.key.Public()}
	for name, f := range map[string]struct {
		payload map[string]any
		want    acme.ProblemType
	}{
		"another key":     {bind("kid-1", []byte("another secret that is long enough"), url, own), acme.Unauthorized},
		"unknown":         {bind("kid-2", secret, url, own), acme.Unauthorized},
		"another url":     {bind("kid-1", secret, c.base+"/new-order", own), acme.Malformed},
		"another account": {bind("kid-1", secret, url, jose.JSONWebKey{Key: newECKey(t).Public()}), acme.Malformed},
		"no key":          {bind("kid-1", secret, url, "x"), acme.Malformed},
	} {
		if p := c.post(url, f.payload).problem(); p.Kind() != f.want {
			t.Errorf("%s: %v", name, p)
		}
	}
	c.must(c.post(url, bind("kid-1", secret, url, own)), 201)
	c.obtain(acme.HTTP01, "a.corp.test")
	if p := c.post(c.base+"/new-order", acme.NewOrder{Identifiers: identifiers("other.test")}).problem(); p.Kind() != acme.RejectedIdentifier {
		t.Errorf("the rights of the binding: %v", p)
	}
	second := w.stranger()
	if p := second.post(url, bind("kid-1", secret, url, jose.JSONWebKey{Key: second.key.Public()})).problem(); p.Kind() != acme.Unauthorized {
		t.Errorf("a binding is used twice: %v", p)
	}
}

func TestRevocation(t *testing.T) {
	w := newWorld(t, nil)
	c, other := w.register(), w.register()
	url := c.base + "/revoke-cert"
	revoke := func(who *client, cert *x509.Certificate, reason int) *answer {
		return who.post(url, map[string]any{"certificate": b64(cert.Raw), "reason": reason})
	}
	first, _, _ := c.obtain(acme.HTTP01, "a.test")
	if p := revoke(other, first, 1).problem(); p.Kind() != acme.Unauthorized {
		t.Error(p)
	}
	if p := revoke(c, first, 2).problem(); p.Kind() != acme.BadRevocationReason {
		t.Error(p)
	}
	c.must(revoke(c, first, 1), 200)
	if p := revoke(c, first, 1).problem(); p.Kind() != acme.AlreadyRevoked {
		t.Error(p)
	}
	record, err := w.authority.Get(t.Context(), first.SerialNumber)
	if err != nil || record.State != store.StateRevoked || record.Revocation.Reason != 1 {
		t.Errorf("%+v %v", record, err)
	}
	second, key, _ := c.obtain(acme.HTTP01, "b.test")
	holder := &client{world: w, key: key, alg: jose.ES256, base: c.base}
	c.must(revoke(holder, second, 4), 200)
	third, _, _ := c.obtain(acme.HTTP01, "c.test")
	if p := revoke(w.stranger(), third, 0).problem(); p.Kind() != acme.Unauthorized {
		t.Error(p)
	}
	other.prove(other.order("c.test"), acme.HTTP01)
	c.must(revoke(other, third, 5), 200)
}

func TestRenewalInformation(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	cert, _, _ := c.obtain(acme.HTTP01, "a.test")
	id := acme.CertID(cert.AuthorityKeyId, derSerial(t, cert))
	info := w.get(t, c.base+"/renewal-info/"+id)
	window := decode[acme.RenewalInfo](t, info).SuggestedWindow
	from, err := time.Parse(time.RFC3339, window.Start)
	if err != nil || !from.After(cert.NotBefore) || !from.Before(cert.NotAfter) {
		t.Errorf("%+v %v", window, err)
	}
	if after := info.header.Get("Retry-After"); after == "" || strings.Trim(after, "0123456789") != "" {
		t.Errorf("Retry-After %q is no number of seconds", after)
	}
	if a := w.get(t, c.base+"/renewal-info/"+id+"x"); a.status != 404 {
		t.Error(a.status)
	}
	o := c.orderAs(acme.NewOrder{Replaces: id}, "a.test")
	if o.Replaces != id {
		t.Errorf("%+v", o)
	}
	if later := decode[acme.Order](t, c.must(c.post(o.url, nil), 200)); later.Replaces != id {
		t.Errorf("later: %+v", later)
	}
	if d := decode[acme.Directory](t, w.get(t, c.base+"/directory")); d.RenewalInfo != c.base+"/renewal-info" {
		t.Errorf("%+v", d)
	}
	if p := c.post(c.base+"/new-order", acme.NewOrder{Identifiers: identifiers("b.test"), Replaces: id}).problem(); p.Kind() != acme.Malformed {
		t.Errorf("no name in common: %v", p)
	}
	again := c.post(c.base+"/new-order", acme.NewOrder{Identifiers: identifiers("a.test"), Replaces: id})
	if again.status != 409 || again.problem().Kind() != acme.AlreadyReplaced {
		t.Errorf("%s", again.body)
	}
	other := w.register()
	if p := other.post(c.base+"/new-order", acme.NewOrder{Identifiers: identifiers("a.test"), Replaces: id}).problem(); p.Kind() != acme.Unauthorized {
		t.Error(p)
	}
	c.must(c.post(c.base+"/revoke-cert", map[string]any{"certificate": b64(cert.Raw)}), 200)
	window = decode[acme.RenewalInfo](t, w.get(t, c.base+"/renewal-info/"+id)).SuggestedWindow
	if end, err := time.Parse(time.RFC3339, window.End); err != nil || end.After(time.Now()) {
		t.Errorf("a revoked certificate may wait: %+v", window)
	}
}

func TestOrdersAndAuthorizations(t *testing.T) {
	w := newWorld(t, nil)
	c := w.register()
	_, _, first := c.obtain(acme.HTTP01, "a.test")
	ready := c.order("a.test")
	if ready.Status != acme.StatusReady || ready.Authorizations[0] != first.Authorizations[0] {
		t.Errorf("an order of what was proven is %s", ready.Status)
	}
	pre := c.must(c.post(c.base+"/new-authz", acme.NewAuthz{Identifier: acme.Identifier{Type: "dns", Value: "pre.test"}}), 201)
	c.proveOne(pre.header.Get("Location"), acme.HTTP01)
	if o := c.order("pre.test"); o.Status != acme.StatusReady || o.Authorizations[0] != pre.header.Get("Location") {
		t.Errorf("%+v", o)
	}
	gone := decode[acme.Authorization](t, c.must(c.post(first.Authorizations[0], map[string]any{"status": "deactivated"}), 200))
	if gone.Status != acme.StatusDeactivated {
		t.Errorf("%+v", gone)
	}
	if o := decode[acme.Order](t, c.must(c.post(ready.url, nil), 200)); o.Status != acme.StatusInvalid {
		t.Errorf("an order on a deactivated authorization is %s", o.Status)
	}
	list := decode[acme.Orders](t, c.must(c.post(c.kid+"/orders", nil), 200))
	if len(list.Orders) != 3 || list.Orders[0] != first.url {
		t.Errorf("%v", list)
	}
	failing := c.order("fails.test")
	a := decode[acme.Authorization](t, c.must(c.post(failing.Authorizations[0], nil), 200))
	got := decode[acme.Challenge](t, c.must(c.post(a.Challenges[0].URL, map[string]any{}), 200))
	if got.Status != acme.StatusInvalid || got.Error == nil || got.Error.Kind() != acme.Unauthorized {
		t.Errorf("%+v", got)
	}
	o := decode[acme.Order](t, c.must(c.post(failing.url, nil), 200))
	if o.Status != acme.StatusInvalid || o.Error == nil || len(o.Error.Subproblems) != 1 {
		t.Errorf("%+v", o)
	}
	w.setText("caa.test", "CAA", `0 issue "other.test"`)
	denied := c.order("caa.test")
	a = decode[acme.Authorization](t, c.must(c.post(denied.Authorizations[0], nil), 200))
	c.mu.Lock()
	c.proofs["caa.test"+acme.HTTP01Path+a.Challenges[0].Token] = acme.KeyAuthorization(a.Challenges[0].Token, c.thumbprint())
	c.mu.Unlock()
	if got := decode[acme.Challenge](t, c.must(c.post(a.Challenges[0].URL, map[string]any{}), 200)); got.Error == nil || got.Error.Kind() != acme.CAA {
		t.Errorf("%+v", got)
	}
}

func TestProfilesAndDates(t *testing.T) {
	w := newWorld(t, func(o *acmeserver.Options) {
		o.Directories[0].Policy = order.Policy{Default: "classic", Profiles: map[string]order.Profile{
			"classic": {Description: "ninety days"}, "shortlived": {Description: "six days", Lifetime: 6 * 24 * time.Hour, NoCommon: true}}}
	})
	c := w.register()
	d := decode[acme.Directory](t, w.get(t, c.base+"/directory"))
	if d.Meta == nil || d.Meta.Profiles["shortlived"] != "six days" {
		t.Errorf("%+v", d.Meta)
	}
	o := c.orderAs(acme.NewOrder{Profile: "shortlived"}, "a.test")
	c.prove(o, acme.HTTP01)
	cert, _, _ := c.finish(o, "a.test")
	if life := cert.NotAfter.Sub(cert.NotBefore); life > 6*24*time.Hour || life < 6*24*time.Hour-time.Hour || cert.Subject.CommonName != "" {
		t.Errorf("%v %v", life, cert.Subject)
	}
	from, to := time.Now().Add(time.Hour).Truncate(time.Second).UTC(), time.Now().Add(48*time.Hour).Truncate(time.Second).UTC()
	o = c.orderAs(acme.NewOrder{NotBefore: from.Format(time.RFC3339), NotAfter: to.Format(time.RFC3339)}, "a.test")
	if cert, _, _ = c.finish(o, "a.test"); !cert.NotBefore.Equal(from) || !cert.NotAfter.Equal(to) {
		t.Errorf("%v to %v, want %v to %v", cert.NotBefore, cert.NotAfter, from, to)
	}
}

func TestSeveralDirectories(t *testing.T) {
	w := newWorld(t, func(o *acmeserver.Options) {
		second := o.Directories[0]
		second.Name = "inner"
		second.Policy = order.Policy{AllowDNS: []string{"inner.test"}, AllowIP: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
		o.Directories = append(o.Directories, second)
	})
	outer := w.register()
	inner := w.stranger()
	inner.base += "/ca/inner"
	inner.must(inner.post(inner.base+"/new-account", map[string]any{}), 201)
	inner.obtain(acme.HTTP01, "x.inner.test")
	if p := inner.post(inner.base+"/new-order", acme.NewOrder{Identifiers: identifiers("a.test")}).problem(); p.Kind() != acme.RejectedIdentifier {
		t.Error(p)
	}
	outer.base += "/ca/inner"
	if p := outer.post(outer.base+"/new-order", acme.NewOrder{Identifiers: identifiers("x.inner.test")}).problem(); p.Kind() != acme.AccountDoesNotExist {
		t.Errorf("an account of another directory: %v", p)
	}
}

func TestAutomaticRenewal(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	clock := newClock(now)
	w := newWorld(t, func(o *acmeserver.Options) {
		o.Now = clock.now
		o.Directories[0].Policy = order.Policy{Star: order.StarPolicy{MinLifetime: time.Hour, MaxDuration: 60 * 24 * time.Hour, AllowGet: true}}
	})
	c := w.register()
	o := c.orderAs(acme.NewOrder{AutoRenewal: &acme.AutoRenewal{Lifetime: 4 * 3600, EndDate: now.Add(48 * time.Hour).UTC().Format(time.RFC3339), AllowCertificateGet: true}}, "a.test")
	c.prove(o, acme.HTTP01)
	done := decode[acme.Order](t, c.must(c.post(o.Finalize, acme.Finalize{CSR: b64(c.csr(newECKey(t), "a.test"))}), 200))
	if done.StarCertificate == "" || done.Certificate != "" {
		t.Fatalf("%+v", done)
	}
	first := c.fetch(done.StarCertificate)
	if again := c.fetch(done.StarCertificate); !again.Equal(first) {
		t.Error("a second certificate in the same turn")
	}
	clock.set(now.Add(3 * time.Hour))
	open := w.get(t, done.StarCertificate)
	if open.status != 200 || open.header.Get("Content-Type") != "application/pem-certificate-chain" {
		t.Fatalf("%d %s", open.status, open.body)
	}
	c.nonce = ""
	second := c.fetch(done.StarCertificate)
	if second.Equal(first) || !second.NotAfter.After(first.NotAfter) {
		t.Errorf("%v, then %v", first.NotAfter, second.NotAfter)
	}
	if p := c.post(c.base+"/revoke-cert", map[string]any{"certificate": b64(second.Raw)}).problem(); p.Kind() != acme.AutoRenewalRevocationNever {
		t.Error(p)
	}
	c.must(c.post(o.url, map[string]any{"status": "canceled"}), 200)
	if p := c.post(done.StarCertificate, nil).problem(); p.Kind() != acme.AutoRenewalCanceled {
		t.Error(p)
	}
}

package authority

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/pki/revset"
)

// parsed reads a CRL and checks its signature.
func parsed(t *testing.T, a *Authority, der []byte, err error) *crl.List {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	list, err := crl.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignature(a.Issuer.Certificate); err != nil {
		t.Error(err)
	}
	return list
}

func complete(t *testing.T, a *Authority, o CRLOptions) *crl.List {
	t.Helper()
	der, err := a.CRL(t.Context(), o)
	return parsed(t, a, der, err)
}

func TestCRLsFollowEachOther(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{})
	var certs []*x509.Certificate
	for i := range 4 {
		certs = append(certs, issueOne(t, a, fmt.Sprintf("host-%d.test", i)))
	}
	revoke := func(i int, reason crl.Reason) {
		t.Helper()
		if err := a.Revoke(t.Context(), certs[i].SerialNumber, reason, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, list *crl.List, want map[int]crl.Reason) {
		t.Helper()
		for i, c := range certs {
			e, listed := list.Find(c.SerialNumber.Bytes(), c.RawIssuer)
			if reason, should := want[i]; listed != should || listed && e.Reason != reason {
				t.Errorf("%s: certificate %d: listed %v as %v, want %v as %v", what, i, listed, e.Reason, should, reason)
			}
		}
	}
	if _, err := a.CRL(t.Context(), CRLOptions{Delta: true}); !refusedFor(err) {
		t.Errorf("a delta to nothing: %v", err)
	}
	empty := complete(t, a, CRLOptions{})
	check("empty", empty, nil)
	revoke(0, crl.KeyCompromise)
	revoke(1, crl.CertificateHold)
	full := complete(t, a, CRLOptions{})
	check("full", full, map[int]crl.Reason{0: crl.KeyCompromise, 1: crl.CertificateHold})
	if err := a.Release(t.Context(), certs[1].SerialNumber); err != nil {
		t.Fatal(err)
	}
	revoke(2, crl.Superseded)
	delta := complete(t, a, CRLOptions{Delta: true})
	check("delta", delta, map[int]crl.Reason{1: crl.RemoveFromCRL, 2: crl.Superseded})
	if delta.Base.Cmp(full.Number) != 0 || delta.Number.Cmp(full.Number) <= 0 || full.Number.Cmp(empty.Number) <= 0 {
		t.Errorf("numbers %v, %v, %v; base %v", empty.Number, full.Number, delta.Number, delta.Base)
	}
	check("next", complete(t, a, CRLOptions{}), map[int]crl.Reason{0: crl.KeyCompromise, 2: crl.Superseded})
	if got := full.NextUpdate.Sub(full.ThisUpdate); got != crlLifetime {
		t.Errorf("good for %v", got)
	}
}

func TestExpiredCertificatesLeaveTheCRL(t *testing.T) {
	now := time.Now()
	a := openHome(t, newHome(t), HomeOptions{Now: func() time.Time { return now }})
	req := serverRequest(t, "short.test")
	req.Lifetime = time.Hour
	c, err := a.Issue(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Revoke(t.Context(), c.SerialNumber, crl.Superseded, time.Time{}); err != nil {
		t.Fatal(err)
	}
	// RFC 5280, Section 3.3: it stays until it was on one list beyond its validity.
	for i, want := range []bool{true, true, false} {
		if _, listed := complete(t, a, CRLOptions{}).Find(c.SerialNumber.Bytes(), c.RawIssuer); listed != want {
			t.Errorf("list %d: listed %v", i, listed)
		}
		now = now.Add(2 * time.Hour)
	}
	if err := a.Revoke(t.Context(), c.SerialNumber, crl.Superseded, time.Time{}); !refusedFor(err) {
		t.Errorf("revoked what has expired: %v", err)
	}
}

func TestPartitionsTogetherAreTheCRL(t *testing.T) {
	const shards = 4
	home := newHome(t)
	if err := WritePublication(home, Publication{Shards: shards, CRL: []string{"http://crl.test/all.crl"}}); !refusedFor(err) {
		t.Errorf("partitions with one URL: %v", err)
	}
	p := Publication{Shards: shards, CRL: []string{"http://crl.test/{shard}.crl"}, OCSP: []string{"http://ocsp.test"}, Issuer: []string{"http://ca.test/ca.cer"}}
	if err := WritePublication(home, p); err != nil {
		t.Fatal(err)
	}
	a := openHome(t, home, HomeOptions{})
	var certs []*x509.Certificate
	for i := range 40 {
		c := issueOne(t, a, fmt.Sprintf("host-%d.test", i))
		certs = append(certs, c)
		if want := fmt.Sprintf("http://crl.test/%d.crl", crl.ShardOf(c.SerialNumber.Bytes(), shards)); !slices.Equal(c.CRLDistributionPoints, []string{want}) {
			t.Errorf("points to %v, want %s", c.CRLDistributionPoints, want)
		}
		if !slices.Equal(c.OCSPServer, p.OCSP) || !slices.Equal(c.IssuingCertificateURL, p.Issuer) {
			t.Errorf("OCSP %v, issuer %v", c.OCSPServer, c.IssuingCertificateURL)
		}
		if i%2 == 0 {
			if err := a.Revoke(t.Context(), c.SerialNumber, crl.Superseded, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ders, err := a.Partitions(t.Context(), CRLOptions{})
	if err != nil || len(ders) != shards {
		t.Fatalf("%d partitions, %v", len(ders), err)
	}
	for i := range shards {
		ders = append(ders, nil)
		if ders[shards+i], err = a.CRL(t.Context(), CRLOptions{Shard: i, Shards: shards}); err != nil {
			t.Fatal(err)
		}
	}
	for n, der := range ders {
		list := parsed(t, a, der, nil)
		if want := fmt.Sprintf("http://crl.test/%d.crl", n%shards); list.IDP == nil || !slices.Equal(list.IDP.URIs, []string{want}) {
			t.Fatalf("partition %d: %+v", n, list.IDP)
		}
		for i, c := range certs {
			_, listed := list.Find(c.SerialNumber.Bytes(), c.RawIssuer)
			if want := i%2 == 0 && crl.ShardOf(c.SerialNumber.Bytes(), shards) == n%shards; listed != want {
				t.Errorf("partition %d, certificate %d: listed %v", n, i, listed)
			}
		}
		verdicts := pki.JudgeRevocation([]*x509.Certificate{certs[0], a.Issuer.Certificate}, pki.RevocationOptions{Mode: pki.RevocationHard, CRLs: []*crl.List{list}}, time.Now())
		if mine := crl.ShardOf(certs[0].SerialNumber.Bytes(), shards) == n%shards; len(verdicts) == 0 || (verdicts[0].Status == pki.RevocationRevoked) != mine {
			t.Errorf("partition %d judges certificate 0: %+v, its own: %v", n, verdicts, mine)
		}
	}
	for _, o := range []CRLOptions{{Shard: 4, Shards: 4}, {Shard: -1, Shards: 4}, {Shards: 8}} {
		if _, err := a.CRL(t.Context(), o); !refusedFor(err) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if len(parsed(t, a, must(a.Partitions(t.Context(), CRLOptions{Delta: true}))[0], nil).Freshest) != 0 {
		t.Error("a delta points to deltas")
	}
}

func must[T any](v T, _ error) T { return v }

func TestOCSPAnswersForEveryState(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{})
	responderKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	good, revoked, held := issueOne(t, a, "good.test"), issueOne(t, a, "revoked.test"), issueOne(t, a, "held.test")
	if err := a.Revoke(t.Context(), revoked.SerialNumber, crl.KeyCompromise, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Revoke(t.Context(), held.SerialNumber, crl.CertificateHold, time.Time{}); err != nil {
		t.Fatal(err)
	}
	names, err := ocsp.NewIssuer(a.Issuer.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	for _, delegated := range []bool{false, true} {
		if delegated {
			if a.Responder, err = a.NewResponder(t.Context(), responderKey); err != nil {
				t.Fatal(err)
			}
		}
		for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			ids := []ocsp.CertID{names.ID(good.SerialNumber.Bytes(), hash), names.ID(revoked.SerialNumber.Bytes(), hash), names.ID(held.SerialNumber.Bytes(), hash), names.ID([]byte{1, 2, 3}, hash)}
			request, err := ocsp.CreateRequest(ids, []byte("a nonce of ours"))
			if err != nil {
				t.Fatal(err)
			}
			der, err := a.OCSP(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			r, err := ocsp.ParseResponse(der)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Verify(a.Issuer.Certificate, time.Now()); err != nil || string(r.Nonce) != "a nonce of ours" {
				t.Errorf("delegated %v: %v, nonce %q", delegated, err, r.Nonce)
			}
			for i, want := range []ocsp.CertStatus{ocsp.Good, ocsp.Revoked, ocsp.Revoked, ocsp.Unknown} {
				if r.Singles[i].Status != want {
					t.Errorf("certificate %d: %v, want %v", i, r.Singles[i].Status, want)
				}
			}
			if r.Singles[1].Reason != ocsp.Reason(crl.KeyCompromise) || r.Singles[2].Reason != ocsp.Reason(crl.CertificateHold) {
				t.Errorf("reasons %v, %v", r.Singles[1].Reason, r.Singles[2].Reason)
			}
		}
	}
	other := openHome(t, newHome(t), HomeOptions{})
	foreign, err := ocsp.NewCertID([]byte{1}, other.Issuer.Certificate, crypto.SHA1)
	if err != nil {
		t.Fatal(err)
	}
	request, err := ocsp.CreateRequest([]ocsp.CertID{foreign}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, request := range map[ocsp.ResponseStatus][]byte{ocsp.Unauthorized: request, ocsp.MalformedRequest: []byte("what?")} {
		der, err := a.OCSP(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := ocsp.ParseResponse(der); err != nil || r.Status != want {
			t.Errorf("%+v, %v, want %v", r, err, want)
		}
	}
	staple, err := a.Answer(t.Context(), good.SerialNumber)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := ocsp.ParseResponse(staple); err != nil || r.Find(good, a.Issuer.Certificate) == nil || r.Find(good, a.Issuer.Certificate).Status != ocsp.Good {
		t.Errorf("staple: %+v, %v", r, err)
	}
}

func TestTheRevocationSetKnowsAll(t *testing.T) {
	a := openHome(t, newHome(t), HomeOptions{})
	var certs []*x509.Certificate
	for i := range 30 {
		c := issueOne(t, a, fmt.Sprintf("host-%d.test", i))
		certs = append(certs, c)
		if i%3 == 0 {
			if err := a.Revoke(t.Context(), c.SerialNumber, crl.Superseded, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	data, err := a.RevocationSet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := revset.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.CheckSignature(a.Issuer.Certificate); err != nil {
		t.Error(err)
	}
	hash := sha256.Sum256(a.Issuer.Certificate.RawSubjectPublicKeyInfo)
	for i, c := range certs {
		if revoked, known := set.Revoked(hash, c.SerialNumber.Bytes()); !known || revoked != (i%3 == 0) {
			t.Errorf("certificate %d: revoked %v, known %v", i, revoked, known)
		}
	}
	if _, err := a.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

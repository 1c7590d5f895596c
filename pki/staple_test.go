package pki_test

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

func TestMustStapleIsRead(t *testing.T) {
	feature := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
	for name, c := range map[string]struct {
		value []byte
		want  bool
	}{
		"status_request":     {[]byte{0x30, 3, 2, 1, 5}, true},
		"among others":       {[]byte{0x30, 6, 2, 1, 17, 2, 1, 5}, true},
		"something else":     {[]byte{0x30, 3, 2, 1, 17}, false},
		"nothing":            {[]byte{0x30, 0}, false},
		"not to be read":     {[]byte{1, 2, 3}, true},
		"something after it": {[]byte{0x30, 0, 0}, true},
	} {
		cert := &x509.Certificate{Extensions: []pkix.Extension{{Id: feature, Value: c.value}}}
		if got := pki.MustStaple(cert); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if pki.MustStaple(&x509.Certificate{}) {
		t.Error("a certificate without the extension")
	}
}

func TestStaplesAreChecked(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	other := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256).Certificate
	delegate := responder(t, ca, x509.ExtKeyUsageOCSPSigning, ca.Now.Add(time.Hour))
	now := ca.Now
	good := ocsp.Response{Status: ocsp.Good, SerialNumber: leaf.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	with := func(change func(*ocsp.Response)) ocsp.Response { r := good; change(&r); return r }
	for name, c := range map[string]struct {
		by      *x509.Certificate
		issuer  *x509.Certificate
		key     crypto.Signer
		r       ocsp.Response
		problem string // "": none
	}{
		"good":            {ca.Intermediate, ca.Intermediate, ca.Key, good, ""},
		"with SHA-256":    {ca.Intermediate, ca.Intermediate, ca.Key, with(func(r *ocsp.Response) { r.IssuerHash = crypto.SHA256 }), ""},
		"delegated":       {delegate.cert, ca.Intermediate, delegate.key, with(func(r *ocsp.Response) { r.Certificate = delegate.cert }), ""},
		"no next update":  {ca.Intermediate, ca.Intermediate, ca.Key, with(func(r *ocsp.Response) { r.NextUpdate = time.Time{} }), ""},
		"old":             {ca.Intermediate, ca.Intermediate, ca.Key, with(func(r *ocsp.Response) { r.NextUpdate = now.Add(-time.Minute) }), "out of date"},
		"old, no end":     {ca.Intermediate, ca.Intermediate, ca.Key, with(func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(-25*time.Hour), time.Time{} }), "out of date"},
		"early":           {ca.Intermediate, ca.Intermediate, ca.Key, with(func(r *ocsp.Response) { r.ThisUpdate = now.Add(10 * time.Minute) }), "future"},
		"unknown":         {ca.Intermediate, ca.Intermediate, ca.Key, with(func(r *ocsp.Response) { r.Status = ocsp.Unknown }), "not known"},
		"another serial":  {ca.Intermediate, ca.Intermediate, ca.Key, with(func(r *ocsp.Response) { r.SerialNumber = big.NewInt(1) }), "about another"},
		"another CA":      {other.Intermediate, other.Intermediate, other.Key, good, "about another"},
		"another issuer":  {ca.Intermediate, other.Intermediate, ca.Key, good, "about another"},
		"wrong key":       {ca.Intermediate, ca.Intermediate, other.Key, good, "signature is wrong"},
		"wrong usage":     useless(t, ca, good, x509.ExtKeyUsageServerAuth, now.Add(time.Hour), "may not"),
		"expired signer":  useless(t, ca, good, x509.ExtKeyUsageOCSPSigning, now.Add(-time.Minute), "not in force"),
		"strange signer":  useless(t, ca.Namesake(), good, x509.ExtKeyUsageOCSPSigning, now.Add(time.Hour), "about another"),
		"revoked, but ok": {ca.Intermediate, ca.Intermediate, ca.Key, with(func(r *ocsp.Response) { r.Status, r.RevokedAt = ocsp.Revoked, now }), ""},
	} {
		der, err := ocsp.CreateResponse(c.issuer, c.by, c.r, c.key)
		if err != nil {
			t.Fatal(name, err)
		}
		s, err := pki.CheckStaple(der, leaf, ca.Intermediate, now)
		var v *pki.VerifyError
		switch {
		case c.problem != "" && (!errors.As(err, &v) || v.Reason != pki.ReasonStaple || !strings.Contains(v.Text, c.problem)):
			t.Errorf("%s: %v", name, err)
		case c.problem == "" && (err != nil || s.Revoked != (c.r.Status == ocsp.Revoked) || !s.NextUpdate.After(now)):
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if _, err := pki.CheckStaple([]byte("nonsense"), leaf, ca.Intermediate, now); err == nil {
		t.Error("nonsense was taken")
	}
}

type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// responder makes a certificate that signs OCSP responses for a CA, or tries to.
func responder(t *testing.T, ca *pkitest.CA, usage x509.ExtKeyUsage, until time.Time) signer {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(nil, &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "responder"}, NotBefore: ca.Now.Add(-24 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, ca.Intermediate, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{cert, key}
}

// useless is a response for the CA of the test that is signed by somebody who may not.
func useless(t *testing.T, by *pkitest.CA, r ocsp.Response, usage x509.ExtKeyUsage, until time.Time, problem string) (c struct {
	by      *x509.Certificate
	issuer  *x509.Certificate
	key     crypto.Signer
	r       ocsp.Response
	problem string
}) {
	s := responder(t, by, usage, until)
	r.Certificate = s.cert
	c.by, c.issuer, c.key, c.r, c.problem = s.cert, by.Intermediate, s.key, r, problem
	return c
}

func FuzzCheckStaple(f *testing.F) {
	ca := pkitest.New(f, pkitest.P256)
	leaf := ca.Server(pkitest.P256).Certificate
	der, err := ocsp.CreateResponse(ca.Intermediate, ca.Intermediate, ocsp.Response{SerialNumber: leaf.SerialNumber, ThisUpdate: ca.Now, NextUpdate: ca.Now.Add(time.Hour)}, ca.Key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := pki.CheckStaple(b, leaf, ca.Intermediate, ca.Now); err == nil && s.Revoked {
			t.Error("a forged response was taken")
		}
	})
}

// TestStaplesOfAChain: each certificate is judged by its own response, and what a CA demands is demanded of the leaf.
func TestStaplesOfAChain(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256).Certificate
	now := ca.Now
	chain := []*x509.Certificate{leaf, ca.Intermediate, ca.Root}
	says := func(c, by *x509.Certificate, key crypto.Signer, status int) []byte {
		der, err := ocsp.CreateResponse(by, by, ocsp.Response{Status: status, SerialNumber: c.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour), RevokedAt: now.Add(-time.Hour)}, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	own, above := says(leaf, ca.Intermediate, ca.Key, ocsp.Good), says(ca.Intermediate, ca.Root, ca.RootKey, ocsp.Good)
	said, err := pki.VerifyStaples(chain, [][]byte{own, above}, true, now)
	if err != nil || len(said) != 3 || said[0] == nil || said[1] == nil || said[2] != nil {
		t.Errorf("%v, %v", said, err)
	}
	if said, err = pki.VerifyStaples(chain, [][]byte{above, own}, false, now); err != nil || said != nil {
		t.Errorf("the wrong way round: %v, %v", said, err)
	}
	if said, err = pki.VerifyStaples(chain, nil, false, now); err != nil || said != nil {
		t.Errorf("none: %v, %v", said, err)
	}
	var v *pki.VerifyError
	if _, err = pki.VerifyStaples(chain, [][]byte{nil, above}, true, now); !errors.As(err, &v) || v.Reason != pki.ReasonStaple || v.Depth != 0 {
		t.Errorf("the leaf's is demanded, and there is only the other: %v", err)
	}
	if _, err = pki.VerifyStaples(chain, [][]byte{own, says(ca.Intermediate, ca.Root, ca.RootKey, ocsp.Revoked)}, false, now); !errors.As(err, &v) || v.Reason != pki.ReasonRevoked || v.Depth != 1 {
		t.Errorf("a revoked CA: %v", err)
	}
	if pki.StapleDemanded(chain) {
		t.Error("nobody demands a staple")
	}
	strict := *ca.Intermediate
	strict.Extensions = append(strict.Extensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}})
	if chain[1] = &strict; !pki.StapleDemanded(chain) {
		t.Error("what the CA demands is not looked at")
	}
	if _, err := pki.VerifyStaple(chain, nil, now); !errors.As(err, &v) || v.Reason != pki.ReasonStaple {
		t.Errorf("a CA demands it: %v", err)
	}
}

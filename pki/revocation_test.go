package pki_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/pki/revset"
)

// scene is a CA with a leaf whose revocation is judged.
type scene struct {
	*pkitest.CA
	t    testing.TB
	leaf *x509.Certificate
}

func newScene(t testing.TB) *scene {
	ca := pkitest.New(t, pkitest.P256)
	return &scene{ca, t, ca.Server(pkitest.P256).Certificate}
}

// signerFor makes a certificate signed by issuer, with a new key; change makes it what it is.
func (s *scene) signerFor(issuer *x509.Certificate, by crypto.Signer, change func(*x509.Certificate)) (*x509.Certificate, crypto.Signer) {
	s.t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		s.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		s.t.Fatal(err)
	}
	tm := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "somebody"}, NotBefore: s.Now.Add(-48 * time.Hour), NotAfter: s.Now.Add(48 * time.Hour), BasicConstraintsValid: true}
	change(tm)
	der, err := x509.CreateCertificate(rand.Reader, tm, issuer, key.Public(), by)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return c, key
}

// relieve replaces the leaf.
func (s *scene) relieve(change func(*x509.Certificate)) {
	s.leaf, _ = s.signerFor(s.Intermediate, s.Key, change)
}

func (s *scene) path() []*x509.Certificate {
	return []*x509.Certificate{s.leaf, s.Intermediate, s.Root}
}

// list makes a CRL of the intermediate, or of whoever change puts into by.
func (s *scene) list(change func(*crl.Template), revoked ...crl.Entry) *crl.List {
	s.t.Helper()
	return s.listBy(s.Intermediate, s.Key, change, revoked...)
}

func (s *scene) listBy(c *x509.Certificate, key crypto.Signer, change func(*crl.Template), revoked ...crl.Entry) *crl.List {
	s.t.Helper()
	tm := crl.Template{Number: big.NewInt(5), ThisUpdate: s.Now.Add(-time.Hour), NextUpdate: s.Now.Add(time.Hour), Entries: slices.Values(revoked)}
	if change != nil {
		change(&tm)
	}
	der, err := crl.Create(tm, c, key)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := crl.Parse(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// bad is an entry for a certificate.
func (s *scene) bad(c *x509.Certificate, r crl.Reason) crl.Entry {
	return crl.Entry{Serial: c.SerialNumber.Bytes(), RevokedAt: s.Now.Add(-2 * time.Hour), Reason: r}
}

// judge asks about the leaf alone and compares with what is wanted: a status and a part of the text.
func (s *scene) judge(label string, o pki.RevocationOptions, want pki.RevocationStatus, text string) pki.RevocationResult {
	s.t.Helper()
	if o.Mode == pki.RevocationOff {
		o.Mode = pki.RevocationHard
	}
	all := pki.JudgeRevocation(s.path(), o, s.Now)
	if len(all) == 0 {
		s.t.Fatalf("%s: no result", label)
	}
	if r := all[0]; r.Status != want || !strings.Contains(r.Text, text) {
		s.t.Errorf("%s: %v: %s; want %v: %s", label, r.Status, r.Text, want, text)
		for _, x := range r.Tried {
			s.t.Logf("    %v: %s", x.Status, x.Text)
		}
	}
	return all[0]
}

func lists(l ...*crl.List) pki.RevocationOptions { return pki.RevocationOptions{CRLs: l} }

const (
	good      = pki.RevocationGood
	revoked   = pki.RevocationRevoked
	unknown   = pki.RevocationUnknown
	notNeeded = pki.RevocationNotNeeded
)

func TestCRLsAreJudged(t *testing.T) {
	s := newScene(t)
	other := pkitest.New(t, pkitest.P256)
	namesake := s.Namesake()
	s.judge("none", pki.RevocationOptions{}, unknown, "nothing at hand")
	s.judge("not on it", lists(s.list(nil, s.bad(s.Intermediate, 0))), good, "is not on the CRL")
	r := s.judge("on it", lists(s.list(nil, s.bad(s.leaf, crl.KeyCompromise))), revoked, "(keyCompromise)")
	if r.Reason != crl.KeyCompromise || !r.At.Equal(s.Now.Add(-2*time.Hour).Truncate(time.Second)) || r.Source != "CRL" || r.Depth != 0 || r.Subject == "" || r.Section == "" {
		t.Errorf("%+v", r)
	}
	s.judge("on hold", lists(s.list(nil, s.bad(s.leaf, crl.CertificateHold))), revoked, "on hold since")
	s.judge("another's", lists(s.listBy(other.Intermediate, other.Key, nil)), unknown, "nothing at hand")
	s.judge("a namesake's", lists(s.listBy(namesake.Intermediate, namesake.Key, nil)), unknown, "signature is wrong")
	s.judge("a namesake's, too", lists(s.listBy(namesake.Intermediate, namesake.Key, nil), s.list(nil)), good, "")
	s.judge("the root's", lists(s.listBy(s.Root, s.RootKey, nil)), unknown, "nothing at hand")
	s.judge("old", lists(s.list(func(tm *crl.Template) { tm.NextUpdate = s.Now.Add(-time.Minute) })), unknown, "out of date")
	s.judge("early", lists(s.list(func(tm *crl.Template) { tm.ThisUpdate = s.Now.Add(10 * time.Minute) })), unknown, "from the future")
	s.judge("users only", lists(s.list(func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{OnlyUser: true} })), good, "")
	s.judge("CAs only", lists(s.list(func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{OnlyCA: true} })), unknown, "CA certificates only")
	s.judge("a partition", lists(s.list(func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{URIs: []string{"http://x/1"}} })), unknown, "another distribution point")
	expired := func(tm *crl.Template) { tm.NextUpdate = s.Now.Add(-time.Minute) }
	s.judge("on an old one only", lists(s.list(expired, s.bad(s.leaf, crl.Superseded))), revoked, "(superseded), says the CRL number 5 of")
	s.judge("on hold on an old one only", lists(s.list(expired, s.bad(s.leaf, crl.CertificateHold))), unknown, "out of date")
	s.judge("old and on it", lists(s.list(func(tm *crl.Template) { tm.NextUpdate = s.Now.Add(-time.Minute) }, s.bad(s.leaf, 0)), s.list(nil)), good, "")
}

func TestTheWholeChainIsJudgedWhenAsked(t *testing.T) {
	s := newScene(t)
	o := lists(s.list(nil), s.listBy(s.Root, s.RootKey, nil, s.bad(s.Intermediate, crl.CACompromise)))
	o.Mode = pki.RevocationSoft
	if all := pki.JudgeRevocation(s.path(), o, s.Now); len(all) != 1 || all[0].Status != good {
		t.Errorf("%+v", all)
	}
	o.WholeChain = true
	all := pki.JudgeRevocation(s.path(), o, s.Now)
	if len(all) != 3 || all[0].Status != good || all[1].Status != revoked || all[1].Reason != crl.CACompromise || all[2].Status != notNeeded {
		t.Errorf("%+v", all)
	}
	if !all[1].Refused(pki.RevocationSoft) || !all[1].Refused(pki.RevocationHard) || all[1].Refused(pki.RevocationOff) || all[2].Refused(pki.RevocationHard) {
		t.Error("refused wrongly")
	}
	o.CRLs = nil
	all = pki.JudgeRevocation(s.path(), o, s.Now)
	if all[0].Refused(pki.RevocationSoft) || !all[0].Refused(pki.RevocationHard) || all[2].Refused(pki.RevocationHard) {
		t.Errorf("%+v", all)
	}
	o.Mode = pki.RevocationOff
	if all := pki.JudgeRevocation(s.path(), o, s.Now); all != nil {
		t.Errorf("judged although nobody asked: %+v", all)
	}
	o.Mode = pki.RevocationHard
	if all := pki.JudgeRevocation([]*x509.Certificate{s.Root}, o, s.Now); len(all) != 1 || all[0].Status != notNeeded {
		t.Errorf("%+v", all)
	}
	if all := pki.JudgeRevocation(nil, o, s.Now); all != nil {
		t.Errorf("%+v", all)
	}
}

func TestPartitionsAreToldApart(t *testing.T) {
	s := newScene(t)
	const shards = 8
	point := func(n int) string { return fmt.Sprintf("http://crl.test/%d", n) }
	var leaves []*x509.Certificate
	entries := make([][]crl.Entry, shards)
	for i := range 24 {
		c, _ := s.signerFor(s.Intermediate, s.Key, func(c *x509.Certificate) {
			c.CRLDistributionPoints = []string{point(crl.ShardOf(c.SerialNumber.Bytes(), shards))}
		})
		leaves = append(leaves, c)
		if i%3 == 0 {
			n := crl.ShardOf(c.SerialNumber.Bytes(), shards)
			entries[n] = append(entries[n], s.bad(c, crl.Superseded))
		}
	}
	var all []*crl.List
	for n := range shards {
		all = append(all, s.list(func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{URIs: []string{point(n)}} }, entries[n]...))
	}
	for i, c := range leaves {
		s.leaf = c
		want := good
		if i%3 == 0 {
			want = revoked
		}
		s.judge(fmt.Sprint(i), lists(all...), want, "")
		n := crl.ShardOf(c.SerialNumber.Bytes(), shards)
		s.judge(fmt.Sprint(i, " without its partition"), lists(slices.Concat(all[:n], all[n+1:])...), unknown, "another distribution point")
	}
}

func TestDeltasAreTakenIntoAccount(t *testing.T) {
	s := newScene(t)
	namesake := s.Namesake()
	number := func(n, base int64) func(*crl.Template) {
		return func(tm *crl.Template) {
			tm.Number = big.NewInt(n)
			if base > 0 {
				tm.Base = big.NewInt(base)
			}
		}
	}
	stale := func(change func(*crl.Template)) func(*crl.Template) {
		return func(tm *crl.Template) { change(tm); tm.NextUpdate = s.Now.Add(-time.Minute) }
	}
	base, held := s.list(number(5, 0)), s.list(number(5, 0), s.bad(s.leaf, crl.CertificateHold))
	s.judge("alone", lists(s.list(number(7, 5))), unknown, "no complete CRL")
	s.judge("added", lists(base, s.list(number(7, 5), s.bad(s.leaf, crl.KeyCompromise))), revoked, "delta CRL number 7")
	s.judge("removed", lists(held, s.list(number(7, 4), s.bad(s.leaf, crl.RemoveFromCRL))), good, "")
	s.judge("not removed", lists(held, s.list(number(7, 5))), revoked, "on hold")
	s.judge("the newest counts", lists(held, s.list(number(7, 5), s.bad(s.leaf, crl.RemoveFromCRL)), s.list(number(8, 5), s.bad(s.leaf, crl.KeyCompromise))), revoked, "number 8")
	s.judge("for a later base", lists(base, s.list(number(7, 6), s.bad(s.leaf, 0))), good, "")
	s.judge("older than the base", lists(base, s.list(number(5, 4), s.bad(s.leaf, 0))), good, "")
	s.judge("old", lists(base, s.list(stale(number(7, 5)), s.bad(s.leaf, 0))), good, "")
	s.judge("old base, new delta", lists(s.list(stale(number(5, 0))), s.list(number(7, 5))), good, "")
	s.judge("old base, new delta, on the base", lists(s.list(stale(number(5, 0)), s.bad(s.leaf, 0)), s.list(number(7, 5))), revoked, "")
	s.judge("both old", lists(s.list(stale(number(5, 0))), s.list(stale(number(7, 5)))), unknown, "out of date")
	s.judge("another scope", lists(base, s.list(func(tm *crl.Template) { number(7, 5)(tm); tm.IDP = &crl.DistributionPoint{OnlyUser: true} }, s.bad(s.leaf, 0))), good, "")
	s.judge("another key", lists(held, s.listBy(namesake.Intermediate, namesake.Key, number(7, 5), s.bad(s.leaf, crl.RemoveFromCRL))), revoked, "on hold")
}

func TestReasonsMustAllBeCovered(t *testing.T) {
	s := newScene(t)
	only := func(r ...crl.Reason) func(*crl.Template) {
		return func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{OnlySomeReasons: crl.SetOf(r...)} }
	}
	var rest []crl.Reason
	for _, r := range crl.Reasons() {
		if r != crl.KeyCompromise && r != crl.CACompromise {
			rest = append(rest, r)
		}
	}
	some := s.list(only(crl.KeyCompromise, crl.CACompromise))
	s.judge("some", lists(some), unknown, "some reasons only: keyCompromise, cACompromise")
	s.judge("all in two", lists(some, s.list(only(rest...))), good, "")
	s.judge("some, on it", lists(s.list(only(crl.KeyCompromise), s.bad(s.leaf, crl.KeyCompromise))), revoked, "")
	s.judge("on the second", lists(some, s.list(only(rest...), s.bad(s.leaf, crl.Superseded))), revoked, "superseded")
}

func TestCRLsMayHaveSignersOfTheirOwn(t *testing.T) {
	s := newScene(t)
	subject := s.Intermediate.Subject
	signer := func(change func(*x509.Certificate)) (*x509.Certificate, crypto.Signer) {
		return s.signerFor(s.Root, s.RootKey, func(c *x509.Certificate) {
			c.Subject, c.KeyUsage = subject, x509.KeyUsageCRLSign
			if change != nil {
				change(c)
			}
		})
	}
	c, key := signer(nil)
	with := func(c *x509.Certificate, key crypto.Signer, more ...*crl.List) pki.RevocationOptions {
		o := lists(append(more, s.listBy(c, key, nil))...)
		o.Extra = []*x509.Certificate{c}
		return o
	}
	rootList := s.listBy(s.Root, s.RootKey, nil)
	s.judge("good", with(c, key, rootList), good, "")
	s.judge("not at hand", lists(s.listBy(c, key, nil)), unknown, "signature is wrong")
	s.judge("revoked", with(c, key, s.listBy(s.Root, s.RootKey, nil, s.bad(c, crl.KeyCompromise))), unknown, "was revoked itself")
	o := with(c, key)
	s.judge("its own status is unknown, and the leaf alone is judged", o, good, "")
	o.WholeChain = true
	s.judge("its own status is unknown", o, unknown, "has no status")
	o.Mode = pki.RevocationSoft
	s.judge("its own status is unknown, softly", o, good, "")
	c, key = signer(func(c *x509.Certificate) { c.NotAfter = s.Now.Add(-time.Minute) })
	s.judge("expired", with(c, key, rootList), unknown, "no valid path")
	namesake := s.Namesake()
	s.judge("of another root", with(namesake.Intermediate, namesake.Key), unknown, "no valid path")
	c, key = signer(func(c *x509.Certificate) { c.KeyUsage, c.SubjectKeyId = x509.KeyUsageDigitalSignature, []byte{1} })
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: s.Now.Add(-time.Hour), NextUpdate: s.Now.Add(time.Hour)},
		&x509.Certificate{RawSubject: c.RawSubject, SubjectKeyId: []byte{1}, KeyUsage: x509.KeyUsageCRLSign, PublicKey: key.Public()}, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := crl.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	o = lists(l, rootList)
	o.Extra = []*x509.Certificate{c}
	s.judge("by its key usage", o, unknown, "key usage")
}

func TestNobodyVouchesForItself(t *testing.T) {
	s := newScene(t)
	// Two signers of CRLs for the root, each of which says that the other is good.
	make := func() (*x509.Certificate, crypto.Signer) {
		return s.signerFor(s.Root, s.RootKey, func(c *x509.Certificate) { c.Subject, c.KeyUsage = s.Root.Subject, x509.KeyUsageCRLSign })
	}
	a, keyA := make()
	b, keyB := make()
	o := lists(s.list(nil), s.listBy(a, keyA, nil), s.listBy(b, keyB, nil))
	o.Extra, o.WholeChain, o.Mode = []*x509.Certificate{a, b}, true, pki.RevocationHard
	if all := pki.JudgeRevocation(s.path(), o, s.Now); all[1].Status != unknown {
		t.Errorf("the intermediate: %+v", all[1])
	}
	o.CRLs = append(o.CRLs, s.listBy(s.Root, s.RootKey, nil))
	if all := pki.JudgeRevocation(s.path(), o, s.Now); all[1].Status != good {
		t.Errorf("the intermediate: %+v", all[1])
	}
}

func TestARevokedCACannotHideIt(t *testing.T) {
	s := newScene(t)
	// The intermediate makes a certificate with the root's name, and lists in that name that do not have it.
	a, keyA := s.signerFor(s.Intermediate, s.Key, func(c *x509.Certificate) { c.Subject, c.KeyUsage = s.Root.Subject, x509.KeyUsageCRLSign })
	b, keyB := s.signerFor(s.Intermediate, s.Key, func(c *x509.Certificate) { c.Subject, c.KeyUsage = s.Root.Subject, x509.KeyUsageCRLSign })
	for _, mode := range []pki.RevocationMode{pki.RevocationSoft, pki.RevocationHard} {
		o := lists(s.list(nil), s.listBy(a, keyA, nil), s.listBy(b, keyB, nil))
		o.Extra, o.WholeChain, o.Mode = []*x509.Certificate{a, b}, true, mode
		if all := pki.JudgeRevocation(s.path(), o, s.Now); all[0].Status != good || all[1].Status != unknown || !strings.Contains(all[1].Text, "the very certificate") {
			t.Errorf("%v: %+v", mode, all)
		}
		o.CRLs = append(o.CRLs, s.listBy(s.Root, s.RootKey, nil, s.bad(s.Intermediate, crl.CACompromise)))
		if all := pki.JudgeRevocation(s.path(), o, s.Now); all[1].Status != revoked {
			t.Errorf("%v: %+v", mode, all)
		}
		// Nor can a leaf, or what is below a CA that is being judged.
		o.Extra = []*x509.Certificate{a, b, s.leaf}
		if all := pki.JudgeRevocation([]*x509.Certificate{a, s.Intermediate, s.Root}, o, s.Now); all[1].Status != revoked {
			t.Errorf("%v: %+v", mode, all)
		}
	}
}

// answer makes an OCSP response about a certificate.
func (s *scene) answer(c *x509.Certificate, by *x509.Certificate, key crypto.Signer, change func(*ocsp.Single), certs ...*x509.Certificate) []byte {
	s.t.Helper()
	id, err := ocsp.NewCertID(c.SerialNumber.Bytes(), s.Intermediate, crypto.SHA1)
	if err != nil {
		s.t.Fatal(err)
	}
	single := ocsp.Single{ID: id, ThisUpdate: s.Now.Add(-time.Hour), NextUpdate: s.Now.Add(time.Hour)}
	if change != nil {
		change(&single)
	}
	der, err := ocsp.CreateResponse(ocsp.ResponseTemplate{Singles: []ocsp.Single{single}, ProducedAt: s.Now, Certificates: certs}, by, key)
	if err != nil {
		s.t.Fatal(err)
	}
	return der
}

func TestOCSPResponsesAreJudged(t *testing.T) {
	s := newScene(t)
	another := s.Server(pkitest.P256).Certificate
	bad := func(i *ocsp.Single) { i.Status, i.RevokedAt, i.Reason = ocsp.Revoked, s.Now.Add(-time.Hour), 4 }
	delegate := func(change func(*x509.Certificate)) (*x509.Certificate, crypto.Signer) {
		return s.signerFor(s.Intermediate, s.Key, func(c *x509.Certificate) {
			c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
			if change != nil {
				change(c)
			}
		})
	}
	cert, key := delegate(nil)
	fine, fineKey := delegate(func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}
	})
	for label, c := range map[string]struct {
		der    []byte
		want   pki.RevocationStatus
		text   string
		staple string // where a staple is told of in other words than another response; "-": not told of at all
	}{
		"good":            {s.answer(s.leaf, s.Intermediate, s.Key, nil), good, "says good", ""},
		"revoked":         {s.answer(s.leaf, s.Intermediate, s.Key, bad), revoked, "(superseded)", ""},
		"unknown":         {s.answer(s.leaf, s.Intermediate, s.Key, func(i *ocsp.Single) { i.Status = ocsp.Unknown }), unknown, "does not know", ""},
		"old":             {s.answer(s.leaf, s.Intermediate, s.Key, func(i *ocsp.Single) { i.ThisUpdate, i.NextUpdate = s.Now.AddDate(0, 0, -2), s.Now.AddDate(0, 0, -1) }), unknown, "out of date", ""},
		"old, no end":     {s.answer(s.leaf, s.Intermediate, s.Key, func(i *ocsp.Single) { i.ThisUpdate, i.NextUpdate = s.Now.AddDate(0, 0, -2), time.Time{} }), unknown, "out of date", ""},
		"early":           {s.answer(s.leaf, s.Intermediate, s.Key, func(i *ocsp.Single) { i.ThisUpdate = s.Now.Add(10 * time.Minute) }), unknown, "future", ""},
		"another's":       {s.answer(another, s.Intermediate, s.Key, nil), unknown, "nothing at hand", "another certificate"},
		"an error":        {ocsp.ErrorResponse(ocsp.TryLater), unknown, "tryLater", ""},
		"nonsense":        {[]byte("nonsense"), unknown, "cannot be read", ""},
		"wrong key":       {s.answer(s.leaf, s.Intermediate, s.RootKey, nil), unknown, "signature is wrong", ""},
		"delegated":       {s.answer(s.leaf, cert, key, nil, cert), good, "", ""},
		"delegated, fine": {s.answer(s.leaf, fine, fineKey, bad, fine), revoked, "", ""},
	} {
		for _, mode := range []pki.RevocationMode{pki.RevocationSoft, pki.RevocationHard} {
			r := s.judge(label, pki.RevocationOptions{Mode: mode, OCSP: [][]byte{c.der}}, c.want, c.text)
			if c.want != unknown && (r.Source != "OCSP" || r.ThisUpdate.IsZero() || r.NextUpdate.IsZero()) {
				t.Errorf("%s: %+v", label, r)
			}
			if c.staple == "" {
				c.staple = c.text
			}
			s.judge(label+", stapled", pki.RevocationOptions{Mode: mode, Staple: c.der}, c.want, c.staple)
		}
	}
	o := lists(s.list(nil, s.bad(cert, crl.KeyCompromise)))
	o.OCSP = [][]byte{s.answer(s.leaf, cert, key, bad, cert)}
	if r := s.judge("delegate revoked", o, good, "is not on the CRL"); !strings.Contains(r.Tried[0].Text, "responder whose certificate was revoked") {
		t.Errorf("%+v", r.Tried)
	}
	o = lists(s.list(nil, s.bad(fine, crl.KeyCompromise)))
	o.OCSP = [][]byte{s.answer(s.leaf, fine, fineKey, bad, fine)}
	s.judge("delegate not to be checked", o, revoked, "")
	o = lists(s.list(nil, s.bad(s.leaf, crl.KeyCompromise)))
	o.OCSP = [][]byte{s.answer(s.leaf, s.Intermediate, s.Key, nil)}
	s.judge("one says good, one revoked", o, revoked, "keyCompromise")
}

func TestRevocationSetsAreJudged(t *testing.T) {
	s := newScene(t)
	other := pkitest.New(t, pkitest.P256)
	set := func(bad *x509.Certificate, created time.Time, by crypto.Signer) *revset.Set {
		t.Helper()
		issuer := sha256.Sum256(s.Intermediate.RawSubjectPublicKeyInfo)
		var keys [2][][]byte
		for i, c := range []*x509.Certificate{s.leaf, s.Server(pkitest.P256).Certificate, s.Server(pkitest.P256).Certificate} {
			n := 0
			if c != bad && (bad != nil || i > 0) {
				n = 1
			}
			keys[n] = append(keys[n], revset.Key(issuer, c.SerialNumber.Bytes()))
		}
		set, err := revset.Build(slices.Values(keys[0]), slices.Values(keys[1]), revset.Options{Created: created, Expires: created.Add(48 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if by != nil {
			if err := set.Sign(by); err != nil {
				t.Fatal(err)
			}
		}
		return set
	}
	o := func(s ...*revset.Set) pki.RevocationOptions { return pki.RevocationOptions{Sets: s} }
	none := s.Intermediate // revoked in no set of the leaves
	s.judge("revoked", o(set(s.leaf, s.Now, nil)), revoked, "is revoked")
	r := s.judge("good", o(set(none, s.Now, s.Key)), good, "says good")
	if r.Source != "revocation set" || !r.ThisUpdate.Equal(s.Now.Truncate(time.Second)) || r.NextUpdate.IsZero() {
		t.Errorf("%+v", r)
	}
	s.judge("signed by the root", o(set(none, s.Now, s.RootKey)), good, "")
	s.judge("signed by somebody", o(set(s.leaf, s.Now, other.Key)), unknown, "signed by nobody above")
	s.judge("from the future", o(set(none, s.Now.Add(10*time.Minute), nil)), unknown, "from the future")
	s.judge("old", o(set(none, s.Now.Add(-49*time.Hour), nil)), unknown, "out of date")
	s.judge("older than the leaf", o(set(none, s.leaf.NotBefore.Add(-time.Minute), nil)), unknown, "this one is newer")
	s.leaf = other.Server(pkitest.P256).Certificate
	all := pki.JudgeRevocation([]*x509.Certificate{s.leaf, other.Intermediate, other.Root}, pki.RevocationOptions{Mode: pki.RevocationSoft, Sets: []*revset.Set{set(s.leaf, s.Now, nil)}}, s.Now)
	if all[0].Status != unknown || len(all[0].Tried) > 0 {
		t.Errorf("another CA's: %+v", all[0])
	}
}

func TestSomeNeedNoStatus(t *testing.T) {
	s := newScene(t)
	marked := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 56}, Value: []byte{5, 0}}
	s.relieve(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{marked} })
	s.judge("noRevAvail", pki.RevocationOptions{}, notNeeded, "tells nobody")
	s.judge("noRevAvail, and revoked all the same", lists(s.list(nil, s.bad(s.leaf, 0))), revoked, "")
	s.relieve(func(c *x509.Certificate) {
		c.ExtraExtensions, c.CRLDistributionPoints = []pkix.Extension{marked}, []string{"http://x"}
	})
	s.judge("noRevAvail, and a CRL", pki.RevocationOptions{}, unknown, "")
	s.relieve(func(c *x509.Certificate) {
		c.ExtraExtensions, c.OCSPServer = []pkix.Extension{marked}, []string{"http://x"}
	})
	s.judge("noRevAvail, and OCSP", pki.RevocationOptions{}, unknown, "")
	s.relieve(func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = s.Now, s.Now.Add(24*time.Hour-time.Second)
	})
	s.judge("short-lived", pki.RevocationOptions{ShortLived: 24 * time.Hour}, notNeeded, "lives only")
	s.judge("short-lived, not asked", pki.RevocationOptions{}, unknown, "")
	s.judge("a second too long", pki.RevocationOptions{ShortLived: 24*time.Hour - time.Second}, unknown, "")
	s.relieve(func(c *x509.Certificate) { c.IsCA, c.ExtraExtensions = true, []pkix.Extension{marked} })
	s.judge("a CA", pki.RevocationOptions{ShortLived: 240 * time.Hour}, unknown, "")
}

func TestWorkIsBounded(t *testing.T) {
	s := newScene(t)
	var o pki.RevocationOptions
	var template *crl.List
	for i := range 40 {
		c, key := s.signerFor(s.Root, s.RootKey, func(c *x509.Certificate) { c.Subject, c.KeyUsage = s.Intermediate.Subject, x509.KeyUsageCRLSign })
		template = s.listBy(c, key, func(tm *crl.Template) { tm.Number = big.NewInt(int64(i)) })
		o.Extra = append(o.Extra, c)
		for range 50 {
			o.CRLs = append(o.CRLs, template)
		}
	}
	o.Mode, o.WholeChain = pki.RevocationHard, true
	// 2,000 lists, 40 signers, each of which might sign about each: it ends, and says that it does not know.
	if all := pki.JudgeRevocation(s.path(), o, s.Now); all[0].Status != unknown {
		t.Errorf("%+v", all[0])
	}
}

func FuzzJudgeRevocation(f *testing.F) {
	s := newScene(f)
	// All is signed by a CA of the same names, so nothing may count, whatever becomes of it.
	forger := &scene{s.Namesake(), f, s.leaf}
	bad := func(i *ocsp.Single) { i.Status, i.RevokedAt = ocsp.Revoked, s.Now.Add(-time.Hour) }
	for _, change := range []func(*crl.Template){nil, func(tm *crl.Template) { tm.Base = big.NewInt(1) }, func(tm *crl.Template) { tm.IDP = &crl.DistributionPoint{Indirect: true} }} {
		for _, change2 := range []func(*ocsp.Single){nil, bad} {
			f.Add(forger.list(change, s.bad(s.leaf, crl.KeyCompromise)).Raw, s.answer(s.leaf, forger.Intermediate, forger.Key, change2, forger.Intermediate), forger.Intermediate.Raw)
		}
	}
	honest := s.list(nil)
	f.Fuzz(func(t *testing.T, list, answer, extra []byte) {
		o := pki.RevocationOptions{Mode: pki.RevocationHard, WholeChain: true, OCSP: [][]byte{answer}, Staple: answer}
		if l, err := crl.Parse(list); err == nil {
			o.CRLs = append(o.CRLs, l)
		}
		if c, err := x509.ParseCertificate(extra); err == nil {
			o.Extra = append(o.Extra, c)
		}
		if r := pki.JudgeRevocation(s.path(), o, s.Now); r[0].Status != unknown || r[1].Status != unknown {
			t.Errorf("a forgery counts: %+v", r)
		}
		o.CRLs = append(o.CRLs, honest)
		if r := pki.JudgeRevocation(s.path(), o, s.Now); r[0].Status != good {
			t.Errorf("a forgery hides what is true: %+v", r)
		}
	})
}

package scan

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// What a quick scan says of a chain is what a full one says.
func TestQuickJudgementsAgreeWithFullOnes(t *testing.T) {
	o, other := newOffice(t), newOffice(t)
	constrained := pkitest.New(t, pkitest.P256)
	chains := map[string][][]byte{
		"good": o.issue(nil).Chain, "again": o.issue(nil).Chain, "expired": o.Expired(pkitest.P256, "lab.test").Chain, "early": o.NotYetValid(pkitest.P256, "lab.test").Chain,
		"wrong name": o.WrongName(pkitest.P256).Chain, "wrong CA": o.WrongCA(pkitest.P256, "lab.test").Chain, "wrong usage": o.WrongUsage(pkitest.P256, "lab.test").Chain,
		"self-signed": o.SelfSigned(pkitest.P256, "lab.test").Chain, "stranger": other.issue(nil).Chain, "alone": o.issue(nil).Chain[:1],
		"root sent": append(o.issue(nil).Chain, o.Root.Raw), "disorder": {o.issue(nil).Chain[0], o.Root.Raw, o.Intermediate.Raw},
		"foreign issuer": {o.issue(nil).Chain[0], other.Intermediate.Raw}, "surplus": append(o.issue(nil).Chain, other.Intermediate.Raw),
		"twice": append(o.issue(nil).Chain, o.Intermediate.Raw), "CA as a leaf": {o.Intermediate.Raw, o.Root.Raw}, "another CA": constrained.Server(pkitest.P256, "lab.test").Chain,
	}
	stores := []Store{{Name: "strangers", Roots: other.Roots()}, {Name: "own CA", Roots: []*x509.Certificate{o.Root}}}
	fullOptions, quickOptions := Options{Offline: true, Stores: stores}.filled(), Options{Quick: true, Offline: true, Stores: stores}.filled()
	full, quick := newJudge(&fullOptions), newJudge(&quickOptions)
	now := time.Now()
	for name, chain := range chains {
		q := chainQuestion{sent: &sentChain{DER: chain}, name: "lab.test", now: now}
		a, b := full.chain(t.Context(), q).facts, quick.chain(t.Context(), q).facts
		x := []any{a.Trusted, a.Complete, a.NameMatches, a.SelfSigned, a.OutOfOrder, a.RootSent, a.Surplus, a.Missing, a.Path, trustedBy(a.Trust)}
		y := []any{b.Trusted, b.Complete, b.NameMatches, b.SelfSigned, b.OutOfOrder, b.RootSent, b.Surplus, b.Missing, b.Path, trustedBy(b.Trust)}
		if fmt.Sprint(x...) != fmt.Sprint(y...) {
			t.Errorf("%s:\nfull  %v\nquick %v", name, x, y)
		}
		for i := range a.Checks {
			failedA, failedB := a.Checks[i].Outcome == "failed", i < len(b.Checks) && b.Checks[i].Outcome == "failed"
			if a.Checks[i].Check == b.Checks[min(i, len(b.Checks)-1)].Check && failedA != failedB {
				t.Errorf("%s: %+v, %+v", name, a.Checks[i], b.Checks[i])
			}
		}
	}
	if n := len(quick.anchors.new); n == 0 {
		t.Error("no CA was remembered")
	}
}

func trustedBy(list []grade.StoreTrust) (names []string) {
	for _, s := range list {
		if s.Trusted {
			names = append(names, s.Store)
		}
	}
	return names
}

// A CA that limits what stands below it is judged with every leaf.
func TestQuickJudgementsHeedTheCAsAbove(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	middle, err := pki.Issuer{Certificate: ca.Root, Key: ca.RootKey}.Issue(pki.Request{Profile: pki.ProfileIntermediate, CommonName: "Limited", Key: key.Public(),
		PathLen: new(int), NameConstraints: &pki.NameConstraints{PermittedDNS: []string{"allowed.test"}}}, ca.Now)
	if err != nil {
		t.Fatal(err)
	}
	low, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	// A CA below one that allows no CA below it, and a leaf for a name that it may not certify.
	template := &x509.Certificate{SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "Low"}, NotBefore: ca.Now.Add(-time.Hour), NotAfter: ca.Now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, SubjectKeyId: []byte{1}}
	lowDER, err := x509.CreateCertificate(rand.Reader, template, middle, low.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	lowCA, err := x509.ParseCertificate(lowDER)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(6), NotBefore: ca.Now.Add(-time.Hour), NotAfter: ca.Now.Add(time.Hour), DNSNames: []string{"lab.test"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, lowCA, key.Public(), low)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Quick: true, Offline: true, Stores: []Store{{Name: "own CA", Roots: ca.Roots()}}}.filled()
	f := newJudge(&o).chain(t.Context(), chainQuestion{sent: &sentChain{DER: [][]byte{leafDER, lowDER, middle.Raw}}, name: "lab.test", now: ca.Now}).facts
	if f.Trusted != grade.No {
		t.Errorf("trusted %s: %+v", f.Trusted, f.Checks)
	}
}

package pki_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
	"github.com/tlswright/tlswright/pki/ocsp"
)

func isMLDSA(k pki.KeyType) bool { return strings.HasPrefix(string(k), "mldsa") }

// opensslKnowsMLDSA reports whether it does, as from 3.5 on.
func opensslKnowsMLDSA(t *testing.T, openssl string) bool {
	t.Helper()
	out, err := pkitest.Run(t, openssl, "list", "-signature-algorithms")
	return err == nil && strings.Contains(out, "ML-DSA-44")
}

// Both judges trust what a CA with ML-DSA keys issued, for leaves of every kind, and leaves with ML-DSA keys of any CA.
func TestChainsWithMLDSAAreTrusted(t *testing.T) {
	for _, k := range append(pkitest.MLDSAKeyTypes(), pkitest.P256) {
		ca := pkitest.New(t, k)
		for _, leaf := range append(pkitest.MLDSAKeyTypes(), pkitest.P256, pkitest.Ed25519) {
			l := ca.Server(leaf, "www.example")
			o := options(ca, l)
			o.ServerName = "www.example"
			chain, err := pki.Verify(l.Chain[0], o)
			if err != nil {
				t.Errorf("%s below %s: %v", leaf, k, err)
				continue
			}
			if len(chain.Certificates) != 3 || chain.Root != ca.Root || !bytes.Equal(chain.Certificates[0].Raw, l.Chain[0]) {
				t.Errorf("%s below %s: not the chain: %d", leaf, k, len(chain.Certificates))
			}
			if got := chain.Certificates[0]; !pki.SameKey(got.PublicKey, l.Key.Public()) || !bytes.Equal(got.Signature, l.Certificate.Signature) {
				t.Errorf("%s below %s: the leaf is not the one that was sent", leaf, k)
			}
			if e := pki.Explain(l.Chain[0], o); !e.Trusted || !e.LibraryJudged || len(e.Path) != 3 {
				t.Errorf("%s below %s: explained: %v, %v", leaf, k, e.Err, e.Library)
			}
		}
	}
}

// What is wrong beside the signatures is found by the library, as it is with other keys.
func TestFaultsOfMLDSAChainsAreExplained(t *testing.T) {
	for _, k := range []pkitest.KeyType{pkitest.MLDSA44, pkitest.Ed25519} {
		t.Run(string(k), func(t *testing.T) { faultsOf(t, k) })
	}
}

func faultsOf(t *testing.T, k pkitest.KeyType) {
	ca := pkitest.New(t, k)
	good := ca.Server(k, "www.example")
	o := options(ca, good)
	o.ServerName = "www.example"
	both := func(what string, leaf []byte, o pki.VerifyOptions, r pki.Reason, text string) {
		t.Helper()
		e := refusal(t, leaf, o)
		expect(t, what, e, r, text, "")
		if e.Certificate != nil && cert.IsMLDSA(e.Certificate.SignatureAlgorithm) && e.Certificate.PublicKey != nil && pki.DescribeKey(e.Certificate.PublicKey) == "Ed25519" {
			t.Errorf("%s: the stand-in got out", what)
		}
		x := pki.Explain(leaf, o)
		if x.Trusted || x.Err == nil || x.Err.Reason != r {
			t.Errorf("%s, explained: %v", what, x.Err)
		}
	}
	wrong := o
	wrong.ServerName = "elsewhere.example"
	both("another name", good.Chain[0], wrong, pki.ReasonNameMismatch, "is valid for www.example, not elsewhere.example")
	expired := ca.Expired(k, "www.example")
	both("expired", expired.Chain[0], o, pki.ReasonExpired, "expired on")
	both("a client's", ca.WrongUsage(k, "www.example").Chain[0], o, pki.ReasonUsage, "may be used for clientAuth only")

	broken := bytes.Clone(good.Chain[0])
	broken[len(broken)-10] ^= 1
	both("a broken signature", broken, o, pki.ReasonSignature, "has a signature that was not made by")
	other := o
	other.Roots = ca.Stranger().Roots()
	both("another root", good.Chain[0], other, pki.ReasonUnknownAuthority, "unknown authority")

	// A CA of the same names, with other keys: of ML-DSA, and of the kind of the stand-ins.
	namesake := ca.Namesake()
	l := namesake.Server(k, "www.example")
	forged := options(ca, l)
	forged.ServerName = "www.example"
	if _, err := pki.Verify(l.Chain[0], forged); err == nil {
		t.Error("a namesake's certificate is trusted")
	}
	if pki.Explain(l.Chain[0], forged).Trusted {
		t.Error("a namesake's certificate is trusted, explained")
	}
	forged.Intermediates = append(slices.Clone(forged.Intermediates), good.Chain[1])
	if _, err := pki.Verify(l.Chain[0], forged); err == nil {
		t.Error("a namesake's certificate is trusted beside the right intermediate")
	}
}

// Roots may have been read by crypto/x509, which leaves their keys out.
func TestRootsReadByTheLibraryAreTrusted(t *testing.T) {
	ca := pkitest.New(t, pkitest.MLDSA44)
	l := ca.Server(pkitest.MLDSA44)
	root, err := x509.ParseCertificate(ca.Root.Raw)
	if err != nil {
		t.Fatal(err)
	}
	o := options(ca, l)
	o.Roots = []*x509.Certificate{root}
	if chain, err := pki.Verify(l.Chain[0], o); err != nil || chain.Root != root {
		t.Errorf("%v", err)
	}
	if e := pki.Explain(l.Chain[0], o); !e.Trusted {
		t.Errorf("explained: %v", e.Err)
	}
	o.Roots, err = nil, nil
	if _, err = pki.Verify(l.Chain[0], o); err == nil {
		t.Error("trusted without a root")
	}
}

// A pool of the system's does not know such a root's key, and must not stand in the way of one that is named.
func TestRootsThatTheSystemHasTooAreTrusted(t *testing.T) {
	ca := pkitest.New(t, pkitest.MLDSA44)
	l := ca.Server(pkitest.P256)
	o := options(ca, l)
	o.SystemRoots = x509.NewCertPool()
	o.SystemRoots.AddCert(pkitest.New(t, pkitest.P256).Root)
	if !o.SystemRoots.AppendCertsFromPEM(pki.AppendCertificatePEM(nil, ca.Root.Raw)) {
		t.Fatal("the root is no certificate")
	}
	if chain, err := pki.Verify(l.Chain[0], o); err != nil || chain.Root != ca.Root {
		t.Errorf("%v", err)
	}
	if e := pki.Explain(l.Chain[0], o); !e.Trusted || !e.LibraryJudged {
		t.Errorf("explained: %v, %v", e.Err, e.Library)
	}
	o.Roots = ca.Stranger().Roots()
	if _, err := pki.Verify(l.Chain[0], o); err == nil {
		t.Error("trusted by a root of another name")
	}
}

// A signature by ML-DSA-65 is none by ML-DSA-44, whatever the certificate says.
func TestMLDSAKeyAndAlgorithmAreBound(t *testing.T) {
	ca := pkitest.New(t, pkitest.MLDSA44)
	l := ca.Server(pkitest.MLDSA44)
	for _, id := range []x509.SignatureAlgorithm{cert.MLDSA65, cert.MLDSA87, x509.PureEd25519, x509.UnknownSignatureAlgorithm} {
		if cert.CheckSignature(ca.Intermediate, id, l.Certificate.RawTBSCertificate, l.Certificate.Signature) == nil {
			t.Errorf("%s passes", cert.AlgorithmName(id))
		}
	}
	if err := cert.CheckSignature(ca.Intermediate, cert.MLDSA44, l.Certificate.RawTBSCertificate, l.Certificate.Signature); err != nil {
		t.Error(err)
	}
	if err := cert.CheckSignatureFrom(l.Certificate, l.Certificate); err == nil {
		t.Error("a leaf signs certificates")
	}
}

func TestRequestsWithMLDSAKeys(t *testing.T) {
	for _, k := range []pki.KeyType{pki.MLDSA44, pki.MLDSA65, pki.MLDSA87} {
		key, err := pki.GenerateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		der, err := pki.CreateCSR(pki.CSRRequest{CommonName: "Grüße", SANs: []string{"a.example", "192.0.2.1"}, MustStaple: true}, key)
		if err != nil {
			t.Fatal(err)
		}
		csr, err := pki.ParseCSR(der)
		if err != nil {
			t.Fatal(err)
		}
		if !pki.SameKey(csr.Key, key.Public()) || !csr.MustStaple || csr.Subject.CommonName != "Grüße" || !slices.Equal(csr.SANs, []string{"dns:a.example", "ip:192.0.2.1"}) {
			t.Errorf("%s: read as %+v", k, csr.SANs)
		}
		der[len(der)-1] ^= 1
		if _, err := pki.ParseCSR(der); err == nil {
			t.Errorf("%s: a request with a broken signature is taken", k)
		}
	}
}

func TestCRLsAndResponsesSignedWithMLDSA(t *testing.T) {
	ca := pkitest.New(t, pkitest.MLDSA65)
	l := ca.Server(pkitest.P256)
	der, err := crl.Create(crl.Template{Number: big.NewInt(1), ThisUpdate: ca.Now, NextUpdate: ca.Now.Add(time.Hour), Entries: slices.Values([]crl.Entry{
		{Serial: l.Certificate.SerialNumber.Bytes(), RevokedAt: ca.Now}})}, ca.Intermediate, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	list, err := crl.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignature(ca.Intermediate); err != nil {
		t.Error(err)
	}
	if err := list.CheckSignature(ca.Namesake().Intermediate); err == nil {
		t.Error("a list passes with the key of another")
	}
	id, err := ocsp.NewCertID(l.Certificate.SerialNumber.Bytes(), ca.Intermediate, crypto.SHA1)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := ocsp.CreateResponse(ocsp.ResponseTemplate{ProducedAt: ca.Now, Singles: []ocsp.Single{{ID: id, ThisUpdate: ca.Now, NextUpdate: ca.Now.Add(time.Hour)}}}, ca.Intermediate, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ocsp.ParseResponse(answer)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(ca.Intermediate, ca.Now); err != nil {
		t.Error(err)
	}
	if err := r.Verify(ca.Namesake().Intermediate, ca.Now); err == nil {
		t.Error("a response passes with the key of another")
	}
}

// Who signs CRLs for a CA may have a certificate of its own, signed with ML-DSA.
func TestSignersOfCRLsAreCertifiedWithMLDSA(t *testing.T) {
	ca := pkitest.New(t, pkitest.MLDSA44)
	s := &scene{ca, t, ca.Server(pkitest.P256).Certificate}
	key, err := pki.GenerateKey(pki.MLDSA44)
	if err != nil {
		t.Fatal(err)
	}
	request := pki.Request{Profile: pki.ProfileIntermediate, CommonName: ca.Intermediate.Subject.CommonName, Key: key.Public(), Lifetime: 24 * time.Hour}
	for root, want := range map[*pkitest.CA]pki.RevocationStatus{ca: revoked, ca.Namesake(): unknown} {
		signer, err := pki.Issuer{Certificate: root.Root, Key: root.RootKey}.Issue(request, ca.Now.Add(-2*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		o := lists(s.listBy(signer, key, nil, s.bad(s.leaf, crl.KeyCompromise)))
		o.Extra = []*x509.Certificate{signer}
		s.judge("signed by another", o, want, "")
	}
}

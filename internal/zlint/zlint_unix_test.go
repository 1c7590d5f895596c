//go:build unix

package zlint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/lint"
)

var _ issue.Linter = (*Linter)(nil)

func newLinter(t testing.TB) *Linter {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestOurProfilesPass holds every profile under every kind of key against zlint,
// before it is signed, as issuing does.
func TestOurProfilesPass(t *testing.T) {
	l := newLinter(t)
	if l.Count() < 100 {
		t.Errorf("%d lints", l.Count())
	}
	for _, k := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, k)
		for name, der := range map[string][]byte{"root": ca.Root.Raw, "intermediate": ca.Intermediate.Raw} {
			for _, f := range l.Lint(der, nil) {
				t.Errorf("%s %s: %v", k, name, f)
			}
		}
		for _, p := range pki.Profiles() {
			key, err := pki.GenerateKey(pki.KeyType(k))
			if err != nil {
				t.Fatal(err)
			}
			req := pki.Request{Profile: p, Key: key.Public(), CommonName: "a.example.com", SANs: []string{"a.example.com", "*.b.internal", "192.168.0.1", "::1", "spiffe://td.example/a", "localhost"},
				CRLDistributionPoints: []string{"http://ca.internal/crl"}, OCSPServers: []string{"http://ca.internal/ocsp"}, IssuingCertificateURLs: []string{"http://ca.internal/ca"}}
			switch p {
			case pki.ProfileRoot, pki.ProfileIntermediate:
				continue
			case pki.ProfileEmail:
				req.CommonName, req.SANs = "Alice", []string{"alice@example.com"}
			case pki.ProfileClient, pki.ProfileCode, pki.ProfileOCSP:
				req.CommonName, req.SANs = "Alice", nil
			}
			token, findings, err := issue.Prepare(ca.Issuer(), req, ca.Now, l)
			if err != nil || len(findings) > 0 {
				t.Errorf("%s %s: %v, %v", k, p, err, findings)
				continue
			}
			if _, err := token.Sign(ca.Key); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestFaultsAreFound(t *testing.T) {
	l := newLinter(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	make := func(pub any, change func(*x509.Certificate)) []byte {
		c := &x509.Certificate{SerialNumber: big.NewInt(1 << 60), Subject: pkix.Name{CommonName: "a.example.com"}, DNSNames: []string{"a.example.com"}, NotBefore: now, NotAfter: now.Add(time.Hour),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, SubjectKeyId: []byte("x"), AuthorityKeyId: []byte("x")}
		change(c)
		der, err := x509.CreateCertificate(rand.Reader, c, c, pub, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for name, c := range map[string]struct {
		der      []byte
		lint     string
		severity lint.Severity
	}{
		"weak key":           {make(&weak.PublicKey, func(*x509.Certificate) {}), "zlint/e_rsa_mod_less_than_2048_bits", lint.Error},
		"space in the name":  {make(&key.PublicKey, func(c *x509.Certificate) { c.Subject.CommonName = " a" }), "zlint/w_subject_dn_leading_whitespace", lint.Warning},
		"empty name":         {make(&key.PublicKey, func(c *x509.Certificate) { c.DNSNames = []string{""} }), "zlint/e_ext_san_empty_name", lint.Error},
		"nobody can read it": {[]byte("no certificate"), "zlint", lint.Error},
		"two extensions alike": {make(&key.PublicKey, func(c *x509.Certificate) {
			e := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}
			c.ExtraExtensions = []pkix.Extension{e, e}
		}), "zlint", lint.Error},
	} {
		findings := l.Lint(c.der, nil)
		if !slices.ContainsFunc(findings, func(f lint.Finding) bool {
			return strings.HasPrefix(f.Lint, c.lint) && f.Severity == c.severity && f.Text != "" && f.Section != ""
		}) {
			t.Errorf("%s: %v", name, findings)
		}
	}
}

func FuzzLint(f *testing.F) {
	l := newLinter(f)
	ca := pkitest.New(f, pkitest.Ed25519)
	f.Add(ca.Root.Raw)
	f.Add(ca.Server(pkitest.P256).Certificate.Raw)
	f.Add(ca.Client(pkitest.Ed25519, "alice").Certificate.Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, finding := range l.Lint(der, nil) {
			if pki.Printable(finding.Text) != finding.Text || finding.Severity == 0 {
				t.Errorf("%+v", finding)
			}
		}
	})
}

// BenchmarkLint measures, in turns on the same machine, signing with the library and
// zlint alone against preparing (with our lints and zlint) and signing.
func BenchmarkLint(b *testing.B) {
	l := newLinter(b)
	ca := pkitest.New(b, pkitest.P256)
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		b.Fatal(err)
	}
	req := pki.Request{Profile: pki.ProfileServer, SANs: []string{"a.example", "b.example"}, Key: key.Public()}
	template, err := ca.Issuer().Issue(req, ca.Now)
	if err != nil {
		b.Fatal(err)
	}
	var bare, whole, zlint []time.Duration
	for b.Loop() {
		start := time.Now()
		der, err := x509.CreateCertificate(rand.Reader, template, ca.Intermediate, req.Key, ca.Key)
		if err != nil {
			b.Fatal(err)
		}
		made := time.Now()
		l.Lint(der, nil)
		linted := time.Now()
		token, _, err := issue.Prepare(ca.Issuer(), req, ca.Now, l)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := token.Sign(ca.Key); err != nil {
			b.Fatal(err)
		}
		bare, zlint, whole = append(bare, linted.Sub(start)), append(zlint, linted.Sub(made)), append(whole, time.Since(linted))
	}
	b.ReportMetric(median(bare)/median(whole), "(sign+zlint)/ours")
	b.ReportMetric(median(zlint)/1e3, "zlint-us")
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2])
}

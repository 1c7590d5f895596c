package issue

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/lint"
)

// linterFunc makes a linter of a function.
type linterFunc func(der []byte, issuer *x509.Certificate) []lint.Finding

func (f linterFunc) Lint(der []byte, issuer *x509.Certificate) []lint.Finding { return f(der, issuer) }

func request(t testing.TB) pki.Request {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	return pki.Request{Profile: pki.ProfileServer, SANs: []string{"a.example"}, Key: key.Public()}
}

func TestWhatIsSignedIsWhatWasExamined(t *testing.T) {
	for _, k := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, k)
		var shown []byte
		spy := linterFunc(func(der []byte, issuer *x509.Certificate) []lint.Finding {
			if shown = bytes.Clone(der); issuer != ca.Intermediate {
				t.Error("the linter is not shown the issuer")
			}
			clear(der) // a linter that spoils what it was given
			return []lint.Finding{{Lint: "spy", Severity: lint.Warning, Text: "seen"}}
		})
		token, findings, err := Prepare(pki.Issuer{Certificate: ca.Intermediate}, request(t), ca.Now, spy)
		if err != nil || len(findings) != 1 || findings[0].Lint != "spy" {
			t.Fatalf("%s: %v, %v", k, findings, err)
		}
		serial := token.Serial()
		c, err := token.Sign(ca.Key)
		if err != nil {
			t.Fatal(err)
		}
		examined, err := x509.ParseCertificate(shown)
		if err != nil || len(examined.Signature) != 0 {
			t.Fatalf("%s: what was shown cannot be read (%v) or is signed", k, err)
		}
		if !bytes.Equal(examined.RawTBSCertificate, c.RawTBSCertificate) || serial.Cmp(c.SerialNumber) != 0 || c.CheckSignatureFrom(ca.Intermediate) != nil {
			t.Errorf("%s: what is signed is not what was examined", k)
		}
	}
}

func TestTokensAreSpentOnce(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	token, _, err := Prepare(ca.Issuer(), request(t), ca.Now)
	if err != nil {
		t.Fatal(err)
	}
	var signed, spent atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch _, err := token.Sign(ca.Key); {
			case err == nil:
				signed.Add(1)
			case errors.Is(err, ErrSpent):
				spent.Add(1)
			}
		})
	}
	wg.Wait()
	if signed.Load() != 1 || spent.Load() != 15 {
		t.Errorf("signed %d times, refused %d times", signed.Load(), spent.Load())
	}
	token, _, err = Prepare(ca.Issuer(), request(t), ca.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Sign(brokenSigner{ca.Key}); err == nil || errors.Is(err, ErrSpent) {
		t.Errorf("a broken signer: %v", err)
	}
	if _, err := token.Sign(ca.Key); !errors.Is(err, ErrSpent) {
		t.Errorf("a token lives on after a signer failed: %v", err)
	}
	var zero Token
	if _, err := zero.Sign(ca.Key); err == nil {
		t.Error("a token that was never prepared signed")
	}
}

// brokenSigner is a token that fails, maybe after signing.
type brokenSigner struct{ crypto.Signer }

func (b brokenSigner) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the token does not answer")
}

func TestNothingFaultyIsPrepared(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	strict := linterFunc(func([]byte, *x509.Certificate) []lint.Finding {
		return []lint.Finding{{Lint: "a", Severity: lint.Warning, Text: "odd"}, {Lint: "b", Severity: lint.Error, Text: "bad", Section: "Section 1"}, {Lint: "c", Severity: lint.Error, Text: "worse"}}
	})
	token, findings, err := Prepare(ca.Issuer(), request(t), ca.Now, strict)
	var faulty *LintError
	if token != nil || !errors.As(err, &faulty) || len(faulty.Findings) != 3 || len(findings) != 3 {
		t.Fatalf("%v, %v, %v", token, findings, err)
	}
	if want := "the certificate would be faulty: bad (b, Section 1), and 1 more"; err.Error() != want {
		t.Error(err)
	}
	req := request(t)
	req.SANs = nil
	var refused *pki.RefusedError
	if token, _, err := Prepare(ca.Issuer(), req, ca.Now); token != nil || !errors.As(err, &refused) {
		t.Errorf("%v, %v", token, err)
	}
	// A profile of one's own can ask for what our rules let pass and our lints do not.
	spec, err := pki.BuiltinProfile(pki.ProfileServer)
	if err != nil {
		t.Fatal(err)
	}
	spec.KeyUsage |= x509.KeyUsageCRLSign
	req = request(t)
	req.Spec, req.CommonName = &spec, "b.example"
	if _, findings, err := Prepare(ca.Issuer(), req, ca.Now); err != nil || lint.Worst(findings) != lint.Warning {
		t.Errorf("%v, %v", findings, err)
	}
}

func TestSelfSignedCertificatesAreExaminedToo(t *testing.T) {
	key, err := pki.GenerateKey(pki.P384)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	spy := linterFunc(func(_ []byte, issuer *x509.Certificate) []lint.Finding {
		if seen++; issuer != nil {
			t.Error("a self-signed certificate has an issuer")
		}
		return nil
	})
	token, findings, err := PrepareSelfSigned(pki.Request{Profile: pki.ProfileRoot, CommonName: "Root", Key: key.Public()}, time.Now(), spy)
	if err != nil || len(findings) > 0 || seen != 1 {
		t.Fatalf("%v, %v", findings, err)
	}
	c, err := token.Sign(key)
	if err != nil || c.CheckSignatureFrom(c) != nil || token.Certificate().SerialNumber.Cmp(c.SerialNumber) != 0 {
		t.Error(err)
	}
	if _, _, err := PrepareSelfSigned(pki.Request{Profile: pki.ProfileIntermediate, CommonName: "I", Key: key.Public()}, time.Now()); err == nil {
		t.Error("an intermediate that signs itself")
	}
}

func TestAStrangersKeyIsRefused(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	token, _, err := Prepare(ca.Issuer(), request(t), ca.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Sign(ca.RootKey); err == nil || !strings.Contains(err.Error(), "not that of the issuer") {
		t.Errorf("%v", err)
	}
}

// BenchmarkIssue measures the library's CreateCertificate and our way in turns, so
// that both see the same machine, and compares medians, which other programs on it
// do not disturb: read the ratio, not the times.
func BenchmarkIssue(b *testing.B) {
	for _, k := range []pkitest.KeyType{pkitest.P256, pkitest.Ed25519, pkitest.RSA2048} {
		ca := pkitest.New(b, k)
		req := request(b)
		req.SANs = []string{"a.example", "b.example"}
		token, _, err := Prepare(ca.Issuer(), req, ca.Now)
		if err != nil {
			b.Fatal(err)
		}
		template := token.Certificate()
		b.Run(string(k), func(b *testing.B) {
			var library, prepare, whole []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := x509.CreateCertificate(rand.Reader, template, ca.Intermediate, req.Key, ca.Key); err != nil {
					b.Fatal(err)
				}
				made := time.Now()
				token, _, err := Prepare(ca.Issuer(), req, ca.Now)
				if err != nil {
					b.Fatal(err)
				}
				prepared := time.Now()
				if _, err := token.Sign(ca.Key); err != nil {
					b.Fatal(err)
				}
				library, prepare, whole = append(library, made.Sub(start)), append(prepare, prepared.Sub(made)), append(whole, time.Since(made))
			}
			b.ReportMetric(median(whole)/median(library), "ours/library")
			b.ReportMetric(median(prepare)/median(library), "prepare/library")
		})
	}
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2])
}

package lint

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// profileNow is the present of these tests.
var profileNow = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// TestNothingThatOurProfilesIssueIsFoundFaulty holds every profile with every kind
// of key, under issuers of every kind, against all lints.
func TestNothingThatOurProfilesIssueIsFoundFaulty(t *testing.T) {
	types := []pki.KeyType{pki.RSA2048, pki.P256, pki.P384, pki.P521, pki.Ed25519}
	for _, ck := range types {
		rootKey, err := pki.GenerateKey(ck)
		if err != nil {
			t.Fatal(err)
		}
		root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Root"}, rootKey, profileNow)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Run(root.Raw, nil, KindAuto) {
			t.Errorf("root %s: %v", ck, f)
		}
		interKey, err := pki.GenerateKey(ck)
		if err != nil {
			t.Fatal(err)
		}
		constraints := &pki.NameConstraints{PermittedDNS: []string{"example"}, ExcludedURI: []string{"x.example"}}
		inter, err := pki.Issuer{Certificate: root, Key: rootKey}.Issue(pki.Request{Profile: pki.ProfileIntermediate, CommonName: "Sub", Key: interKey.Public(), NameConstraints: constraints}, profileNow)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Run(inter.Raw, root, KindAuto) {
			t.Errorf("intermediate %s: %v", ck, f)
		}
		for _, k := range types {
			key, err := pki.GenerateKey(k)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pki.Profiles() {
				req := pki.Request{Profile: p, CommonName: "a.example", SANs: []string{"a.example", "*.a.example", "192.0.2.1", "::1", "spiffe://td.example/a"}, Key: key.Public(),
					IssuingCertificateURLs: []string{"http://ca.example/ca.der"}, CRLDistributionPoints: []string{"http://ca.example/ca.crl"}, OCSPServers: []string{"http://ca.example/ocsp"}}
				switch p {
				case pki.ProfileRoot, pki.ProfileIntermediate:
					continue
				case pki.ProfileEmail:
					req.CommonName, req.SANs = "Alice", []string{"alice@a.example"}
				case pki.ProfileClient, pki.ProfileOCSP, pki.ProfileCode:
					req.CommonName, req.SANs = "Alice", nil
				default:
					req.MustStaple = true
				}
				c, err := pki.Issuer{Certificate: inter, Key: interKey}.Issue(req, profileNow)
				if err != nil {
					t.Fatalf("%s: %v", p, err)
				}
				for _, f := range Run(c.Raw, inter, KindAuto) {
					t.Errorf("%s %s under %s: %v", p, k, ck, f)
				}
			}
		}
	}
}

// TestNothingThatSignsItselfIsFoundFaulty does the same for certificates that
// stand alone.
func TestNothingThatSignsItselfIsFoundFaulty(t *testing.T) {
	for _, p := range pki.Profiles() {
		key, err := pki.GenerateKey(pki.P256)
		if err != nil {
			t.Fatal(err)
		}
		req := pki.Request{Profile: p, CommonName: "a.example", SANs: []string{"a.example"}}
		if p == pki.ProfileEmail {
			req.SANs = []string{"alice@a.example"}
		}
		if p == pki.ProfileIntermediate {
			continue
		}
		c, err := pki.SelfSign(req, key, profileNow)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		for _, issuer := range []*x509.Certificate{nil, c} {
			for _, f := range Run(c.Raw, issuer, KindAuto) {
				t.Errorf("%s: %v", p, f)
			}
		}
	}
}

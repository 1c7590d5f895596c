package pki_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

func TestOpenSSLReadsOurRequests(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	for _, k := range pki.KeyTypes() {
		if k == pki.RSA3072 || k == pki.RSA4096 {
			continue
		}
		if isMLDSA(k) && !opensslKnowsMLDSA(t, openssl) {
			continue // OpenSSL 3.5 and later do
		}
		key, err := pki.GenerateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		der, err := pki.CreateCSR(pki.CSRRequest{CommonName: "Grüße", SANs: []string{"a.example", "192.0.2.1", "2001:db8::1", "uri:spiffe://td/x", "bob@a.example"}, MustStaple: true}, key)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "csr.pem")
		if err := os.WriteFile(file, pki.AppendCSRPEM(nil, der), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := pkitest.Run(t, openssl, "req", "-in", file, "-noout", "-verify", "-text", "-nameopt", "utf8")
		if err != nil {
			t.Fatalf("%s: %v\n%s", k, err, out)
		}
		for _, want := range []string{"DNS:a.example", "IP Address:192.0.2.1", "IP Address:2001:DB8:0:0:0:0:0:1", "URI:spiffe://td/x", "email:bob@a.example", "status_request", "verify OK"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", k, want, out)
			}
		}
	}
}

// TestRequestsOfOpenSSLAreReadAndIssued has openssl make the key and the request,
// issues, and has openssl verify what was issued.
func TestRequestsOfOpenSSLAreReadAndIssued(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	inter := file("inter.pem")
	if err := os.WriteFile(inter, pki.AppendCertificatePEM(nil, ca.Intermediate.Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, newkey := range map[string][]string{
		"rsa": {"-newkey", "rsa:2048"}, "p256": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"}, "p384": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"},
		"p521": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"}, "ed25519": {"-newkey", "ed25519"},
	} {
		for _, form := range []string{"PEM", "DER"} {
			args := append([]string{"req", "-new", "-noenc", "-keyout", file("key"), "-out", file("csr"), "-outform", form, "-subj", "/C=DE/O=Org/CN=a.example/emailAddress=bob@a.example", "-utf8",
				"-addext", "subjectAltName=DNS:a.example,DNS:*.b.example,IP:192.0.2.1,URI:spiffe://td/x", "-addext", "keyUsage=keyCertSign", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "tlsfeature=status_request"}, newkey...)
			if out, err := pkitest.Run(t, openssl, args...); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			c, err := pki.ParseCSR(readAll(t, file("csr")))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if want := []string{"dns:a.example", "dns:*.b.example", "ip:192.0.2.1", "uri:spiffe://td/x"}; !slices.Equal(c.SANs, want) || !c.MustStaple {
				t.Errorf("%s: %q, %v", name, c.SANs, c.MustStaple)
			}
			if want := []string{"key usage", "basic constraints", "the subject's attribute emailAddress"}; !slices.Equal(c.Ignored, want) {
				t.Errorf("%s: %q", name, c.Ignored)
			}
			req, err := pki.RequestFromCSR(c, pki.ProfileServer)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := ca.Issuer().Issue(req, ca.Now)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file("leaf"), pki.AppendCertificatePEM(nil, leaf.Raw), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := pkitest.Run(t, openssl, "verify", "-x509_strict", "-CAfile", ca.RootFile(), "-untrusted", inter, "-purpose", "sslserver", "-verify_hostname", "x.b.example", file("leaf")); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
	for what, args := range map[string][]string{
		"SHA-1":    {"req", "-new", "-noenc", "-newkey", "rsa:2048", "-keyout", file("key"), "-out", file("csr"), "-subj", "/CN=a.example", "-sha1"},
		"RSA-1024": {"req", "-new", "-noenc", "-newkey", "rsa:1024", "-keyout", file("key"), "-out", file("csr"), "-subj", "/CN=a.example"},
	} {
		if out, err := pkitest.Run(t, openssl, args...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		c, err := pki.ParseCSR(readAll(t, file("csr")))
		if err == nil {
			var req pki.Request
			if req, err = pki.RequestFromCSR(c, pki.ProfileServer); err == nil {
				_, err = ca.Issuer().Issue(req, ca.Now)
			}
		}
		if err == nil {
			t.Errorf("%s: issued", what)
		}
	}
}

// TestOpenSSLReadsEveryProfile has openssl print what each profile puts into a
// certificate.
func TestOpenSSLReadsEveryProfile(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	for p, want := range map[pki.Profile][]string{
		pki.ProfileServer: {"TLS Web Server Authentication"}, pki.ProfileClient: {"TLS Web Client Authentication"}, pki.ProfilePeer: {"TLS Web Server Authentication, TLS Web Client Authentication"},
		pki.ProfileOCSP: {"OCSP Signing", "OCSP No Check"}, pki.ProfileCode: {"Code Signing"}, pki.ProfileEmail: {"E-mail Protection", "Key Agreement"},
	} {
		req := pki.Request{Profile: p, CommonName: "a.example", SANs: []string{"a.example"}, CRLDistributionPoints: []string{"http://ca.example/crl"},
			OCSPServers: []string{"http://ca.example/ocsp"}, IssuingCertificateURLs: []string{"http://ca.example/ca"}}
		if p == pki.ProfileEmail {
			req.SANs = []string{"bob@a.example"}
		}
		f := ca.Issue(pkitest.P256, req).Files()
		out, err := pkitest.Run(t, openssl, "x509", "-in", f.Cert, "-noout", "-text")
		if err != nil {
			t.Fatal(out)
		}
		for _, w := range append(want, "URI:http://ca.example/crl", "OCSP - URI:http://ca.example/ocsp", "CA Issuers - URI:http://ca.example/ca") {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in\n%s", p, w, out)
			}
		}
	}
	constrained, err := pki.Issuer{Certificate: ca.Root, Key: ca.RootKey}.Issue(pki.Request{Profile: pki.ProfileIntermediate, CommonName: "Sub", Key: ca.Key.Public(),
		NameConstraints: &pki.NameConstraints{PermittedDNS: []string{"a.example"}, ExcludedEmail: []string{"b.example"}}}, ca.Now)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pki.AppendCertificatePEM(nil, constrained.Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := pkitest.Run(t, openssl, "x509", "-in", file, "-noout", "-text")
	if err != nil || !strings.Contains(out, "X509v3 Name Constraints: critical") || !strings.Contains(out, "DNS:a.example") || !strings.Contains(out, "email:b.example") {
		t.Errorf("%v\n%s", err, out)
	}
}

package pki_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

func TestOpenSSLAcceptsOurChains(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	for _, ck := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, ck)
		root := ca.RootFile()
		for _, k := range pkitest.KeyTypes() {
			server, client := ca.Server(k).Files(), ca.Client(k, "alice").Files()
			for _, args := range [][]string{
				{"-purpose", "sslserver", "-verify_hostname", "localhost", "-untrusted", server.Chain, server.Cert},
				{"-purpose", "sslserver", "-verify_ip", "::1", "-untrusted", server.Chain, server.Cert},
				{"-purpose", "sslclient", "-untrusted", client.Chain, client.Cert},
			} {
				if out, err := pkitest.Run(t, openssl, append([]string{"verify", "-x509_strict", "-CAfile", root}, args...)...); err != nil {
					t.Errorf("%s CA, %s leaf: %v\n%s", ck, k, err, out)
				}
			}
		}
	}
}

func TestOpenSSLRefusesWhatWeRefuse(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	root := ca.RootFile()
	for name, c := range map[string]struct {
		leaf *pkitest.Leaf
		want string
	}{
		"expired":       {ca.Expired(pkitest.P256), "certificate has expired"},
		"not yet valid": {ca.NotYetValid(pkitest.P256), "certificate is not yet valid"},
		"wrong name":    {ca.WrongName(pkitest.P256), "hostname mismatch"},
		"wrong usage":   {ca.WrongUsage(pkitest.P256), "unsuitable certificate purpose"},
		"wrong CA":      {ca.WrongCA(pkitest.P256), "unable to get"},
		"namesake":      {ca.Namesake().Server(pkitest.P256), ""},
	} {
		f := c.leaf.Files()
		out, err := pkitest.Run(t, openssl, "verify", "-x509_strict", "-CAfile", root, "-purpose", "sslserver", "-verify_hostname", "localhost", "-untrusted", f.Chain, f.Cert)
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		o := options(ca, c.leaf)
		o.ServerName = "localhost"
		if _, err := pki.Verify(c.leaf.Chain[0], o); err == nil {
			t.Errorf("%s: we accept it", name)
		}
	}
}

func TestOpenSSLReadsOurKeys(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	for _, k := range pkitest.KeyTypes() {
		l := ca.Server(k)
		f := l.Files()
		if out, err := pkitest.Run(t, openssl, "pkey", "-in", f.Key, "-check", "-noout"); err != nil {
			t.Errorf("%s: %v\n%s", k, err, out)
		}
		out, err := pkitest.Run(t, openssl, "pkey", "-in", f.Key, "-pubout")
		if err != nil {
			t.Fatalf("%s: %v\n%s", k, err, out)
		}
		if b, _ := pem.Decode([]byte(out)); b == nil || !bytes.Equal(b.Bytes, l.Certificate.RawSubjectPublicKeyInfo) {
			t.Errorf("%s: openssl sees another key than the certificate has", k)
		}
	}
}

func TestKeysOfOpenSSLAreRead(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	run := func(args ...string) {
		t.Helper()
		if out, err := pkitest.Run(t, openssl, args...); err != nil {
			t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", file("rsa"))
	run("rsa", "-in", file("rsa"), "-traditional", "-out", file("pkcs1"))
	run("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", file("pss"))
	run("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha256",
		"-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256", "-pkeyopt", "rsa_pss_keygen_saltlen:32", "-out", file("pss256"))
	run("genpkey", "-algorithm", "ED25519", "-out", file("ed25519"))
	for curve, name := range map[string]string{"prime256v1": "p256", "secp384r1": "p384", "secp521r1": "p521"} {
		run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:"+curve, "-out", file(name))
		run("ec", "-in", file(name), "-out", file(name+"-sec1"))
		run("ecparam", "-name", curve, "-genkey", "-out", file(name+"-params"))
	}
	run("pkey", "-in", file("p256"), "-aes256", "-passout", "pass:secret", "-out", file("pbes2"))
	run("rsa", "-in", file("rsa"), "-traditional", "-aes128", "-passout", "pass:secret", "-out", file("traditional"))

	for name, fits := range map[string]func(crypto.Signer) bool{
		"rsa": isA[*rsa.PrivateKey], "pkcs1": isA[*rsa.PrivateKey], "pss": isA[*pki.PSSKey], "pss256": isA[*pki.PSSKey],
		"ed25519": isA[ed25519.PrivateKey], "p256": isA[*ecdsa.PrivateKey], "p384": isA[*ecdsa.PrivateKey], "p521": isA[*ecdsa.PrivateKey],
		"p256-sec1": isA[*ecdsa.PrivateKey], "p384-sec1": isA[*ecdsa.PrivateKey], "p521-sec1": isA[*ecdsa.PrivateKey],
		"p256-params": isA[*ecdsa.PrivateKey], "p384-params": isA[*ecdsa.PrivateKey], "p521-params": isA[*ecdsa.PrivateKey],
	} {
		key, err := pki.ParsePrivateKeyPEM(readAll(t, file(name)))
		if err != nil || !fits(key) {
			t.Errorf("%s: %T, %v", name, key, err)
		}
	}
	restricted := readAll(t, file("pss256"))
	key, err := pki.ParsePrivateKeyPEM(restricted)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := pki.MarshalPrivateKeyPEM(key); err != nil || !bytes.Equal(text, restricted) {
		t.Errorf("a restricted key is not written as it was read: %v", err)
	}
	for _, name := range []string{"pbes2", "traditional"} {
		if _, err := pki.ParsePrivateKeyPEM(readAll(t, file(name))); !errors.Is(err, pki.ErrEncryptedKey) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A certificate that openssl makes for its restricted key, the restriction included.
	run("req", "-x509", "-key", file("pss256"), "-subj", "/CN=pss.example", "-addext", "subjectAltName=DNS:pss.example", "-days", "30", "-out", file("pss256.pem"))
	ders, err := pki.CertificatesPEM(readAll(t, file("pss256.pem")))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Parse(ders[0])
	if err != nil {
		t.Fatal(err)
	}
	want := cert.PSSParameters{Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 32}
	if !c.PSSOnly || c.PSS == nil || *c.PSS != want || c.PublicKey == nil {
		t.Errorf("PSS %+v, key %T (%v)", c.PSS, c.PublicKey, c.KeyError)
	}
}

func isA[T crypto.Signer](key crypto.Signer) bool {
	_, ok := key.(T)
	return ok
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGnuTLSAcceptsOurChains(t *testing.T) {
	certtool := pkitest.Program(t, "certtool")
	for _, ck := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, ck)
		root := ca.RootFile()
		for _, k := range pkitest.KeyTypes() {
			f := ca.Server(k).Files()
			if out, err := pkitest.Run(t, certtool, "--verify", "--load-ca-certificate", root, "--infile", f.FullChain, "--verify-hostname", "localhost", "--verify-purpose", "1.3.6.1.5.5.7.3.1"); err != nil {
				t.Errorf("%s CA, %s leaf: %v\n%s", ck, k, err, out)
			}
			if out, err := pkitest.Run(t, certtool, "--key-info", "--infile", f.Key); err != nil {
				t.Errorf("%s key: %v\n%s", k, err, out)
			}
		}
	}
}

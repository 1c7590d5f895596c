package pkcs12_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/pkcs12"
)

// inFolder writes a file into a folder of its own and returns its path.
func inFolder(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustRun(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := pkitest.Run(t, program, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestOpenSSLReadsOurFiles(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	for _, k := range pkitest.KeyTypes() {
		b := bundleOf(t, ca.Server(k))
		b.FriendlyName = "Cheese cake" // OpenSSL prints names in Latin-1
		for _, p := range []pkcs12.Profile{pkcs12.Modern, pkcs12.Legacy} {
			if p == pkcs12.Modern && k != pkitest.P256 && k != pkitest.RSAPSS {
				continue
			}
			path := inFolder(t, "file.p12", mustEncode(t, b, "sécret", p))
			out := mustRun(t, openssl, "pkcs12", "-in", path, "-passin", "pass:sécret", "-nodes")
			if !strings.Contains(out, "friendlyName: Cheese cake") || !strings.Contains(out, "localKeyID") {
				t.Errorf("%s, %s: names are lost:\n%s", k, p, out)
			}
			key, err := pki.ParsePrivateKeyPEM([]byte(out))
			if err != nil || !pki.SameKey(key.Public(), b.Key.Public()) {
				t.Errorf("%s, %s: %v", k, p, err)
			}
			certs, err := pki.ParseCertificatesPEM([]byte(out))
			if err != nil || len(certs) != 2 || !certs[0].Equal(b.Chain[0]) {
				t.Errorf("%s, %s: %d certificates, %v", k, p, len(certs), err)
			}
			if out, err := pkitest.Run(t, openssl, "pkcs12", "-in", path, "-passin", "pass:wrong", "-noout"); err == nil || !strings.Contains(out, "invalid password") {
				t.Errorf("%s, %s, wrong password: %v\n%s", k, p, err, out)
			}
		}
	}
}

// legacyProvider is the arguments that give OpenSSL 3 its old ciphers, none where
// it does not know them.
func legacyProvider(t *testing.T, openssl string) []string {
	t.Helper()
	if _, err := pkitest.Run(t, openssl, "list", "-providers", "-provider", "legacy"); err != nil {
		return nil
	}
	return []string{"-legacy"}
}

func TestFilesOfOpenSSLAreRead(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	legacy := legacyProvider(t, openssl)
	for _, k := range pkitest.KeyTypes() {
		l := ca.Server(k)
		f, b := l.Files(), bundleOf(t, l)
		b.FriendlyName = "Käsekuchen" // OpenSSL takes none outside the basic plane
		ways := map[string][]string{
			"default":      nil,
			"3DES":         {"-descert", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
			"AES-128":      {"-certpbe", "AES-128-CBC", "-keypbe", "AES-192-CBC", "-macalg", "sha512", "-iter", "5000"},
			"plain certs":  {"-certpbe", "NONE", "-macalg", "sha384"},
			"plain key":    {"-keypbe", "NONE", "-macalg", "sha224"},
			"one MAC turn": {"-nomaciter"},
		}
		if legacy != nil {
			ways["legacy"] = legacy
			ways["RC2-128"] = append([]string{"-certpbe", "PBE-SHA1-RC2-128", "-keypbe", "PBE-SHA1-2DES"}, legacy...)
		}
		for way, args := range ways {
			if way != "default" && way != "legacy" && k != pkitest.P256 {
				continue
			}
			path := filepath.Join(t.TempDir(), "file.p12")
			mustRun(t, openssl, append([]string{"pkcs12", "-export", "-in", f.Cert, "-inkey", f.Key, "-certfile", f.Chain,
				"-name", b.FriendlyName, "-passout", "pass:sécret", "-out", path}, args...)...)
			data := mustRead(t, path)
			got, err := pkcs12.Decode(data, []byte("sécret"))
			if err != nil || !pkcs12.Is(data) {
				t.Errorf("%s, %s: %v", k, way, err)
				continue
			}
			sameBundle(t, string(k)+" "+way, got, b)
			if _, err := pkcs12.Decode(data, []byte("wrong")); !errors.Is(err, pkcs12.ErrWrongPassword) {
				t.Errorf("%s, %s, wrong password: %v", k, way, err)
			}
		}
	}
}

func TestFilesWithoutMACNeedNoPassword(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	f := pkitest.New(t, pkitest.P256).Server(pkitest.P256).Files()
	path := filepath.Join(t.TempDir(), "file.p12")
	for _, secret := range []string{"", "secret"} {
		mustRun(t, openssl, "pkcs12", "-export", "-in", f.Cert, "-inkey", f.Key, "-nomac", "-passout", "pass:"+secret, "-out", path)
		if _, err := pkcs12.Decode(mustRead(t, path), []byte(secret)); (err == nil) != (secret == "") {
			t.Errorf("%q: %v", secret, err)
		}
	}
	mustRun(t, openssl, "pkcs12", "-export", "-in", f.Cert, "-inkey", f.Key, "-passout", "pass:", "-out", path)
	if _, err := pkcs12.Decode(mustRead(t, path), nil); err != nil {
		t.Errorf("an empty password: %v", err)
	}
}

func TestGnuTLSAndWeReadEachOther(t *testing.T) {
	certtool := pkitest.Program(t, "certtool")
	l := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	f, b := l.Files(), bundleOf(t, l)
	for _, p := range []pkcs12.Profile{pkcs12.Modern, pkcs12.Legacy} {
		path := inFolder(t, "file.p12", mustEncode(t, b, "secret", p))
		if out := mustRun(t, certtool, "--p12-info", "--inder", "--infile", path, "--password", "secret"); !strings.Contains(out, "BEGIN CERTIFICATE") {
			t.Errorf("%s:\n%s", p, out)
		}
	}
	for _, cipher := range []string{"aes-256", "3des-pkcs12"} {
		path := filepath.Join(t.TempDir(), "file.p12")
		mustRun(t, certtool, "--to-p12", "--outder", "--load-certificate", f.Cert, "--load-privkey", f.Key, "--load-ca-certificate", f.Chain,
			"--p12-name", "cake", "--password", "secret", "--pkcs-cipher", cipher, "--outfile", path)
		got, err := pkcs12.Decode(mustRead(t, path), []byte("secret"))
		if err != nil || got.FriendlyName != "cake" || len(got.Chain) == 0 || !got.Chain[0].Equal(b.Chain[0]) || !pki.SameKey(got.Key.Public(), b.Key.Public()) {
			t.Errorf("%s: %q, %d certificates, %v", cipher, got.FriendlyName, len(got.Chain), err)
		}
	}
}

func TestJavaAndWeReadEachOther(t *testing.T) {
	keytool := pkitest.Program(t, "keytool")
	ca := pkitest.New(t, pkitest.P256)
	b := bundleOf(t, ca.Server(pkitest.RSA2048))
	b.FriendlyName = "cake"
	for _, p := range []pkcs12.Profile{pkcs12.Modern, pkcs12.Legacy} {
		path := inFolder(t, "file.p12", mustEncode(t, b, "changeit", p))
		out := mustRun(t, keytool, "-list", "-v", "-keystore", path, "-storetype", "PKCS12", "-storepass", "changeit")
		for _, want := range []string{"Alias name: cake", "PrivateKeyEntry", "Certificate chain length: 2"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", p, want, out)
			}
		}
	}
	path := inFolder(t, "trust.p12", mustEncode(t, pkcs12.Bundle{Trusted: ca.Roots()}, "", pkcs12.Modern))
	if out := mustRun(t, keytool, "-list", "-keystore", path, "-storetype", "PKCS12"); !strings.Contains(out, "trustedCertEntry") {
		t.Errorf("without a password:\n%s", out)
	}
	path = filepath.Join(t.TempDir(), "java.p12")
	mustRun(t, keytool, "-genkeypair", "-alias", "torte", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=java.example",
		"-keystore", path, "-storetype", "PKCS12", "-storepass", "changeit")
	got, err := pkcs12.Decode(mustRead(t, path), []byte("changeit"))
	if err != nil || got.FriendlyName != "torte" || len(got.Chain) != 1 || !pki.SameKey(got.Key.Public(), got.Chain[0].PublicKey) {
		t.Errorf("%q: %v", got.FriendlyName, err)
	}
	root := inFolder(t, "root.pem", pki.AppendCertificatePEM(nil, ca.Root.Raw))
	mustRun(t, keytool, "-importcert", "-noprompt", "-alias", "root", "-file", root, "-keystore", path, "-storetype", "PKCS12", "-storepass", "changeit")
	got, err = pkcs12.Decode(mustRead(t, path), []byte("changeit"))
	if err != nil || len(got.Trusted) != 1 || !got.Trusted[0].Equal(ca.Root) || len(got.Chain) != 1 {
		t.Errorf("%d trusted: %v", len(got.Trusted), err)
	}
}

func TestBERFilesAreRead(t *testing.T) {
	b := bundleOf(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256))
	der := mustEncode(t, b, "x", pkcs12.Legacy)
	// As NSS writes it: indefinite lengths outside, the safe in pieces.
	outer := unwrap(t, der)
	version, rest := split(t, outer)
	info, mac := split(t, rest)
	oid, explicit := split(t, unwrap(t, info))
	safe := unwrap(t, unwrap(t, explicit))
	piece := func(b []byte) []byte {
		return append([]byte{0x04, 0x82, byte(len(b) >> 8), byte(len(b))}, b...)
	}
	end := []byte{0, 0}
	ber := bytes.Join([][]byte{{0x30, 0x80}, version, {0x30, 0x80}, oid, {0xa0, 0x80, 0x24, 0x80}, piece(safe[:300]), piece(safe[300:]), end, end, end, mac, end}, nil)
	if !pkcs12.Is(ber) {
		t.Error("not recognised")
	}
	got, err := pkcs12.Decode(ber, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	sameBundle(t, "BER", got, b)
}

// split cuts the first element off; unwrap returns what is in it.
func split(t *testing.T, b []byte) (first, rest []byte) {
	t.Helper()
	n := 2 + int(b[1])
	switch b[1] {
	case 0x81:
		n = 3 + int(b[2])
	case 0x82:
		n = 4 + int(b[2])<<8 + int(b[3])
	}
	return b[:n], b[n:]
}

func unwrap(t *testing.T, b []byte) []byte {
	t.Helper()
	switch b[1] {
	case 0x81:
		return b[3:]
	case 0x82:
		return b[4:]
	}
	return b[2:]
}

// NSS writes BER, and is what Firefox and Chromium use.
func TestNSSAndWeReadEachOther(t *testing.T) {
	pk12util, certutil := pkitest.Program(t, "pk12util"), pkitest.Program(t, "certutil")
	b := bundleOf(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256))
	b.FriendlyName = "cake"
	db := "sql:" + t.TempDir()
	empty := inFolder(t, "empty", []byte("\n"))
	mustRun(t, certutil, "-N", "-d", db, "-f", empty)
	for i, p := range []pkcs12.Profile{pkcs12.Legacy, pkcs12.Modern} {
		path := inFolder(t, "ours.p12", mustEncode(t, b, "secret", p))
		if out := mustRun(t, pk12util, "-l", path, "-W", "secret"); !strings.Contains(out, "cake") {
			t.Errorf("%s:\n%s", p, out)
		}
		if i == 0 {
			mustRun(t, pk12util, "-i", path, "-W", "secret", "-d", db, "-k", empty)
		}
	}
	for _, ciphers := range [][]string{nil, {"-C", "PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC"}} {
		path := filepath.Join(t.TempDir(), "theirs.p12")
		mustRun(t, pk12util, append([]string{"-o", path, "-n", "cake", "-W", "secret", "-d", db, "-k", empty}, ciphers...)...)
		data := mustRead(t, path)
		got, err := pkcs12.Decode(data, []byte("secret"))
		if err != nil || !pkcs12.Is(data) || got.FriendlyName != "cake" || !got.Chain[0].Equal(b.Chain[0]) || !pki.SameKey(got.Key.Public(), b.Key.Public()) {
			t.Errorf("%v: %q, %v", ciphers, got.FriendlyName, err)
		}
	}
}

package pki_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

func passphrase(s string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(s), nil }
}

func TestOpenSSLReadsOurEncryptedKeys(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	ca := pkitest.New(t, pkitest.P256)
	dir := t.TempDir()
	for _, k := range pkitest.KeyTypes() {
		l := ca.Server(k)
		for _, kdf := range pki.KDFs() {
			switch {
			case k == pkitest.P256:
			case kdf == pki.Scrypt:
				continue // once is enough: it takes its time
			default:
				kdf = "pbkdf2:10000"
			}
			text, err := pki.MarshalEncryptedPrivateKeyPEM(l.Key, []byte("päss wörd"), kdf)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "key.pem")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := pkitest.Run(t, openssl, "pkey", "-in", path, "-passin", "pass:päss wörd", "-pubout")
			if err != nil {
				t.Fatalf("%s, %s: %v\n%s", k, kdf, err, out)
			}
			if b, _ := pem.Decode([]byte(out)); b == nil || !bytes.Equal(b.Bytes, l.Certificate.RawSubjectPublicKeyInfo) {
				t.Errorf("%s, %s: openssl sees another key", k, kdf)
			}
		}
		traditional, err := pki.MarshalTraditionalPEM(l.Key)
		if err != nil {
			continue // Ed25519 and RSASSA-PSS have none
		}
		path := filepath.Join(dir, "traditional.pem")
		if err := os.WriteFile(path, traditional, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := pkitest.Run(t, openssl, "pkey", "-in", path, "-check", "-noout"); err != nil {
			t.Errorf("%s: %v\n%s", k, err, out)
		}
	}
}

func TestGnuTLSReadsOurEncryptedKeys(t *testing.T) {
	certtool := pkitest.Program(t, "certtool")
	ca := pkitest.New(t, pkitest.P256)
	for _, k := range []pkitest.KeyType{pkitest.P256, pkitest.RSA2048} {
		text, err := pki.MarshalEncryptedPrivateKeyPEM(ca.Server(k).Key, []byte("secret"), pki.PBKDF2)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := pkitest.Run(t, certtool, "--key-info", "--infile", path, "--password", "secret"); err != nil {
			t.Errorf("%s: %v\n%s", k, err, out)
		}
	}
}

// plainKeys lets openssl make one key of each type and returns its files by type.
func plainKeys(t *testing.T, openssl, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for name, args := range map[string][]string{
		"rsa": {"RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, "pss": {"RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"},
		"p256": {"EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"}, "p384": {"EC", "-pkeyopt", "ec_paramgen_curve:secp384r1"},
		"p521": {"EC", "-pkeyopt", "ec_paramgen_curve:secp521r1"}, "ed25519": {"ED25519"},
	} {
		files[name] = filepath.Join(dir, name)
		if out, err := pkitest.Run(t, openssl, append([]string{"genpkey", "-out", files[name], "-algorithm"}, args...)...); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	return files
}

func TestEncryptedKeysOfOpenSSLAreRead(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	dir := t.TempDir()
	for name, plain := range plainKeys(t, openssl, dir) {
		want, err := pki.ParsePrivateKeyPEM(readAll(t, plain))
		if err != nil {
			t.Fatal(err)
		}
		ways := map[string][]string{
			"AES-256, SHA-256": {"pkcs8", "-topk8", "-in", plain, "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256"},
			"AES-128, SHA-1":   {"pkcs8", "-topk8", "-in", plain, "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"},
			"AES-192, SHA-512": {"pkcs8", "-topk8", "-in", plain, "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512", "-iter", "1000"},
			"3DES":             {"pkcs8", "-topk8", "-in", plain, "-v2", "des3"},
			"scrypt":           {"pkcs8", "-topk8", "-in", plain, "-scrypt"},
			"scrypt, small":    {"pkcs8", "-topk8", "-in", plain, "-scrypt", "-scrypt_N", "1024", "-scrypt_r", "4", "-scrypt_p", "2"},
			"pkey":             {"pkey", "-in", plain, "-aes256"},
		}
		if name != "ed25519" && name != "pss" { // they have no traditional form
			ways["traditional AES"] = []string{"pkey", "-in", plain, "-traditional", "-aes256"}
			ways["traditional AES-128"] = []string{"pkey", "-in", plain, "-traditional", "-aes128"}
			ways["traditional 3DES"] = []string{"pkey", "-in", plain, "-traditional", "-des3"}
		}
		for way, args := range ways {
			path := filepath.Join(dir, "sealed")
			if out, err := pkitest.Run(t, openssl, append(args, "-passout", "pass:sécret", "-out", path)...); err != nil {
				t.Fatalf("%s, %s: %v\n%s", name, way, err, out)
			}
			text := readAll(t, path)
			if strings.HasPrefix(way, "traditional") != bytes.Contains(text, []byte("DEK-Info")) {
				t.Errorf("%s, %s: openssl writes another form:\n%s", name, way, text[:60])
			}
			got, err := pki.ParsePrivateKeyPEMWith(text, passphrase("sécret"))
			if err != nil || !pki.SameKey(got.Public(), want.Public()) {
				t.Errorf("%s, %s: %v", name, way, err)
			}
			if _, err := pki.ParsePrivateKeyPEMWith(text, passphrase("secret")); !errors.Is(err, pki.ErrWrongPassphrase) {
				t.Errorf("%s, %s, wrong passphrase: %v", name, way, err)
			}
		}
	}
}

func TestOutdatedEncryptionOfOpenSSLIsNamed(t *testing.T) {
	openssl := pkitest.Program(t, "openssl")
	dir := t.TempDir()
	plain := plainKeys(t, openssl, dir)["p256"]
	path := filepath.Join(dir, "old")
	if out, err := pkitest.Run(t, openssl, "pkcs8", "-topk8", "-in", plain, "-v1", "PBE-SHA1-3DES", "-passout", "pass:x", "-out", path); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var refused *pki.RefusedError
	if _, err := pki.ParsePrivateKeyPEMWith(readAll(t, path), passphrase("x")); !errors.As(err, &refused) || !strings.Contains(err.Error(), "PBE-SHA1-3DES") {
		t.Errorf("%v", err)
	}
}

//go:build pkcs11 && cgo

package keystore

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

const tokenPIN = "1234"

// softHSM finds SoftHSM's module where Debian and others put it.
func softHSM(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so", "/usr/lib/pkcs11/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("softhsm2-util is installed, but not its module")
	return ""
}

// SoftHSM reads its configuration when it is first loaded, and a PIN counts for
// the whole process: so one test has it all.
func TestKeysInTokensSign(t *testing.T) {
	util := pkitest.Program(t, "softhsm2-util")
	module := softHSM(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, conf, "directories.tokendir = "+tokens+"\nobjectstore.backend = file\nlog.level = ERROR\n", 0o600)
	t.Setenv("SOFTHSM2_CONF", conf)
	t.Setenv(ModuleVariable, module)
	run := func(args ...string) {
		t.Helper()
		if out, err := pkitest.Run(t, util, args...); err != nil {
			t.Fatalf("softhsm2-util %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("--init-token", "--free", "--label", "tls wright", "--pin", tokenPIN, "--so-pin", "5678")
	keys := map[pki.KeyType]crypto.Signer{}
	for i, k := range []pki.KeyType{pki.RSA2048, pki.P256, pki.P384, pki.P521, pki.Ed25519} {
		key, err := pki.GenerateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		text, err := pki.MarshalPrivateKeyPEM(key)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, string(k))
		mustWrite(t, path, string(text), 0o600)
		run("--import", path, "--token", "tls wright", "--label", string(k), "--id", fmt.Sprintf("0%d", i+1), "--pin", tokenPIN)
		keys[k] = key
	}
	uri := func(k pki.KeyType) string { return "pkcs11:token=tls%20wright;object=" + string(k) }

	t.Run("wrong PIN", func(t *testing.T) { // before anybody is logged in, for that counts for the whole process
		_, err := ReadKeyWith(uri(pki.P256), func(string) ([]byte, error) { return []byte("9999"), nil })
		if !errors.Is(err, pki.ErrWrongPassphrase) {
			t.Errorf("%v", err)
		}
	})
	t.Run("signatures", func(t *testing.T) {
		for k, soft := range keys {
			key := openTestKey(t, uri(k))
			if !pki.SameKey(key.Public(), soft.Public()) {
				t.Errorf("%s: another key", k)
			}
			trySignatures(t, k, key)
		}
	})
	t.Run("CA", func(t *testing.T) { tokenCA(t, uri(pki.P384)) })
	t.Run("errors", func(t *testing.T) { tokenErrors(t, uri(pki.P256)) })
	t.Run("many at once", func(t *testing.T) {
		key := openTestKey(t, uri(pki.P256))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { trySignatures(t, pki.P256, key) })
		}
		wg.Wait()
	})
}

// openTestKey opens a key with the right PIN, and has it closed.
func openTestKey(t *testing.T, uri string) crypto.Signer {
	t.Helper()
	key, err := ReadKeyWith(uri, func(string) ([]byte, error) { return []byte(tokenPIN), nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := key.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	})
	return key
}

func trySignatures(t *testing.T, k pki.KeyType, key crypto.Signer) {
	t.Helper()
	if k == pki.Ed25519 {
		signature, err := key.Sign(rand.Reader, []byte("message"), crypto.Hash(0))
		if err != nil || !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte("message"), signature) {
			t.Errorf("%s: %v", k, err)
		}
		if _, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256); err == nil {
			t.Error("an Ed25519 key signed a digest")
		}
		return
	}
	digest := sha512.Sum512([]byte("message"))
	algorithm := map[pki.KeyType]x509.SignatureAlgorithm{
		pki.RSA2048: x509.SHA512WithRSA, pki.P256: x509.ECDSAWithSHA512, pki.P384: x509.ECDSAWithSHA512, pki.P521: x509.ECDSAWithSHA512,
	}[k]
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA512)
	if err != nil {
		t.Errorf("%s: %v", k, err)
		return
	}
	if err := (&x509.Certificate{PublicKey: key.Public()}).CheckSignature(algorithm, []byte("message"), signature); err != nil {
		t.Errorf("%s: %v", k, err)
	}
	pub, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		return
	}
	for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, 20} {
		opts := &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA512}
		signature, err := key.Sign(rand.Reader, digest[:], opts)
		if err != nil {
			t.Errorf("PSS with salt %d: %v", salt, err)
			continue
		}
		if err := rsa.VerifyPSS(pub, crypto.SHA512, digest[:], signature, opts); err != nil {
			t.Errorf("PSS with salt %d: %v", salt, err)
		}
	}
}

// tokenCA makes an intermediate whose key is in the token, and issues with it.
func tokenCA(t *testing.T, uri string) {
	home := t.TempDir()
	ca := mustCreateCA(t, home, CAOptions{})
	root, err := ca.RootIssuer()
	if err != nil {
		t.Fatal(err)
	}
	key := openTestKey(t, uri+"?pin-value="+tokenPIN)
	c, err := root.Issue(pki.Request{Profile: pki.ProfileIntermediate, CommonName: "In a token", Key: key.Public()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.AddIntermediate("token", c, key, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(ca.Dir, interDir, "token", interKeyFile)
	if text, err := os.ReadFile(file); err != nil || string(text) != uri+"\n" {
		t.Errorf("%q, %v", text, err)
	}
	opened, err := OpenCAWith(home, func(string) ([]byte, error) { return []byte(tokenPIN), nil })
	if err != nil {
		t.Fatal(err)
	}
	if opened, err = opened.WithIntermediate("token"); err != nil {
		t.Fatal(err)
	}
	leaf, err := opened.Issuer().Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"a.example"}, Key: newKey(t).Public()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Verify(leaf.Raw, pki.VerifyOptions{Roots: []*x509.Certificate{ca.Root}, Intermediates: opened.Chain(), Time: time.Now(), ServerName: "a.example"}); err != nil {
		t.Error(err)
	}
}

func tokenErrors(t *testing.T, uri string) {
	pin := func(string) ([]byte, error) { return []byte(tokenPIN), nil }
	for uri, want := range map[string]string{
		"pkcs11:token=tls%20wright;object=nobody":           "no such key",
		"pkcs11:token=nobody;object=p256":                   "no such token",
		"pkcs11:object=p256;slot-id=77":                     "no such token",
		"pkcs11:object=p256?module-path=/nowhere/module.so": "cannot be loaded",
		"pkcs11:colour=red":                                 "unknown",
		uri + "?pin-source=/nowhere":                        "no such file",
	} {
		if _, err := ReadKeyWith(uri, pin); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if _, err := ReadKey(uri); !errors.Is(err, pki.ErrEncryptedKey) {
		t.Errorf("%v", err)
	}
	key := openTestKey(t, uri)
	if _, err := key.Sign(rand.Reader, make([]byte, 5), crypto.SHA256); err == nil {
		t.Error("a digest of the wrong length was signed")
	}
	if err := key.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("%v", err)
	}
	t.Setenv(ModuleVariable, "")
	if _, err := ReadKeyWith(uri, pin); err == nil || !strings.Contains(err.Error(), ModuleVariable) {
		t.Errorf("%v", err)
	}
}

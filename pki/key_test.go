package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
)

// testRSA is one RSA key for all tests of this package.
var testRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// newKey makes a key; RSA2048 is shared.
func newKey(t testing.TB, k KeyType) crypto.Signer {
	t.Helper()
	if k == RSA2048 {
		return testRSA()
	}
	key, err := GenerateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeysSurviveWritingAndReading(t *testing.T) {
	for _, k := range []KeyType{RSA2048, P256, P384, P521, Ed25519} {
		key := newKey(t, k)
		text, err := MarshalPrivateKeyPEM(key)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("-----BEGIN PRIVATE KEY-----\n")) {
			t.Errorf("%s is not written as PKCS #8", k)
		}
		got, err := ParsePrivateKeyPEM(text)
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		if !SameKey(got.Public(), key.Public()) {
			t.Errorf("%s: another key came back", k)
		}
	}
}

func TestPSSKeysStayRestricted(t *testing.T) {
	text, err := MarshalPrivateKeyPEM(NewPSSKey(testRSA()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePrivateKeyPEM(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := key.(*PSSKey); !ok || !SameKey(key.Public(), testRSA().Public()) {
		t.Fatalf("read back as %T", key)
	}
	digest := sha256.Sum256([]byte("message"))
	if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err == nil {
		t.Error("it made a PKCS #1 v1.5 signature")
	}
	sig, err := key.Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPSS(&testRSA().PublicKey, crypto.SHA256, digest[:], sig, nil); err != nil {
		t.Error(err)
	}
}

func block(kind string, der []byte, headers ...string) []byte {
	b := &pem.Block{Type: kind, Bytes: der}
	if len(headers) > 0 {
		b.Headers = map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": headers[0]}
	}
	return pem.EncodeToMemory(b)
}

func TestKeyFilesOfAllFormsAreRead(t *testing.T) {
	ec := newKey(t, P384).(*ecdsa.PrivateKey)
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(testRSA())
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224DER, err := x509.MarshalECPrivateKey(p224)
	if err != nil {
		t.Fatal(err)
	}
	agreement, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agreementDER, err := x509.MarshalPKCS8PrivateKey(agreement)
	if err != nil {
		t.Fatal(err)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, []byte("some text\n")) }
	for name, c := range map[string]struct {
		text []byte
		want string // in the error; "" for a key
	}{
		"PKCS #1":                  {block("RSA PRIVATE KEY", pkcs1), ""},
		"SEC 1":                    {block("EC PRIVATE KEY", sec1), ""},
		"after EC PARAMETERS":      {join(block("EC PARAMETERS", []byte{5, 0}), block("EC PRIVATE KEY", sec1)), ""},
		"with its certificate":     {join(block("CERTIFICATE", []byte{1}), block("EC PRIVATE KEY", sec1)), ""},
		"two keys":                 {join(block("EC PRIVATE KEY", sec1), block("RSA PRIVATE KEY", pkcs1)), "more than one"},
		"none":                     {block("CERTIFICATE", []byte{1}), "no private key"},
		"not PEM":                  {sec1, "no private key"},
		"PKCS #8 encrypted":        {block("ENCRYPTED PRIVATE KEY", []byte{1}), "passphrase"},
		"PKCS #1 encrypted":        {block("RSA PRIVATE KEY", pkcs1, "AES-128-CBC,00"), "passphrase"},
		"P-224":                    {block("EC PRIVATE KEY", p224DER), "P-224"},
		"X25519":                   {block("PRIVATE KEY", agreementDER), "cannot sign"},
		"broken":                   {block("PRIVATE KEY", []byte{0x30, 1}), "read private key"},
		"broken RSASSA-PSS":        {block("PRIVATE KEY", mustUnwrapped(t)), "RSASSA-PSS"},
		"larger than any key file": {bytes.Repeat([]byte("x"), maxKeyFile+1), "limit"},
	} {
		key, err := ParsePrivateKeyPEM(c.text)
		if c.want == "" {
			if err != nil || key == nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParsePrivateKeyPEM(block("ENCRYPTED PRIVATE KEY", nil)); !errors.Is(err, ErrEncryptedKey) {
		t.Error("an encrypted key cannot be told from a broken one")
	}
}

// mustUnwrapped is an id-RSASSA-PSS PrivateKeyInfo whose inner key is cut off.
func mustUnwrapped(t *testing.T) []byte {
	t.Helper()
	der, err := marshalPSS(NewPSSKey(testRSA()))
	if err != nil {
		t.Fatal(err)
	}
	inner, _, ok := unwrapPSS(der)
	if !ok {
		t.Fatal("not unwrapped")
	}
	broken := bytes.Clone(der)
	copy(broken[len(der)-len(inner):], make([]byte, 40))
	return broken
}

func FuzzParsePrivateKeyPEM(f *testing.F) {
	for _, k := range []KeyType{RSA2048, P256, Ed25519} {
		text, err := MarshalPrivateKeyPEM(newKey(f, k))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := ParsePrivateKeyPEM(text)
		if err != nil {
			return
		}
		again, err := MarshalPrivateKeyPEM(key)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePrivateKeyPEM(again)
		if err != nil || !SameKey(back.Public(), key.Public()) {
			t.Fatalf("written and read again: %v", err)
		}
	})
}

func TestKeyTypesAreReadInAnyCase(t *testing.T) {
	for _, k := range KeyTypes() {
		if got, err := ParseKeyType(strings.ToUpper(string(k))); err != nil || got != k {
			t.Errorf("%s: %v %v", k, got, err)
		}
	}
	if got, err := ParseKeyType(""); err != nil || got != P256 {
		t.Errorf("default: %v %v", got, err)
	}
	var refused *RefusedError
	if _, err := ParseKeyType("rsa1024"); !errors.As(err, &refused) || refused.Hint == "" {
		t.Errorf("rsa1024: %v", err)
	}
	if _, err := ParseKeyType("dsa\x1b"); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%v", err)
	}
	if _, err := GenerateKey("dsa"); err == nil {
		t.Error("a key of an unknown type was made")
	}
}

func TestKeysAreDescribed(t *testing.T) {
	for k, want := range map[KeyType]string{RSA2048: "RSA 2048", P256: "ECDSA P-256", P384: "ECDSA P-384", P521: "ECDSA P-521", Ed25519: "Ed25519"} {
		if got := DescribeKey(newKey(t, k).Public()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, odd := range []crypto.PublicKey{nil, "key", &rsa.PublicKey{}, (*rsa.PublicKey)(nil), &ecdsa.PublicKey{}} {
		if got := DescribeKey(odd); got != "unknown key" {
			t.Errorf("%v: %s", odd, got)
		}
	}
}

package pki

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// fixed offers one passphrase and counts how often it is asked for.
func fixed(passphrase string, asked *int) func() ([]byte, error) {
	return func() ([]byte, error) {
		if asked != nil {
			*asked++
		}
		return []byte(passphrase), nil
	}
}

func TestEncryptedKeysSurviveWritingAndReading(t *testing.T) {
	keys := map[string]crypto.Signer{"pss": NewPSSKey(testRSA())}
	for _, k := range []KeyType{RSA2048, P256, P384, P521, Ed25519} {
		keys[string(k)] = newKey(t, k)
	}
	for name, key := range keys {
		for _, kdf := range []KDF{"", "pbkdf2:5000", Scrypt} {
			if kdf != "pbkdf2:5000" && name != "p256" {
				continue // once is enough: it takes its time
			}
			text, err := MarshalEncryptedPrivateKeyPEM(key, []byte("correct horse"), kdf)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, kdf, err)
			}
			asked := 0
			got, err := ParsePrivateKeyPEMWith(text, fixed("correct horse", &asked))
			if err != nil || asked != 1 || !SameKey(got.Public(), key.Public()) || fmt.Sprintf("%T", got) != fmt.Sprintf("%T", key) {
				t.Errorf("%s, %s: %T, asked %d times, %v", name, kdf, got, asked, err)
			}
			if name != "p256" {
				continue
			}
			if _, err := ParsePrivateKeyPEMWith(text, fixed("wrong horse", nil)); !errors.Is(err, ErrWrongPassphrase) {
				t.Errorf("%s, wrong passphrase: %v", kdf, err)
			}
			if _, err := ParsePrivateKeyPEM(text); !errors.Is(err, ErrEncryptedKey) {
				t.Errorf("%s, no passphrase: %v", kdf, err)
			}
			if kdf == "" {
				continue
			}
			again, err := MarshalEncryptedPrivateKeyPEM(key, []byte("correct horse"), kdf)
			if err != nil || bytes.Equal(again, text) {
				t.Errorf("%s: salt and vector are the same twice (%v)", kdf, err)
			}
		}
	}
}

func TestPassphrasesAreOnlyAskedForWhenNeeded(t *testing.T) {
	plain, err := MarshalPrivateKeyPEM(newKey(t, P256))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	if _, err := ParsePrivateKeyPEMWith(plain, fixed("x", &asked)); err != nil || asked != 0 {
		t.Errorf("asked %d times for a plain key: %v", asked, err)
	}
	sealed, err := MarshalEncryptedPrivateKeyDER(newKey(t, P256), []byte("x"), "pbkdf2:1000")
	if err != nil {
		t.Fatal(err)
	}
	none := errors.New("nobody there")
	if _, err := ParsePrivateKeyDER(sealed, func() ([]byte, error) { return nil, none }); !errors.Is(err, none) {
		t.Errorf("%v", err)
	}
	if _, err := ParsePrivateKeyDER(sealed, fixed(strings.Repeat("x", maxPassphrase+1), nil)); err == nil || errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("%v", err)
	}
	var refused *RefusedError
	for _, p := range []string{"", strings.Repeat("x", maxPassphrase+1)} {
		if _, err := MarshalEncryptedPrivateKeyPEM(newKey(t, P256), []byte(p), PBKDF2); !errors.As(err, &refused) {
			t.Errorf("a passphrase of %d bytes: %v", len(p), err)
		}
	}
	if _, err := MarshalEncryptedPrivateKeyPEM(newKey(t, P256), []byte("x"), "md5"); err == nil {
		t.Error("an unknown key derivation was taken")
	}
}

func TestKDFsAreReadInAnyCase(t *testing.T) {
	for s, want := range map[string]KDF{"": PBKDF2, "PBKDF2": PBKDF2, "Scrypt": Scrypt, "pbkdf2:10000": "pbkdf2:10000"} {
		if got, err := ParseKDF(s); err != nil || got != want {
			t.Errorf("%q: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"argon2\x1b", "pbkdf2:999", "pbkdf2:5000001", "pbkdf2:", "pbkdf2:x\x1b", "scrypt:5"} {
		if _, err := ParseKDF(s); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// sealed is an EncryptedPrivateKeyInfo with the given derivation and scheme.
func sealed(scheme []int, parameters func(*cryptobyte.Builder), data []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(scheme)
			b.AddASN1(cbasn1.SEQUENCE, parameters)
		})
		b.AddASN1OctetString(data)
	})
	return b.BytesOrPanic()
}

// pbes2 is a sealed key with this derivation and AES-256-CBC.
func pbes2(kdf func(*cryptobyte.Builder)) []byte {
	return sealed(oidPBES2(), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, kdf)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidAES256CBC())
			b.AddASN1OctetString(make([]byte, 16))
		})
	}, make([]byte, 32))
}

func withPBKDF2(saltLength int, iterations int64, rest ...int64) []byte {
	return pbes2(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidPBKDF2())
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(make([]byte, saltLength))
			b.AddASN1Int64(iterations)
			for _, v := range rest {
				b.AddASN1Int64(v)
			}
		})
	})
}

func withScrypt(n, r, p int64) []byte {
	return pbes2(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidScrypt())
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString([]byte("salt"))
			for _, v := range []int64{n, r, p} {
				b.AddASN1Int64(v)
			}
		})
	})
}

func TestCostlyKeysAreRefusedBeforeAnythingIsSpent(t *testing.T) {
	for name, c := range map[string]struct {
		der  []byte
		want string
	}{
		"iterations":          {withPBKDF2(8, maxIterations+1), "more than the limit"},
		"many iterations":     {withPBKDF2(8, 1<<40), "more than the limit"},
		"no iterations":       {withPBKDF2(8, 0), "below 1"},
		"negative iterations": {withPBKDF2(8, -5), "below 1"},
		"salt":                {withPBKDF2(maxSalt+1, 1), "salt"},
		"key length":          {withPBKDF2(8, 1, 16), "16 bytes for AES-256-CBC"},
		"odd N":               {withScrypt(1000, 8, 1), "no sense"},
		"N = 1":               {withScrypt(1, 8, 1), "no sense"},
		"memory":              {withScrypt(1<<21, 8, 1), "too much"},
		"memory by r":         {withScrypt(2, 1<<20, 1), "too much"},
		"memory by p":         {withScrypt(2, 8, 1<<22), "too much"},
		"time":                {withScrypt(1<<17, 8, 9), "too much"},
		"overflow":            {withScrypt(1<<40, 1<<40, 1<<40), "too much"},
	} {
		asked := 0
		_, err := ParsePrivateKeyPEMWith(block(labelEncrypted, c.der), fixed("x", &asked))
		if err == nil || !strings.Contains(err.Error(), c.want) || asked != 0 {
			t.Errorf("%s: asked %d times, %v", name, asked, err)
		}
	}
	// What is bearable is tried, and the zeros in it are no key.
	for _, der := range [][]byte{withPBKDF2(8, 10), withPBKDF2(0, 10, 32), withScrypt(1<<14, 8, 1)} {
		if _, err := ParsePrivateKeyDER(der, fixed("x", nil)); !errors.Is(err, ErrWrongPassphrase) {
			t.Errorf("%v", err)
		}
	}
}

func TestUnknownEncryptionIsNamed(t *testing.T) {
	nothing := func(*cryptobyte.Builder) {}
	var refused *RefusedError
	der := sealed([]int{1, 2, 840, 113549, 1, 12, 1, 3}, nothing, make([]byte, 8))
	if _, err := ParsePrivateKeyDER(der, fixed("x", nil)); !errors.As(err, &refused) || !strings.Contains(err.Error(), "PBE-SHA1-3DES") || refused.Hint == "" {
		t.Errorf("PBES1: %v", err)
	}
	asPEM := block(labelEncrypted, sealed([]int{1, 2, 3}, nothing, make([]byte, 8)))
	if _, err := ParsePrivateKeyPEMWith(asPEM, fixed("x", nil)); err == nil || !strings.Contains(err.Error(), "1.2.3") {
		t.Errorf("%v", err)
	}
	for name, text := range map[string][]byte{
		"not a structure":    block(labelEncrypted, []byte{0x30, 3, 1, 2, 3}),
		"unknown cipher":     block(labelSEC1, make([]byte, 16), "DES-CBC,0011223344556677"),
		"short vector":       block(labelSEC1, make([]byte, 16), "AES-128-CBC,0011"),
		"vector not hex":     block(labelSEC1, make([]byte, 16), "AES-128-CBC,zz"),
		"cut off":            block(labelSEC1, make([]byte, 15), "AES-128-CBC,00112233445566778899aabbccddeeff"),
		"encrypted twice":    block(labelPKCS8, make([]byte, 16), "AES-128-CBC,00112233445566778899aabbccddeeff"),
		"no cipher whatever": block(labelSEC1, make([]byte, 16), ",\x1b"),
	} {
		if _, err := ParsePrivateKeyPEMWith(text, fixed("x", nil)); err == nil || errors.Is(err, ErrWrongPassphrase) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTraditionalFormsAreWritten(t *testing.T) {
	for _, k := range []KeyType{RSA2048, P256, P384, P521} {
		key := newKey(t, k)
		text, err := MarshalTraditionalPEM(key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParsePrivateKeyPEM(text)
		if err != nil || !SameKey(got.Public(), key.Public()) || bytes.HasPrefix(text, []byte("-----BEGIN PRIVATE")) {
			t.Errorf("%s: %v", k, err)
		}
	}
	var refused *RefusedError
	for _, key := range []crypto.Signer{newKey(t, Ed25519), NewPSSKey(testRSA()), nil} {
		if _, err := MarshalTraditionalPEM(key); !errors.As(err, &refused) {
			t.Errorf("%T: %v", key, err)
		}
	}
}

func TestKeysInDERAreToldApart(t *testing.T) {
	for _, k := range []KeyType{RSA2048, P256, Ed25519} {
		key := newKey(t, k)
		forms := map[string][]byte{}
		var err error
		if forms["PKCS #8"], err = MarshalPrivateKeyDER(key); err != nil {
			t.Fatal(err)
		}
		if forms["encrypted"], err = MarshalEncryptedPrivateKeyDER(key, []byte("x"), "pbkdf2:1000"); err != nil {
			t.Fatal(err)
		}
		if text, err := MarshalTraditionalPEM(key); err == nil {
			b, _ := pem.Decode(text)
			forms["traditional"] = b.Bytes
		}
		for form, der := range forms {
			if !IsPrivateKeyDER(der) {
				t.Errorf("%s, %s: not recognised", k, form)
			}
			got, err := ParsePrivateKeyDER(der, fixed("x", nil))
			if err != nil || !SameKey(got.Public(), key.Public()) {
				t.Errorf("%s, %s: %v", k, form, err)
			}
			if IsPrivateKeyDER(append(der, 0)) || IsPrivateKeyDER(der[:len(der)-1]) {
				t.Errorf("%s, %s: recognised with the wrong length", k, form)
			}
		}
	}
	for _, s := range []string{"", "3000", "3003020100", "308006092a864886f70d010702", "30060201003001ff"} {
		der, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if IsPrivateKeyDER(der) {
			t.Errorf("%s taken for a private key", s)
		}
		if _, err := ParsePrivateKeyDER(der, nil); err == nil {
			t.Errorf("%s read as a private key", s)
		}
	}
	big := append([]byte{0x30, 0x83, 1, 0, 0}, make([]byte, 1<<16)...)
	if _, err := ParsePrivateKeyPEM(block(labelPKCS8, big)); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("%v", err)
	}
}

func FuzzParseEncryptedKey(f *testing.F) {
	for _, der := range [][]byte{withPBKDF2(8, 10), withPBKDF2(16, 2048, 32), withScrypt(2, 8, 1)} {
		f.Add(der, "passphrase")
	}
	for _, h := range []string{"AES-128-CBC,00112233445566778899aabbccddeeff", "DES-EDE3-CBC,0011223344556677"} {
		f.Add(block(labelPKCS1, make([]byte, 32), h), "secret")
	}
	der, err := MarshalEncryptedPrivateKeyDER(newKey(f, P256), []byte("x"), "pbkdf2:1000")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der, "x")
	f.Fuzz(func(t *testing.T, data []byte, passphrase string) {
		if e, err := parseEncrypted(data); err == nil && e.check() == nil && e.kdf.work() > 4096 {
			return // bearable for a person, not for a fuzzer
		}
		for _, parse := range []func([]byte, func() ([]byte, error)) (crypto.Signer, error){ParsePrivateKeyDER, ParsePrivateKeyPEMWith} {
			key, err := parse(data, fixed(passphrase, nil))
			if err != nil {
				continue
			}
			again, err := MarshalPrivateKeyDER(key)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := ParsePrivateKeyDER(again, nil); err != nil || !SameKey(back.Public(), key.Public()) {
				t.Fatalf("written and read again: %v", err)
			}
		}
	})
}

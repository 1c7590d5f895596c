package cert_test

import (
	"bytes"
	"crypto/x509"
	"reflect"
	"testing"

	"filippo.io/mldsa"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/cert"
)

func TestMLDSAKeysThatBreakTheRules(t *testing.T) {
	l := pkitest.New(t, pkitest.P256).Server(pkitest.MLDSA44)
	p := takeApart(t, l.Certificate)
	key := l.Key.(*mldsa.PrivateKey).PublicKey().Bytes()
	algorithm := oid(2, 16, 840, 1, 101, 3, 4, 3, 17)
	for name, spki := range map[string][]byte{
		"parameters":  spkiOf(seq(algorithm, []byte{5, 0}), key),
		"a short key": spkiOf(seq(algorithm), key[1:]),
		"a long key":  spkiOf(seq(algorithm), append(bytes.Clone(key), 0)),
		"no key":      spkiOf(seq(algorithm), nil),
		"another set": spkiOf(seq(oid(2, 16, 840, 1, 101, 3, 4, 3, 19)), key),
	} {
		p.spki = spki
		if _, err := cert.ParseX509(p.der()); err == nil {
			t.Errorf("%s: a certificate is read", name)
		}
		if _, err := cert.ParsePublicKey(spki); err == nil {
			t.Errorf("%s: the key is read", name)
		}
		view, err := cert.Parse(p.der())
		if err != nil {
			t.Fatalf("%s: the tolerant view: %v", name, err)
		}
		if view.KeyError == nil && len(view.Defects) == 0 {
			t.Errorf("%s: the tolerant view says nothing", name)
		}
	}
	p.spki = spkiOf(seq(algorithm), key)
	c, err := cert.ParseX509(p.der())
	if err != nil || c.PublicKey == nil || c.PublicKeyAlgorithm != x509.UnknownPublicKeyAlgorithm {
		t.Errorf("%v", err)
	}
}

// A certificate that says it is signed with one algorithm inside and with another outside is refused, whichever they are.
func TestMLDSAInsideAndOutside(t *testing.T) {
	l := pkitest.New(t, pkitest.MLDSA44).Server(pkitest.P256)
	p := takeApart(t, l.Certificate)
	p.outerAlg = seq(oid(2, 16, 840, 1, 101, 3, 4, 3, 18))
	if _, err := cert.ParseX509(p.der()); err == nil {
		t.Error("read")
	}
}

// Both readers of public keys agree, and what is read is written back.
func FuzzPublicKey(f *testing.F) {
	for _, k := range append(pkitest.MLDSAKeyTypes(), pkitest.P256, pkitest.Ed25519) {
		der, err := cert.MarshalPublicKey(pkitest.New(f, k).Key.Public())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := cert.ParsePublicKey(der)
		if _, ours := key.(*mldsa.PublicKey); !ours {
			std, stdErr := x509.ParsePKIXPublicKey(der)
			if stdErr == nil && (err != nil || !reflect.DeepEqual(key, std)) {
				t.Fatalf("the library reads it, and not we: %v", err)
			}
			return
		}
		again, err := cert.MarshalPublicKey(key)
		if err != nil || !bytes.Equal(again, der) {
			t.Fatalf("not written as it was read: %v", err)
		}
	})
}

// FuzzMLDSACertificates: reading and checking never panics, and no changed certificate passes.
func FuzzMLDSACertificates(f *testing.F) {
	ca := pkitest.New(f, pkitest.MLDSA44)
	good := ca.Server(pkitest.MLDSA65).Certificate
	f.Add(uint16(100), byte(1))
	f.Add(uint16(2000), byte(0x80))
	f.Fuzz(func(t *testing.T, at uint16, change byte) {
		der := bytes.Clone(good.Raw)
		der[int(at)%len(der)] ^= change
		c, err := cert.ParseX509(der)
		if err != nil || change == 0 {
			return
		}
		if cert.CheckSignatureFrom(c, ca.Intermediate) == nil {
			t.Fatalf("a change at %d passes", at)
		}
	})
}

package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/mldsa"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
)

// rfc9881 are the SHA-256 hashes of the examples of RFC 9881, Appendix C, in DER: the keys are those of the seed 00 01 … 1f, and
// the certificates are signed in the deterministic way, so that all can be made here.
type rfc9881 struct {
	kind                           KeyType
	seed, head, public, selfSigned string // head: the first 128 bytes of the expanded key
	keyID                          string // itself
}

func examples() []rfc9881 {
	return []rfc9881{
		{MLDSA44, "c823cb6a31172daa8af670a22c0f049af972bf1cb39a4a95971aa8c0c659dff4", "43bf82bfb246c99667f781b3897a4ca82f4694c93d8ac8f90cf21b5691ca4ee4",
			"837832708c5236d951581f1fddf2b79991b3424a0486d16da1ddad0fd69701be", "9762ddd44288af89bde9213f63212e273815ebbe37f2ce918c496365b1382165", "329a07b1fabb48f52a309f11a1898f848e2322ff"},
		{MLDSA65, "af965903772933b6acc59764f335fcad9b5c61cdab2b368eabf224e7c29e31ac", "5653510236614b0bbabef41f73afe3b0f0d86e1cbbe7ee1313b65d55e6e79dbc",
			"b8b62131bfbe84433efb2273d7f5b87f7a22854a2cfd366fc2aead86d837c52d", "7bf5da6c6ee25c59abb6b3561c27092872fec9052bcb98a5aa94dfa806057bd2", "1b0563e3cd3346149c8c9ebcf23b0a4e5a900eea"},
		{MLDSA87, "72cc4260a8d3d7622801ea98636123866d00e236d5f77221039c862325e02754", "d425aa031799bf1f7930f37c0f93cc87cabda6e3add2202c4a6284791db37858",
			"07e57c4f14dbad1267f621ec3777b4e2e6c4fbc4c22fbb87510ff8e0b3c6a642", "ee6db12f8b68b814a9ff912f6badb8299ea9baebf121fceffa60cf23d3b97e34", "89886750b57c24db3fc012e61ede59753337374f"},
	}
}

func exampleKey(t testing.TB, k KeyType) *mldsa.PrivateKey {
	t.Helper()
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(i)
	}
	key, err := mldsa.NewPrivateKey(mldsaOf(k), seed)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeysOfRFC9881(t *testing.T) {
	same := func(what string, der []byte, err error, want string) {
		t.Helper()
		if sum := sha256.Sum256(der); err != nil || hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s differs from the example: %x %v", what, sum, err)
		}
	}
	for _, e := range examples() {
		key := exampleKey(t, e.kind)
		der, err := MarshalPrivateKeyDER(key)
		same("the private key", der, err, e.seed)
		public, err := cert.MarshalPublicKey(key.Public())
		same("the public key", public, err, e.public)
		same("the expanded key's head", expandedHead(key), nil, e.head)
		back, err := ParsePrivateKeyDER(der, nil)
		if err != nil || !key.Equal(back) {
			t.Errorf("%s: read back: %v", e.kind, err)
		}
		if pub, err := cert.ParsePublicKey(public); err != nil || !SameKey(pub, key.Public()) {
			t.Errorf("%s: public key read back: %v", e.kind, err)
		}
	}
}

func TestCertificatesOfRFC9881(t *testing.T) {
	for _, e := range examples() {
		key := exampleKey(t, e.kind)
		serial, _ := new(big.Int).SetString("159ffe6f22fd5cc42c524df6fd5e28d0de38f34e", 16)
		id, err := hex.DecodeString(e.keyID)
		if err != nil {
			t.Fatal(err)
		}
		name, err := encodeName(pkix.Name{Organization: []string{"IETF"}, CommonName: "LAMPS WG"})
		if err != nil {
			t.Fatal(err)
		}
		spki, _ := encodeKey(key.Public())
		a, err := signatureAlgorithmFor(key.Public(), 0)
		if err != nil {
			t.Fatal(err)
		}
		tbs, err := encodeTBS(&x509.Certificate{SerialNumber: serial, SubjectKeyId: id, BasicConstraintsValid: true, IsCA: true, MaxPathLen: -1,
			KeyUsage:  x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
			NotBefore: time.Date(2020, 2, 3, 4, 32, 10, 0, time.UTC), NotAfter: time.Date(2040, 1, 29, 4, 32, 10, 0, time.UTC)}, a.identifier, name, name, spki)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := key.SignDeterministic(tbs, nil)
		if err != nil {
			t.Fatal(err)
		}
		der, err := joinCertificate(tbs, a.identifier, signature)
		if sum := sha256.Sum256(der); err != nil || hex.EncodeToString(sum[:]) != e.selfSigned {
			t.Errorf("%s: another certificate than the example: %x", e.kind, sum)
			continue
		}
		c, err := cert.ParseX509(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := cert.CheckSignatureFrom(c, c); err != nil || cert.AlgorithmName(c.SignatureAlgorithm) != longName(e.kind) {
			t.Errorf("%s: %v, %s", e.kind, err, cert.AlgorithmName(c.SignatureAlgorithm))
		}
		o := VerifyOptions{Roots: []*x509.Certificate{c}, Time: c.NotBefore.Add(day), AnyUsage: true}
		if _, err := Verify(der, o); err != nil {
			t.Errorf("%s: %v", e.kind, err)
		}
	}
}

// mldsaInfo writes a PrivateKeyInfo around the content of its key; parameters stand behind the algorithm's name.
func mldsaInfo(t testing.TB, k KeyType, content []byte, parameters ...byte) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidMLDSA(mldsaOf(k)))
			b.AddBytes(parameters)
		})
		b.AddASN1OctetString(content)
	})
	return b.BytesOrPanic()
}

func octets(tag cbasn1.Tag, content ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(content...)) })
	return b.BytesOrPanic()
}

func TestFormsOfMLDSAPrivateKeys(t *testing.T) {
	key := exampleKey(t, MLDSA44)
	seed := key.Bytes()
	expanded := append(expandedHead(key), make([]byte, expandedSize(mldsa.MLDSA44())-128)...)
	other := slices.Clone(expanded)
	other[127] ^= 1
	both := func(s, e []byte) []byte {
		return octets(cbasn1.SEQUENCE, octets(cbasn1.OCTET_STRING, s), octets(cbasn1.OCTET_STRING, e))
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    string // "": it is read
	}{
		{"seed", octets(mldsaSeedTag, seed), ""},
		{"both", both(seed, expanded), ""},
		{"both, of two keys", both(seed, other), "not of one key"},
		{"both, short", both(seed, expanded[:2559]), "not of one key"},
		{"both, and more", append(both(seed, expanded), 0), "malformed"},
		{"expanded", octets(cbasn1.OCTET_STRING, expanded), "without the seed"},
		{"short seed", octets(mldsaSeedTag, seed[1:]), "malformed"},
		{"long seed", octets(mldsaSeedTag, seed, []byte{1}), "malformed"},
		{"seed, and more", append(octets(mldsaSeedTag, seed), 0), "malformed"},
		{"nothing", nil, "malformed"},
		{"a naked seed", seed, "malformed"},
	} {
		got, err := ParsePrivateKeyDER(mldsaInfo(t, MLDSA44, c.content), nil)
		switch {
		case c.want == "" && (err != nil || !key.Equal(got)):
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	var refused *RefusedError
	if _, err := ParsePrivateKeyDER(mldsaInfo(t, MLDSA44, octets(cbasn1.OCTET_STRING, expanded)), nil); !errors.As(err, &refused) || refused.Hint == "" {
		t.Errorf("an expanded key is refused without a hint: %v", err)
	}
	if _, err := ParsePrivateKeyDER(mldsaInfo(t, MLDSA44, octets(mldsaSeedTag, seed), 5, 0), nil); err == nil {
		t.Error("an algorithm with NULL for parameters is read")
	}
	if _, err := MarshalTraditionalPEM(key); err == nil {
		t.Error("there is no traditional form")
	}
}

func TestNamesOfMLDSAKeyTypes(t *testing.T) {
	for _, name := range []string{"mldsa44", "ML-DSA-44", "ml-dsa-44"} {
		if k, err := ParseKeyType(name); err != nil || k != MLDSA44 {
			t.Errorf("%s: %s, %v", name, k, err)
		}
	}
}

// What is read is written again, and read as the same key.
func FuzzMLDSAPrivateKey(f *testing.F) {
	key := exampleKey(f, MLDSA44)
	expanded := append(expandedHead(key), make([]byte, expandedSize(mldsa.MLDSA44())-128)...)
	f.Add(octets(mldsaSeedTag, key.Bytes()), uint8(0))
	f.Add(octets(cbasn1.SEQUENCE, octets(cbasn1.OCTET_STRING, key.Bytes()), octets(cbasn1.OCTET_STRING, expanded)), uint8(0))
	f.Add(octets(cbasn1.OCTET_STRING, expanded), uint8(2))
	f.Fuzz(func(t *testing.T, content []byte, kind uint8) {
		k := []KeyType{MLDSA44, MLDSA65, MLDSA87}[kind%3]
		got, err := ParsePrivateKeyDER(mldsaInfo(t, k, content), nil)
		if err != nil {
			return
		}
		text, err := MarshalPrivateKeyPEM(got)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		again, err := ParsePrivateKeyDER(block.Bytes, nil)
		if err != nil || !again.(*mldsa.PrivateKey).Equal(got) || DescribeKey(got.Public()) != longName(k) {
			t.Fatalf("not the same key: %v", err)
		}
	})
}

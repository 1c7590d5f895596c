package cert

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"filippo.io/mldsa"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ML-DSA as certificates name it, for key and signature alike: 2.16.840.1.101.3.4.3.17 to 19 (RFC 9881, Section 2).
const (
	oidMLDSA44 = "\x60\x86\x48\x01\x65\x03\x04\x03\x11"
	oidMLDSA65 = "\x60\x86\x48\x01\x65\x03\x04\x03\x12"
	oidMLDSA87 = "\x60\x86\x48\x01\x65\x03\x04\x03\x13"
)

// The signature algorithms that crypto/x509 of Go 1.26 has no numbers for. [ParseX509] sets them; the library itself
// refuses every signature with them. The context is empty, and the message is not hashed before (RFC 9881, Section 3).
const (
	MLDSA44 x509.SignatureAlgorithm = x509.PureEd25519 + 1 + iota
	MLDSA65
	MLDSA87
)

// AlgorithmName names a signature algorithm, as its String method does for those that crypto/x509 knows.
func AlgorithmName(id x509.SignatureAlgorithm) string {
	switch id {
	case MLDSA44:
		return "ML-DSA-44"
	case MLDSA65:
		return "ML-DSA-65"
	case MLDSA87:
		return "ML-DSA-87"
	case x509.UnknownSignatureAlgorithm:
		return "an unknown algorithm"
	}
	return id.String()
}

// IsMLDSA reports whether a signature algorithm is one of the three of ML-DSA.
func IsMLDSA(id x509.SignatureAlgorithm) bool { return id == MLDSA44 || id == MLDSA65 || id == MLDSA87 }

// mldsaParameters are those of an object identifier; zero for one of something else.
func mldsaParameters(oid string) mldsa.Parameters {
	switch oid {
	case oidMLDSA44:
		return mldsa.MLDSA44()
	case oidMLDSA65:
		return mldsa.MLDSA65()
	case oidMLDSA87:
		return mldsa.MLDSA87()
	}
	return mldsa.Parameters{}
}

// mldsaAlgorithm is what an ML-DSA key signs with.
func mldsaAlgorithm(k *mldsa.PublicKey) (x509.SignatureAlgorithm, error) {
	switch k.Parameters() {
	case mldsa.MLDSA44():
		return MLDSA44, nil
	case mldsa.MLDSA65():
		return MLDSA65, nil
	case mldsa.MLDSA87():
		return MLDSA87, nil
	}
	return x509.UnknownSignatureAlgorithm, errors.New("an ML-DSA key of no known parameter set")
}

// readMLDSA reads a key of ML-DSA: the bits are the key as FIPS 204 encodes it (RFC 9881, Section 4).
func (c *Certificate) readMLDSA(oid string) (crypto.PublicKey, error) {
	set := mldsaParameters(oid)
	if len(c.SPKIParameters) != 0 {
		// RFC 9881, Section 2: the parameters MUST be absent.
		c.defect("the %v key has parameters", set)
	}
	if len(c.SPKIKey) != set.PublicKeySize() {
		return nil, fmt.Errorf("the %v key has %d bytes, not %d", set, len(c.SPKIKey), set.PublicKeySize())
	}
	return mldsa.NewPublicKey(set, c.SPKIKey)
}

// ParsePublicKey reads a SubjectPublicKeyInfo, DER, as x509.ParsePKIXPublicKey does, and ML-DSA keys besides, which are
// *mldsa.PublicKey.
func ParsePublicKey(der []byte) (crypto.PublicKey, error) {
	in := cryptobyte.String(der)
	var outer, algorithm, oid cryptobyte.String
	var key []byte
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
		return x509.ParsePKIXPublicKey(der)
	}
	set := mldsaParameters(string(oid))
	switch {
	case set == mldsa.Parameters{}:
		return x509.ParsePKIXPublicKey(der)
	case !in.Empty() || !outer.ReadASN1BitStringAsBytes(&key) || !outer.Empty():
		return nil, fmt.Errorf("malformed %v key", set)
	case !algorithm.Empty():
		// RFC 9881, Section 2: the parameters MUST be absent.
		return nil, fmt.Errorf("the %v key has parameters", set)
	case len(key) != set.PublicKeySize():
		return nil, fmt.Errorf("the %v key has %d bytes, not %d", set, len(key), set.PublicKeySize())
	}
	return mldsa.NewPublicKey(set, key)
}

// MarshalPublicKey writes a SubjectPublicKeyInfo, DER, as x509.MarshalPKIXPublicKey does, and of ML-DSA keys besides.
func MarshalPublicKey(pub crypto.PublicKey) ([]byte, error) {
	k, ok := pub.(*mldsa.PublicKey)
	if !ok || k == nil {
		return x509.MarshalPKIXPublicKey(pub)
	}
	id, err := mldsaAlgorithm(k)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(AlgorithmIdentifier(id))
		b.AddASN1BitString(k.Bytes())
	})
	return b.Bytes()
}

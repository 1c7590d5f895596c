package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// MaxRSABits is the largest RSA modulus that is turned into a key: checking one
// signature of a larger one costs a peer nothing to ask for and us a lot to do.
const MaxRSABits = 8192

// The key algorithms this package reads: object identifiers as they are encoded, for every handshake reads one.
const (
	oidRSA       = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1: RFC 3279, Section 2.3.1
	oidRSAPSS    = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" // 1.2.840.113549.1.1.10: RFC 4055, Section 3.1
	oidECDSA     = "\x2a\x86\x48\xce\x3d\x02\x01"         // 1.2.840.10045.2.1: RFC 5480, Section 2.1.1
	oidEd25519   = "\x2b\x65\x70"                         // 1.3.101.112: RFC 8410, Section 3
	oidSecp256r1 = "\x2a\x86\x48\xce\x3d\x03\x01\x07"     // 1.2.840.10045.3.1.7
	oidSecp384r1 = "\x2b\x81\x04\x00\x22"                 // 1.3.132.0.34
	oidSecp521r1 = "\x2b\x81\x04\x00\x23"                 // 1.3.132.0.35
)

// parseSPKI takes SubjectPublicKeyInfo apart. Only a broken frame is an error; a
// key it cannot read leaves PublicKey nil and KeyError set.
//
//	SubjectPublicKeyInfo  ::=  SEQUENCE  {
//	     algorithm            AlgorithmIdentifier,
//	     subjectPublicKey     BIT STRING  }
//
// RFC 5280, Section 4.1.
func (c *Certificate) parseSPKI(spki cryptobyte.String) error {
	var s cryptobyte.String
	if !spki.ReadASN1(&s, cbasn1.SEQUENCE) {
		return malformed("tbsCertificate.subjectPublicKeyInfo")
	}
	kind := algorithmOID(s)
	if !readAlgorithm(&s, &c.SPKIAlgorithm, &c.SPKIParameters) {
		return malformed("tbsCertificate.subjectPublicKeyInfo.algorithm")
	}
	var ok bool
	known := len(c.Defects)
	if c.SPKIKey, ok = c.readBits(&s, "subjectPublicKey"); !ok {
		return malformed("tbsCertificate.subjectPublicKeyInfo.subjectPublicKey")
	}
	isWhole := len(c.Defects) == known
	if !s.Empty() {
		c.defect("%d bytes follow the key in subjectPublicKeyInfo", len(s))
	}
	if !isWhole { // whoever reads it anyhow may read another key
		c.KeyError = errors.New("the key is not a whole number of bytes")
		return nil
	}
	c.PublicKey, c.KeyError = c.readKey(string(kind))
	return nil
}

func (c *Certificate) readKey(algorithm string) (crypto.PublicKey, error) {
	switch algorithm {
	case oidRSA:
		if len(c.SPKIParameters) != 2 || c.SPKIParameters[0] != byte(cbasn1.NULL) {
			// RFC 3279, Section 2.3.1: the parameters field MUST have ASN.1 type NULL.
			c.defect("the parameters of the RSA key are not NULL")
		}
		return readRSA(c.SPKIKey)
	case oidRSAPSS:
		c.PSSOnly = true
		var err error
		if c.PSS, err = parsePSS(c.SPKIParameters); err != nil {
			return nil, err
		}
		return readRSA(c.SPKIKey)
	case oidECDSA:
		return readECDSA(c.SPKIParameters, c.SPKIKey)
	case oidEd25519:
		if len(c.SPKIParameters) != 0 {
			// RFC 8410, Section 3: the parameters MUST be absent.
			c.defect("the Ed25519 key has parameters")
		}
		if len(c.SPKIKey) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("the Ed25519 key has %d bytes, not %d", len(c.SPKIKey), ed25519.PublicKeySize)
		}
		return ed25519.PublicKey(c.SPKIKey), nil
	case oidMLDSA44, oidMLDSA65, oidMLDSA87:
		return c.readMLDSA(algorithm)
	}
	if c.SPKIAlgorithm == nil {
		return nil, errors.New("unknown key algorithm")
	}
	return nil, fmt.Errorf("unknown key algorithm %v", c.SPKIAlgorithm)
}

// readRSA reads RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
// (RFC 3279, Section 2.3.1).
func readRSA(der cryptobyte.String) (crypto.PublicKey, error) {
	var s cryptobyte.String
	n, e := new(big.Int), new(big.Int)
	if !der.ReadASN1(&s, cbasn1.SEQUENCE) || !der.Empty() ||
		!s.ReadASN1Integer(n) || !s.ReadASN1Integer(e) || !s.Empty() {
		return nil, fmt.Errorf("malformed RSA key")
	}
	if n.Sign() <= 0 || n.Bit(0) == 0 {
		return nil, fmt.Errorf("the RSA modulus is not a positive odd number")
	}
	if n.BitLen() > MaxRSABits {
		return nil, fmt.Errorf("the RSA modulus has %d bits, more than the limit of %d", n.BitLen(), MaxRSABits)
	}
	if e.Sign() <= 0 || e.BitLen() > 31 || e.Bit(0) == 0 || e.BitLen() < 2 {
		return nil, fmt.Errorf("the RSA exponent is not an odd number from 3 to 2^31-1")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// readECDSA reads an uncompressed point on a named curve (RFC 5480, Section 2.2).
// The library checks that the point lies on the curve.
func readECDSA(params, point []byte) (crypto.PublicKey, error) {
	s := cryptobyte.String(params)
	var name cryptobyte.String
	if !s.ReadASN1(&name, cbasn1.OBJECT_IDENTIFIER) || !s.Empty() {
		return nil, fmt.Errorf("the EC key does not name its curve")
	}
	var curve elliptic.Curve
	switch string(name) {
	case oidSecp256r1:
		curve = elliptic.P256()
	case oidSecp384r1:
		curve = elliptic.P384()
	case oidSecp521r1:
		curve = elliptic.P521()
	default:
		return nil, fmt.Errorf("unknown curve %s", dotted(name))
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("the EC point is malformed, compressed or not on its curve")
	}
	return pub, nil
}

package lint

import (
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Identifiers of keys and signature algorithms, as content octets.
const (
	idPKCS1     = "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
	idRSA       = idPKCS1 + "\x01"
	idPSS       = idPKCS1 + "\x0a"
	idECKey     = "\x2a\x86\x48\xce\x3d\x02\x01"
	idECDSAWith = "\x2a\x86\x48\xce\x3d\x04"
	idEd25519   = "\x2b\x65\x70"
	idEd448     = "\x2b\x65\x71"
	idMLDSA44   = "\x60\x86\x48\x01\x65\x03\x04\x03\x11" // RFC 9881, Section 2
	idMLDSA65   = "\x60\x86\x48\x01\x65\x03\x04\x03\x12"
	idMLDSA87   = "\x60\x86\x48\x01\x65\x03\x04\x03\x13"
)

// keyInfo is a SubjectPublicKeyInfo.
type keyInfo struct {
	ok        bool
	algorithm string
	params    []byte // with header; nil: absent
	unused    byte   // bits
	bits      []byte

	rsaDone bool
	n, e    *big.Int
}

// key reads the key once.
func (c *certificate) key() *keyInfo {
	if c.read.key != nil {
		return c.read.key
	}
	k := new(keyInfo)
	c.read.key = k
	s, ok := sequence(c.spki)
	var algorithm []byte
	var bits cryptobyte.String
	if !ok || !readElement(&s, &algorithm, cbasn1.SEQUENCE) {
		return k
	}
	k.algorithm, k.params, ok = algorithmOf(algorithm)
	if !ok || !s.ReadASN1(&bits, cbasn1.BIT_STRING) || len(bits) == 0 || !s.Empty() {
		return k
	}
	k.ok, k.unused, k.bits = true, bits[0], bits[1:]
	return k
}

// algorithmOf takes an AlgorithmIdentifier apart; params are nil where absent.
func algorithmOf(der []byte) (id string, params []byte, ok bool) {
	s, ok := sequence(der)
	var oid cryptobyte.String
	if !ok || !s.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
		return "", nil, false
	}
	if s.Empty() {
		return string(oid), nil, true
	}
	var value cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1Element(&value, &tag) || !s.Empty() {
		return string(oid), nil, false
	}
	return string(oid), value, true
}

func (k *keyInfo) isRSA() bool { return k.ok && (k.algorithm == idRSA || k.algorithm == idPSS) }

// rsa reads modulus and exponent; ok is false for other keys and for what cannot
// be read.
func (k *keyInfo) rsa() (n, e *big.Int, ok bool) {
	if !k.isRSA() {
		return nil, nil, false
	}
	if !k.rsaDone {
		k.rsaDone = true
		modulus, exponent := new(big.Int), new(big.Int)
		s, ok := sequence(k.bits)
		if ok && s.ReadASN1Integer(modulus) && s.ReadASN1Integer(exponent) && s.Empty() && modulus.Sign() > 0 {
			k.n, k.e = modulus, exponent
		}
	}
	return k.n, k.e, k.n != nil
}

// curve returns the curve of an ECDSA key; nil: not one that TLS signs with.
func (k *keyInfo) curve() elliptic.Curve {
	in := cryptobyte.String(k.params)
	var id asn1.ObjectIdentifier
	if k.algorithm != idECKey || !in.ReadASN1ObjectIdentifier(&id) || !in.Empty() {
		return nil
	}
	switch {
	case id.Equal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}):
		return elliptic.P256()
	case id.Equal(asn1.ObjectIdentifier{1, 3, 132, 0, 34}):
		return elliptic.P384()
	case id.Equal(asn1.ObjectIdentifier{1, 3, 132, 0, 35}):
		return elliptic.P521()
	}
	return nil
}

// short shows a number of a key, which may be thousands of digits long.
func short(n *big.Int) string {
	if n.BitLen() > 64 {
		return "of " + big.NewInt(int64(n.BitLen())).String() + " bits"
	}
	return n.String()
}

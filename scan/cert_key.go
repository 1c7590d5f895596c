package scan

import (
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
)

// publicKey is what is said about the key of a certificate, also of kinds that nobody should use.
type publicKey struct {
	kind     string // "RSA", "ECDSA", "Ed25519", "DSS", "GOST" …
	name     string // "RSA 2048 bits", "ECDSA P-256"
	bits     int    // 0: not known
	strength int    // RSA-equivalent bits; 0: not known
	modulus  *big.Int
	exponent *big.Int
}

// namedKey is a kind of key that its identifier says all about.
type namedKey struct {
	oid, kind, name string
	bits, strength  int
}

// The identifiers of RFC 8410, Section 3, RFC 9215, Section 2, RFC 9881 and FIPS 205.
var namedKeys = [...]namedKey{
	{"1.3.101.112", "Ed25519", "Ed25519", 256, 3072},
	{"1.3.101.113", "Ed448", "Ed448", 456, 7680},
	{"1.3.101.110", "X25519", "X25519", 256, 3072},
	{"1.3.101.111", "X448", "X448", 448, 7680},
	{"1.2.643.2.2.19", "GOST", "GOST R 34.10-2001 256 bits", 256, 3072},
	{"1.2.643.7.1.1.1.1", "GOST", "GOST R 34.10-2012 256 bits", 256, 3072},
	{"1.2.643.7.1.1.1.2", "GOST", "GOST R 34.10-2012 512 bits", 512, 15360},
	{"2.16.840.1.101.3.4.3.17", "ML-DSA", "ML-DSA-44", 0, 3072},
	{"2.16.840.1.101.3.4.3.18", "ML-DSA", "ML-DSA-65", 0, 7680},
	{"2.16.840.1.101.3.4.3.19", "ML-DSA", "ML-DSA-87", 0, 15360},
}

// namedCurve is an elliptic curve by its identifier.
type namedCurve struct {
	oid, name string
	bits      int
}

// The curves of SEC 2, RFC 5639, Section 4 and GB/T 32918.
var namedCurves = [...]namedCurve{
	{"1.2.840.10045.3.1.7", "P-256", 256}, {"1.3.132.0.34", "P-384", 384}, {"1.3.132.0.35", "P-521", 521}, {"1.3.132.0.33", "P-224", 224},
	{"1.2.840.10045.3.1.1", "P-192", 192}, {"1.3.132.0.10", "secp256k1", 256}, {"1.3.132.0.32", "secp224k1", 224}, {"1.3.132.0.31", "secp192k1", 192},
	{"1.3.132.0.8", "secp160r1", 160}, {"1.3.132.0.9", "secp160k1", 160}, {"1.3.132.0.30", "secp160r2", 160}, {"1.3.132.0.6", "secp112r1", 112},
	{"1.3.132.0.7", "secp112r2", 112}, {"1.3.132.0.28", "secp128r1", 128}, {"1.3.132.0.29", "secp128r2", 128},
	{"1.3.132.0.1", "sect163k1", 163}, {"1.3.132.0.2", "sect163r1", 163}, {"1.3.132.0.15", "sect163r2", 163}, {"1.3.132.0.24", "sect193r1", 193},
	{"1.3.132.0.25", "sect193r2", 193}, {"1.3.132.0.26", "sect233k1", 233}, {"1.3.132.0.27", "sect233r1", 233}, {"1.3.132.0.3", "sect239k1", 239},
	{"1.3.132.0.16", "sect283k1", 283}, {"1.3.132.0.17", "sect283r1", 283}, {"1.3.132.0.36", "sect409k1", 409}, {"1.3.132.0.37", "sect409r1", 409},
	{"1.3.132.0.38", "sect571k1", 571}, {"1.3.132.0.39", "sect571r1", 571},
	{"1.3.36.3.3.2.8.1.1.1", "brainpoolP160r1", 160}, {"1.3.36.3.3.2.8.1.1.3", "brainpoolP192r1", 192}, {"1.3.36.3.3.2.8.1.1.5", "brainpoolP224r1", 224},
	{"1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1", 256}, {"1.3.36.3.3.2.8.1.1.9", "brainpoolP320r1", 320}, {"1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1", 384},
	{"1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1", 512}, {"1.2.156.10197.1.301", "SM2", 256},
}

// Kinds of keys that have parameters.
const (
	oidKeyRSA    = "1.2.840.113549.1.1.1"
	oidKeyRSAPSS = "1.2.840.113549.1.1.10"
	oidKeyRSAOld = "2.5.8.1.1"
	oidKeyEC     = "1.2.840.10045.2.1"
	oidKeyDSA    = "1.2.840.10040.4.1"
	oidKeyDH     = "1.2.840.10046.2.1"
)

// keyOf reads the key of a certificate as far as it can be read.
func keyOf(v *cert.Certificate) publicKey {
	switch oid := v.SPKIAlgorithm.String(); oid {
	case oidKeyRSA, oidKeyRSAPSS, oidKeyRSAOld:
		k := rsaKey(v.SPKIKey)
		if oid == oidKeyRSAPSS {
			k.kind = "RSA-PSS"
			k.name = "RSA-PSS" + k.name[len("RSA"):]
		}
		return k
	case oidKeyEC:
		return ecKey(v.SPKIParameters, v.SPKIKey)
	case oidKeyDSA:
		return finiteKey("DSS", "DSA", v.SPKIParameters)
	case oidKeyDH:
		return finiteKey("DH", "DH", v.SPKIParameters)
	default:
		for _, n := range namedKeys {
			if n.oid == oid {
				return publicKey{kind: n.kind, name: n.name, bits: n.bits, strength: n.strength}
			}
		}
		return publicKey{kind: "unknown", name: "unknown key " + oid}
	}
}

// rsaKey reads RSAPublicKey (RFC 3279, Section 2.3.1) of any size and with any exponent.
func rsaKey(der cryptobyte.String) publicKey {
	k := publicKey{kind: "RSA", name: "RSA, unreadable"}
	var s cryptobyte.String
	n, e := new(big.Int), new(big.Int)
	if !der.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadASN1Integer(n) || !s.ReadASN1Integer(e) || n.Sign() <= 0 {
		return k
	}
	k.modulus, k.exponent = n, e
	k.bits = n.BitLen()
	k.strength = k.bits
	k.name = fmt.Sprintf("RSA %d bits", k.bits)
	return k
}

// ecKey reads a key on a named curve, or with parameters of its own.
func ecKey(params, point []byte) publicKey {
	var oid cryptobyte.String
	s := cryptobyte.String(params)
	if s.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
		id := dottedOID(oid)
		for _, c := range namedCurves {
			if c.oid == id {
				return publicKey{kind: "ECDSA", name: "ECDSA " + c.name, bits: c.bits, strength: ecStrength(c.bits)}
			}
		}
		return publicKey{kind: "ECDSA", name: "ECDSA on the unknown curve " + id}
	}
	// RFC 5480, Section 2.1.1: parameters other than a named curve MUST NOT be used.
	bits := 0
	if len(point) > 1 && point[0] == 4 {
		bits = (len(point) - 1) / 2 * 8
	}
	return publicKey{kind: "ECDSA", name: fmt.Sprintf("ECDSA with explicit parameters, %d bits", bits), bits: bits, strength: ecStrength(bits)}
}

// finiteKey reads the prime out of DSA or DH parameters (RFC 3279, Sections 2.3.2 and 2.3.3).
func finiteKey(kind, name string, params cryptobyte.String) publicKey {
	var s cryptobyte.String
	p := new(big.Int)
	if !params.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadASN1Integer(p) || p.Sign() <= 0 {
		return publicKey{kind: kind, name: name + ", parameters unreadable"} // they may be the issuer's
	}
	return publicKey{kind: kind, name: fmt.Sprintf("%s %d bits", name, p.BitLen()), bits: p.BitLen(), strength: p.BitLen()}
}

// ecStrength is the size of an RSA modulus that is as hard to break, by the table of NIST SP 800-57, Part 1; sizes between
// its rows are set in proportion.
func ecStrength(bits int) int {
	rows := [...][2]int{{0, 0}, {160, 1024}, {224, 2048}, {256, 3072}, {384, 7680}, {521, 15360}}
	for i := 1; i < len(rows); i++ {
		low, high := rows[i-1], rows[i]
		if bits <= high[0] {
			return low[1] + (bits-low[0])*(high[1]-low[1])/(high[0]-low[0])
		}
	}
	return rows[len(rows)-1][1]
}

// dottedOID writes the contents of an object identifier; "" if they are none.
func dottedOID(content []byte) string {
	var text []byte
	value, first := uint64(0), true
	for _, b := range content {
		if value > 1<<56 {
			return ""
		}
		value = value<<7 | uint64(b&0x7f)
		if b&0x80 != 0 {
			continue
		}
		if first {
			arc := min(value/40, 2)
			text = fmt.Appendf(text, "%d.%d", arc, value-40*arc)
			first = false
		} else {
			text = fmt.Appendf(text, ".%d", value)
		}
		value = 0
	}
	return string(text)
}

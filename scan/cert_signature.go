package scan

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"math/big"

	_ "crypto/md5"    // to look at signatures nobody should trust
	_ "crypto/sha1"   // likewise
	_ "crypto/sha256" // and those of today
	_ "crypto/sha512"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
)

// signatureName is a way to sign by its identifier. The names are those of crypto/x509 where it has one.
type signatureName struct {
	oid, name string
	hash      crypto.Hash // of PKCS #1 v1.5, where it can be computed here
}

var signatureNames = [...]signatureName{
	{"1.2.840.113549.1.1.2", "MD2-RSA", 0}, {"1.2.840.113549.1.1.3", "MD4-RSA", 0}, {"1.2.840.113549.1.1.4", "MD5-RSA", crypto.MD5},
	{"1.3.14.3.2.3", "MD5-RSA", crypto.MD5}, {"1.2.840.113549.1.1.5", "SHA1-RSA", crypto.SHA1}, {"1.3.14.3.2.29", "SHA1-RSA", crypto.SHA1},
	{"1.2.840.113549.1.1.11", "SHA256-RSA", crypto.SHA256}, {"1.2.840.113549.1.1.12", "SHA384-RSA", crypto.SHA384},
	{"1.2.840.113549.1.1.13", "SHA512-RSA", crypto.SHA512}, {"1.2.840.113549.1.1.14", "SHA224-RSA", crypto.SHA224},
	{"1.2.840.113549.1.1.15", "SHA512/224-RSA", crypto.SHA512_224}, {"1.2.840.113549.1.1.16", "SHA512/256-RSA", crypto.SHA512_256},
	{"1.2.840.10040.4.3", "DSA-SHA1", 0}, {"2.16.840.1.101.3.4.3.1", "DSA-SHA224", 0}, {"2.16.840.1.101.3.4.3.2", "DSA-SHA256", 0},
	{"1.2.840.10045.4.1", "ECDSA-SHA1", 0}, {"1.2.840.10045.4.3.1", "ECDSA-SHA224", 0}, {"1.2.840.10045.4.3.2", "ECDSA-SHA256", 0},
	{"1.2.840.10045.4.3.3", "ECDSA-SHA384", 0}, {"1.2.840.10045.4.3.4", "ECDSA-SHA512", 0},
	{"1.3.101.112", "Ed25519", 0}, {"1.3.101.113", "Ed448", 0},
	{"1.2.643.2.2.3", "GOST R 34.10-2001", 0}, {"1.2.643.7.1.1.3.2", "GOST R 34.10-2012 256", 0}, {"1.2.643.7.1.1.3.3", "GOST R 34.10-2012 512", 0},
	{"1.2.156.10197.1.501", "SM2-SM3", 0},
	{"2.16.840.1.101.3.4.3.17", "ML-DSA-44", 0}, {"2.16.840.1.101.3.4.3.18", "ML-DSA-65", 0}, {"2.16.840.1.101.3.4.3.19", "ML-DSA-87", 0},
}

// signatureOf names the algorithm a certificate is signed with.
func signatureOf(v *cert.Certificate) string {
	oid := v.SignatureAlgorithm.String()
	if oid == oidKeyRSAPSS {
		return pssHash(v.SignatureParameters) + "-RSAPSS"
	}
	for _, s := range signatureNames {
		if s.oid == oid {
			return s.name
		}
	}
	return "unknown " + oid
}

// pssHash names the hash in RSASSA-PSS-params (RFC 4055, Section 3.1): SHA-1 where none is named.
func pssHash(params cryptobyte.String) string {
	var s, hash, id cryptobyte.String
	var has bool
	var oid asn1.ObjectIdentifier
	if !params.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadOptionalASN1(&hash, &has, cbasn1.Tag(0).Constructed().ContextSpecific()) {
		return "unknown"
	}
	if !has {
		return "SHA1"
	}
	if !hash.ReadASN1(&id, cbasn1.SEQUENCE) || !id.ReadASN1ObjectIdentifier(&oid) {
		return "unknown"
	}
	for name, known := range map[string]string{
		"SHA1": "1.3.14.3.2.26", "SHA256": "2.16.840.1.101.3.4.2.1", "SHA384": "2.16.840.1.101.3.4.2.2", "SHA512": "2.16.840.1.101.3.4.2.3", "SHA224": "2.16.840.1.101.3.4.2.4",
	} {
		if oid.String() == known {
			return name
		}
	}
	return "unknown"
}

// isSelfSigned reports whether a certificate is its own issuer. Where the signature cannot be computed here (GOST, DSA,
// curves the library lacks) the names decide.
func (k *knownCert) isSelfSigned() bool {
	v := k.view
	if !bytes.Equal(v.RawIssuer, v.RawSubject) && !cert.SameName(v.RawIssuer, v.RawSubject) {
		return false
	}
	signed, known := k.signedBy(k)
	return signed || !known
}

// signedBy checks the signature of a certificate with the key of another, weak algorithms and short keys included: it tells
// who made it, not what it is worth. known is false where it cannot be checked here.
func (k *knownCert) signedBy(issuer *knownCert) (signed, known bool) {
	for _, s := range signatureNames {
		if s.hash == 0 || s.oid != k.view.SignatureAlgorithm.String() {
			continue
		}
		key := keyOf(issuer.view)
		if key.modulus == nil {
			return false, true
		}
		return checkPKCS1(key, s.hash, k.view.RawTBS, k.view.Signature), true
	}
	if k.parsed == nil || issuer.parsed == nil || issuer.parsed.PublicKey == nil || k.parsed.SignatureAlgorithm == 0 {
		return false, false
	}
	switch k.facts.Signature {
	case "DSA-SHA1", "DSA-SHA256", "ECDSA-SHA1", "SHA1-RSAPSS":
		return false, false
	}
	return cert.CheckSignature(issuer.parsed, k.parsed.SignatureAlgorithm, k.parsed.RawTBSCertificate, k.parsed.Signature) == nil, true
}

// maxCheckedBits bounds the modulus that a signature is computed with.
const maxCheckedBits = 8192

// checkPKCS1 checks an RSA signature by PKCS #1 v1.5 (RFC 8017, Section 8.2.2), with keys and hashes that the library
// refuses. The encoded message is made and compared as a whole, so that nothing in it goes unseen.
func checkPKCS1(key publicKey, h crypto.Hash, tbs, signature []byte) bool {
	size := (key.bits + 7) / 8
	if key.bits > maxCheckedBits || key.exponent.Sign() <= 0 || key.exponent.BitLen() > 64 || len(signature) != size {
		return false
	}
	s := new(big.Int).SetBytes(signature)
	if s.Cmp(key.modulus) >= 0 {
		return false
	}
	hasher := h.New()
	hasher.Write(tbs)
	for _, null := range [...]bool{true, false} {
		info := digestInfo(h, hasher.Sum(nil), null)
		padding := size - len(info) - 3
		if padding < 8 {
			continue
		}
		want := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, padding)...)
		want = append(append(want, 0), info...)
		if new(big.Int).Exp(s, key.exponent, key.modulus).Cmp(new(big.Int).SetBytes(want)) == 0 {
			return true
		}
	}
	return false
}

// digestInfo is the DER of DigestInfo; its parameters NULL or, as some write it, absent.
func digestInfo(h crypto.Hash, digest []byte, null bool) []byte {
	oids := map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.MD5: {1, 2, 840, 113549, 2, 5}, crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA224: {2, 16, 840, 1, 101, 3, 4, 2, 4},
		crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
		crypto.SHA512_224: {2, 16, 840, 1, 101, 3, 4, 2, 5}, crypto.SHA512_256: {2, 16, 840, 1, 101, 3, 4, 2, 6},
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oids[h])
			if null {
				b.AddASN1NULL()
			}
		})
		b.AddASN1OctetString(digest)
	})
	out, err := b.Bytes()
	if err != nil {
		return nil
	}
	return out
}

package revoked

import (
	"crypto/sha256"
	"crypto/x509"
)

// key names a certificate by who issued it and its serial number.
type key struct {
	issuer [32]byte // see IssuerKey
	serial string   // big endian, without zeros in front
}

// IssuerKey is what CAs are known by: the SHA-256 of name and public key, both DER. A CA whose certificate was renewed is
// the same one.
func IssuerKey(ca *x509.Certificate) [32]byte {
	h := sha256.New()
	h.Write(ca.RawSubject)
	h.Write(ca.RawSubjectPublicKeyInfo)
	return [32]byte(h.Sum(nil))
}

// keyOf names the first certificate of a path. ok is false for one that no CA issues: with a serial number that is not
// positive, whose digits another one may have.
func keyOf(path []*x509.Certificate) (k key, ok bool) {
	return key{IssuerKey(path[1]), string(path[0].SerialNumber.Bytes())}, path[0].SerialNumber.Sign() > 0
}

// chainID names a verified chain: by its leaf, and by the signatures of the CAs above it, which nobody else can have made
// under the keys that verified them.
func chainID(chain []*x509.Certificate) [32]byte {
	h := sha256.New()
	h.Write(chain[0].Raw)
	for _, c := range chain[1:] {
		h.Write([]byte{byte(len(c.Signature) >> 8), byte(len(c.Signature))})
		h.Write(c.Signature)
	}
	return [32]byte(h.Sum(nil))
}

package acmeserver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"math/big"

	jose "github.com/go-jose/go-jose/v4"
)

// jws is a JWS that was taken apart; nothing of it counts before it is verified.
type jws struct {
	algorithm jose.SignatureAlgorithm // one of those that are allowed where it was read
	signed    []byte                  // what the signature is over (RFC 7515, Section 5.2): header and payload as they came
	payload   []byte
	signature []byte
}

// verify gives the payload if the signature over it is by key: an account's public key, or a []byte for MACs. The key and
// the algorithm must go together, so a public key can never pass as that of a MAC.
func (j *jws) verify(key any) ([]byte, error) {
	ok := false
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		ok = fits(k, string(j.algorithm)) && j.verifyECDSA(k)
	case *rsa.PublicKey:
		digest := sha256.Sum256(j.signed)
		switch j.algorithm {
		case jose.RS256:
			ok = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], j.signature) == nil
		case jose.PS256: // RFC 7518, Section 3.5: the salt is as long as the digest
			ok = rsa.VerifyPSS(k, crypto.SHA256, digest[:], j.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	case ed25519.PublicKey:
		ok = j.algorithm == jose.EdDSA && len(k) == ed25519.PublicKeySize && ed25519.Verify(k, j.signed, j.signature)
	case []byte:
		ok = j.verifyMAC(k)
	}
	if !ok {
		return nil, errors.New("the signature does not fit")
	}
	return j.payload, nil
}

// verifyECDSA takes a signature as two numbers of the size of the curve's (RFC 7518, Section 3.4).
func (j *jws) verifyECDSA(k *ecdsa.PublicKey) bool {
	size := (k.Curve.Params().BitSize + 7) / 8
	if len(j.signature) != 2*size {
		return false
	}
	var digest []byte
	switch j.algorithm {
	case jose.ES256:
		sum := sha256.Sum256(j.signed)
		digest = sum[:]
	case jose.ES384:
		sum := sha512.Sum384(j.signed)
		digest = sum[:]
	case jose.ES512:
		sum := sha512.Sum512(j.signed)
		digest = sum[:]
	default:
		return false
	}
	return ecdsa.Verify(k, digest, new(big.Int).SetBytes(j.signature[:size]), new(big.Int).SetBytes(j.signature[size:]))
}

// verifyMAC is for external account bindings alone (RFC 8555, Section 7.3.4).
func (j *jws) verifyMAC(key []byte) bool {
	var of func() hash.Hash
	switch j.algorithm {
	case jose.HS256:
		of = sha256.New
	case jose.HS384:
		of = sha512.New384
	case jose.HS512:
		of = sha512.New
	default:
		return false
	}
	m := hmac.New(of, key)
	m.Write(j.signed)
	return hmac.Equal(m.Sum(nil), j.signature)
}

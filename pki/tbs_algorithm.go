package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"slices"

	"filippo.io/mldsa"

	"github.com/tlswright/tlswright/pki/cert"
)

// signatureAlgorithm is how a certificate is signed.
type signatureAlgorithm struct {
	algorithm  x509.SignatureAlgorithm
	hash       crypto.Hash // 0: the key takes the message itself
	pss        bool
	identifier []byte // AlgorithmIdentifier, DER
}

// usualAlgorithm is the algorithm for a key where none is asked for: for ECDSA the
// hash as long as the curve.
func usualAlgorithm(pub crypto.PublicKey) x509.SignatureAlgorithm {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return x509.SHA256WithRSA
	case ed25519.PublicKey:
		return x509.PureEd25519
	case *mldsa.PublicKey:
		if a, err := cert.UsualAlgorithm(k); err == nil {
			return a
		}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 384:
			return x509.ECDSAWithSHA384
		case 521:
			return x509.ECDSAWithSHA512
		}
		return x509.ECDSAWithSHA256
	}
	return x509.UnknownSignatureAlgorithm
}

// signatureAlgorithmFor resolves the algorithm for the signer's key; 0 is the usual
// one.
func signatureAlgorithmFor(pub crypto.PublicKey, a x509.SignatureAlgorithm) (signatureAlgorithm, error) {
	if a == 0 {
		a = usualAlgorithm(pub)
	}
	var s signatureAlgorithm
	fits := false
	_, isRSA := pub.(*rsa.PublicKey)
	_, isECDSA := pub.(*ecdsa.PublicKey)
	switch a {
	case x509.PureEd25519:
		_, fits = pub.(ed25519.PublicKey)
		// RFC 8410, Section 3: 1.3.101.112, parameters MUST be absent.
		s = signatureAlgorithm{identifier: []byte{0x30, 5, 6, 3, 0x2b, 0x65, 0x70}}
	case cert.MLDSA44, cert.MLDSA65, cert.MLDSA87:
		_, isMLDSA := pub.(*mldsa.PublicKey)
		fits, s = isMLDSA && usualAlgorithm(pub) == a, signatureAlgorithm{identifier: cert.AlgorithmIdentifier(a)}
	case x509.ECDSAWithSHA256:
		fits, s = isECDSA, ecdsaAlgorithm(crypto.SHA256, 2)
	case x509.ECDSAWithSHA384:
		fits, s = isECDSA, ecdsaAlgorithm(crypto.SHA384, 3)
	case x509.ECDSAWithSHA512:
		fits, s = isECDSA, ecdsaAlgorithm(crypto.SHA512, 4)
	case x509.SHA256WithRSA:
		fits, s = isRSA, rsaAlgorithm(crypto.SHA256, 11)
	case x509.SHA384WithRSA:
		fits, s = isRSA, rsaAlgorithm(crypto.SHA384, 12)
	case x509.SHA512WithRSA:
		fits, s = isRSA, rsaAlgorithm(crypto.SHA512, 13)
	case x509.SHA256WithRSAPSS:
		fits, s = isRSA, pssAlgorithm(crypto.SHA256, 1)
	case x509.SHA384WithRSAPSS:
		fits, s = isRSA, pssAlgorithm(crypto.SHA384, 2)
	case x509.SHA512WithRSAPSS:
		fits, s = isRSA, pssAlgorithm(crypto.SHA512, 3)
	}
	if !fits {
		return s, refuse("leave the algorithm out, or take one of the issuer key's kind", "a signature with %v cannot be made by a key of kind %s", cert.AlgorithmName(a), DescribeKey(pub))
	}
	s.algorithm = a
	return s, nil
}

// ecdsaAlgorithm is 1.2.840.10045.4.3.n without parameters (RFC 5758, Section 3.2).
func ecdsaAlgorithm(h crypto.Hash, n byte) signatureAlgorithm {
	return signatureAlgorithm{hash: h, identifier: []byte{0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, n}}
}

// pkcs1 is the arc 1.2.840.113549.1.1.
var pkcs1 = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1}

// rsaAlgorithm is 1.2.840.113549.1.1.n with NULL (RFC 4055, Section 5).
func rsaAlgorithm(h crypto.Hash, n byte) signatureAlgorithm {
	return signatureAlgorithm{hash: h, identifier: slices.Concat([]byte{0x30, 13, 6, 9}, pkcs1, []byte{n, 5, 0})}
}

// pssAlgorithm is id-RSASSA-PSS with the hash 2.16.840.1.101.3.4.2.n, MGF1 with the
// same hash and a salt of the hash's length (RFC 4055, Section 3.1).
func pssAlgorithm(h crypto.Hash, n byte) signatureAlgorithm {
	hash := []byte{0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, n, 5, 0}
	return signatureAlgorithm{hash: h, pss: true, identifier: slices.Concat(
		[]byte{0x30, 65, 6, 9}, pkcs1, []byte{10, 0x30, 52},
		[]byte{0xa0, 15}, hash,
		[]byte{0xa1, 28, 0x30, 26, 6, 9}, pkcs1, []byte{8}, hash,
		[]byte{0xa2, 3, 2, 1, byte(h.Size())})}
}

// encodeKey writes a SubjectPublicKeyInfo as x509.MarshalPKIXPublicKey does. The
// short kinds of keys are written here, for speed.
func encodeKey(pub crypto.PublicKey) ([]byte, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		if len(k) == ed25519.PublicKeySize {
			return append([]byte{0x30, 42, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 33, 0}, k...), nil
		}
	case *ecdsa.PublicKey:
		// id-ecPublicKey with prime256v1 (RFC 5480, Section 2.1.1).
		if point, err := k.Bytes(); err == nil && len(point) == 65 && k.Curve == elliptic.P256() {
			return append([]byte{0x30, 89, 0x30, 19, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3, 66, 0}, point...), nil
		}
	}
	return cert.MarshalPublicKey(pub)
}

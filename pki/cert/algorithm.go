package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"filippo.io/mldsa"
)

// algorithm is a way to sign, as certificates, CRLs and OCSP responses name it.
type algorithm struct {
	id         x509.SignatureAlgorithm
	identifier string // the AlgorithmIdentifier, DER
	hash       crypto.Hash
	pss        bool
}

// The identifiers of RFC 4055, Section 5 and 3.1, RFC 5758, Section 3.2, RFC 8410, Section 3, and RFC 9881, Section 2. MD5 and SHA-1 are left out on purpose.
var algorithms = [...]algorithm{
	{x509.ECDSAWithSHA256, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", crypto.SHA256, false},
	{x509.ECDSAWithSHA384, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", crypto.SHA384, false},
	{x509.ECDSAWithSHA512, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04", crypto.SHA512, false},
	{x509.SHA256WithRSA, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", crypto.SHA256, false},
	{x509.SHA384WithRSA, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00", crypto.SHA384, false},
	{x509.SHA512WithRSA, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00", crypto.SHA512, false},
	{x509.PureEd25519, "\x30\x05\x06\x03\x2b\x65\x70", 0, false},
	{x509.SHA256WithRSAPSS, pssIdentifier(0x01, 0x20), crypto.SHA256, true},
	{x509.SHA384WithRSAPSS, pssIdentifier(0x02, 0x30), crypto.SHA384, true},
	{x509.SHA512WithRSAPSS, pssIdentifier(0x03, 0x40), crypto.SHA512, true},
	{MLDSA44, "\x30\x0b\x06\x09" + oidMLDSA44, 0, false},
	{MLDSA65, "\x30\x0b\x06\x09" + oidMLDSA65, 0, false},
	{MLDSA87, "\x30\x0b\x06\x09" + oidMLDSA87, 0, false},
}

// pssIdentifier is id-RSASSA-PSS with one hash for all and a salt as long as the hash.
func pssIdentifier(hash, salt byte) string {
	id := "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" + string(rune(hash)) + "\x05\x00"
	return "\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34" +
		"\xa0\x0f" + id + "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" + id + "\xa2\x03\x02\x01" + string(rune(salt))
}

// SignatureAlgorithm names the algorithm of an AlgorithmIdentifier, DER with its header. It is unknown for what is not safe
// (MD5, SHA-1) and for RSASSA-PSS with parameters other than one hash for all and a salt of its length.
func SignatureAlgorithm(identifier []byte) x509.SignatureAlgorithm {
	for i := range algorithms {
		a := &algorithms[i]
		if string(identifier) == a.identifier {
			return a.id
		}
		// RFC 4055, Section 5: implementations MUST accept the parameters being absent as well as present.
		if n := len(a.identifier); n == 15 && len(identifier) == n-2 && identifier[0] == 0x30 && identifier[1] == 0x0b && string(identifier[2:]) == a.identifier[2:n-2] {
			return a.id
		}
	}
	return x509.UnknownSignatureAlgorithm
}

// AlgorithmIdentifier is the DER of an algorithm, nil if it is unknown here.
func AlgorithmIdentifier(id x509.SignatureAlgorithm) []byte {
	for i := range algorithms {
		if algorithms[i].id == id {
			return []byte(algorithms[i].identifier)
		}
	}
	return nil
}

// UsualAlgorithm is how a key signs where nobody asks for something else: ECDSA with the hash of the curve's size, RSA with
// PKCS #1 v1.5 and SHA-256, Ed25519, ML-DSA.
func UsualAlgorithm(key crypto.PublicKey) (x509.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return x509.SHA256WithRSA, nil
	case *ecdsa.PublicKey:
		switch bits := k.Curve.Params().BitSize; {
		case bits <= 256:
			return x509.ECDSAWithSHA256, nil
		case bits <= 384:
			return x509.ECDSAWithSHA384, nil
		}
		return x509.ECDSAWithSHA512, nil
	case ed25519.PublicKey:
		return x509.PureEd25519, nil
	case *mldsa.PublicKey:
		return mldsaAlgorithm(k)
	}
	return x509.UnknownSignatureAlgorithm, fmt.Errorf("no algorithm is known to sign with a key of type %T", key)
}

// Sign makes the signature of a to-be-signed part; it is not checked.
func Sign(key crypto.Signer, id x509.SignatureAlgorithm, tbs []byte) ([]byte, error) {
	for i := range algorithms {
		a := &algorithms[i]
		if a.id != id {
			continue
		}
		if a.hash == 0 {
			return key.Sign(rand.Reader, tbs, crypto.Hash(0))
		}
		h := a.hash.New()
		h.Write(tbs)
		var opts crypto.SignerOpts = a.hash
		if a.pss {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
		}
		return key.Sign(rand.Reader, h.Sum(nil), opts)
	}
	return nil, fmt.Errorf("signature algorithm %v is not known here", id)
}

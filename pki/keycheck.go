package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"

	"filippo.io/mldsa"
)

// checkKey refuses public keys that are too weak, too large or of a kind that TLS
// does not use.
func checkKey(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		switch bits := k.N.BitLen(); {
		case bits < MinRSABits:
			return refuse("make a new key: rsa2048 or larger, or p256", "an RSA key of %d bits is too short to be safe", bits)
		case bits > MaxRSABits:
			return refuse("make a new key: rsa4096 at most, or p256", "an RSA key of %d bits is larger than peers accept (%d)", bits, MaxRSABits)
		case k.E < 3 || k.E&1 == 0:
			return refuse("make a new key", "the RSA exponent %d is not usable", k.E)
		}
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve.Params().Name {
		case "P-256", "P-384", "P-521":
			return nil
		}
		return refuse("make a new key: p256, p384 or p521", "TLS 1.3 has no signatures on curve %s", k.Curve.Params().Name)
	case ed25519.PublicKey, *mldsa.PublicKey:
		return nil
	case nil:
		return fmt.Errorf("no public key to certify")
	}
	return refuse("make a new key: p256, ed25519 or rsa2048", "a key of type %T cannot be certified", pub)
}

package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/mldsa"
)

// Bounds on RSA keys, in bits of the modulus.
const (
	MinRSABits = 2048 // smaller keys are neither made nor certified
	MaxRSABits = 8192 // larger ones are a burden put on others
)

// KeyType names a kind of private key that can be generated, as on the command
// line.
type KeyType string

// The key types.
const (
	RSA2048 KeyType = "rsa2048"
	RSA3072 KeyType = "rsa3072"
	RSA4096 KeyType = "rsa4096"
	P256    KeyType = "p256" // the default
	P384    KeyType = "p384"
	P521    KeyType = "p521"
	Ed25519 KeyType = "ed25519"
	// ML-DSA of FIPS 204: signatures that a quantum computer cannot forge, and that few peers know.
	MLDSA44 KeyType = "mldsa44"
	MLDSA65 KeyType = "mldsa65"
	MLDSA87 KeyType = "mldsa87"
)

// KeyTypes lists all key types in the order in which help texts show them.
func KeyTypes() []KeyType {
	return []KeyType{P256, P384, P521, Ed25519, RSA2048, RSA3072, RSA4096, MLDSA44, MLDSA65, MLDSA87}
}

// ParseKeyType reads the name of a key type, in any case; "" means P-256. The full names of ML-DSA ("ML-DSA-44") do, too.
func ParseKeyType(s string) (KeyType, error) {
	if s == "" {
		return P256, nil
	}
	var names []string
	for _, t := range KeyTypes() {
		if strings.EqualFold(s, string(t)) || strings.EqualFold(s, longName(t)) {
			return t, nil
		}
		names = append(names, string(t))
	}
	if strings.EqualFold(s, "rsa1024") || strings.EqualFold(s, "rsa512") {
		return "", &RefusedError{Reason: fmt.Sprintf("key type %q is too short to be safe", Printable(s)), Hint: "use rsa2048 or larger, or p256"}
	}
	return "", fmt.Errorf("unknown key type %q, not one of %s", Printable(s), strings.Join(names, ", "))
}

// GenerateKey makes a private key. RSA keys of 4096 bits can take seconds.
func GenerateKey(t KeyType) (crypto.Signer, error) {
	switch t {
	case RSA2048:
		return generateRSA(2048)
	case RSA3072:
		return generateRSA(3072)
	case RSA4096:
		return generateRSA(4096)
	case P256:
		return generateECDSA(elliptic.P256())
	case P384:
		return generateECDSA(elliptic.P384())
	case P521:
		return generateECDSA(elliptic.P521())
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate Ed25519 key: %w", err)
		}
		return key, nil
	case MLDSA44, MLDSA65, MLDSA87:
		return generateMLDSA(t)
	}
	return nil, fmt.Errorf("unknown key type %q", Printable(string(t)))
}

func generateRSA(bits int) (crypto.Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("generate RSA key: %w", err)
	}
	return key, nil
}

func generateECDSA(curve elliptic.Curve) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate ECDSA key: %w", err)
	}
	return key, nil
}

// DescribeKey names a public key for people: "ECDSA P-256", "RSA 2048",
// "Ed25519", "ML-DSA-44". A key it does not know is "unknown key".
func DescribeKey(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k != nil && k.N != nil {
			return fmt.Sprintf("RSA %d", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if k != nil && k.Curve != nil {
			return "ECDSA " + k.Curve.Params().Name
		}
	case ed25519.PublicKey:
		return "Ed25519"
	case *mldsa.PublicKey:
		if k != nil {
			return k.Parameters().String()
		}
	}
	return "unknown key"
}

// SameKey reports whether two public keys are the same key.
func SameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// PSSKey is an RSA private key that may only sign with RSASSA-PSS, because its
// certificate or file says id-RSASSA-PSS (RFC 4055, Section 1.2). It is written
// back as such.
type PSSKey struct {
	key        *rsa.PrivateKey
	parameters []byte // RSASSA-PSS-params as read, nil: absent; they may restrict the key to one hash
}

// NewPSSKey restricts key to RSASSA-PSS, with any hash.
func NewPSSKey(key *rsa.PrivateKey) *PSSKey { return &PSSKey{key: key} }

// Public returns the *rsa.PublicKey.
func (k *PSSKey) Public() crypto.PublicKey { return k.key.Public() }

// Sign implements crypto.Signer; opts must be *rsa.PSSOptions.
func (k *PSSKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, ok := opts.(*rsa.PSSOptions); !ok {
		return nil, errors.New("an RSASSA-PSS key must not make PKCS #1 v1.5 signatures")
	}
	return k.key.Sign(random, digest, opts)
}

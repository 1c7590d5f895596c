package pkcs12

import (
	"crypto"
	"crypto/x509"
	"errors"
	"strings"
)

// Bounds on a file.
const (
	maxFile       = 8 << 20    // bytes
	maxContainers = 16         // in the authenticated safe
	maxBags       = 4000       // in all containers: some twenty root stores
	maxAttributes = 32         // of one bag
	maxWork       = 10_000_000 // iterations, all together: some seconds; GnuTLS asks for 6,000,000 with 3DES
	maxSalt       = 1024       // bytes
	maxName       = 1024       // UTF-16 units of a friendly name or of a password
)

// ErrWrongPassword is returned when the password does not fit the file, which
// cannot be told from a file that was damaged.
var ErrWrongPassword = errors.New("the password does not open the PKCS #12 file")

// Bundle is what a file holds.
type Bundle struct {
	// Key is the private key; nil: there is none.
	Key crypto.Signer
	// Chain is the certificate of the key first, if there is one, then all others that
	// are not marked as trusted, in the order of the file.
	Chain []*x509.Certificate
	// Trusted are the certificates that Java is told to trust.
	Trusted []*x509.Certificate
	// FriendlyName is how the file calls the key (or, without one, its first
	// certificate); Java's alias. It may hold anything: make it printable before it is
	// shown.
	FriendlyName string
}

// Profile chooses how a file is protected.
type Profile uint8

// The profiles.
const (
	// Modern is AES-256-CBC with PBKDF2-HMAC-SHA-256, 600,000 iterations, and an
	// HMAC-SHA-256 over all: read by OpenSSL 1.1.1, Java 12, Windows Server 2019 and
	// what came later.
	Modern Profile = iota
	// Legacy is 3DES and HMAC-SHA-1 with 2048 iterations of SHA-1: what every program
	// reads, and what protects nothing against a weak password.
	Legacy
)

// String names the profile as [ParseProfile] reads it.
func (p Profile) String() string {
	switch p {
	case Modern:
		return "modern"
	case Legacy:
		return "legacy"
	}
	return "unknown"
}

// ParseProfile reads the name of a profile, in any case; "" means Modern.
func ParseProfile(s string) (Profile, error) {
	for _, p := range []Profile{Modern, Legacy} {
		if strings.EqualFold(s, p.String()) {
			return p, nil
		}
	}
	if s == "" {
		return Modern, nil
	}
	return 0, errors.New("unknown PKCS #12 profile, neither modern nor legacy")
}

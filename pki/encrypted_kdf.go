package pki

import (
	"crypto"
	"crypto/pbkdf2"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/scrypt"
)

// KDF names how a passphrase is turned into a key when a private key is written:
// one of the constants, or "pbkdf2:N" with N iterations, 1000 to 5,000,000.
type KDF string

// The key derivations. The costs are what OWASP's password storage guide asks
// for; scrypt gets its strength from p, because a larger N would pass the 32 MiB
// that OpenSSL grants when it reads.
const (
	PBKDF2 KDF = "pbkdf2" // the default, read everywhere: HMAC-SHA-256, 600,000 iterations
	Scrypt KDF = "scrypt" // RFC 7914: N = 16384, r = 8, p = 5: 16 MiB; GnuTLS and Java do not read it
)

// KDFs lists the key derivations in the order in which help texts show them.
func KDFs() []KDF { return []KDF{PBKDF2, Scrypt} }

// ParseKDF reads a key derivation, in any case; "" means PBKDF2.
func ParseKDF(s string) (KDF, error) {
	if s == "" {
		return PBKDF2, nil
	}
	k := KDF(strings.ToLower(s))
	if _, err := k.forWriting(); err != nil {
		return "", err
	}
	return k, nil
}

// Bounds on what is spent on a key that somebody else encrypted.
const (
	minIterations  = 1000      // of PBKDF2, in what we write: RFC 8018, Section 4.2
	maxIterations  = 5_000_000 // of PBKDF2: some seconds, and all that Java takes
	maxScryptBytes = 128 << 20 // N = 2^17 with r = 8
	maxScryptWork  = 8 << 20   // N·r·p: eight times what N = 2^17 with r = 8 takes
	maxSalt        = 1024      // bytes
	saltLength     = 16        // bytes, of what we write
)

// derivation is one way from a passphrase to a key, with its parameters.
type derivation struct {
	salt       []byte
	hash       crypto.Hash // of PBKDF2
	iterations int         // of PBKDF2; 0: scrypt
	n, r, p    int         // of scrypt
	keyLength  int         // as stated, 0: not stated
}

func (k KDF) forWriting() (derivation, error) {
	d := derivation{salt: make([]byte, saltLength)}
	_, _ = rand.Read(d.salt) // never fails
	name, cost, stated := strings.Cut(string(k), ":")
	switch {
	case name == string(PBKDF2) && stated:
		n, err := strconv.Atoi(cost)
		if err != nil || n < minIterations || n > maxIterations {
			return derivation{}, fmt.Errorf("%q iterations of PBKDF2, not a number from %d to %d", short(cost), minIterations, maxIterations)
		}
		d.hash, d.iterations = crypto.SHA256, n
	case k == "" || k == PBKDF2:
		d.hash, d.iterations = crypto.SHA256, 600_000
	case k == Scrypt:
		d.n, d.r, d.p = 1<<14, 8, 5
	default:
		return derivation{}, fmt.Errorf("unknown key derivation %q, not %s or %s", short(string(k)), PBKDF2, Scrypt)
	}
	return d, nil
}

// check refuses parameters that would cost too much, or say nothing.
func (d derivation) check() error {
	switch {
	case len(d.salt) > maxSalt:
		return fmt.Errorf("a salt of %d bytes, more than the limit of %d", len(d.salt), maxSalt)
	case d.iterations > maxIterations:
		return fmt.Errorf("%d iterations of PBKDF2, more than the limit of %d", d.iterations, maxIterations)
	case d.iterations > 0:
		return nil
	case d.n < 2 || d.n&(d.n-1) != 0 || d.r < 1 || d.p < 1:
		return fmt.Errorf("scrypt with N=%d, r=%d, p=%d makes no sense", d.n, d.r, d.p)
	case d.n > maxScryptBytes || d.r > maxScryptBytes || d.p > maxScryptWork:
		return fmt.Errorf("scrypt with N=%d, r=%d, p=%d costs too much", d.n, d.r, d.p)
	case int64(d.n)*int64(d.r) > maxScryptBytes/128 || int64(d.n)*int64(d.r)*int64(d.p) > maxScryptWork || int64(d.r)*int64(d.p) > maxScryptBytes/128:
		return fmt.Errorf("scrypt with N=%d, r=%d, p=%d costs too much", d.n, d.r, d.p)
	}
	return nil
}

// work is the cost of one derive, in iterations of PBKDF2.
func (d derivation) work() int {
	if d.iterations > 0 {
		return d.iterations
	}
	return d.n * d.r * d.p
}

// derive makes a key of length bytes. Only call it after check.
func (d derivation) derive(passphrase []byte, length int) (key []byte, err error) {
	if d.iterations > 0 {
		key, err = pbkdf2.Key(d.hash.New, string(passphrase), d.salt, d.iterations, length)
	} else {
		key, err = scrypt.Key(passphrase, d.salt, d.n, d.r, d.p, length)
	}
	if err != nil {
		return nil, fmt.Errorf("derive a key from the passphrase: %w", err)
	}
	return key, nil
}

// marshal writes the AlgorithmIdentifier of a derivation of ours: PBKDF2-params
// (RFC 8018, Appendix A.2) with HMAC-SHA-256, or scrypt-params (RFC 7914,
// Section 7.1).
func (d derivation) marshal(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if d.iterations == 0 {
			b.AddASN1ObjectIdentifier(oidScrypt())
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(d.salt)
				for _, v := range []int{d.n, d.r, d.p} {
					b.AddASN1Int64(int64(v))
				}
			})
			return
		}
		b.AddASN1ObjectIdentifier(oidPBKDF2())
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(d.salt)
			b.AddASN1Int64(int64(d.iterations))
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidHMACSHA256())
				b.AddASN1NULL()
			})
		})
	})
}

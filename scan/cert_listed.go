package scan

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"

	"github.com/tlswright/tlswright/grade"
)

// WeakKeys is a list of public keys whose private halves everybody can have. This program brings none along. It is read by
// [ParseWeakKeys] and does not change.
type WeakKeys struct {
	moduli map[[10]byte]bool // the last 10 bytes of a SHA-1
	keys   map[[sha256.Size]byte]bool
}

// maxWeakKeys bounds a list: Debian's OpenSSL could make about 300,000 keys of the usual sizes.
const maxWeakKeys = 4 << 20

// ErrWeakKeys is what errors.Is finds in every error of ParseWeakKeys.
var ErrWeakKeys = errors.New("not a list of weak keys")

// ParseWeakKeys reads lists of keys, one a line in hexadecimal, of two kinds that may be mixed: 20 digits are the end of the
// SHA-1 of "Modulus=", the RSA modulus in upper-case hexadecimal and a line feed, as Debian's and Ubuntu's package
// openssl-blacklist has them; 64 digits are the SHA-256 of a SubjectPublicKeyInfo. Empty lines and those that begin with # are
// passed over. The error wraps ErrWeakKeys.
func ParseWeakKeys(text []byte) (*WeakKeys, error) {
	w := &WeakKeys{moduli: make(map[[10]byte]bool), keys: make(map[[sha256.Size]byte]bool)}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		var b [sha256.Size]byte
		if len(line) != 20 && len(line) != 64 {
			return nil, fmt.Errorf("%w: line %d has neither 20 nor 64 digits", ErrWeakKeys, number)
		}
		if _, err := hex.Decode(b[:], line); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrWeakKeys, number, err)
		}
		if len(w.moduli)+len(w.keys) >= maxWeakKeys {
			return nil, fmt.Errorf("%w: it has more than %d keys", ErrWeakKeys, maxWeakKeys)
		}
		if len(line) == 20 {
			w.moduli[[10]byte(b[:10])] = true
		} else {
			w.keys[b] = true
		}
	}
	if len(w.moduli)+len(w.keys) == 0 {
		return nil, fmt.Errorf("%w: it has no key", ErrWeakKeys)
	}
	return w, nil
}

// modulusSuffix is how the lists of Debian's package name an RSA key.
func modulusSuffix(n *big.Int) [10]byte {
	sum := sha1.Sum(fmt.Appendf(nil, "Modulus=%X\n", n))
	return [10]byte(sum[10:])
}

// look looks a certificate's key up: the answer, and why the key is weak if it is.
func (w *WeakKeys) look(k *knownCert) (listed grade.Answer, why string) {
	if w == nil || k.view == nil {
		return grade.Unasked, ""
	}
	if key := keyOf(k.view); key.modulus != nil && w.moduli[modulusSuffix(key.modulus)] {
		return grade.Yes, "Debian OpenSSL flaw (CVE-2008-0166)"
	}
	if w.keys[sha256.Sum256(k.view.RawSPKI)] {
		return grade.Yes, "the private key is published"
	}
	return grade.No, ""
}

package pki

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tlswright/tlswright/pki/cert"
)

// PinKind says what a pin is the hash of.
type PinKind uint8

// The kinds of pins. A pinned key survives the renewal of its certificate, a
// pinned certificate does not.
const (
	PinKindSPKI        PinKind = iota // the SubjectPublicKeyInfo (RFC 7469, Section 2.4)
	PinKindCertificate                // the whole certificate: its fingerprint
)

// String names the kind: "spki" or "certificate".
func (k PinKind) String() string {
	if k == PinKindCertificate {
		return "certificate"
	}
	return "spki"
}

// Pin is the SHA-256 of a public key or of a certificate. Pins can be compared
// with ==.
type Pin struct {
	Kind   PinKind
	SHA256 [sha256.Size]byte
}

// PinSPKI pins the public key of a certificate.
func PinSPKI(c *x509.Certificate) Pin {
	return Pin{PinKindSPKI, sha256.Sum256(c.RawSubjectPublicKeyInfo)}
}

// PinCertificate pins a certificate itself.
func PinCertificate(c *x509.Certificate) Pin {
	return Pin{PinKindCertificate, sha256.Sum256(c.Raw)}
}

// PinPublicKey pins a key that has no certificate yet: the backup that lies in a
// safe.
func PinPublicKey(pub crypto.PublicKey) (Pin, error) {
	der, err := cert.MarshalPublicKey(pub)
	if err != nil {
		return Pin{}, fmt.Errorf("pin a public key: %w", err)
	}
	return Pin{PinKindSPKI, sha256.Sum256(der)}, nil
}

// Matches reports whether the pin is that of c.
func (p Pin) Matches(c *x509.Certificate) bool {
	if p.Kind == PinKindCertificate {
		return p == PinCertificate(c)
	}
	return p == PinSPKI(c)
}

// Base64 is the hash in standard base64, 44 characters.
func (p Pin) Base64() string { return base64.StdEncoding.EncodeToString(p.SHA256[:]) }

// Hex is the hash in lower-case hex, 64 characters.
func (p Pin) Hex() string { return hex.EncodeToString(p.SHA256[:]) }

// String writes a pin so that [ParsePin] reads it back with its kind: "sha256/…"
// with base64 for a key, "certificate:…" with hex for a certificate.
func (p Pin) String() string {
	if p.Kind == PinKindCertificate {
		return "certificate:" + p.Hex()
	}
	return "sha256/" + p.Base64()
}

// ParsePin reads a pin in any of the forms in use: "sha256/B64" (OkHttp),
// "sha256//B64" (curl), `pin-sha256="B64"` (RFC 7469, Section 2.1), bare base64;
// and hex with or without colons, which is how programs show a certificate's
// fingerprint. Base64 means a key and hex a certificate, unless "spki:" or
// "certificate:" before it says otherwise.
func ParsePin(s string) (Pin, error) {
	text := strings.TrimSpace(s)
	var p Pin
	forced := false
	for _, k := range []PinKind{PinKindSPKI, PinKindCertificate} {
		if rest, ok := cutPrefixFold(text, k.String()+":"); ok {
			p.Kind, text, forced = k, rest, true
			break
		}
	}
	if rest, ok := cutPrefixFold(text, "pin-sha256="); ok {
		text = strings.Trim(rest, `"`)
	} else if rest, ok := cutPrefixFold(text, "sha256/"); ok {
		// curl writes two slashes, others one; and one pin in 64 begins with a slash of its own.
		if text = rest; len(rest) != base64.StdEncoding.EncodedLen(sha256.Size) {
			text = strings.TrimPrefix(rest, "/")
		}
	} else if rest, ok := cutPrefixFold(text, "sha256:"); ok {
		text = rest
	}
	switch plain := strings.ReplaceAll(text, ":", ""); {
	case len(plain) == hex.EncodedLen(sha256.Size):
		if _, err := hex.Decode(p.SHA256[:], []byte(plain)); err != nil {
			return Pin{}, fmt.Errorf("pin %q: not hex", short(s))
		}
		if !forced {
			p.Kind = PinKindCertificate
		}
	case len(text) == base64.StdEncoding.EncodedLen(sha256.Size):
		// Some write the alphabet of URLs; a pin is the same in both.
		text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
		sum, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(sum) != sha256.Size {
			return Pin{}, fmt.Errorf("pin %q: not base64 of a SHA-256", short(s))
		}
		p.SHA256 = [sha256.Size]byte(sum)
	default:
		return Pin{}, fmt.Errorf("pin %q: neither 44 characters of base64 nor 64 of hex", short(s))
	}
	return p, nil
}

// short prepares a string from outside for an error message.
func short(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "…"
	}
	return Printable(s)
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

package keystore

import (
	"errors"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// ErrNoTokens is returned for the URI of a key in a token by programs that were
// built without PKCS #11.
var ErrNoTokens = errors.New("this program was built without PKCS #11 (it takes cgo and the build tag pkcs11)")

// maxTokenURI bounds a PKCS #11 URI, in bytes.
const maxTokenURI = 4096

// IsTokenURI reports whether s is the URI of something in a token rather than a
// path (RFC 7512, Section 2.3).
func IsTokenURI(s string) bool {
	return len(s) <= maxTokenURI && len(s) > 7 && strings.EqualFold(s[:7], "pkcs11:")
}

// withoutPIN is a URI fit to be shown: the query, where a PIN may be, is left out.
func withoutPIN(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	return pki.Printable(path)
}

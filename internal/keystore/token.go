package keystore

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// ErrNoTokens is returned for the URI of a key in a token by programs that were
// built without PKCS #11.
var ErrNoTokens = errors.New("this program was built without PKCS #11 (it takes cgo and the build tag pkcs11)")

// ModuleVariable names the environment variable with the path of the PKCS #11
// module (a shared library) to use where a URI names none.
const ModuleVariable = "TLSWRIGHT_PKCS11_MODULE"

// maxTokenURI bounds a PKCS #11 URI, in bytes.
const maxTokenURI = 4096

// tokenScheme begins every such URI.
const tokenScheme = "pkcs11:"

// IsTokenURI reports whether s is the URI of something in a token rather than a
// path (RFC 7512, Section 2.3).
func IsTokenURI(s string) bool {
	return len(s) <= maxTokenURI && len(s) > len(tokenScheme) && strings.EqualFold(s[:len(tokenScheme)], tokenScheme)
}

// tokenKeyed is a private key in a token. In the place of the key its URI is
// written, which opens it again.
type tokenKeyed interface{ TokenURI() string }

// withoutPIN is a URI fit to be shown: the query, where a PIN may be, is left out.
func withoutPIN(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	return pki.Printable(path)
}

// tokenURI is a PKCS #11 URI, taken apart (RFC 7512, Section 2.3). What is "" was
// not stated, and anything will do.
type tokenURI struct {
	token, manufacturer, serial, model string // of the token
	slot                               int    // -1: not stated
	object, id                         string // of the key; the identifier's bytes as they are
	pin, pinSource                     string
	module                             string // path of the shared library
}

// parseTokenURI reads a URI. Attributes that it does not know are refused, for
// they would have narrowed down what is meant (RFC 7512, Section 2.5), except
// those of vendors.
func parseTokenURI(s string) (tokenURI, error) {
	u := tokenURI{slot: -1}
	if !IsTokenURI(s) {
		return u, errors.New("not a PKCS #11 URI")
	}
	path, query, _ := strings.Cut(s[len(tokenScheme):], "?")
	seen := make(map[string]bool)
	for _, part := range []struct {
		text, separator string
		known           map[string]*string
	}{
		{path, ";", map[string]*string{
			"token": &u.token, "manufacturer": &u.manufacturer, "serial": &u.serial, "model": &u.model, "object": &u.object, "id": &u.id,
			"slot-id": nil, "type": nil, "library-manufacturer": nil, "library-description": nil, "library-version": nil, "slot-description": nil, "slot-manufacturer": nil,
		}},
		{query, "&", map[string]*string{"pin-value": &u.pin, "pin-source": &u.pinSource, "module-path": &u.module, "module-name": nil}},
	} {
		for attribute := range strings.SplitSeq(part.text, part.separator) {
			if attribute == "" {
				continue
			}
			name, raw, _ := strings.Cut(attribute, "=")
			value, err := url.PathUnescape(raw)
			to, known := part.known[name]
			switch {
			case err != nil:
				return u, fmt.Errorf("the attribute %q has a broken escape", pki.Printable(name))
			case seen[name]:
				return u, fmt.Errorf("the attribute %q is there twice", pki.Printable(name))
			case !known && strings.HasPrefix(name, "x-"):
				continue
			case !known:
				return u, fmt.Errorf("the attribute %q is unknown", pki.Printable(name))
			}
			seen[name] = true
			if to != nil {
				*to = value
				continue
			}
			if err := u.special(name, value); err != nil {
				return u, err
			}
		}
	}
	if u.object == "" && u.id == "" {
		return u, errors.New("it names no key: give object=NAME or id=%NN")
	}
	if u.module != "" && !filepath.IsAbs(u.module) {
		return u, errors.New("module-path must be an absolute path")
	}
	return u, nil
}

// special reads the attributes that are no plain strings.
func (u *tokenURI) special(name, value string) error {
	switch name {
	case "slot-id":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return errors.New("slot-id is not a number")
		}
		u.slot = int(n)
	case "type":
		if value != "private" {
			return fmt.Errorf("it names something of type %q, not a private key", pki.Printable(value))
		}
	default:
		return fmt.Errorf("the attribute %q is not heeded here", pki.Printable(name))
	}
	return nil
}

// findPIN gets the PIN: from the URI, from the file it names, or by asking.
func (u tokenURI) findPIN(path string, ask PassphraseFunc) ([]byte, error) {
	switch {
	case u.pin != "":
		return []byte(u.pin), nil
	case u.pinSource != "":
		return ReadPassphraseFile(strings.TrimPrefix(u.pinSource, "file:"))
	case ask == nil:
		return nil, pki.ErrEncryptedKey
	}
	return ask(withoutPIN(path))
}

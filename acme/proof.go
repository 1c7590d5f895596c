package acme

import (
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base32"
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
)

// The challenge types.
const (
	HTTP01       = "http-01"        // RFC 8555, Section 8.3
	DNS01        = "dns-01"         // RFC 8555, Section 8.4
	TLSALPN01    = "tls-alpn-01"    // RFC 8737
	DNSAccount01 = "dns-account-01" // draft-ietf-acme-dns-account-label
	DNSPersist01 = "dns-persist-01" // draft-ietf-acme-dns-persist
)

// ALPNProtocol is what a validation by tls-alpn-01 negotiates (RFC 8737, Section 6.2).
const ALPNProtocol = "acme-tls/1"

// HTTP01Path is where http-01 looks for the proof (RFC 8555, Section 8.3).
const HTTP01Path = "/.well-known/acme-challenge/"

// KeyAuthorization joins a challenge's token with the thumbprint of the account's key (RFC 8555, Section 8.1).
// thumbprint is that of RFC 7638 by SHA-256, 32 bytes.
func KeyAuthorization(token string, thumbprint []byte) string {
	return token + "." + base64.RawURLEncoding.EncodeToString(thumbprint)
}

// DNS01Value is what the TXT record of dns-01 and dns-account-01 holds (RFC 8555, Section 8.4).
func DNS01Value(keyAuthorization string) string {
	sum := sha256.Sum256([]byte(keyAuthorization))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// DNS01Name is where that record stands for a name; the star of a wildcard does not count.
func DNS01Name(name string) string { return "_acme-challenge." + strings.TrimPrefix(name, "*.") }

// DNSAccount01Name is the place of dns-account-01: a label made from the account's URL, so that several accounts can
// prove the same name (draft-ietf-acme-dns-account-label, Section 3.2).
func DNSAccount01Name(accountURL, name string) string {
	sum := sha256.Sum256([]byte(accountURL))
	label := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10]))
	return "_" + label + "._acme-challenge." + strings.TrimPrefix(name, "*.")
}

// DNSPersist01Name is the place of the lasting record of dns-persist-01 (draft-ietf-acme-dns-persist, Section 3).
func DNSPersist01Name(name string) string {
	return "_validation-persist." + strings.TrimPrefix(name, "*.")
}

// PersistRecord is a record of dns-persist-01: the issuer, the account, and how far it reaches.
type PersistRecord struct {
	Issuer     string // domain name of the issuer, lower case
	AccountURI string
	// Wildcard: it holds for wildcards and names below, too (policy=wildcard).
	Wildcard bool
	// Until is the moment, in seconds since 1970, from which on it counts no more; 0: none.
	Until int64
}

// ParsePersistRecord reads the text of such a record: "issuer.example; accounturi=…; policy=wildcard; persistUntil=…".
// Unknown parameters are passed over, repeated ones refused (ok is false).
func ParsePersistRecord(text string) (r PersistRecord, ok bool) {
	parts := strings.Split(text, ";")
	r.Issuer = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(parts[0])), ".")
	if r.Issuer == "" || strings.ContainsAny(r.Issuer, " \t=") {
		return r, false
	}
	seen := make(map[string]bool)
	for _, p := range parts[1:] {
		key, value, found := strings.Cut(strings.TrimSpace(p), "=")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		if !found {
			if key == "" {
				continue
			}
			return r, false
		}
		if seen[key] {
			return r, false
		}
		seen[key] = true
		switch key {
		case "accounturi":
			r.AccountURI = value
		case "policy":
			r.Wildcard = strings.EqualFold(value, "wildcard")
		case "persistuntil":
			until, err := strconv.ParseInt(value, 10, 64)
			if err != nil || until < 0 {
				return r, false
			}
			r.Until = until
		}
	}
	return r, r.AccountURI != ""
}

// ACMEIdentifierOID is the extension of a certificate that answers tls-alpn-01 (RFC 8737, Section 6.1).
func ACMEIdentifierOID() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}
}

// ACMEIdentifierValue is that extension's value: an OCTET STRING with the SHA-256 of the key authorization (RFC 8737,
// Section 3).
func ACMEIdentifierValue(keyAuthorization string) []byte {
	sum := sha256.Sum256([]byte(keyAuthorization))
	return append([]byte{0x04, byte(len(sum))}, sum[:]...)
}

// TLSALPN01ServerName is what the validating client asks for (SNI): the name, or for an address its name in the
// reverse tree (RFC 8738, Section 6).
func TLSALPN01ServerName(id Identifier) string {
	if id.Type != TypeIP {
		return id.Value
	}
	addr, err := netip.ParseAddr(id.Value)
	if err != nil {
		return ""
	}
	return reverseName(addr)
}

// reverseName gives an address as a name of in-addr.arpa or ip6.arpa, without the final dot.
func reverseName(addr netip.Addr) string {
	var b strings.Builder
	raw := addr.AsSlice()
	for i := len(raw) - 1; i >= 0; i-- {
		if addr.Is4() {
			b.WriteString(strconv.Itoa(int(raw[i])) + ".")
			continue
		}
		const digits = "0123456789abcdef"
		b.WriteByte(digits[raw[i]&15])
		b.WriteByte('.')
		b.WriteByte(digits[raw[i]>>4])
		b.WriteByte('.')
	}
	if addr.Is4() {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}

// CertID names a certificate in renewal information: base64url of the authority key identifier's keyIdentifier, a dot,
// and base64url of the serial number's DER contents (RFC 9773, Section 4.1). serial is the INTEGER's contents, with its
// leading zero where there is one.
func CertID(keyID, serial []byte) string {
	return base64.RawURLEncoding.EncodeToString(keyID) + "." + base64.RawURLEncoding.EncodeToString(serial)
}

// ParseCertID takes such a name apart. It must be in canonical form: unpadded, no stray bits, not empty.
func ParseCertID(s string) (keyID, serial []byte, ok bool) {
	left, right, found := strings.Cut(s, ".")
	if !found {
		return nil, nil, false
	}
	strict := base64.RawURLEncoding.Strict()
	keyID, err1 := strict.DecodeString(left)
	serial, err2 := strict.DecodeString(right)
	if err1 != nil || err2 != nil || len(keyID) == 0 || len(serial) == 0 || strings.ContainsAny(s, "\r\n") {
		return nil, nil, false
	}
	return keyID, serial, true
}

// ThumbprintHash is the hash of account key thumbprints (RFC 8555, Section 8.1).
const ThumbprintHash = crypto.SHA256
